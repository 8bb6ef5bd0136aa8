// Eventcounts: a sequence word to wait on, and a bit for each waiting port, so that a dead waiter can be cleared.
//
// Publish first, then call `wake`. A waiter sets its bit, reads the sequence, looks again at what it waits for, and
// only then waits for the sequence to change: of the two, one sees the other. All waiters are woken; nobody waits for a
// value.

import { EVENT_SEQ_OFFSET, EVENT_WAITERS_OFFSET } from './layout';
import { aadd, aload, anotify } from './atomic';

/** Wakes every waiter of the eventcount, when there is one. Any thread; two loads when nobody waits. */
export function wake(event: usize): void {
  // A1 pairs with X1 in src/port/eventcount.ts arm: a waiter that we do not see here sees what we published before.
  if ((aload(event + EVENT_WAITERS_OFFSET) | aload(event + EVENT_WAITERS_OFFSET + 4)) == 0) return; // N2 the second half of A1: the same pairing for ports 32 to 63.
  // R3 pairs with A2 in src/port/eventcount.ts arm: what was published is visible to whoever wakes by the new sequence.
  aadd(event + EVENT_SEQ_OFFSET, 1);
  // N4 no ordering needed: the sequence was raised before.
  anotify(event + EVENT_SEQ_OFFSET);
}
