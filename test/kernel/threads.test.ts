// Bugs that the kernel's page_pool and its providers had, each in the situation where it showed: the ones that take
// real threads.
//
// Numbered as in bugs.test.ts. Both engines: the engine named is that of the threads and of the test's own port.

import { once } from 'node:events';
import type { Worker } from 'node:worker_threads';
import { PagePool, type PoolOptions, type PoolShare } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { layoutHash } from '#layout-hash';
import {
  CONTROL_BASE,
  DESCRIPTOR_SHIFT,
  HEADER_CLOSER_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_RETIRED_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RELEASE_OFFSET,
} from '../../assembly/layout.js';
import { portOffset } from '../../src/control/places.js';
import { inflight } from '../../src/control/state.js';
import { openShare } from '../../src/pool/share.js';
import type { Port } from '../../src/port/port.js';
import { PortReaper } from '../../src/recovery/port-reaper.js';
import { chooseSeed, create, pageOf, randomFrom, requireBalance } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';
import { giveWay, spinUntil } from '../support/spin.js';
import { type Crew, entry, startThreads } from '../support/threads.js';
import { HUNG_MS, until } from '../support/waiting.js';
import { LOAN_WORDS, WORD } from './words.js';

/** What threads say, by message or at their end. */
type Said = Readonly<Record<string, unknown>>;

const file = new URL('./thread.ts', import.meta.url);
const seed = chooseSeed('kernel threads');
const sharedWords = (count: number) => new Int32Array(new SharedArrayBuffer(4 * count));

