// The setting of a case: a device, a pool on it, a host pool, and what was created on the device.
//
// The platform gives what differs: its devices, its threads, and the package as it is built, wherever that was loaded
// from.

import type { PagePool, PoolOptions, PoolShare, UnreadablePool } from 'pagepool';
import type { testProvider } from 'pagepool/testing';
import type {
  ConsumerOptions,
  DeviceMemory,
  DeviceMemoryOptions,
  DeviceReport,
  StagingReport,
  WebGpuOptions,
  WebGpuProvider,
  webgpu,
} from 'pagepool/webgpu';
import { HUNG_MS } from '../../support/waiting.js';
import type { Findings } from '../thread.js';
import { equal } from './checks.js';

export const KIB64 = 65536;
/** Flags of GPUBufferUsage, which not every platform has as a global. */
export const USAGE = { COPY_SRC: 4, COPY_DST: 8, STORAGE: 128, UNIFORM: 64, MAP_READ: 1 } as const;

/** What makes devices and pools. */
export interface Makers {
  readonly PagePool: typeof PagePool;
  readonly webgpu: typeof webgpu;
  makeDevice(): Promise<GPUDevice>;
}

/** What the platform gives each case. */
export interface Platform extends Makers {
  readonly testProvider: typeof testProvider;
  readonly packet: typeof import('pagepool/packet');
  /** Random choices follow from it. */
  readonly seed: number;
  /** Whether the device's queue takes views of shared memory. */
  readonly takesSharedViews: boolean;
  /** Runs `holdNumbers` in another thread. */
  runThread(share: PoolShare): Promise<Findings>;
  /** Starts a thread that holds tokens, where the end of one can be heard of. */
  startThread?(): { readonly worker: NonNullable<ConsumerOptions['worker']> & { terminate(): Promise<unknown> } };
}

/** A check: its name, and what throws when something is wrong. */
export type Case = readonly [name: string, run: (platform: Platform) => Promise<void>];

/** What `setUp` has made. */
export interface Setting {
  readonly device: GPUDevice;
  /** What the device was asked for, one each buffer. */
  readonly created: readonly GPUBufferDescriptor[];
  /** Buffers that were not destroyed. */
  readonly live: ReadonlySet<GPUBuffer>;
  readonly provider: WebGpuProvider;
  readonly host: PagePool;
  readonly gpu: UnreadablePool;
  readonly memory: DeviceMemory;
}

/** What differs from the usual setting. */
export interface SettingOptions {
  readonly webgpu?: WebGpuOptions;
  readonly pool?: Omit<PoolOptions, 'provider'>;
  readonly memory?: Omit<DeviceMemoryOptions, 'host'>;
  readonly host?: PoolOptions;
}

export async function setUp(makers: Makers, options: SettingOptions = {}): Promise<Setting> {
  const device = await makers.makeDevice();
  const created: GPUBufferDescriptor[] = [];
  // Nobody else creates buffers here.
  const live = new Set<GPUBuffer>();
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer.call(device, descriptor);
    created.push(descriptor);
    live.add(buffer);
    const { destroy } = buffer;
    buffer.destroy = () => {
      live.delete(buffer);
      return destroy.call(buffer);
    };
    return buffer;
  };
  const provider = makers.webgpu(device, options.webgpu ?? {});
  const host = await makers.PagePool.create({ pageBytes: KIB64, pageCount: 32, ...options.host });
  const gpu = await makers.PagePool.create({
    pageBytes: KIB64,
    pageCount: 64,
    channels: { work: { capacity: 16 } },
    ...options.pool,
    provider,
  });
  return { device, created, live, provider, host, gpu, memory: provider.memory(gpu, { host, ...options.memory }) };
}

/** Every page is home, and the pools end. */
export async function tearDown({ gpu, host, device, provider, live }: Setting): Promise<void> {
  for (const pool of [gpu, host]) {
    const report = await pool.close({ timeoutMs: HUNG_MS });
    equal(report.isDestroyed, true, `${pool.name} ends; holders ${JSON.stringify(report.holders)}`);
  }
  const { pools, buffers, bytes, createdBuffers, destroyedBuffers } = descriptionOf(provider);
  equal({ pools, buffers, bytes }, { pools: 0, buffers: 0, bytes: 0 }, 'what is left');
  equal(destroyedBuffers, createdBuffers, 'buffers destroyed');
  equal(live.size, 0, 'buffers of any kind that are left');
  device.destroy();
  await device.lost;
}

export function requireHome(pool: PagePool | UnreadablePool): void {
  pool.trim();
  const audit = pool.audit();
  equal(
    { errors: audit.errors, used: audit.pages.used, balanced: audit.balanced },
    { errors: [], used: 0, balanced: true },
  );
}

/** The pool as code sees it that does not know its memory. */
export function asReadable(pool: UnreadablePool): PagePool {
  return pool as unknown as PagePool;
}

/** What the provider says of itself. */
export interface Description {
  readonly state: 'ready' | 'lost';
  readonly pools: number;
  readonly buffers: number;
  readonly bytes: number;
  readonly createdBuffers: number;
  readonly destroyedBuffers: number;
  readonly refusedBuffers: number;
  readonly failure: string | null;
  readonly takesSharedViews: boolean | null;
  readonly memories: readonly DeviceReport[];
}

export function descriptionOf(provider: WebGpuProvider): Description {
  return provider.describe() as unknown as Description;
}

/** What it says of its first pool. */
export function reportOf(provider: WebGpuProvider): DeviceReport {
  return descriptionOf(provider).memories[0] as DeviceReport;
}

export function stagingOf(provider: WebGpuProvider): StagingReport {
  return reportOf(provider).staging;
}

/** A page of the pool, which grows for it where it must. */
export async function takePage(gpu: UnreadablePool): Promise<number> {
  return (await gpu.takeAsync(undefined, { timeoutMs: HUNG_MS })).handle;
}
