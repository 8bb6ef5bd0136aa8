// Timers of the platform, started so that none of them keeps a program alive unasked.

import type { Timer } from './types.js';

/** Starts a timer that, in Node, keeps the event loop alive only if asked. */
export function startTimer(callback: () => void, delayMs: number, ref = false): Timer {
  const timer = setTimeout(callback, delayMs) as Timer;
  if (!ref) timer.unref?.();
  return timer;
}

/** Whether this realm has timers: an audio worklet has none, and leaves to others what has to be looked at again. */
export function hasTimers(): boolean {
  return typeof setTimeout === 'function';
}
