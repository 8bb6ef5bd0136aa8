// How the untrusted side waits and refuses: on one word of the rings, with a signal, a timeout, and timers where
// nothing better is.
//
// Its own small version of what the pool has, since nothing of the core may be imported here. Any thread.

import type { Signal, Timer } from '../platform/types.js';

/** How to wait. */
export interface ReceiveOptions {
  /** Ends the wait with the signal's reason. */
  signal?: Signal | undefined;
  /** Ends the wait with POOL_ERR_TIMEOUT; no limit if not given. */
  timeoutMs?: number | undefined;
  /** In Node, Bun and Deno: false lets the process end while this waits. A wait holds it if this is not given. */
  ref?: boolean | undefined;
}

const DELAY_MS_MAX = 2 ** 31 - 1;

/** An error with a code of docs/errors.md. */
export function refuse(code: string, message: string): Error & { readonly code: string } {
  return Object.assign(new Error(message), { code });
}

/** Calls back once; what it returns calls it off. */
export function after(delayMs: number, callback: () => void, isKept = true): () => void {
  const timer = setTimeout(callback, Math.min(delayMs, DELAY_MS_MAX)) as Timer;
  if (!isKept) timer.unref?.();
  return () => clearTimeout(timer as never);
}

/** Calls back when timers and sockets that are due have run. */
const { setImmediate: later = (callback: () => void): unknown => setTimeout(callback, 0) } = globalThis as {
  readonly setImmediate?: (callback: () => void) => unknown;
};
const TURN_MS = 2;
let mark: Promise<void> | undefined;
let sinceMs = 0;

/**
 * Who awaits one delivery after the other that is there already lets the event loop run: what to await, if it is time.
 */
export function turnDue(): Promise<void> | undefined {
  const nowMs = performance.now();
  if (mark !== undefined) return nowMs - sinceMs < TURN_MS ? undefined : mark;
  sinceMs = nowMs;
  mark = new Promise((resolve) => {
    later(() => {
      mark = undefined;
      resolve();
    });
  });
  return undefined;
}

/**
 * Resolves when the word may have changed from `seen`, when the time is over or the signal is aborted: whoever waits
 * checks again.
 */
export async function sleep(
  words: Int32Array,
  index: number,
  seen: number,
  leftMs: number,
  pauseMs: number,
  { signal, ref = true }: ReceiveOptions,
): Promise<void> {
  const { waitAsync } = Atomics as { waitAsync?: typeof Atomics.waitAsync };
  const waited = waitAsync?.(words, index, seen | 0);
  if (waited?.async === false) return;
  let stop = (): void => {};
  const alarm = new Promise<void>((resolve) => {
    const ring = (): void => {
      resolve();
      // N1 no ordering needed: a waitAsync that nobody waits for any more would stay queued until something is given.
      if (waited !== undefined) Atomics.notify(words, index);
    };
    // Where nothing notifies this thread of the word's change, a timer checks it.
    const delayMs = waited === undefined ? Math.min(leftMs, pauseMs) : leftMs;
    const callOff = delayMs < Infinity ? after(delayMs, ring, ref) : undefined;
    signal?.addEventListener('abort', ring, { once: true });
    stop = () => {
      callOff?.();
      signal?.removeEventListener('abort', ring);
    };
  });
  await Promise.race(waited === undefined ? [alarm] : [alarm, waited.value]);
  stop();
}
