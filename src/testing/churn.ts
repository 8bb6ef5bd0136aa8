// Churn: one thread's random work on a pool, with every byte range stamped and checked before it is given up.
//
// Runs in any thread that is attached; several of them may work on one pool and send pages to each other over one of
// its channels. The stamp is the fragment's own place and a number of the thread, so a page that two users have at one
// time shows in the bytes. Choices follow from the seed; it holds at most `hold` references.

import type { AttachedPool } from '../pool/attached-pool.js';
import type { Channel } from '../pool/channel.js';
import type { Fragment } from '../pool/fragment.js';
import { randomFrom } from './random.js';

/** How to churn. */
export interface Churn {
  seed: number;
  /** Steps. */
  rounds: number;
  /** References held at one time; 32 if not given. */
  hold?: number | undefined;
  /** The channel that pages are sent over and received from; none if not given. */
  channel?: string | undefined;
}

/** What a churn did. */
export interface ChurnReport {
  readonly taken: number;
  readonly empty: number;
  readonly sent: number;
  readonly received: number;
  readonly released: number;
  /** Ranges whose bytes were not what their holder had written. */
  readonly torn: number;
}

const STAMP_WORDS = 4;

/** Works on the pool for a number of steps and gives everything back. */
export function churn(pool: AttachedPool, { seed, rounds, hold = 32, channel }: Churn): ChurnReport {
  const next = randomFrom(seed);
  const way: Channel | undefined = channel === undefined ? undefined : pool.channel(channel);
  const held: { fragment: Fragment; stamp: number }[] = [];
  const report = { taken: 0, empty: 0, sent: 0, received: 0, released: 0, torn: 0 };
  const keep = (fragment: Fragment, stamp: number): void => void held.push({ fragment, stamp });
  const drop = (at: number): { fragment: Fragment; stamp: number } => {
    const each = held.splice(at, 1)[0] as { fragment: Fragment; stamp: number };
    if (!isStamped(pool, each.fragment, each.stamp)) report.torn += 1;
    return each;
  };
  for (let round = 0; round < rounds; round++) {
    const choice = next() % 8;
    if (choice < 4 && held.length < hold) {
      const fragment = pool.take(next() % 2 === 0 ? undefined : 1 + (next() % pool.pageBytes));
      if (fragment === null) report.empty += 1;
      else {
        report.taken += 1;
        const stamp = next();
        writeStamp(pool, fragment, stamp);
        keep(fragment, stamp);
      }
    } else if (choice < 6 && held.length > 0) {
      drop(next() % held.length).fragment.release();
      report.released += 1;
    } else if (choice === 6 && way !== undefined && held.length > 0) {
      const { fragment, stamp } = drop(next() % held.length);
      if (way.sendFragment(fragment, stamp)) report.sent += 1;
      else keep(fragment, stamp);
    } else if (way !== undefined) {
      const fragment = way.receive();
      if (fragment !== null) {
        report.received += 1;
        keep(fragment, fragment.tag);
      }
    }
    if (round % 64 === 0) pool.poll();
  }
  while (held.length > 0) {
    drop(held.length - 1).fragment.release();
    report.released += 1;
  }
  return report;
}

function writeStamp(pool: AttachedPool, fragment: Fragment, stamp: number): void {
  if (!pool.isReadable(fragment.handle)) return;
  for (const [at, value] of stampOf(fragment, stamp)) fragment.bytes[at] = value;
}

function isStamped(pool: AttachedPool, fragment: Fragment, stamp: number): boolean {
  if (!pool.isReadable(fragment.handle)) return true;
  for (const [at, value] of stampOf(fragment, stamp)) if (fragment.bytes[at] !== value) return false;
  return true;
}

/** A few bytes at the start, at the end and between: where, and what. */
function* stampOf({ length }: Fragment, stamp: number): Generator<readonly [at: number, value: number]> {
  for (let i = 0; i < STAMP_WORDS; i++) {
    const at = Math.floor(((length - 1) * i) / (STAMP_WORDS - 1));
    // Of ranges as short as a few bytes several stamps are one byte: they are written in this order, and the last one
    // counts.
    if (i > 0 && at === Math.floor(((length - 1) * (i - 1)) / (STAMP_WORDS - 1))) continue;
    yield [at, (stamp >>> (8 * i)) & 0xff];
  }
}
