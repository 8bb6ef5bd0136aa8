// How a pool begins in the thread that creates it, and in one that attaches with everything the package has.
//
// Creating writes the memory of a new pool and claims the first port of it; attaching is start.ts.

import { layoutHash } from '#layout-hash';
import { ABI_VERSION } from '../../assembly/layout.js';
import { createMemory, growStepPages } from '../control/create-memory.js';
import { nameCreator } from '../control/ending.js';
import { identityWords, writeControl } from '../control/format.js';
import { planGeometry, requireRoom } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { wholeEngines } from '../engine/core.js';
import type { EngineRequest, PreparedEngine } from '../engine/open.js';
import type { LeakOptions } from '../leaks/report.js';
import { chooseMemory } from '../platform/capabilities.js';
import { monotonicMs } from '../platform/clock.js';
import type { WasmModule } from '../platform/types.js';
import { bringCore, openPort, type Port, watchWaits } from '../port/port.js';
import { type StallOptions, Stalls } from '../reports/stall.js';
import { type OwnerPart, requireAreas } from '../supply/loaded.js';
import { beginAttachment } from './attached.js';
import type { TrackPort } from './loaded-leaks.js';
import { type CompleteOptions, resolveAttach, resolveOptions } from './options.js';
import type { PoolShare } from './share.js';
import { joinPool, Start } from './start.js';
import { WholeAttachment } from './whole-attachment.js';

/** Memory that is written and an engine to be prepared: what creating does before compiling. */
export interface Creation {
  readonly request: EngineRequest;
  /** Whether the memory is one that threads share. */
  readonly isShared: boolean;
  finish(engine: PreparedEngine): Start<WholeAttachment>;
}

/** Makes the memory of a new pool. */
export function beginCreation(call: string, options: unknown): Creation {
  const resolved = resolveOptions(call, options);
  const geometry = planGeometry(resolved);
  requireRoom(call, resolved, geometry);
  const { kind, reason } = chooseMemory();
  const stepPages = growStepPages(geometry, resolved.provider);
  const memory = createMemory(call, geometry, kind, stepPages, resolved.engine);
  writeControl(memory, geometry, randomIdentity(), layoutHash, stepPages);
  const { isShared } = memory;
  // A module is compiled for shared memory.
  const module = isShared ? resolved.module : undefined;
  return {
    request: { call, engine: resolved.engine, memory, module, stepPages },
    isShared,
    finish: (engine) => {
      const { leaks, name, owner, provider, reserve, source, stalls, track } = resolved;
      const main = source.isOwn ? undefined : provider;
      const port = openPort({
        memory,
        geometry,
        name,
        label: 'creator',
        kind: source.kind,
        engine,
        openAreas: owner?.openAreas,
        supply: (seat, areas) => (owner as OwnerPart).openSupply(seat, areas, main, reserve),
      });
      beginAttachment(port);
      nameCreator(port);
      const share = memory.isShared ? makeShare(memory, resolved, engine.module) : reason;
      return wholeStart(port, share, { isCreator: true, module: engine.module, leaks, stalls, track });
    },
  };
}

/** Joins a pool that another thread created. */
export function attachTo(value: unknown, options: unknown): Start<WholeAttachment> {
  const { label, leaks, stalls, track } = resolveAttach('attach', options);
  const { port, share } = joinPool(value, label, { engines: wholeEngines(true), areas: requireAreas });
  const { stallMs = share.options.stallMs, onStall } = stalls;
  const { module } = share;
  return wholeStart(port, share, { isCreator: false, module, leaks, track, stalls: { stallMs, onStall } });
}

/** What the whole package adds to an attachment. */
interface Whole {
  readonly isCreator: boolean;
  /** The core that the pool came with. */
  readonly module: WasmModule | undefined;
  readonly leaks: LeakOptions;
  readonly track: TrackPort | undefined;
  readonly stalls: StallOptions;
}

/** @param share what other threads attach with, or why there is none */
function wholeStart(
  port: Port,
  share: PoolShare | string,
  { isCreator, leaks, module, stalls, track }: Whole,
): Start<WholeAttachment> {
  bringCore(port, module);
  return new Start(port, (pool) => {
    watchWaits(port, new Stalls(port, stalls));
    track?.(port, leaks, pool);
    return new WholeAttachment(port, share, pool, isCreator);
  });
}

/** The share of a pool. */
function makeShare(memory: PoolMemory, options: CompleteOptions, module: WasmModule | undefined): PoolShare {
  const { name, engine, pageBytes, pageCount, unitBytes, maxPorts, tokens, zero, channels, calls, source, stalls } =
    options;
  return {
    kind: 'pagepool',
    abi: ABI_VERSION,
    layoutHash,
    identity: [...identityWords(memory)],
    name,
    memory: memory.wasm ?? (memory.bytes.buffer as SharedArrayBuffer),
    ...(module === undefined ? {} : { module }),
    engine,
    options: {
      pageBytes,
      pageCount,
      unitBytes,
      maxPorts,
      tokens,
      zero,
      ...(stalls.stallMs === undefined ? {} : { stallMs: stalls.stallMs }),
      channels: channels.map((channel) => ({ ...channel })),
      calls: calls.map((each) => ({ ...each })),
      source,
    },
  };
}

/**
 * Guards against mix-ups, not against attackers. Rejected: `crypto`, a module that Node loads for it, 6 ms on Node 20
 * and 15 on Node 26. With the clock, since threads that are started with the same seed draw the same numbers.
 */
function randomIdentity(): { words: number[]; seed: number } {
  const [seed = 0, ...words] = Array.from({ length: 5 }, () => (Math.random() * 2 ** 32) ^ (monotonicMs() * 1e6));
  return { words, seed };
}
