// What becomes of an error that overwritten words of the control region have caused: one that says so.
//
// Which word it is, unsound.ts finds out; threads that only attach do not have that.

import { callError, PagePoolError } from '../errors.js';

/** What to do about words that nobody may have written: what a thread without its pool still may do. */
export const OVERWRITTEN =
  'a thread of the pool has written where it must not: end the pool, and look for views kept after a release';

/**
 * Runs what follows words; what the language or the platform throws over them becomes an error that says so. `name`
 * throws the error of the word, where it finds one.
 */
export function withSoundWords<T>(call: string, run: () => T, name: (cause: unknown) => void): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof PagePoolError) throw cause;
    name(cause);
    const isOfWords = cause instanceof RangeError || cause instanceof TypeError || isTrap(cause);
    if (!isOfWords) throw cause;
    const rule = 'a control region that nobody else writes';
    throw callError('POOL_ERR_CORRUPT', call, 'word=unknown', rule, OVERWRITTEN, { cause });
  }
}

function isTrap(cause: unknown): boolean {
  return (cause as Partial<Error> | null)?.name === 'RuntimeError';
}
