// The public entry of the package: re-exports only.

export { Channel } from './channel/channel.js';
export { PagePoolError, type PagePoolErrorCode } from './errors.js';
export type { LeakLevel, LeakOptions, LeakReport } from './leaks/report.js';
export type { AreasChange, SharedArea } from './pool/areas.js';
export type { AuditReport } from './pool/audit.js';
export type { CloseReport } from './pool/closing.js';
export { Fragment, type FragmentToken } from './pool/fragment.js';
export type { Holder } from './pool/holders.js';
export type { AttachOptions, ChannelOptions, PoolOptions, WhenFull } from './pool/options.js';
export { type Handle, PagePool, type PinToken } from './pool/page-pool.js';
export type { PoolShare } from './pool/share.js';
export type {
  AllocStats,
  CounterStats,
  PageStats,
  PoolStats,
  PortStats,
  ProviderStats,
  RecycleStats,
} from './pool/stats.js';
export type { SupplyReport } from './pool/supply.js';
export type {
  UnreadableChannel,
  UnreadableFragment,
  UnreadablePool,
  UnreadableProvider,
  UnreadableShare,
} from './pool/unreadable.js';
export type { WaitOptions } from './pool/waiting.js';
export type { PageSource, ReserveOptions } from './provider/choose.js';
export type { Area, AreaMemory, MemoryProvider, ProviderContext } from './provider/provider.js';
export { type SlabOptions, slabs } from './provider/slabs.js';
export { type WasmMemoryOptions, wasmMemory } from './provider/wasm-memory.js';
export type { ReapReport } from './recovery/report.js';
