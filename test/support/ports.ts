// Several ports of one pool in one thread, each with the engine that the test chooses.
//
// The public interface attaches once a thread and pool. Tests of the engines go below it: the same memory, claimed and
// opened port by port, so that ports of both engines and both binaries take turns in one thread. Where a wrong handle
// must become an error with a code, `create` makes a PagePool of the chosen kind instead.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { PagePool, type PoolOptions } from 'pagepool';
import { layoutHash } from '#layout-hash';
import {
  CONTROL_BASE,
  HEADER_GROW_STEP_OFFSET,
  HEADER_STATE_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  STATE_CLOSING,
} from '../../assembly/layout.js';
import { claimOf, claimPort } from '../../src/control/claims.js';
import { createMemory, growStepPages } from '../../src/control/create-memory.js';
import { identityKey, writeControl } from '../../src/control/format.js';
import { type Geometry, planGeometry } from '../../src/control/geometry.js';
import { writeLabel } from '../../src/control/label.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { portOffset } from '../../src/control/places.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import '../../src/providers.js';
import '../../src/typescript.js';
import { instantiateCore, openWasmEngine } from '../../src/engine/wasm.js';
import type { LeakLevel } from '../../src/leaks/report.js';
import { trackEngine } from '../../src/leaks/tracked-engine.js';
import { type Entrances, LeakTracker } from '../../src/leaks/tracker.js';
import { resolveOptions } from '../../src/pool/options.js';
import { followLeaks, type Port } from '../../src/port/port.js';
import { Scratch } from '../../src/port/scratch.js';
import { Signals } from '../../src/port/signals.js';
import { auditPool } from '../../src/reports/audit.js';
import { type PoolStats, readStats } from '../../src/reports/stats.js';

export { randomFrom } from '../../src/testing/random.js';

/** What serves a port. */
export type EngineKind = 'release' | 'checked' | 'typescript';

/** Every engine alone, both binaries, and the two engines side by side. */
export const MATRIX: readonly (readonly [name: string, kinds: readonly EngineKind[]])[] = [
  ['wasm release', ['release']],
  ['wasm checked', ['checked']],
  ['typescript', ['typescript']],
  ['both engines', ['release', 'typescript', 'checked']],
];

/** The engines one by one. */
export const KINDS: readonly EngineKind[] = ['release', 'checked', 'typescript'];

const modules = new Map<EngineKind, WebAssembly.Module>();

/** The compiled core of that kind, from the build. */
export function moduleOf(kind: 'release' | 'checked'): WebAssembly.Module {
  let module = modules.get(kind);
  if (module === undefined) {
    const file = fileURLToPath(new URL(`../../build/wasm/core.${kind}.wasm`, import.meta.url));
    module = new WebAssembly.Module(readFileSync(file));
    modules.set(kind, module);
  }
  return module;
}

/** The options that make a pool of the public interface use that engine. */
export function engineOptions(kind: EngineKind): Pick<PoolOptions, 'engine' | 'module'> {
  return kind === 'typescript' ? { engine: 'typescript' } : { engine: 'wasm', module: moduleOf(kind) };
}

/** A pool of the public interface with that engine. */
export function create(kind: EngineKind, options: PoolOptions): PagePool {
  return PagePool.createSync({ ...options, ...engineOptions(kind) });
}

/** Claims a port and opens the engine of that kind on it, whatever the pool's state: it knows no areas. */
export function openPort(memory: PoolMemory, geometry: Geometry, kind: EngineKind): Port {
  const id = claimPort(memory, geometry);
  // The same whatever the kind: pools of both engines are compared word for word.
  writeLabel(memory, geometry, id, 'testport');
  return {
    id,
    name: 'test',
    label: 'testport',
    identity: identityKey(memory),
    claim: claimOf(memory, geometry, id),
    kind: 'wasm-memory',
    signals: new Signals(),
    memory,
    geometry,
    scratch: new Scratch(memory, geometry, id),
    engine: openEngine(memory, kind, id),
    leaks: undefined,
    areas: undefined,
    supply: undefined,
    isGone: false,
    isLost: false,
    waitWatch: undefined,
    waits: 0,
    listener: undefined,
    standIn: () => {},
  };
}

