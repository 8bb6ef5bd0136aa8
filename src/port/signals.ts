// Signals: one listener for each signal, however many waits of this thread have it.

import type { Signal } from '../platform/types.js';

interface Heard {
  /** What to call, one of each wait. */
  readonly aborts: Set<() => void>;
  readonly listener: () => void;
}

/** The signals of one port's waits. */
export class Signals {
  readonly #heard = new Map<Signal, Heard>();

  /** Calls `abort` when the signal is aborted. What the signal throws is thrown, and nothing is left then. */
  add(signal: Signal, abort: () => void): void {
    const heard = this.#heard.get(signal);
    if (heard !== undefined) {
      heard.aborts.add(abort);
      return;
    }
    const aborts = new Set([abort]);
    const listener = (): void => {
      this.#heard.delete(signal);
      for (const each of aborts) each();
    };
    signal.addEventListener('abort', listener, { once: true });
    this.#heard.set(signal, { aborts, listener });
  }

  /** Takes it back; the last one takes the listener along. */
  remove(signal: Signal, abort: () => void): void {
    const heard = this.#heard.get(signal);
    if (heard === undefined || !heard.aborts.delete(abort) || heard.aborts.size > 0) return;
    this.#heard.delete(signal);
    signal.removeEventListener('abort', heard.listener);
  }
}
