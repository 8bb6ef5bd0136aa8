// What follows leaks in a program that has loaded it, by importing pagepool/leaks: most programs look for none.

import { invalidArgument } from '../errors.js';
import type { LeakOptions } from '../leaks/report.js';
import type { Port } from '../port/port.js';
import type { PoolCalls } from './attachment.js';

/** From now on the port's references are followed, through its engine. */
export type TrackPort = (port: Port, options: LeakOptions, calls: PoolCalls) => void;

let loaded: TrackPort | undefined;

/** From now on this realm has it. */
export function loadLeaks(track: TrackPort): void {
  loaded = track;
}

/** It, for a thread that asks for that level; throws where it was not loaded. */
export function requireLeaks(call: string, level: string): TrackPort {
  if (loaded !== undefined) return loaded;
  const rule = "pagepool/leaks, or 'off'";
  throw invalidArgument(call, 'leaks', level, rule, 'import pagepool/leaks in this thread');
}