function openEngine(memory: PoolMemory, kind: EngineKind, portId: number) {
  if (kind !== 'typescript')
    return openWasmEngine(instantiateCore(moduleOf(kind), memory.wasm as WebAssembly.Memory), portId);
  const stepPages = memory.u32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] as number;
  return createTypeScriptEngine({ memory, portId, grow: (end) => memory.grow(end, stepPages) });
}

/** Follows what the port holds from now on, as a thread does that asked for it. */
export function track(port: Port, leaks: LeakLevel): Port {
  const tracker = new LeakTracker(port, { leaks }, NO_ENTRANCES);
  followLeaks(port, tracker, trackEngine(port, tracker));
  return port;
}

const NO_ENTRANCES: Entrances = {
  alloc: [],
  allocFragment: [],
  allocBurst: [],
  retain: [],
  receiveBurst: [],
  adopt: [],
  accept: [],
  collect: [],
  wait: [],
};

/**
 * A new pool with `count` open ports, whose engines take turns through `kinds`. `prepare` may change the fresh control
 * region first.
 */
export function openPorts(
  options: PoolOptions,
  kinds: readonly EngineKind[],
  count = kinds.length,
  prepare: (memory: PoolMemory, geometry: Geometry) => void = () => {},
): Port[] {
  const geometry = planGeometry(resolveOptions('create', { maxPorts: count, ...options }));
  const stepPages = growStepPages(geometry, undefined);
  const memory = createMemory('create', geometry, 'wasm', stepPages);
  const [seed = 0, ...words] = crypto.getRandomValues(new Uint32Array(5));
  writeControl(memory, geometry, { words, seed }, layoutHash, stepPages);
  prepare(memory, geometry);
  return Array.from({ length: count }, (_, i) => openPort(memory, geometry, kinds[i % kinds.length] as EngineKind));
}

/** What the audit finds; throws when it is not balanced. */
export function requireBalance(port: Port) {
  const audit = auditPool(port);
  if (!audit.balanced || !audit.exact) {
    throw new Error(`${audit.exact ? '' : 'not exact; '}${audit.errors.join('; ')}`);
  }
  const { total, used, cached, ring, provider, pinned } = audit.pages;
  if (used + cached + ring + provider + pinned !== total) throw new Error(`places: ${JSON.stringify(audit.pages)}`);
  // The audit asks the other ports alone: whoever calls it is in no step.
  for (const offset of [PORT_RECORD_KIND_OFFSET, PORT_COUNTING_OFFSET]) {
    if (portWord(port, offset) !== 0) throw new Error(`port ${port.id} left ${portWord(port, offset)} at +${offset}`);
  }
  return audit;
}

/** The pool's statistics. */
export function statsOf(port: Port): PoolStats {
  return readStats(port, port.engine.kind);
}

/** The page that the handle's fragment lies in. */
export function pageOf({ geometry }: Port, handle: number): number {
  return unitOf({ geometry }, handle) >>> geometry.unitsPerPageShift;
}

/** The unit where the handle's fragment starts. */
export function unitOf({ geometry }: Pick<Port, 'geometry'>, handle: number): number {
  return handle & (2 ** geometry.unitBits - 1);
}

/** The bytes from a unit on. */
export function bytesAt({ memory, geometry }: Port, unit: number, length: number): Uint8Array {
  const start = geometry.pagesOffset + (unit - 2 ** geometry.unitsPerPageShift) * geometry.unitBytes;
  return new Uint8Array(memory.reach(start + length).buffer, start, length);
}

/** The word at an offset of a port's block. */
export function portWord(port: Port, offset: number): number {
  return port.memory.u32[(portOffset(port.geometry, port.id) + offset) >>> 2] as number;
}

/** Says that the pool closes, as `destroy` does, and asks every port to hand its pages back. */
export function beginClosing({ memory }: Port): void {
  Atomics.store(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2, STATE_CLOSING);
}

/** The seed of a random test: SEED from the environment, or a new one. Printed, so that a failure can be replayed. */
export function chooseSeed(name: string): number {
  const given = process.env.SEED;
  const seed = given === undefined ? crypto.getRandomValues(new Uint32Array(1))[0]! >>> 1 : Number(given) >>> 0;
  console.log(`${name}: SEED=${seed}`);
  return seed;
}
