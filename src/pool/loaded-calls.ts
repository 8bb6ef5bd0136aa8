// Calls as a program has them or not, by importing pagepool/calls: most pools have none, and whoever only creates a
// pool with calls, or repairs one, asks and serves none.

import { invalidArgument } from '../errors.js';
import type { Port } from '../port/port.js';
import type { Waits } from '../port/waits.js';
import type { Calls, CallsSeat } from './calls.js';
import type { Replies } from './replies.js';

/** What a thread has that asks, or serves. */
export interface CallsPart {
  /** The waits of a port for what becomes of its calls. */
  openReplies(port: Port, waits: Waits): Replies;
  /** The thread's end of the calls at that place among the pool's channels. */
  openCalls(seat: CallsSeat, index: number): Calls;
}

let loaded: CallsPart | undefined;

/** From now on this realm has them. */
export function loadCalls(part: CallsPart): void {
  loaded = part;
}

/** They, for the calls of that name; throws where they were not loaded. */
export function requireCalls(name: string): CallsPart {
  if (loaded !== undefined) return loaded;
  const rule = 'pagepool/calls, where a thread asks or serves';
  throw invalidArgument('calls', 'name', name, rule, 'import pagepool/calls in this thread');
}
