// A port: this thread's attachment to a pool, as the rooms above share it.
//
// A port belongs to one thread. It is opened, parked and given up here, and nobody else writes its fields: whoever has
// to be notified of a change is the port's one listener.

import { STATE_ACTIVE, STATE_CLOSING, STATE_DESTROYED } from '../../assembly/layout.js';
import { claimOf, claimPort, freePort, keepClaim } from '../control/claims.js';
import { identityKey } from '../control/format.js';
import type { Geometry } from '../control/geometry.js';
import { writeLabel } from '../control/label.js';
import { holdLifeline, needsLifeline } from '../control/lifeline.js';
import type { PoolMemory } from '../control/memory.js';
import { announce, poolState } from '../control/state.js';
import { ERR_CLOSED } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { refuseAfterUnfinished } from '../engine/unfinished.js';
import { callError, engineError, type PagePoolError } from '../errors.js';
import type { LeakTracker } from '../leaks/tracker.js';
import type { WasmModule } from '../platform/types.js';
import type { Areas, AreasSeat } from '../supply/areas.js';
import type { SupplySeat } from '../supply/callbacks.js';
import type { Supply } from '../supply/supply.js';
import { Scratch } from './scratch.js';
import { Signals } from './signals.js';

/** What the rooms above share of one attachment. */
export interface Port extends AreasSeat, SupplySeat {
  readonly name: string;
  /** What the thread calls itself, for statistics. */
  readonly label: string;
  /** The provider's name. */
  readonly kind: string;
  /** A copy of its control region when the pool is destroyed: what is kept then is small. */
  readonly memory: PoolMemory;
  readonly scratch: Scratch;
  /** One that refuses everything when the thread detaches or the pool is destroyed. */
  readonly engine: Engine;
  /** The core that the pool came with, for engines that act as other ports. */
  readonly module?: WasmModule | undefined;
  /** What this thread holds, where it asked for that. */
  readonly leaks: LeakTracker | undefined;
  /** Where the pages of providers lie; undefined where all pages are the pool's own. */
  readonly areas: Areas | undefined;
  /** The thread calls the providers. */
  readonly supply: Supply | undefined;
  /** The thread detached, or the pool is destroyed, or the port was reaped. */
  readonly isGone: boolean;
  /** Another thread took this one for dead and reaped the port: its words are somebody else's. */
  readonly isLost: boolean;
  /** Is notified of this thread's waits. */
  readonly waitWatch: WaitWatch | undefined;
  /** Waits of this thread that are under way: it is parked while there are any. */
  readonly waits: number;
  /** The signals of those waits. */
  readonly signals: Signals;
  /** Who is notified of changes; nobody once the port is gone. */
  readonly listener: PortListener | undefined;
}

/**
 * Who is notified of a port's changes. Dropped with the port: it would keep the pool's objects alive.
 */
export interface PortListener {
  /** Another engine serves the port's calls from now on. */
  engineChanged(engine: Engine): void;
  /** The port is lost. */
  lost(): void;
}

/** A wait, as whoever watches it sees it. */
export interface WatchedWait {
  /** For messages: `takeAsync`. */
  readonly call: string;
  /** What is waited for, as messages name it: `room in channel "work"`. */
  readonly what?: string | undefined;
  /** Whether it is reported when nobody answers it. */
  readonly isReported?: boolean | undefined;
  /** It is for the answer of a call: reported when no thread takes that, however long one serves it. */
  readonly isAnswer?: boolean | undefined;
  /** When it began, by the monotonic clock, where it is the second part of one. */
  readonly startMs?: number | undefined;
}

/** Who is notified of waits that sleep, and can report why they do. */
export interface WaitWatch {
  /** It sleeps from here on, at most `leftMs` milliseconds. */
  begin(wait: WatchedWait, leftMs: number): void;
  end(wait: WatchedWait, isAnswered: boolean): void;
  /** Where the pages are, and what would help. */
  describe(wait: WatchedWait): string;
}

/** The port as this file alone may see it. */
type Open = { -readonly [Key in keyof Port]: Port[Key] };

/** What a port is opened with. */
export interface PortPlan {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly name: string;
  readonly label: string;
  readonly kind: string;
  /** Opens the engine; `clear` clears a page that lies elsewhere. */
  readonly engine: { open(portId: number, clear?: (page: number) => void): Engine };
  /** Opens the table of areas, where pages lie in some. */
  readonly openAreas?: ((seat: AreasSeat) => Areas) | undefined;
  /** In the thread that calls the providers of other memory than the pool's own: makes its side of them. */
  readonly supply?: ((seat: SupplySeat, areas: Areas) => Supply) | undefined;
}

/**
 * Claims a port and opens an engine on it; what fails half way leaves the port free.
 *
 * @throws PagePoolError POOL_ERR_NO_PORT when all are claimed; POOL_ERR_CLOSING or POOL_ERR_DESTROYED when it is too
 *   late
 */
