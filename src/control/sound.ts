// What becomes of an error that overwritten words of the control region have caused: one that says so.
//
// Which word it is, unsound.ts finds out; threads that only attach do not have that.

import { callError, PagePoolError } from '../errors.js';

/** A word that cannot be as it is. */
export interface Unsound {
  readonly address: number;
  readonly name: string;
  readonly value: number;
  readonly rule: string;
}

/** What a thread without its pool still may do. */
const TODO =
  'a thread of the pool has written where it must not: end the pool, and look for views kept after a release';

/**
 * Runs what follows words; what the language or the platform throws over them becomes an error that names one, where
 * `find` finds it.
 */
export function withSoundWords<T>(call: string, run: () => T, find: () => Unsound | undefined): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof PagePoolError) throw cause;
    const found = find();
    if (found !== undefined) throw corruptWord(call, found, cause);
    const isOfWords = cause instanceof RangeError || cause instanceof TypeError || isTrap(cause);
    if (!isOfWords) throw cause;
    throw callError('POOL_ERR_CORRUPT', call, 'word=unknown', 'a control region that nobody else writes', TODO, {
      cause,
    });
  }
}

function isTrap(cause: unknown): boolean {
  return (cause as Partial<Error> | null)?.name === 'RuntimeError';
}

/** The error of a word that cannot be as it is. */
export function corruptWord(call: string, { address, name, value, rule }: Unsound, cause?: unknown): PagePoolError {
  return callError('POOL_ERR_CORRUPT', call, `word ${address} (${name})=${value}`, rule, TODO, { cause });
}
