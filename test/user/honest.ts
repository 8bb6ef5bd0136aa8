// A consumer that keeps to the protocol, and looks closely: every window is as its tag says when it comes, while it is
// kept, and when it is given back.
//
// Knows no platform: a worker of Node and one of a page run the same steps.

import type { Delivery, Receiver } from '../../src/user.js';
import { isStamped } from '../support/stamp.js';

/** Words of the shared counters. */
export const CHECKED = 0;
export const TORN = 1;
export const STOP = 2;

/** Most windows that it keeps at one time. */
const KEPT = 12;

/** Returns the honest steps: as many as are asked for, or until nothing is there. */
export function createHonest(receiver: Receiver, counts: Int32Array, seed: number) {
  const kept: Delivery[] = [];
  let state = seed >>> 0;

  function random(below: number): number {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state >>> 8) % below;
  }

  function check(delivery: Delivery): void {
    Atomics.add(counts, isStamped(delivery.bytes, delivery.tag) ? CHECKED : TORN, 1);
  }

  function drop(): void {
    const [delivery] = kept.splice(random(kept.length), 1);
    if (delivery === undefined) return;
    // What was taken back by the end of the queue is somebody else's now.
    if (!receiver.isClosed) check(delivery);
    delivery.release();
  }

  return {
    step(): boolean {
      const delivery = receiver.receive();
      if (delivery === null) return false;
      check(delivery);
      kept.push(delivery);
      if (kept.length > KEPT || random(3) === 0) drop();
      return true;
    },
    /** Gives everything back. */
    finish(): void {
      while (kept.length > 0) drop();
    },
  };
}
