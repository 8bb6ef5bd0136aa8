// The words by which a pool ends: that it closes and who closes it, the call for every port's pages, and the check that
// destroys.
//
// What of closing touches shared words, apart from its timers and its reports (src/pool/closing.ts), so that an
// explorer can step it against other threads. Never blocks. Source: page_pool_destroy.

import {
  CONTROL_BASE,
  HEADER_CLOSER_OFFSET,
  HEADER_STATE_OFFSET,
  PORT_LIMIT_OFFSET,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { isSeated, type Seat, type SharedWords, seatWord } from './claims.js';
import { portOffset } from './places.js';
import { announce, inflight, runningPorts } from './state.js';

const CLOSER = (CONTROL_BASE + HEADER_CLOSER_OFFSET) >>> 2;

/** Names who ends the pool: the thread that created it. */
export function nameCreator(creator: Seat): void {
  // N9 no ordering needed: nobody else knows of the pool yet.
  Atomics.store(creator.memory.i32, CLOSER, seatWord(creator));
}

/**
 * Whether this thread may end the pool: the one that created it, and where that one is gone whoever asks first. It does
 * from here on.
 */
export function mayEnd(closer: Seat): boolean {
  // N10 no ordering needed: who created the pool stands there since before it was shared.
  return Atomics.load(closer.memory.i32, CLOSER) === (seatWord(closer) | 0) || succeed(closer);
}

/** From here on no page is allocated, and every port is asked for its pages. */
export function beginEnding(closer: Seat): void {
  // R6 pairs with A8 in succeed: whoever sees the pool closing sees who closes it.
  Atomics.store(closer.memory.i32, CLOSER, seatWord(closer));
  close(closer, STATE_CLOSING);
  press(closer);
}

/**
 * Goes on in the place of a port that began to close the pool and is gone. False: it is there, or another one was
 * faster.
 */
export function takeOver(closer: Seat): boolean {
  if (!succeed(closer)) return false;
  press(closer);
  return true;
}

/** Writes this port down as the one that ends the pool, where the one that stands there is gone. */
function succeed(closer: Seat): boolean {
  const { memory } = closer;
  // A8 pairs with R6 in beginEnding: the word is there before the state.
  const seen = Atomics.load(memory.i32, CLOSER);
  if (isSeated(closer, seen)) return false;
  // X7 of those who see the closer gone, one goes on.
  if (Atomics.compareExchange(memory.i32, CLOSER, seen, seatWord(closer)) !== seen) return false;
  return true;
}

/** Destroys the pool if every port has parked and every page is home. */
export function destroyIfHome(closer: Seat): boolean {
  // Ports first: one that has parked takes nothing any more, so what is in flight can only become less.
  if (runningPorts(closer).length !== 0 || inflight(closer.memory, closer.geometry) !== 0) return false;
  close(closer, STATE_DESTROYED);
  return true;
}

/** Closes the pool further, to `state`, and wakes everybody who may wait for that. */
function close({ memory }: Seat, state: number): void {
  // R1 pairs with A1 in assembly/cache.ts isActive: from here on no port allocates pages.
  Atomics.store(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2, state);
  announce(memory);
}

/** Asks every port for its pages. */
export function press({ memory, geometry }: SharedWords): void {
  for (let id = 0; id < geometry.maxPorts; id++) {
    // R4 pairs with A2 in assembly/pool.ts poll: the port's next release, or poll, returns its pages.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_LIMIT_OFFSET) >>> 2, 0);
  }
}
