// Shared memory that a thread lets go of, told to its collector.
//
// A shared buffer's memory goes back when the collectors of all threads that knew it have run. V8 does not count what
// shared buffers hold: a thread that makes little garbage, idle or busy with numbers, would keep dropped gigabytes for
// hours. It does count ordinary buffers, and collects when 64 MiB of them are more than there were. So a thread that
// has dropped as much makes one of that size and leaves it. Nobody touches it, so the system gives it no memory: what
// it takes is addresses, until it is collected together with what was dropped.

import { spareAddresses } from './addresses.js';
import { hasTimers, startTimer } from './timers.js';
import type { Timer } from './types.js';

/** What makes V8 collect: a little more than the 64 MiB that it lets ordinary buffers grow by. */
const WEIGHT_BYTES = 2 ** 26 + 2 ** 20;
/** Fewer bytes that were dropped are not worth a collection. */
const NOTED_BYTES = 2 ** 24;
/** What a thread that does not return to its event loop drops before it is weighed where it stands. */
const BLOCKED_BYTES = 2 ** 28;
/** Long enough that what goes together is gone: what is still known when a collection begins stays for the next one. */
const SETTLED_MS = 250;

/** Dropped since the last weight, by all pools of this thread. */
let droppedBytes = 0;
let timer: Timer | undefined;

/** A shared buffer of so many bytes is not referred to any more, but by what the program kept. */
export function noteDropped(bytes: number): void {
  droppedBytes += bytes;
  if (droppedBytes < NOTED_BYTES || !hasTimers()) return;
  clearTimeout(timer);
  if (droppedBytes >= BLOCKED_BYTES) weigh(); // and once more when all are gone: the last ones were still known
  timer = startTimer(weigh, SETTLED_MS);
}

function weigh(): void {
  droppedBytes = 0;
  try {
    // The last addresses are the platform's.
    if (spareAddresses() >= WEIGHT_BYTES) new ArrayBuffer(WEIGHT_BYTES);
  } catch {
    // Where the platform refuses it, it has collected what it could before.
  }
}
