// Room for bytes that come from the platform: a fragment to fill, released when filling it fails.
//
// An empty pool is null, as everywhere; what does not fit a page is an error that names how large a page must be.

import { invalidRange } from '../errors.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import { destroyedError } from '../port/port.js';

/** A fragment of so many bytes; null when the pool is empty. */
export function takeRoom(call: string, pool: AttachedPool, bytes: number): Fragment | null {
  portOf(call, pool);
  if (bytes > pool.pageBytes) {
    const rule = `at most pageBytes=${pool.pageBytes}`;
    throw invalidRange(call, 'bytes', bytes, rule, 'create the pool with larger pages');
  }
  return pool.take(bytes);
}

/** Asked again behind a wait: the thread may have left the pool meanwhile, and its pages with it. */
export function requireAttached(call: string, pool: AttachedPool): void {
  if (portOf(call, pool).isGone) throw destroyedError(call);
}

/** What `fill` makes of the fragment; it goes back when that throws. */
export function fillRoom<T>(fragment: Fragment, fill: (fragment: Fragment) => T): T {
  try {
    return fill(fragment);
  } catch (error) {
    fragment[dispose]();
    throw error;
  }
}

/** The same for what takes time. */
export async function fillRoomLater<T>(fragment: Fragment, fill: (fragment: Fragment) => Promise<T>): Promise<T> {
  try {
    return await fill(fragment);
  } catch (error) {
    fragment[dispose]();
    throw error;
  }
}
