// Timers of the platform, started so that none of them keeps a program alive unasked.

import type { Timer } from './types.js';

const DELAY_MS_MAX = 2 ** 31 - 1;

/** Who holds the process now. */
let holds = 0;
let holder: ReturnType<typeof setInterval> | undefined;

/** Starts a timer that does not keep a process alive, unless `isHolding`. */
export function startTimer(callback: () => void, delayMs: number, isHolding = false): Timer {
  const timer = setTimeout(callback, delayMs) as Timer;
  if (!isHolding) timer.unref?.();
  return timer;
}

/**
 * Keeps the process alive until as many calls of `letGo` have followed. One timer for all; in a page it has no effect.
 */
export function hold(): void {
  if (holds++ === 0) holder = setInterval(() => {}, DELAY_MS_MAX);
}

/** Ends one `hold`. */
export function letGo(): void {
  if (--holds === 0) clearInterval(holder);
}

/** Whether this realm has timers: an audio worklet has none, and leaves to others what has to be checked again. */
export function hasTimers(): boolean {
  return typeof setTimeout === 'function';
}
