// The soak of wake-ups: two to four threads wait for everything that there is to wait for, give up at random, and are
// killed at random. Now and then all of them stand still where they are: then nobody waits for what is there.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { expect } from 'vitest';
import { layoutHash } from '#layout-hash';
import {
  CONTROL_BASE,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  HEADER_TAKER_OFFSET,
  REPLY_ANSWERED,
  REPLY_FAILED,
  REPLY_OUT,
  REPLY_SERVING,
  REPLY_SHIFT,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import type { SharedWords } from '../../src/control/claims.js';
import { hasFreeToken, loadWord, poolEvents } from '../../src/control/nodes.js';
import { openShare } from '../../src/pool/share.js';
import { randomFrom } from '../support/ports.js';
import { entryOf } from '../support/threads.js';
import { orHung, turns, until } from '../support/waiting.js';

const packetEntry = new URL('../../build/packet.js', import.meta.url).href;
const program = new URL('./wakes-thread.mjs', import.meta.url);
const THREADS_MAX = 4;
const PAGES = 24;
const PHASES = { go: 0, pause: 1, stop: 2 };
/** What the threads wait for. */
const KINDS = [
  ...['1 page', '2 pages', '3 pages', 'entries', 'room', 'packets', 'room 1', 'room 2', 'room 3'],
  ...['calls', 'answer', 'tokens'],
] as const;
type Kind = (typeof KINDS)[number];

export interface WakesSoak {
  readonly engine: 'wasm' | 'typescript';
  /** What is handed over, of all kinds together: entries, packets, answers, tokens. */
  readonly entries: number;
  readonly kills: number;
  /** How often all threads stand still. */
  readonly rests: number;
  readonly seed: number;
}

/** Calls under way by their reply slots, and those of them that are over and not collected. */
function askedCalls({ memory, geometry }: SharedWords): { readonly all: number; readonly over: number } {
  const states = Array.from({ length: geometry.maxPorts * geometry.replyCount }, (_, i) => {
    return loadWord(memory, geometry.repliesOffset + (i << REPLY_SHIFT)) & REPLY_STATE_MASK;
  });
  const over = states.filter((state) => state === REPLY_ANSWERED || state === REPLY_FAILED).length;
  return { over, all: over + states.filter((state) => state === REPLY_OUT || state === REPLY_SERVING).length };
}

/** Runs it; how much was handed over. */
export async function soakWakes({ engine, entries, kills, rests, seed }: WakesSoak): Promise<number> {
  const random = randomFrom(seed);
  const pool = PagePool.createSync({
    engine,
    pageBytes: 256,
    pageCount: PAGES,
    maxPorts: THREADS_MAX + 2,
    tokens: 3,
    channels: { entries: { capacity: 6, batch: 1 }, packets: { capacity: 6, batch: 3 } },
    calls: { work: { capacity: 2 } },
  });
  const control = openShare(pool.share(), layoutHash);
  // The phase, what was handed over, and for each thread how many loops are busy, and how many wait for each kind.
  const own = KINDS.length + 1;
  const words = new Int32Array(new SharedArrayBuffer(4 * (2 + own * THREADS_MAX)));
  const handedOver = (): number => Atomics.load(words, 1);
  const failures: string[] = [];
  const threads: (Worker | undefined)[] = Array.from({ length: THREADS_MAX });
  let started = 0;

  async function start(slot: number): Promise<void> {
    const index = ++started;
    const setup = {
      ...{ entry: entryOf(index), packetEntry, share: pool.share(), engine, seed, index },
      ...{ kinds: KINDS, phases: PHASES, words, slot },
    };
    const worker = new Worker(program, { workerData: setup });
    pool.watch(worker);
    worker.on('error', (error) => failures.push(String(error.stack)));
    threads[slot] = worker;
    await orHung(once(worker, 'message'), 'a thread does not start');
  }

  async function kill(slot: number): Promise<void> {
    await threads[slot]?.terminate();
    threads[slot] = undefined;
    words.fill(0, 2 + slot * own, 2 + (slot + 1) * own);
    pool.reclaimTokens(0); // those that it had lent, and some of others
  }

  const sum = (word: number): number => {
    let all = 0;
    for (let slot = 0; slot < THREADS_MAX; slot++) all += Atomics.load(words, 2 + slot * own + word);
    return all;
  };
  /** The kinds that somebody waits for, though there is some; undefined while somebody is busy. */
  function missed(): Kind[] | undefined {
    if (sum(0) !== 0) return undefined;
    const stats = pool.stats();
    const [ofEntries, ofPackets] = stats.channels;
    const [ofCalls] = stats.calls;
    if (ofEntries === undefined || ofPackets === undefined || ofCalls === undefined) throw new Error('no channels');
    const free = PAGES - stats.pages.used;
    const room = ofPackets.capacity - ofPackets.pending;
    const asked = askedCalls(control);
    const isThere: Record<Kind, boolean> = {
      '1 page': free >= 1,
      '2 pages': free >= 2,
      '3 pages': free >= 3,
      entries: ofEntries.pending > 0,
      room: ofEntries.pending < ofEntries.capacity,
      packets: ofPackets.pending > 0,
      'room 1': room >= 1,
      'room 2': room >= 2,
      'room 3': room >= 3,
      calls: ofCalls.waiting > 0,
      // What has come, or room for a call that has not gone.
      answer: asked.over > 0 || (asked.all < sum(1 + KINDS.indexOf('answer')) && ofCalls.waiting < ofCalls.capacity),
      tokens: hasFreeToken(control),
    };
    const kinds = KINDS.filter((kind, i) => isThere[kind] && sum(1 + i) > 0);
    return sum(0) === 0 ? kinds : undefined;
  }

  /** Everybody stays where he is; nobody waits for what is there, or the test hangs, and says for what. */
  async function rest(): Promise<void> {
    Atomics.store(words, 0, PHASES.pause);
    // Nothing that moves by itself, as counters do of threads that look now and then.
    const seen = (): string => `SEED=${seed}: ${missed() ?? `${sum(0)} busy`} after ${handedOver()}`;
    for (let quiet = 0; quiet < 3; quiet++) {
      await until(() => failures.length > 0 || missed()?.length === 0, seen);
      await turns(2);
      if (missed()?.length !== 0) quiet = -1;
      if (failures.length > 0) return;
    }
    Atomics.store(words, 0, PHASES.go);
  }

  await Promise.all(Array.from({ length: 2 + (random() % 3) }, (_, slot) => start(slot)));
  const steps = kills + rests;
  let killsLeft = kills;
  for (let step = 1; step <= steps && failures.length === 0; step++) {
    const wanted = Math.floor((entries * step) / steps) - (random() % 50);
    await until(() => handedOver() >= wanted || failures.length > 0, handedOver);
    if (random() % (steps - step + 1) >= killsLeft) {
      await rest();
      continue;
    }
    killsLeft--;
    const slots = threads.flatMap((thread, slot) => (thread === undefined ? [] : [slot]));
    const victim = slots[random() % slots.length] as number;
    await kill(victim);
    // Two to four of them.
    const isOneLess = slots.length > 2 && random() % 3 === 0;
    if (!isOneLess) await start(victim);
    const empty = threads.indexOf(undefined);
    if (empty >= 0 && random() % 3 === 0) await start(empty);
  }
  await until(() => handedOver() >= entries || failures.length > 0, handedOver);
  expect(failures, `SEED=${seed}`).toEqual([]);
  Atomics.store(words, 0, PHASES.stop);
  const live = threads.filter((thread) => thread !== undefined);
  await orHung(Promise.all(live.map((worker) => once(worker, 'message'))), 'threads do not stop');
  expect(failures, `SEED=${seed}`).toEqual([]);
  // Nobody waits any more, and nothing is armed.
  const armed = poolEvents(control.geometry).filter((event) =>
    [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET].some((bits) => loadWord(control.memory, event + bits) !== 0),
  );
  expect(armed).toEqual([]);
  expect(loadWord(control.memory, CONTROL_BASE + HEADER_TAKER_OFFSET)).toBe(0);
  const exited = Promise.all(live.map((worker) => once(worker, 'exit')));
  for (const worker of live) worker.postMessage('detach');
  await orHung(exited, 'threads do not end');
  for (const name of ['entries', 'packets'] as const) {
    const channel = pool.channel(name);
    for (let left = channel.receive(); left !== null; left = channel.receive()) left.release();
  }
  pool.reclaimTokens(0);
  // Calls that nobody wants any more stay where they are until a server takes them.
  const draining = new AbortController();
  const drained = pool.calls('work').serve(() => 1, { signal: draining.signal });
  await until(() => pool.stats().calls[0]?.waiting === 0);
  draining.abort();
  await drained;
  // The first audit settles what deaths left suspect, the second one finds it at home.
  const whole = { errors: [], exact: true, balanced: true };
  expect(pool.audit(), `SEED=${seed}`).toMatchObject(whole);
  expect(pool.audit(), `SEED=${seed}`).toMatchObject({ ...whole, pages: { used: 0 } });
  const closed = await pool.close();
  expect(closed).toMatchObject({ isDestroyed: true, inflight: 0 });
  return handedOver();
}
