// The device provider: pages in GPUBuffers, which the processor cannot read.
//
// One provider serves any number of pools over one device, and keeps them apart. The thread that has the device creates
// the pools; buffers are taken asynchronously, since only so the device reports whether there is memory. When the
// device is lost the provider notifies everything that waits, once, and from then on takes pages back and feeds none.
// Source: the dma-buf provider of the kernel's page_pool: memory without an address, bound for as long as somebody
// holds it.

import { invalidArgument, reasonOf } from '../errors.js';
import { portOf } from '../pool/enrolled.js';
import type { PagePool, UnreadablePool } from '../pool/page-pool.js';
import type { MemoryProvider, ProviderContext } from '../provider/provider.js';
import { loadOwner } from '../supply/loaded.js';
import { ownerPart } from '../supply/owner-part.js';
import { DeviceAreas } from './device-areas.js';
import type { DeviceHost } from './device-host.js';
import { asPagePool, DeviceMemory, type DeviceMemoryOptions, type DeviceReport } from './device-memory.js';
import {
  COPY_DST,
  type ResolvedOptions,
  requireBindable,
  resolveWebGpuOptions,
  type WebGpuOptions,
} from './options.js';
import type { GpuBuffer, GpuDevice } from './platform-types.js';

/** A provider of device memory. */
export interface WebGpuProvider extends MemoryProvider {
  readonly kind: 'webgpu';
  readonly readable: false;
  readonly detachable: false;
  /**
   * The device's side of a pool that this thread created with this provider; the same each time. Options go with the
   * first call.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it is another pool, or another thread's
   */
  memory(pool: UnreadablePool | PagePool, options?: DeviceMemoryOptions): DeviceMemory;
}

/** What the provider knows of one pool. */
interface DevicePool {
  readonly areas: DeviceAreas;
  /** Pages that were wanted and not there. */
  wanted: number;
  isGrowing: boolean;
}

class DeviceProvider implements WebGpuProvider {
  readonly kind = 'webgpu';
  readonly readable = false;
  readonly detachable = false;
  readonly #device: GpuDevice;
  readonly #options: ResolvedOptions;
  readonly #pools = new Map<ProviderContext, DevicePool>();
  /** Pool id -> the device's side of it. */
  readonly #memories = new Map<number, DeviceMemory>();
  #takesSharedViews: boolean | undefined;
  #lost: string | undefined;
  #refused = 0;
  #failure: string | null = null;
  /** Buffers of pools that have ended. */
  #created = 0;
  #destroyed = 0;

