// Turns of the event loop: who awaits one thing after the other that is there already never leaves the microtasks, and
// its timers and sockets starve. Here such a thread finds out when it has to let them run.
//
// One mark a turn, for the whole thread. The mark is made by whatever the platform runs between timers and sockets.

import { monotonicMs } from './clock.js';

/** As long may a thread go on from one thing that is there to the next. */
const TURN_MS = 2;

/** Calls back when the event loop has gone on. Taken when the module is loaded: nobody replaces it afterwards. */
export const nextTurn: (callback: () => void) => void = turner();

/** Whether that costs less than a wake-up by another thread. */
export const isTurnCheap: boolean = typeof (globalThis as { setImmediate?: unknown }).setImmediate === 'function';

let sinceMs = 0;
let mark: Promise<void> | undefined;

/** What to await before the thread goes on: the event loop's next turn. Undefined while there is time left. */
export function turnDue(): Promise<void> | undefined {
  return mark !== undefined && monotonicMs() - sinceMs >= TURN_MS ? mark : undefined;
}

/**
 * A wait has ended: marks the turn, where nobody has. Who goes to sleep needs no mark. The same as `turnDue` comes
 * back.
 */
export function markTurn(): Promise<void> | undefined {
  if (mark !== undefined) return turnDue();
  sinceMs = monotonicMs();
  mark = new Promise((resolve) => {
    nextTurn(() => {
      mark = undefined;
      resolve();
    });
  });
  return undefined;
}

function turner(): (callback: () => void) => void {
  const { MessageChannel, setImmediate, setTimeout } = globalThis as {
    readonly MessageChannel?: typeof globalThis.MessageChannel;
    readonly setImmediate?: (callback: () => void) => unknown;
    readonly setTimeout?: (callback: () => void, delayMs: number) => unknown;
  };
  if (setImmediate !== undefined) return setImmediate;
  // A timer would do, but browsers hold nested ones back for 4 ms. Elsewhere an open channel keeps a program alive.
  if (MessageChannel !== undefined && 'navigator' in globalThis && !('Deno' in globalThis)) {
    const { port1, port2 } = new MessageChannel();
    const callbacks: (() => void)[] = [];
    port1.onmessage = () => callbacks.shift()?.();
    return (callback) => {
      callbacks.push(callback);
      port2.postMessage(0);
    };
  }
  // Realms of sound have neither, and nobody waits there.
  return (callback) => void (setTimeout === undefined ? Promise.resolve().then(callback) : setTimeout(callback, 0));
}
