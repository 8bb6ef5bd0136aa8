// Shapes of waiting: a thread that waits is woken by what it waits for, whenever that comes.
//
// Store and load on both sides again: the waiter sets its bit and looks at the condition, the other makes the condition
// true and looks for bits. A wake-up that is lost shows as a wait that ends by its limit, while no other side went on
// either: what takes turns may be another's for long.

import { HUNG_MS } from '../support/waiting.js';
import { type Context, jitter, type Seen, type Side, until, untilWord } from './shape.js';

const WORD = { answer: 0 };
/** Longer than a look, as long as going to sleep takes: the wake-up meets every point of it. */
const SPINS = 8000;

/** Sends one entry after the other, each when the one before was received. */
const sendEach: Side = (context) => {
  const { pool, rounds } = context;
  const channel = pool.channel('c');
  for (let n = 1; n <= rounds; n++) {
    jitter(context, SPINS);
    const handle = until(context, () => pool.alloc() || undefined);
    if (handle === undefined || !channel.send(handle, 0, 4, n)) break;
    if (!untilWord(context, WORD.answer, n)) break;
  }
  channel.close();
  return { forbidden: [], counts: {} };
};

/** Receives what the other sends, each after a wait for it. */
function receiveEach(wait: (context: Context, n: number) => Promise<number | string> | number | string): Side {
  return async (context) => {
    const { words } = context;
    const forbidden: string[] = [];
    let received = 0;
    for (;;) {
      const came = await wait(context, Atomics.load(words, WORD.answer) + 1);
      if (came === 0) break;
      if (typeof came === 'string') {
        forbidden.push(came);
        break;
      }
      received++;
      Atomics.store(words, WORD.answer, came);
    }
    return { forbidden, counts: { received } } satisfies Seen;
  };
}

const lost = (call: string, n: number, pending: number): string =>
  `round ${n}: ${call} waited ${HUNG_MS} ms with ${pending} entries in the channel (expected to be woken)`;

/** Whether some side received what this one waits for. */
const isOvertaken = ({ words }: Context, n: number): boolean => Atomics.load(words, WORD.answer) >= n;

/** Blocks until something can be received; its tag, 0 at the end. */
function block(context: Context, first: number): number | string {
  const channel = context.pool.channel('c');
  for (let n = first; ; n = Atomics.load(context.words, WORD.answer) + 1) {
    const isReady = channel.waitSync(HUNG_MS);
    const fragment = channel.receive();
    if (fragment === null) {
      if (isReady || isOvertaken(context, n)) continue; // another waiter was faster
      return channel.isClosed ? 0 : lost('waitSync', n, channel.pending);
    }
    // It was there, and the wait ended by its limit: nobody called.
    if (!isReady) return lost('waitSync', n, channel.pending + 1);
    fragment.release();
    return fragment.tag;
  }
}

/** Waits for the next entry; its tag, 0 at the end. */
async function next(context: Context, first: number): Promise<number | string> {
  const channel = context.pool.channel('c');
  for (let n = first; ; n = Atomics.load(context.words, WORD.answer) + 1) {
    try {
      const fragment = await channel.next({ timeoutMs: HUNG_MS, ref: true });
      fragment?.release();
      return fragment?.tag ?? 0;
    } catch (error) {
      if ((error as { code?: string }).code !== 'POOL_ERR_TIMEOUT') throw error;
      if (!isOvertaken(context, n)) return lost('next', n, channel.pending);
    }
  }
}

/** Sends as soon as the channel has room, which it waits for; then closes. */
const sendIntoRoom: Side = async (context) => {
  const { pool, rounds } = context;
  const channel = pool.channel('c');
  const forbidden: string[] = [];
  for (let n = 1; n <= rounds && forbidden.length === 0; n++) {
    const fragment = await pool.takeAsync(64, { timeoutMs: HUNG_MS, ref: true });
    await channel.waitRoom({ timeoutMs: HUNG_MS, ref: true });
    if (!channel.sendFragment(fragment, n)) forbidden.push(`round ${n}: no room after waitRoom, with one sender`);
  }
  channel.close();
  return { forbidden, counts: {} };
};

const receiveAfterAWhile: Side = (context) => {
  const { pool, rounds } = context;
  const channel = pool.channel('c');
  let received = 0;
  for (let n = 1; n <= rounds; n++) {
    const fragment = until(context, () => {
      const received = channel.receive() ?? undefined;
      // What it keeps in its cache may be the page that the other waits for.
      if (received === undefined) pool.poll();
      return received;
    });
    if (fragment === undefined) break;
    jitter(context, SPINS);
    fragment.release();
    received++;
  }
  return { forbidden: [], counts: { received } };
};

export const waits: Readonly<Record<string, readonly Side[]>> = {
  waitSync: [sendEach, receiveEach(block)],
  'waitSync of two': [sendEach, receiveEach(block), receiveEach(block)],
  next: [sendEach, receiveEach(next)],
  'next beside waitSync': [sendEach, receiveEach(next), receiveEach(block)],
  'waitRoom and takeAsync': [sendIntoRoom, receiveAfterAWhile],
};
