// The address of a worklet's script, as the bundler gives it: bundlers find scripts by `new Worker(new URL(...))`.
//
// Vite and webpack copy a file that stands in `addModule(new URL(...))` as it is, with imports that no browser can
// resolve. What stands in `new Worker(new URL(...))` they bundle with all that it imports. So the user writes that, and
// the worker is not started: for the time of the call `Worker` is a function that keeps the address.

import { invalidArgument } from '../errors.js';

/**
 * The address of a script that is written as a worker's, for `addModule`: a bundler makes a script of it with
 * everything that it imports. No worker is started. To be called in a page, which has the `Worker` that it stands in
 * for while `start` runs.
 *
 * @param start makes one worker, by the words that the bundler knows
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it makes none; what it throws
 * @example
 * const url = workletUrl(() => new Worker(new URL('./processor.js', import.meta.url), { type: 'module' }));
 * await context.audioWorklet.addModule(url);
 */
export function workletUrl(start: () => unknown): string {
  if (typeof start !== 'function') throw invalidArgument('workletUrl', 'start', start, 'a function');
  const realm = globalThis as { Worker?: unknown };
  const { Worker } = realm;
  let address: string | undefined;
  realm.Worker = class {
    constructor(url: unknown) {
      address = String(url);
    }
  };
  try {
    start();
  } finally {
    realm.Worker = Worker;
  }
  if (address !== undefined) return address;
  throw invalidArgument('workletUrl', 'start', 'no worker', 'one that is constructed from a URL');
}
