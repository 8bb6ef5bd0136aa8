// The options that every reading call takes, and their checks.

import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';

/**
 * Takes a fragment that came, with its one reference: release it, send it, or keep it. Its bytes follow those of the
 * call before. A promise pauses the source until it is settled. What throws or rejects ends the reading; the fragment
 * is released if it still has its reference.
 */
export type OnFragment = (fragment: Fragment) => unknown;

/** How bytes get into pages. */
export interface ReadOptions {
  /**
   * Bytes of the memory that a source reads into before it goes on to the next: 64..pageBytes; a whole page if not
   * given.
   */
  readBytes?: number | undefined;
  /**
   * The next memory is taken when fewer bytes than this are left: 1..readBytes; an eighth of `readBytes` if not given.
   */
  minRoomBytes?: number | undefined;
  /** Bytes at most: more are POOL_ERR_MEMORY_LIMIT. No limit if not given. */
  maxBytes?: number | undefined;
  /** Ends the reading with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** The same with the defaults filled in. */
export interface ResolvedRead {
  readonly readBytes: number;
  readonly minRoomBytes: number;
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

const READ_OPTIONS = ['readBytes', 'minRoomBytes', 'maxBytes', 'signal'];
const READ_BYTES_MIN = 64;

/**
 * The options with every default filled in.
 *
 * @param more names of options beside those of `ReadOptions`
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when one is unknown, has the wrong type or lies outside its range
 */
export function resolveRead(
  call: string,
  pool: AttachedPool,
  options: unknown,
  more: readonly string[] = [],
): ResolvedRead & Record<string, unknown> {
  portOf(call, pool); // before its options are compared with it
  const given = requireRecord(call, 'options', options ?? {}, [...READ_OPTIONS, ...more]) as ReadOptions;
  const { readBytes = pool.pageBytes, maxBytes = Number.MAX_SAFE_INTEGER, signal } = given;
  requireInteger(call, 'readBytes', readBytes, READ_BYTES_MIN, pool.pageBytes);
  const { minRoomBytes = readBytes >>> 3 } = given;
  requireInteger(call, 'minRoomBytes', minRoomBytes, 1, readBytes);
  requireInteger(call, 'maxBytes', maxBytes, 0, Number.MAX_SAFE_INTEGER);
  requireSignal(call, signal);
  return { ...given, readBytes, minRoomBytes, maxBytes, signal };
}

/** Throws unless it is a signal, or none. */
export function requireSignal(call: string, signal: unknown): void {
  if (signal !== undefined && typeof (signal as Partial<AbortSignal> | null)?.addEventListener !== 'function') {
    throw invalidArgument(call, 'signal', signal, 'an AbortSignal');
  }
}

/** Throws unless it can be called. */
export function requireOnFragment(call: string, onFragment: unknown): void {
  if (typeof onFragment !== 'function') throw invalidArgument(call, 'onFragment', onFragment, 'a function');
}
