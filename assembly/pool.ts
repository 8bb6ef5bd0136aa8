// Whole-pool calls of a port: bursts, views' arithmetic, parking, trimming, closing.
//
// The port's own thread only. Each is a loop or a sequence of the steps of other files and adds no protocol of its own:
// a thread killed here leaves what those steps leave.

import {
  COUNTER_FAST,
  COUNTER_RECYCLED,
  NODE_COUNT_OFFSET,
  OK,
  PORT_LIMIT_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_RING_HEAD_OFFSET,
  PORT_PARKED_OFFSET,
  EMPTY,
} from './layout';
import { aload, astore } from './atomic';
import { answer, flush, isActive, refill, retireMagazine, unpark } from './cache';
import { channelCount, closeChannel, drainChannel, extentBytes } from './channel';
import {
  bind,
  lastCode,
  loaded,
  pages,
  pageShift,
  port,
  portId,
  ring,
  unitBytesShift,
  unitsPerPageShift,
} from './context';
import { leaveFragmentPage } from './fragment';
import { inspect, unitOf } from './handle';
import { refillTop, releaseRun, releaseWithin, takeRun } from './refcount';
import { touchStack } from './stack';
import { countMany } from './stats';
import { ringPop } from './ring';

/** Serves port `id` from now on; the thread has claimed it. */
export function open(id: u32): void {
  bind(id);
}

/** Writes up to `count` page handles at `address`; how many. No atomics while the cache has pages. */
export function allocBurst(address: usize, count: u32): u32 {
  touchStack();
  let done: u32 = 0;
  while (done < count) {
    const filled = load<u32>(loaded + NODE_COUNT_OFFSET); // plain: owner only
    if (filled == 0) {
      const handle = refillTop();
      if (handle == 0) break;
      store<u32>(address + ((<usize>done) << 2), handle);
      done += 1;
      continue;
    }
    const run = filled < count - done ? filled : count - done;
    takeRun(address + ((<usize>done) << 2), filled, run);
    countMany(COUNTER_FAST, run);
    done += run;
  }
  return done;
}

/** Releases handles from the front until one is refused; how many. */
export function releaseBulk(address: usize, count: u32): u32 {
  touchStack();
  let done: u32 = 0;
  while (true) {
    const run = releaseRun(address + ((<usize>done) << 2), count - done);
    countMany(COUNTER_RECYCLED, run);
    done += run;
    if (done == count || releaseWithin(load<u32>(address + ((<usize>done) << 2))) != OK) return done;
    done += 1;
  }
}

/** The fragment's first byte in this memory, or 0 when the handle is refused. */
export function offset(handle: u32): u32 {
  if (inspect(handle) != OK) return 0;
  const unit = unitOf(handle);
  return <u32>pages + ((unit - ((<u32>1) << unitsPerPageShift)) << unitBytesShift);
}

/** Bytes reserved for the fragment, or a code. */
export function extent(handle: u32): i32 {
  const code = inspect(handle);
  return code != OK ? code : <i32>extentBytes(unitOf(handle));
}

/** Why the last burst stopped early. */
export function lastError(): i32 {
  return lastCode;
}

/** Returns the magazines and the fragment page; releases go through to the ring until `unpark`. */
export function park(): void {
  store<u32>(port + PORT_PARKED_OFFSET, 1); // plain: owner only
  // N1 no ordering needed: this thread reads it; requests of others store the same 0.
  astore(port + PORT_LIMIT_OFFSET, 0);
  leaveFragmentPage(false);
  flush();
}

/** Does what others asked of this port: returns its pages under pressure, parks when the pool closes. */
export function poll(): void {
  // By the state, not by the limit: who read the end before the limit was lowered may not be called again.
  if (!isActive()) park();
  // A2 pairs with R5 in cache.ts press: a request made before is seen.
  else if (aload(port + PORT_LIMIT_OFFSET) == 0 && load<u32>(port + PORT_PARKED_OFFSET) == 0) answer();
}

/** Gives the pages in the ring to the provider's side; how many. This port's own go first. */
export function trim(): u32 {
  const wasParked = load<u32>(port + PORT_PARKED_OFFSET) != 0;
  park();
  const returned = drainRing();
  if (!wasParked) unpark();
  return returned;
}

function drainRing(): u32 {
  let returned: u32 = 0;
  while (ringPop(ring, port + PORT_MERGE_OFFSET, port + PORT_RING_HEAD_OFFSET, 0) != EMPTY)
    returned += retireMagazine(port + PORT_MERGE_OFFSET);
  return returned;
}

/** Closing: closes and drains the channels, parks, gives everything in the ring to the provider's side; pages given. */
export function scrub(): u32 {
  for (let i: u32 = 0; i < channelCount(); i++) {
    closeChannel(i);
    drainChannel(i);
  }
  park();
  return drainRing();
}
