// The public entry pagepool/lean: pools whose threads import what else they need, pagepool/calls, pagepool/leaks,
// pagepool/providers and pagepool/typescript. Re-exports only.

export type { WhenFull } from './control/geometry.js';
export { PagePoolError, type PagePoolErrorCode } from './errors.js';
export type { LeakLevel, LeakOptions, LeakReport } from './leaks/report.js';
export type { Handle, PinToken } from './pool/attached-pool.js';
export type { CallRoom, Calls, RequestPacket, SendOptions, ServeOptions } from './pool/calls.js';
export { Channel } from './pool/channel.js';
export type { CloseReport } from './pool/closing.js';
export { Fragment, type FragmentToken } from './pool/fragment.js';
export type { PoolNames } from './pool/names.js';
export type { AttachOptions, CallsOptions, ChannelOptions, PoolOptions } from './pool/options.js';
export { PagePool, type UnreadablePool } from './pool/page-pool.js';
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
