// The public entry of the package: pools with all that they may need, both engines among it. Whoever counts bytes
// imports pagepool/lean, and beside it what it needs of the rest.

import { loadTypeScript } from './engine/loaded.js';
import { createTypeScriptEngine } from './engine/typescript.js';
import { callsPart } from './pool/calls-part.js';
import { loadCalls } from './pool/loaded-calls.js';
import { loadLeaks } from './pool/loaded-leaks.js';
import type { PoolNames } from './pool/names.js';
import { PagePool as Pool } from './pool/page-pool.js';
import { trackPort } from './pool/track-port.js';
import { loadOwner } from './supply/loaded.js';
import { ownerPart } from './supply/owner-part.js';

export type { WhenFull } from './control/geometry.js';
export { PagePoolError, type PagePoolErrorCode } from './errors.js';
export type { LeakLevel, LeakOptions, LeakReport } from './leaks/report.js';
export type { Handle, PinToken } from './pool/attached-pool.js';
export { type CallRoom, Calls, type RequestPacket, type SendOptions, type ServeOptions } from './pool/calls.js';
export { Channel } from './pool/channel.js';
export type { CloseReport } from './pool/closing.js';
export { Fragment, type FragmentToken } from './pool/fragment.js';
export type { PoolNames } from './pool/names.js';
export type { AttachOptions, CallsOptions, ChannelOptions, PoolOptions } from './pool/options.js';
export type { UnreadablePool } from './pool/page-pool.js';
export type { Call, CallHandler } from './pool/serving.js';
export type { PoolShare } from './pool/share.js';
export type {
  UnreadableChannel,
  UnreadableFragment,
  UnreadableProvider,
  UnreadableShare,
} from './pool/unreadable.js';
export type { WaitOptions } from './port/waiting.js';
export type { PageSource, ReserveOptions } from './provider/choose.js';
export type { Area, AreaMemory, MemoryProvider, ProviderContext } from './provider/provider.js';
export { type SlabOptions, slabs } from './provider/slabs.js';
export { type WasmMemoryOptions, wasmMemory } from './provider/wasm-memory.js';
export type { ReapReport } from './recovery/report.js';
export type { AuditReport } from './reports/audit.js';
export type { Holder } from './reports/holders.js';
export type { StallOptions, StallReport } from './reports/stall.js';
export type {
  AllocStats,
  CallsStats,
  ChannelStats,
  CounterStats,
  PageStats,
  PoolStats,
  PortStats,
  ProviderStats,
  RecycleStats,
} from './reports/stats.js';
export type { AreasChange, SharedArea } from './supply/areas.js';
export type { SupplyReport } from './supply/supply.js';

function withAll(): typeof Pool {
  loadCalls(callsPart);
  loadLeaks(trackPort);
  loadOwner(ownerPart);
  loadTypeScript(createTypeScriptEngine);
  return Pool;
}

/** A pool of pages, attached in one thread. */
// Made by a call, so that a bundler leaves everything out of a program that does not use it.
export const PagePool: typeof Pool = /* @__PURE__ */ withAll();
export type PagePool<Names extends PoolNames = PoolNames> = Pool<Names>;