describe.each(['release', 'typescript'] as const)('with the %s engine', (kind) => {
  const engine = kind === 'release' ? 'wasm' : 'typescript';
  const random = randomFrom(seed);
  let crew: Crew<Said> | undefined;
  afterEach(async () => {
    vi.useRealTimers();
    await crew?.end();
    crew = undefined;
  });

  const words = sharedWords(2);
  const shareOf = (pool: PagePool): PoolShare => ({ ...pool.share(), engine });
  const make = (options: PoolOptions): PagePool => create(kind, options);
  /** A thread of that role; `data` as its workerData. */
  async function start(...roles: readonly { role: string; [more: string]: unknown }[]): Promise<Crew<Said>> {
    words.fill(0);
    const data = roles.map((role) => ({ words, ...role }));
    crew = await startThreads<Said>(file, data);
    return crew;
  }
  /** What the first thread says next. */
  const said = async (): Promise<Said> => (await once(crew?.workers[0] as Worker, 'message'))[0];
  const tell = (message: object): void => crew?.workers[0]?.postMessage(message);

  // Kernel: the last page was in the ring, where whoever destroys the pool found it and freed the pool, while the
  // thread that had brought it was still about to unlock the ring. Here the pool ends when in-flight reads 0, and
  // nothing of it is touched after. Breaks with: in assembly/supply.ts retire (and its twin) the store of
  // PORT_RELEASE_OFFSET moved before list().
  it('1: the thread that brings the last page back touches the pool after its end', async () => {
    await start({ role: 'returner' });
    await said();
    for (let pools = 0; pools < 4; pools++) {
      const pool = make({ pageCount: 3000, pageBytes: 256, unitBytes: 64, maxPorts: 2 });
      const { memory, geometry } = openShare(pool.share(), layoutHash);
      const { u32 } = memory;
      words.fill(0);
      tell({ share: shareOf(pool) });
      const { portId, handles } = (await said()) as { portId: number; handles: number[] };
      expect(handles.length).toBe(3000);
      const closed = pool.close(); // somebody waits for the end: the release wakes it
      Atomics.store(words, WORD.toThread, -1);
      spinUntil(words, WORD.toTest, -1);
      const port = portOffset(geometry, portId);
      const counted = (port + PORT_RELEASE_OFFSET) >>> 2;
      const freed = (CONTROL_BASE + HEADER_FREED_OFFSET) >>> 2;
      const before = new Uint32Array(10);
      let wanted = Atomics.load(memory.i32, counted);
      for (const [i, handle] of handles.entries()) {
        // Each might be the last one, by which the pool ends: what is written after it is counted may be somebody
        // else's memory.
        const page = pageOf({ geometry } as Port, handle);
        const bits = (geometry.retiredBitsOffset >>> 2) + (page >>> 5);
        const places = [freed, freed + 1, freed + 2, bits, (CONTROL_BASE + HEADER_RETIRED_OFFSET) >>> 2];
        const descriptor = (geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT)) >>> 2;
        places.push(descriptor, descriptor + 1, descriptor + 2, descriptor + 3);
        places.push((geometry.ledgersOffset + portId * geometry.ledgerBytes + 2 * page) >>> 2);
        wanted++;
        const isLast = i === handles.length - 1;
        Atomics.store(words, WORD.toThread, i + 1);
        for (let looks = 0; Atomics.load(memory.i32, counted) !== wanted; looks++) giveWay(looks);
        for (let k = 0; k < places.length; k++) before[k] = u32[places[k] as number] as number;
        const all = isLast ? u32.slice(CONTROL_BASE >>> 2, geometry.scratchOffset >>> 2) : undefined;
        spinUntil(words, WORD.toTest, i + 1);
        const changed = places.filter((place, k) => u32[place] !== before[k]);
        const late = changed.map((place) => 4 * place);
        if (late.length > 0) expect(late, `page ${page}: addresses written after it was counted`).toEqual([]);
        if (all === undefined) continue;
        // Its own record is the thread's: nobody else looks at it, unless the thread is dead.
        const [first, end] = [PORT_RECORD_KIND_OFFSET, PORT_COUNTING_OFFSET].map((offset) => port + offset);
        const written = [...all.keys()].filter((k) => all[k] !== u32[(CONTROL_BASE >>> 2) + k]);
        const addresses = written.map((k) => CONTROL_BASE + 4 * k);
        expect(addresses.filter((at) => at < (first as number) || at >= (end as number))).toEqual([]);
        expect(inflight(memory, geometry)).toBe(0);
      }
      const wants = said();
      expect(await closed).toMatchObject({ isDestroyed: true });
      await wants;
    }
    tell({});
  });

  // Kernel: the pool was freed with its owner while pages were out. Breaks with: `|| inflight(closer.memory,
  // closer.geometry) !== 0` in src/control/ending.ts destroyIfHome away; `follow` of src/pool/closing.ts empty: the
  // pool never ends.
  it('7: the pool is freed with its owner while others hold pages of it', async () => {
    const options = { pageCount: 16, pageBytes: 1024, unitBytes: 64, maxPorts: 3, zero: 'never', channels: {} };
    await start({ role: 'creator', entry, share: { options, engine } });
    const { share } = (await said()) as { share: PoolShare };
    const pool = PagePool.attach({ ...share, engine });
    const { memory, geometry } = openShare(share, layoutHash);
    pool.watch(crew?.workers[0]);
    const pages = Array.from({ length: 5 }, () => pool.alloc());
    const part = pool.allocFragment(100);
    for (const [i, handle] of [...pages, part].entries()) pool.bytes(handle).fill(i + 1);
    const ended = once(crew?.workers[0] as Worker, 'exit');
    vi.useFakeTimers();
    Atomics.store(words, WORD.toThread, 1);
    await ended;
    // The thread that closed is gone: this one goes on.
    const closer = (CONTROL_BASE + HEADER_CLOSER_OFFSET) >>> 2;
    await until(() => (Atomics.load(memory.i32, closer) & 0x3ff) - 1 === pool.portId);
    expect(codeOf(() => pool.alloc())).toMatch(/CLOSING|undefined/);
    for (const [i, handle] of [...pages, part].entries()) {
      vi.advanceTimersByTime(1000); // whoever goes on with closing looks each second
      expect(pool.bytes(handle).every((byte) => byte === i + 1)).toBe(true);
      expect(pool.refCount(handle)).toBe(1);
      expect(inflight(memory, geometry)).toBeGreaterThan(0);
      pool.release(handle);
    }
    vi.advanceTimersByTime(1000);
    await until(() => (codeOf(() => pool.poll()) ?? codeOf(() => pool.alloc())) === 'POOL_ERR_DESTROYED');
    expect(inflight(memory, geometry)).toBe(0);
  });

  // Kernel: whoever takes a page back from under its user looks at its descriptor after the exchange that decides who
  // may. Here: a token that one thread adopts, another reclaims, and a third lends again at once. Breaks with: in
  // assembly/token.ts adopt (and its twin) the store of the free token moved before the reads of its words.
  it('9: who claims a page reads what is another’s by then', async () => {
    const rounds = 30_000;
    const pool = make({ pageCount: 300, maxPorts: 4 });
    const share = shareOf(pool);
    const loans = sharedWords(64 * LOAN_WORDS);
    const roles = ['lender', 'adopter', 'reclaimer'].map((role) => ({ role, share, loans, rounds }));
    const { results } = await start(...roles);
    const [, adopter, reclaimer] = await results();
    const { adopted, spent, wrong } = adopter as unknown as { adopted: number; spent: number; wrong: string[] };
    const { reclaimed } = reclaimer as unknown as { reclaimed: number };
    console.log(`${rounds} loans: ${adopted} adopted, ${spent} spent before, ${reclaimed} reclaimed`);
    expect(wrong).toEqual([]);
    expect(adopted + spent).toBe(rounds);
    expect(adopted + reclaimed + pool.reclaimTokens(0)).toBe(rounds);
    expect(Math.min(adopted, reclaimed)).toBeGreaterThan(0);
    expect(pool.audit()).toMatchObject({ errors: [], pages: { used: 0 }, references: { tokens: 0, ledgers: 0 } });
    pool.destroy();
  });

  // Kernel: a release found that it may use the cache, the destroyer took that permission away and emptied the cache,
  // the release put its page into it. Here the destroyer waits for the thread to have parked. Breaks with: the first
  // line of assembly/pool.ts poll (and its twin) behind a look at the limit; `port.engine?.poll()` in src/port/port.ts
  // exhausted away; R8 and what follows in assembly/cache.ts unpark (and its twin) as the store alone;
  // `runningPorts(closer).length !== 0 ||` in src/control/ending.ts destroyIfHome away.
  it('24: a page goes into a cache that was emptied between the question and the answer', async () => {
    await start({ role: 'user' });
    await said();
    for (let round = 0; round < 300; round++) {
      const pool = make({ pageCount: 20, maxPorts: 2 });
      const { memory, geometry } = openShare(pool.share(), layoutHash);
      words.fill(0);
      tell({ share: shareOf(pool) });
      await until(() => Atomics.load(words, WORD.toTest) === 1);
      for (let spins = random() % 3000; spins > 0; spins--) Atomics.load(words, 0);
      const report = await pool.close({ timeoutMs: HUNG_MS });
      expect(report, `round ${round}`).toEqual({
        isDestroyed: true,
        isTakenOver: false,
        inflight: 0,
        pinned: 0,
        holders: [],
      });
      spinUntil(words, WORD.toTest, 2);
      // Nothing came after the end: the thread had its last word before.
      expect(inflight(memory, geometry)).toBe(0);
      Atomics.store(words, WORD.toThread, 2);
      await said(); // that it wants the next one
    }
    tell({});
  });

  // Kernel: a count was read and then lowered, and set to 0 by whoever takes everything back, in between: it wrapped,
  // and the page was on the free list twice. Here: releases in one thread, everything let go at once, or reaped, in
  // another. Breaks with: the exchange of the count in assembly/refcount.ts releaseShared (X8, and its twin) as a load
  // and a store.
  it('28: what one thread releases is taken back by another at the same time, and is free twice', async () => {
    const rounds = 1200;
    const pool = make({ pageCount: 8, maxPorts: 4, channels: { c: { capacity: 8, batch: 1 } } });
    const { results } = await start({ role: 'sharer', share: shareOf(pool), rounds });
    const looker = portBeside(pool, kind);
    let port: Port = portBeside(pool, kind);
    for (let round = 1; round <= rounds; round++) {
      const { engine: own } = port;
      const isPart = random() % 2 === 0;
      const handle = isPart ? own.allocFragment(200) : own.alloc();
      expect(handle).not.toBe(0);
      own.retain(handle, 5);
      for (let i = 0; i < 3; i++) expect(own.send(0, handle, 0, 1, i)).toBe(0);
      const [way, page] = [random() % 3, pageOf(port, handle)];
      spinUntil(words, WORD.toTest, round);
      Atomics.store(words, WORD.toThread, round);
      if (way === 0) expect(own.releaseHeld(page, 3)).toBe(3);
      else if (way === 1) for (let i = 0; i < 3; i++) expect(own.release(handle)).toBe(0);
      else new PortReaper(looker).reapClaim(port.id, port.claim);
      spinUntil(words, WORD.toTest, -round);
      if (way === 2) port = portBeside(pool, kind);
      const { pages } = requireBalance(looker);
      expect(pages.used, `round ${round}, way ${way}`).toBeLessThanOrEqual(1); // an open fragment page
      Atomics.store(words, WORD.toThread, -round);
      if (round % 16 !== 0) continue;
      // Every page is there, and there once.
      port.engine.park();
      looker.engine.park();
      const all: number[] = [];
      for (let next = looker.engine.alloc(); next !== 0; next = looker.engine.alloc()) all.push(pageOf(looker, next));
      expect(new Set(all).size).toBe(all.length);
      // What the other thread has in its cache is its own: one magazine at most here.
      expect(all.length).toBeGreaterThanOrEqual(8 - 2 * looker.geometry.magazineCapacity);
      for (const each of all) looker.engine.releaseHeld(each, 1);
      looker.engine.park();
    }
    await results();
    looker.engine.park();
    port.engine.park();
    expect(pool.audit()).toMatchObject({ errors: [], exact: true, pages: { used: 0 } });
    pool.trim();
    expect(pool.stats().pages.provider).toBe(8);
  });
});
