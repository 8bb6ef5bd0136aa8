// A port: this thread's attachment to a pool, as the other files of the public layer see it.
//
// Claiming and freeing a port's claim word, and the few header words that several files read. A port belongs to one thread.
// A freed port keeps its counters and its magazines: the next claimant goes on with both, so sums over all ports stay right.

import { STATE_CLOSING, STATE_DESTROYED } from '../../assembly/layout.js';
import { keepClaim } from '../control/claims.js';
import type { Geometry } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { poolState } from '../control/state.js';
import { ERR_CLOSED } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { engineError, PagePoolError, REMEDIES } from '../errors.js';
import type { LeakTracker } from '../leaks/tracker.js';
import type { Areas } from '../supply/areas.js';
import type { Supply } from '../supply/supply.js';
import type { Scratch } from './scratch.js';

/** What the files of the public layer share about one attachment. */
export interface Port {
  readonly id: number;
  readonly name: string;
  /** What the thread calls itself, for statistics. */
  readonly label: string;
  /** Tells the pool from every other. */
  readonly identity: string;
  /** The claim word that this thread wrote. */
  readonly claim: number;
  /** Replaced by a copy of its control region when the pool is destroyed: what is kept then is small. */
  memory: PoolMemory;
  readonly geometry: Geometry;
  scratch: Scratch;
  /** Replaced by one that refuses everything when the thread detaches or the pool is destroyed. */
  engine: Engine;
  /** What this thread holds, where it asked for that. */
  leaks: LeakTracker | undefined;
  /** The thread detached, or the pool is destroyed, or the port was reaped. */
  isGone: boolean;
  /** Another thread took this one for dead and reaped the port: its words are somebody else's. */
  isLost: boolean;
  /** Ends this thread's use of the port, when it is lost. */
  onLost: () => void;
  /** Waits of this thread that are under way: it is parked while there are any. */
  waits: number;
  /** The provider's name. */
  readonly kind?: string;
  /** Where the pages of providers lie; undefined where all pages are the pool's own. */
  readonly areas?: Areas | undefined;
  /** The thread calls the providers. */
  supply?: Supply | undefined;
  /** Puts another engine in the place of the port's. */
  useEngine?: (engine: Engine) => void;
}

/** The same where a thread goes on after standing still: a port that is lost is given up at once. */
export function ownsPort(port: Port): boolean {
  if (port.isGone) return false;
  if (keepClaim(port)) return true;
  port.isLost = true;
  port.onLost();
  return false;
}

/** The error for an engine's negative result, or for a port that is gone. */
export function refusal(code: number, call: string, name: string, value: unknown, index?: number): PagePoolError {
  return code === ERR_CLOSED ? destroyedError(call) : engineError(code, call, name, value, index);
}

/** The error of calls on a port that is gone. */
export function destroyedError(call: string): PagePoolError {
  const remedy = REMEDIES.POOL_ERR_DESTROYED;
  return new PagePoolError(
    'POOL_ERR_DESTROYED',
    `${call} failed: pool=destroyed or detached (expected an attached pool); ${remedy}`,
  );
}

/** Why there is no page: 0 when the pool is just empty. Throws when it closes or is gone. */
export function exhausted(port: Pick<Port, 'memory' | 'isGone'> & { engine?: Engine }, call: string): 0 {
  const state = poolState(port.memory);
  if (port.isGone || state === STATE_DESTROYED) throw destroyedError(call);
  if (state !== STATE_CLOSING) return 0;
  // A thread that asks again and again, and never returns to its event loop, parks here.
  port.engine?.poll();
  const remedy = REMEDIES.POOL_ERR_CLOSING;
  throw new PagePoolError('POOL_ERR_CLOSING', `${call} failed: pool=closing (expected an open pool); ${remedy}`);
}