export function openPort(plan: PortPlan): Port {
  const { geometry, kind, label, memory, name, supply } = plan;
  const id = claimPort(memory, geometry);
  const seat = { id, claim: claimOf(memory, geometry, id), memory, geometry, identity: identityKey(memory) };
  writeLabel(memory, geometry, id, label);
  let areas: Areas | undefined;
  try {
    areas = plan.openAreas?.(seat);
    const engine = plan.engine.open(id, areas?.clear.bind(areas));
    // Not freed: its words are half done. Whoever watches finds the thread dead.
    const canBeCut = needsLifeline(memory);
    const port: Open = {
      ...seat,
      name,
      label,
      kind,
      scratch: new Scratch(memory, geometry, id),
      engine: canBeCut ? refuseAfterUnfinished(engine, (refusing) => leave(port, refusing)) : engine,
      leaks: undefined,
      areas,
      supply: undefined,
      isGone: false,
      isLost: false,
      waitWatch: undefined,
      waits: 0,
      signals: new Signals(),
      listener: undefined,
      standIn: (engine) => {
        if (port.isGone) return;
        port.engine = engine;
        port.listener?.engineChanged(engine);
      },
    };
    // Only now: a pool that begins to close from here on waits for this port, since it has not parked.
    if (poolState(memory) !== STATE_ACTIVE) refuseClosing(memory);
    if (areas !== undefined && supply !== undefined) port.supply = supply(port, areas);
    if (canBeCut) holdLifeline(seat);
    return port;
  } catch (error) {
    areas?.close();
    // It took nothing: freed, it counts as parked.
    freePort(seat);
    announce(memory);
    throw error;
  }
}

/** Notifies `listener` of the port's changes, until it is gone. */
export function listen(port: Port, listener: PortListener): void {
  const open: Open = port;
  if (open.listener !== undefined) throw new Error('there is a listener');
  open.listener = listener;
}

/** From now on engines that act as other ports are made of that core. */
export function bringCore(port: Port, module: WasmModule | undefined): void {
  (port as Open).module = module;
}

/** From now on `watch` is notified of the port's waits. */
export function watchWaits(port: Port, watch: WaitWatch): void {
  (port as Open).waitWatch = watch;
}

/** From now on the port's references are followed, through `engine`. Told before anybody copies the engine. */
export function followLeaks(port: Port, leaks: LeakTracker, engine: Engine): void {
  const open: Open = port;
  open.engine = engine;
  open.leaks = leaks;
}

/**
 * Whether the port is this thread's, where it goes on after standing still: a port that is lost is given up at once.
 */
export function ownsPort(port: Port): boolean {
  if (port.isGone) return false;
  if (keepClaim(port)) return true;
  const open: Open = port;
  open.isLost = true;
  open.listener?.lost();
  return false;
}

/** The port is gone: `engine` refuses its calls. */
export function leave(port: Port, engine: Engine): void {
  const open: Open = port;
  open.engine = engine;
  open.isGone = true;
  open.listener?.engineChanged(engine);
  open.listener = undefined;
}

/** The pool is destroyed: what is left of its memory for this port. */
export function shrink(port: Port, memory: PoolMemory, scratch: Scratch): void {
  Object.assign(port, { memory, scratch });
}

/** Returns this port's cached pages before its thread may stand still. */
export function park(port: Port): void {
  (port as Open).waits++;
  port.engine.park();
}

/** Lets the port cache again, when no other wait is under way; else what this one brought along goes on to others. */
export function unpark(port: Port): void {
  if (--(port as Open).waits === 0) port.engine.unpark();
  else port.engine.park();
}

/** Throws the error of a pool that is closing or destroyed. */
export function refuseClosing(memory: PoolMemory): never {
  exhausted({ memory, isGone: false }, 'attach');
  throw destroyedError('attach');
}

/** The error for an engine's negative result, or for a port that is gone. */
export function refusal(code: number, call: string, name: string, value: unknown, index?: number): PagePoolError {
  return code === ERR_CLOSED ? destroyedError(call) : engineError(code, call, name, value, index);
}

/** The error of calls on a port that is gone. */
export function destroyedError(call: string): PagePoolError {
  return callError('POOL_ERR_DESTROYED', call, 'pool=destroyed or detached', 'an attached pool');
}

/** Why there is no page: 0 when the pool is just empty. Throws when it closes or is gone. */
export function exhausted(
  port: Pick<Port, 'memory' | 'isGone'> & { readonly engine?: Engine | undefined },
  call: string,
): 0 {
  const state = poolState(port.memory);
  if (port.isGone || state === STATE_DESTROYED) throw destroyedError(call);
  if (state !== STATE_CLOSING) return 0;
  // A thread that asks again and again, and never returns to its event loop, parks here.
  port.engine?.poll();
  throw callError('POOL_ERR_CLOSING', call, 'pool=closing', 'an open pool');
}
