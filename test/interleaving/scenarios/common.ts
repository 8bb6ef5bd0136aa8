// What several scenarios need: pools brought into a known state, and the words of an outcome.

import {
  ERR_CHANNEL_CLOSED,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_STALE_HANDLE,
  ERR_TOKEN_SPENT,
  FULL,
} from '../../../assembly/layout.js';
import type { WhenFull } from '../../../src/control/geometry.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { End } from '../explorer.js';
import { lapMask, type ModelPool } from '../model.js';
import type { Call } from '../thread.js';

/** `page 3`, or `none` for handle 0; the call's handle. */
export function pageName({ pool }: End, handle: number | null): string {
  return handle === null || handle === 0 ? 'none' : `page ${pool.pageOf(handle)}`;
}

const CODES: Readonly<Record<number, string>> = {
  0: 'ok',
  [FULL]: 'full',
  [ERR_TOKEN_SPENT]: 'spent',
  [ERR_PIN]: 'no pin',
  [ERR_STALE_HANDLE]: 'stale',
  [ERR_NOT_HELD]: 'not held',
  [ERR_CHANNEL_CLOSED]: 'closed',
};

/** A result code in words. */
export function codeName(code: number | null): string {
  return code === null ? 'not called' : (CODES[code] ?? `code ${code}`);
}

/** Throws unless the results of the listed calls, or of all, are 0. */
export function requireOk(results: readonly (number | null)[], calls: readonly number[] = [...results.keys()]): void {
  for (const call of calls)
    if (results[call] !== 0) throw new Error(`call ${call} returned ${results[call]} (expected 0)`);
}

/** Throws unless every result of every thread is 0. */
export function requireAllOk(results: readonly (readonly (number | null)[])[]): void {
  for (const own of results) requireOk(own);
}

/** `count` pages of port `id`. */
export function allocPages(pool: ModelPool, id: number, count: number): number[] {
  return Array.from({ length: count }, () => {
    const handle = pool.port(id).alloc();
    if (handle === 0) throw new Error('setup: no page left');
    return handle;
  });
}

/** Releases handles of port `id`. */
export function releaseAll(pool: ModelPool, id: number, handles: readonly number[]): void {
  for (const handle of handles) if (pool.port(id).release(handle) !== 0) throw new Error('setup: release refused');
}

/** Takes `count` pages and releases two: both magazines of port `id` are full with one page each. Returns the rest. */
export function cachePages(pool: ModelPool, id: number, count: number): number[] {
  const [first, second, ...rest] = allocPages(pool, id, count);
  releaseAll(pool, id, [first!, second!]);
  return rest;
}

/** Retires pages. */
export function retirePages(pool: ModelPool, id: number, handles: readonly number[]): void {
  for (const handle of handles) {
    const page = pool.port(id).pin(handle);
    releaseAll(pool, id, [handle]);
    if (pool.port(id).unpin(page) !== 0) throw new Error('setup: unpin refused');
  }
}

/** Leaves `count` magazines with one page each in the recycle ring, and nothing in any cache. */
export function halfEmptyMagazines(pool: ModelPool, count: number): void {
  const handles = allocPages(pool, 0, count);
  pool.port(0).park();
  releaseAll(pool, 0, handles);
  pool.port(0).unpark();
}

/** A pool with one channel, called `entries`. */
export function channelOf(capacity: number, whenFull: WhenFull = 'refuse', batch = 1): PoolOptions {
  return { pageCount: 4, channels: { entries: { capacity, batch, whenFull } } };
}

/**
 * Sends `count` pages of port `id` with tags 1, 2, ...; `wrap`: the ring's lap and position wrap with the next
 * transfer.
 */
export function fillChannel(pool: ModelPool, id: number, count: number, wrap: boolean): void {
  const { ring } = pool.geometry.channels[0]!;
  if (wrap) pool.startRingAt(ring, lapMask(ring), ring.slotCount - 1);
  for (const [i, handle] of allocPages(pool, id, count).entries()) {
    if (pool.port(id).send(0, handle, 0, 0, i + 1) !== 0) throw new Error('setup: send refused');
  }
}

const ENTRY_BYTES = 16;

/** A call by which port `id` receives one entry into its place number `place`. */
export function receive(pool: ModelPool, id: number, place = 0): Call {
  return ['receiveBurst', 0, pool.scratch(id) + place * ENTRY_BYTES, 1];
}

/** A call by which port `id` sends the handles in one burst, with tags from `tag` on. */
export function sendBurst(pool: ModelPool, id: number, handles: readonly number[], tag: number): Call {
  for (const [i, handle] of handles.entries()) {
    const entry = pool.scratch(id) + i * ENTRY_BYTES;
    for (const [word, value] of [handle, 0, 0, tag + i].entries()) pool.write(entry + 4 * word, value);
  }
  return ['sendBurst', 0, pool.scratch(id), handles.length, 0];
}

/** The tags of the first `count` entries in port `id`'s places. */
export function tagsAt(pool: ModelPool, id: number, count: number, first = 0): string {
  const tags = Array.from({ length: count }, (_, i) => pool.read(pool.scratch(id) + (first + i) * ENTRY_BYTES + 12));
  return tags.length === 0 ? 'nothing' : tags.join(' ');
}

/** The handle of the entry in place 0. */
export function received(pool: ModelPool, id: number): { wordAt: number } {
  return { wordAt: pool.scratch(id) };
}

/** The tag of what call number `call` received into the place of the same number, or `nothing`. */
export function entryTag({ pool, results }: End, id: number, call: number): string {
  return results[id]![call] === 1 ? String(pool.read(pool.scratch(id) + call * ENTRY_BYTES + 12)) : 'nothing';
}
