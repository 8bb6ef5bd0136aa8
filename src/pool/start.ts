// How a pool begins in a thread: created with its memory, or attached to memory that another thread created.
//
// Both end with a Port: memory checked or written, a port claimed, an engine open on it. One attachment a thread and
// pool: a second one would be a second port that nobody detaches.

import { layoutHash } from '#core-wasm';
import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET, STATE_ACTIVE, STATE_DESTROYED } from '../../assembly/layout.js';
import { freePort, keepClaim } from '../control/claims.js';
import { createMemory, growStepPages } from '../control/create-memory.js';
import { nameCreator } from '../control/ending.js';
import { identityKey, writeControl } from '../control/format.js';
import { planGeometry } from '../control/geometry.js';
import { writeLabel } from '../control/label.js';
import { dropLifeline, needsLifeline } from '../control/lifeline.js';
import { poolState } from '../control/state.js';
import { type EngineRequest, type PreparedEngine, prepareEngineSync } from '../engine/open.js';
import { invalidArgument } from '../errors.js';
import type { LeakOptions } from '../leaks/report.js';
import { chooseMemory } from '../platform/capabilities.js';
import { openPort, type Port, refuseClosing } from '../port/port.js';
import type { StallOptions } from '../reports/stall.js';
import { NO_AREAS } from '../supply/areas.js';
import { resolveAttach, resolveOptions } from './options.js';
import { makeShare, openShare, type PoolShare } from './share.js';

/** A pool's beginning in this thread. */
export interface Start {
  readonly port: Port;
  readonly isCreator: boolean;
  /** What other threads attach with, or why there is none. */
  readonly share: PoolShare | string;
  readonly leaks: LeakOptions;
  readonly stalls: StallOptions;
}

/** Memory that is written and an engine to be prepared: what creating does before compiling. */
export interface Creation {
  readonly request: EngineRequest;
  finish(engine: PreparedEngine): Start;
}

/** Throws unless this module made it: nobody else makes pools. */
export function requireStart(start: unknown): asserts start is Start {
  if (typeof start === 'object' && start !== null && started.has(start)) return;
  throw invalidArgument('new PagePool', 'start', start, 'PagePool.create() or PagePool.attach()', 'call one of them');
}

const started = new WeakSet<object>();

function startOf(start: Start): Start {
  started.add(start);
  return start;
}

/** The pools that this thread is attached to. */
const attached = new Set<string>();

/** Makes the memory of a new pool. */
export function beginCreation(call: string, options: unknown): Creation {
  const resolved = resolveOptions(call, options);
  const geometry = planGeometry(call, resolved);
  const { kind, reason } = chooseMemory();
  const stepPages = growStepPages(geometry, resolved.provider);
  const memory = createMemory(call, geometry, kind, stepPages, resolved.engine);
  writeControl(memory, geometry, randomIdentity(), layoutHash, stepPages);
  const request = { call, engine: resolved.engine, memory, module: resolved.module, stepPages };
  return {
    request,
    finish: (engine) => {
      const { name, provider, reserve, source } = resolved;
      const port = openPort({
        memory,
        geometry,
        name,
        label: 'creator',
        kind: source.kind,
        engine,
        areas: NO_AREAS,
        providers: { main: source.isOwn ? undefined : provider, reserve },
      });
      attached.add(port.identity);
      nameCreator(port);
      return startOf({
        port,
        isCreator: true,
        share: memory.isShared ? makeShare(memory, resolved, layoutHash, engine.module) : reason,
        leaks: resolved.leaks,
        stalls: resolved.stalls,
      });
    },
  };
}

/** Joins a pool that another thread created. */
export function attachTo(share: unknown, options: unknown): Start {
  const { label, leaks, stalls } = resolveAttach('attach', options);
  const opened = openShare(share, layoutHash);
  const { memory, geometry } = opened;
  const identity = identityKey(memory);
  if (attached.has(identity)) {
    throw invalidArgument(
      'attach',
      'share',
      opened.share.name,
      'a pool that this thread is not attached to',
      'use the PagePool that this thread has, or detach it first',
    );
  }
  if (poolState(memory) !== STATE_ACTIVE) refuseClosing(memory);
  const stepPages = memory.u32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] as number;
  const { engine, module, name } = opened.share;
  const prepared = prepareEngineSync({ call: 'attach', engine, memory, module, stepPages });
  const { areas = NO_AREAS, options: shared } = opened.share;
  const { kind } = shared.source;
  const port = openPort({ memory, geometry, name, label, kind, engine: prepared, areas });
  attached.add(identity);
  const { stallMs = shared.stallMs, onStall } = stalls;
  return startOf({ port, isCreator: false, share: opened.share, leaks, stalls: { stallMs, onStall } });
}

/** Lets this thread attach once more, as another thread would: for the suite of providers, which has but one. */
export function letAttachAgain({ identity }: Pick<Port, 'identity'>): void {
  attached.delete(identity);
}

/** Forgets the attachment and, unless the pool ended with it, frees the port. */
export function endAttachment(port: Port): void {
  attached.delete(port.identity);
  if (poolState(port.memory) === STATE_DESTROYED) return;
  if (!port.isLost) writeLabel(port.memory, port.geometry, port.id, '');
  if (needsLifeline(port.memory) && keepClaim(port)) dropLifeline(port);
  freePort(port);
}

function randomIdentity(): { words: number[]; seed: number } {
  const random = new Uint32Array(5);
  if (typeof globalThis.crypto?.getRandomValues === 'function') globalThis.crypto.getRandomValues(random);
  // Identity guards against mix-ups, not against attackers.
  else for (let i = 0; i < random.length; i++) random[i] = Math.floor(Math.random() * 2 ** 32);
  const [seed = 0, ...words] = random;
  return { words, seed };
}