  constructor(device: GpuDevice, options: ResolvedOptions) {
    this.#device = device;
    this.#options = options;
    void device.lost.then(({ reason, message }) => this.#lose(`${reason || 'unknown'}: ${message.trim()}`));
  }

  async init(context: ProviderContext): Promise<void> {
    requireBindable(this.#device, this.#options, context.pool);
    const areas = new DeviceAreas(this.#device, this.#options, context);
    try {
      do {
        const buffer = await areas.create();
        this.#requireDevice();
        this.#probe(buffer);
      } while (areas.bytes < this.#options.keepBytes && areas.pagesLeft > 0);
    } catch (error) {
      this.#forget(areas);
      throw error;
    }
    this.#pools.set(context, { areas, wanted: 0, isGrowing: false });
  }

  grow(context: ProviderContext, count: number): void {
    this.#requireDevice();
    const pool = this.#poolOf(context);
    const fed = pool.areas.feed(count);
    if (fed === count || pool.areas.pagesLeft === 0) return;
    pool.wanted = Math.max(pool.wanted, count - fed);
    if (!pool.isGrowing) void this.#growLater(pool);
  }

  retire(context: ProviderContext, pages: Uint32Array): void {
    this.#poolOf(context).areas.retire(pages);
  }

  describe(): Record<string, unknown> {
    const pools = [...this.#pools.values()];
    const sum = (of: (areas: DeviceAreas) => number): number =>
      pools.reduce((total, { areas }) => total + of(areas), 0);
    return {
      kind: this.kind,
      state: this.#lost === undefined ? 'ready' : 'lost',
      lost: this.#lost ?? null,
      ...this.#options,
      takesSharedViews: this.#takesSharedViews ?? null,
      pools: pools.length,
      buffers: sum(({ count }) => count),
      bytes: sum(({ bytes }) => bytes),
      freePages: sum(({ freePages }) => freePages),
      createdBuffers: this.#created + sum(({ created }) => created),
      destroyedBuffers: this.#destroyed + sum(({ destroyed }) => destroyed),
      refusedBuffers: this.#refused,
      failure: this.#failure,
      memories: [...this.#memories.values()].map((memory): DeviceReport => memory.report()),
    };
  }

  uninstall(context: ProviderContext): void {
    this.#end(context);
  }

  destroy(context: ProviderContext): void {
    this.#end(context);
  }

  memory(given: UnreadablePool | PagePool, options?: DeviceMemoryOptions): DeviceMemory {
    const pool = asPagePool(given);
    const port = portOf('memory', pool);
    const id = port.supply?.pool.id;
    const mine = [...this.#pools.values()].filter(({ areas }) => areas.context.pool.id === id);
    if (id === undefined || mine.length === 0) {
      throw invalidArgument(
        'memory',
        'pool',
        pool.name,
        'one that this thread created with this provider, and that lives',
        'GPUBuffers cannot be posted: send the handle to the thread that has the device, through a channel',
      );
    }
    const known = this.#memories.get(id);
    if (known !== undefined) {
      if (options === undefined) return known;
      throw invalidArgument('memory', 'options', options, 'none: this pool has its device memory already');
    }
    const memory = new DeviceMemory(pool, port, this.#hostOf(mine.map(({ areas }) => areas)), options ?? {});
    this.#memories.set(id, memory);
    // Made after the loss it missed it, and nobody announces it again.
    if (this.#lost !== undefined) memory.lose();
    return memory;
  }

  #hostOf(areas: readonly DeviceAreas[]): DeviceHost {
    const provider = this;
    return {
      areas,
      device: this.#device,
      usage: this.#options.usage,
      get takesSharedViews() {
        return provider.#takesSharedViews === true;
      },
      get lost() {
        return provider.#lost;
      },
    };
  }

  /** Takes buffers for what is wanted; one at a time. */
  async #growLater(pool: DevicePool): Promise<void> {
    const { areas } = pool;
    pool.isGrowing = true;
    try {
      while (pool.wanted > 0 && areas.pagesLeft > 0 && this.#lost === undefined && !areas.isOver) {
        await areas.create();
        if (this.#lost !== undefined) areas.abandon();
        else pool.wanted -= areas.feed(pool.wanted);
      }
      this.#failure = null;
    } catch (error) {
      // An empty pool is a value: why it is empty stands in the statistics, and the next want tries again.
      if (!areas.isOver) {
        this.#refused += 1;
        this.#failure = reasonOf(error);
      }
    } finally {
      pool.isGrowing = false;
      pool.wanted = 0;
    }
  }

  /**
   * Whether the queue takes shared memory. Asked with a buffer and not with a view: where the answer is no, one that
   * takes views without checking whose memory they show would crash.
   */
  #probe(buffer: GpuBuffer): void {
    if (this.#takesSharedViews !== undefined || (this.#options.usage & COPY_DST) === 0) return;
    try {
      const zeros = new SharedArrayBuffer(4) as unknown as ArrayBuffer;
      this.#device.queue.writeBuffer(buffer, 0, zeros, 0, 4);
      this.#takesSharedViews = true;
    } catch {
      this.#takesSharedViews = false;
    }
  }

  #lose(reason: string): void {
    this.#lost = reason;
    // Each is notified, whatever becomes of the others: nobody catches what this throws, and nobody notifies again.
    for (const { areas } of this.#pools.values()) this.#quietly(() => areas.abandon());
    for (const memory of this.#memories.values()) this.#quietly(() => memory.lose());
  }

  #quietly(run: () => void): void {
    try {
      run();
    } catch (error) {
      this.#failure = reasonOf(error);
    }
  }

  #end(context: ProviderContext): void {
    const pool = this.#pools.get(context);
    if (pool === undefined) return;
    this.#pools.delete(context);
    this.#forget(pool.areas);
    const { id } = context.pool;
    if ([...this.#pools.keys()].some((other) => other.pool.id === id)) return;
    this.#memories.get(id)?.end();
    this.#memories.delete(id);
  }

  #forget(areas: DeviceAreas): void {
    areas.end();
    this.#created += areas.created;
    this.#destroyed += areas.destroyed;
  }

  #poolOf(context: ProviderContext): DevicePool {
    const pool = this.#pools.get(context);
    if (pool === undefined) throw new Error('no device memory for this pool (expected init() before)');
    return pool;
  }

  #requireDevice(): void {
    if (this.#lost !== undefined) throw new Error(`the device is lost, ${this.#lost} (expected one that is there)`);
  }
}

/**
 * Pages in a device's GPUBuffers. Several pools may share one provider; each has buffers of its own. Pools are created
 * with `PagePool.create`: the device takes its time to report whether there is memory. Their pages cannot be read
 * (`bytes()` throws) and not be pinned.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is unknown, outside its range, or more than the device
 *   allows
 *
 * @example
 * const provider = webgpu(device, { bufferBytes: 64 * 1024 * 1024 });
 * const pool = await PagePool.create({ provider, pageBytes: 65536, pageCount: 4096 });
 * const memory = provider.memory(pool, { host });
 * const handle = memory.upload(fragment);
 * // ... a bind group of memory.binding(handle), a submit ...
 * void memory.afterSubmit(handle);
 */
export function webgpu(device: GpuDevice, options: WebGpuOptions = {}): WebGpuProvider {
  loadOwner(ownerPart);
  return new DeviceProvider(device, resolveWebGpuOptions(device, options));
}
