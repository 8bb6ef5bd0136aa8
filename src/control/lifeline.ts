// Lifelines: what shows the death of a thread that never returns to its event loop.
//
// The thread of a port waits asynchronously on a word that nobody changes, several times: each wait is a strand.
// Strands need no event loop, and the platform drops them with their thread. Whoever wants to know whether the thread
// lives takes one: it is there, or the thread is gone. The count beside it says how many nobody has taken, so a strand
// that is missing is none that somebody took. The thread makes new ones whenever it comes by. A lock would do better,
// since its end is an event; but Chromium sends a worker's first request only when the worker returns to its event
// loop. Threads whose end is an event have no lifeline, and pages have none: they always return.

import {
  CLAIM_SEQ_SHIFT,
  PORT_LIFELINE_OFFSET,
  PORT_STRANDS_OFFSET,
  STRANDS_MASK,
  STRANDS_SEQ_SHIFT,
} from '../../assembly/layout.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { workerThreads } from '../platform/thread.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { portOffset } from './places.js';

/**
 * Strands of a thread that has come by lately. When it does not, each look comes later by twice as much as the one
 * before: these last for days.
 */
const STRANDS = 32;
/** Looks after which it should come by. */
const STRANDS_FEW = 24;
/** Two that are missing at once are a death: a watcher that was late may have taken one of the port's next thread. */
const STRANDS_LEFT_MIN = 2;

/** What a look found. */
export type Life = 'alive' | 'dead' | 'unknown';

/** A port as a claim has it. */
interface Claimed {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly id: number;
  readonly claim: number;
}

/** Whether threads of this pool can be asked here. */
export function canAskLives(memory: PoolMemory): boolean {
  return memory.isShared && hasWaitAsync() && workerThreads() === undefined;
}

/** Whether this thread needs a lifeline: one of the web that may never return to its event loop. */
export function needsLifeline(memory: PoolMemory): boolean {
  return canAskLives(memory) && !('document' in globalThis);
}

/** Makes this thread's strands as many as they should be. The port's own thread, as often as it comes by. */
export function holdLifeline(seat: Claimed): void {
  const { i32 } = seat.memory;
  const [line, strands] = wordsOf(seat);
  for (;;) {
    // N1 no ordering needed: the exchange decides.
    const seen = Atomics.load(i32, strands) >>> 0;
    const left = strandsOf(seat, seen);
    if (left >= STRANDS) return;
    // First the strand, then the count: one that is counted is there. One that is not counted does no harm.
    void Atomics.waitAsync(i32, line, 0);
    // X1 pairs with X2 in take: where somebody took one meanwhile, this one is made again.
    Atomics.compareExchange(i32, strands, seen | 0, wordFor(seat, left + 1));
  }
}

/** Lets go, before the port is free: no strand is left for its next thread. Its own thread, or its reaper. */
export function dropLifeline(seat: Claimed): void {
  const { i32 } = seat.memory;
  const [line, strands] = wordsOf(seat);
  // N2 no ordering needed: nobody takes a strand that is not counted.
  Atomics.store(i32, strands, wordFor(seat, 0));
  // N3 no ordering needed: whoever asks at this moment finds none, and none is counted.
  Atomics.notify(i32, line);
}

/**
 * Whether the thread that has the port by that claim lives. Unknown: it has no lifeline, or too few strands are left.
 * Each look takes one, and `isShort` says that the thread should come by.
 */
export function askLife(seat: Claimed): { readonly life: Life; readonly isShort: boolean } {
  const left = take(seat, STRANDS_LEFT_MIN, 1);
  if (left === undefined) return { life: 'unknown', isShort: true };
  if (isThere(seat, 1)) return { life: 'alive', isShort: left < STRANDS_FEW };
  // It was counted, and it is gone: so are the others, unless the thread detached meanwhile.
  const all = take(seat, 1, Infinity);
  return { life: all !== undefined && !isThere(seat, Infinity) ? 'dead' : 'unknown', isShort: true };
}

/** Takes `count` of the strands, where there are at least `least`: how many are left. */
function take(seat: Claimed, least: number, count: number): number | undefined {
  const { i32 } = seat.memory;
  const [, strands] = wordsOf(seat);
  for (;;) {
    // N4 no ordering needed: the exchange decides.
    const seen = Atomics.load(i32, strands) >>> 0;
    const left = strandsOf(seat, seen);
    if (left < least) return undefined;
    const next = Math.max(0, left - count);
    // X2 pairs with X1 in holdLifeline: whoever has counted it down, and nobody else, takes that strand.
    if (Atomics.compareExchange(i32, strands, seen | 0, wordFor(seat, next)) >>> 0 === seen) return next;
  }
}

function isThere({ memory, geometry, id }: Claimed, count: number): boolean {
  const line = (portOffset(geometry, id) + PORT_LIFELINE_OFFSET) >>> 2;
  // N5 no ordering needed: nobody listens, the number is what is asked for.
  return Atomics.notify(memory.i32, line, count) > 0;
}

function wordsOf({ geometry, id }: Claimed): [line: number, strands: number] {
  const port = portOffset(geometry, id);
  return [(port + PORT_LIFELINE_OFFSET) >>> 2, (port + PORT_STRANDS_OFFSET) >>> 2];
}

/** Strands of this claim, by the word. */
function strandsOf({ claim }: Claimed, word: number): number {
  return word >>> STRANDS_SEQ_SHIFT === claim >>> CLAIM_SEQ_SHIFT ? word & STRANDS_MASK : 0;
}

function wordFor({ claim }: Claimed, strands: number): number {
  return ((claim >>> CLAIM_SEQ_SHIFT) << STRANDS_SEQ_SHIFT) | strands;
}
