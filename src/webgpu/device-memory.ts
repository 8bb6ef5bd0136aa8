// DeviceMemory: what the thread that has the device does with the pages of one pool.
//
// From handles to GPUBuffers, copies in and out, fences, and consumers that have no port. Other threads of the pool hold, send and
// release the same handles, and cannot come here: GPUBuffers cannot be posted. Nothing here blocks.

import { invalidArgument, invalidRange, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import type { Fragment } from '../pool/fragment.js';
import { extentOf, pageOfHandle, startInPage } from '../pool/handles.js';
import { isSharedBuffer } from '../pool/memory.js';
import { type Handle, PagePool } from '../pool/page-pool.js';
import type { Signal } from '../pool/platform-types.js';
import type { Port } from '../pool/port.js';
import { dispose } from '../pool/symbols.js';
import type { UnreadablePool } from '../pool/unreadable.js';
import { park, unpark } from '../pool/waiting.js';
import { type ConsumerHost, DeviceConsumer, type EndingWorker } from './consumer.js';
import { Custody } from './custody.js';
import type { DeviceArea, DeviceAreas } from './device-areas.js';
import { Fences } from './fences.js';
import { COPY_ALIGNMENT, COPY_DST, COPY_SRC } from './options.js';
import type { GpuBuffer, GpuDevice } from './platform-types.js';
import { Staging, type StagingBuffer, type StagingReport } from './staging.js';

/** Where in a GPUBuffer a fragment lies: fits a bind group's resource and the arguments of copies. */
export interface DeviceBinding {
  readonly buffer: GpuBuffer;
  readonly offset: number;
  readonly size: number;
}

/** How one pool's device memory is read back. */
export interface DeviceMemoryOptions {
  /** The pool whose fragments readback() gives; without one there is no readback. */
  host?: PagePool;
  /** Bytes of all staging buffers together, at least a page; 4 pages if not given, at least 4 MiB. */
  stagingBytes?: number;
}

/** What to read back. */
export interface ReadbackOptions {
  /** Where in the fragment, bytes, a multiple of 4; 0 if not given. */
  offset?: number;
  /** Bytes; to the end of the fragment's extent if not given. */
  length?: number;
  /** Ends the wait for a staging buffer, or for a host page. */
  signal?: Signal;
}

/** Who is given device memory without a port. */
export interface ConsumerOptions {
  /** For statistics. */
  name?: string;
  /** A worker of node:worker_threads (or one with its events): when it ends, all its tokens come back. */
  worker?: EndingWorker;
}

/** What statistics say of one pool's device memory. */
export interface DeviceReport {
  readonly fences: { readonly pending: number; readonly handles: number; readonly refused: number };
  readonly tokens: { readonly consumers: number; readonly held: number; readonly skipped: number };
  readonly staging: StagingReport;
  /** Bytes that went through the copy that platforms need which take no shared views. */
  readonly copiedBytes: number;
}

/** The provider's side, as the memory of one pool sees it. */
export interface DeviceHost {
  readonly device: GpuDevice;
  readonly usage: number;
  /** Whether the queue takes views of shared memory; asked once. */
  readonly takesSharedViews: boolean;
  /** Why the device is gone; undefined while it is there. */
  readonly lost: string | undefined;
  readonly areas: readonly DeviceAreas[];
}

const MODE_READ = 1;
const STAGING_BYTES = 4 * 1024 * 1024;
const STAGING_PAGES = 4;
const STAGING_MAX = 2 ** 40;

/** The device's side of one pool; `provider.memory(pool)` makes it. */
export class DeviceMemory {
  readonly #pool: PagePool;
  readonly #port: Port;
  readonly #host: DeviceHost;
  readonly #readPool: PagePool | undefined;
  readonly #custody: Custody;
  readonly #fences: Fences;
  readonly #staging: Staging;
  readonly #consumers = new Set<DeviceConsumer>();
  /** Page -> its binding when handed out whole. */
  readonly #bindings: (DeviceBinding | undefined)[] = [];
  /** Ends the waits for host pages when the device is gone. */
  readonly #waits = new Set<AbortController>();
  #copy: Uint8Array<ArrayBuffer> | undefined;
  #copiedBytes = 0;
  #skipped = 0;

  /** The provider makes it: nobody else calls this. */
  constructor(pool: PagePool, port: Port, host: DeviceHost, options: DeviceMemoryOptions) {
    const given = requireRecord('memory', 'options', options, ['host', 'stagingBytes']) as DeviceMemoryOptions;
    if (given.host !== undefined && !(given.host instanceof PagePool)) {
      throw invalidArgument('memory', 'host', given.host, 'a PagePool of this thread');
    }
    const { pageBytes } = pool;
    const { stagingBytes = Math.max(STAGING_BYTES, STAGING_PAGES * pageBytes) } = given;
    requireInteger('memory', 'stagingBytes', stagingBytes, pageBytes, STAGING_MAX);
    this.#pool = pool;
    this.#port = port;
    this.#host = host;
    this.#readPool = given.host;
    this.#custody = new Custody(port);
    this.#fences = new Fences(this.#custody);
    this.#staging = new Staging(host.device, stagingBytes, `pagepool ${pool.name} staging`);
  }

  /**
   * Where the fragment lies, for bind groups and copies: good while the caller holds the reference. Offsets fit the device's
   * alignment. A whole page's binding is made once and kept.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE and the like; POOL_ERR_PROVIDER when the device is lost; POOL_ERR_INVALID_ARGUMENT
   *   for a page of another provider
   */
  binding(handle: Handle): DeviceBinding {
    const extent = extentOf(this.#port, 'binding', handle);
    this.#requireDevice('binding');
    const own = this.#areaOf(handle);
    const page = pageOfHandle(this.#port, handle);
    if (own === undefined) {
      throw invalidArgument('binding', 'handle', handle, 'one of device memory', 'ask isReadable() first');
    }
    const { area, buffer } = own;
    const kept = this.#bindings[page];
    if (extent === this.#pool.pageBytes && kept?.buffer === buffer) return kept;
    const offset = (page - area.firstPage) * this.#pool.pageBytes + startInPage(this.#port, handle);
    const binding = Object.freeze({ buffer, offset, size: extent });
    if (extent === this.#pool.pageBytes) this.#bindings[page] = binding;
    return binding;
  }

  /** The buffer that a checked handle's page lies in; undefined where it is none of these. */
  #areaOf(handle: Handle): DeviceArea | undefined {
    const page = pageOfHandle(this.#port, handle);
    for (const areas of this.#host.areas) {
      const own = areas.areaOf(page);
      if (own !== undefined) return own;
    }
    return undefined;
  }

  // ---------------------------------------------------------------------------------- fences

  /**
   * Takes the caller's references over and releases them when the promise settles, whatever way, also while the pool closes; at
   * once when the device is lost. Resolves after that and never rejects.
   *
   * @throws PagePoolError with `index` when a handle is refused; the caller has all its references then
   */
  releaseAfter(handles: Handle | ArrayLike<Handle>, promise: PromiseLike<unknown>): Promise<void> {
    return this.#fences.add('releaseAfter', handles, promise);
  }

  /** The same, after all work that was submitted to the queue until now. */
  afterSubmit(handles: Handle | ArrayLike<Handle>): Promise<void> {
    const done = this.#host.lost === undefined ? this.#host.device.queue.onSubmittedWorkDone() : Promise.resolve();
    return this.#fences.add('afterSubmit', handles, done);
  }

  // ---------------------------------------------------------------------------------- consumers without a port

  /**
   * Somebody who is given fragments by number and gives them back in batches.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the worker tells nobody of its end: call close() then; or has ended
   */
  consumer(options: ConsumerOptions = {}): DeviceConsumer {
    const { name = 'consumer', worker } = requireRecord('consumer', 'options', options, [
      'name',
      'worker',
    ]) as ConsumerOptions;
    if (worker !== undefined && (typeof worker?.on !== 'function' || typeof worker.off !== 'function')) {
      throw invalidArgument('consumer', 'worker', worker, 'one with an exit event', 'call close() when it has ended');
    }
    if ((worker?.threadId ?? 0) < 0) {
      throw invalidArgument('consumer', 'worker.threadId', worker?.threadId, 'a worker that runs');
    }
    const host: ConsumerHost = {
      skipped: () => {
        this.#skipped += 1;
      },
      closed: (gone) => void this.#consumers.delete(gone),
    };
    const consumer = new DeviceConsumer(this.#custody, name, worker, host);
    this.#consumers.add(consumer);
    return consumer;
  }

  // ---------------------------------------------------------------------------------- copies

  /**
   * Copies a fragment's window into a new device fragment, which the caller holds; 0 when the pool has no device memory left. The
   * caller keeps the fragment and may release it at once. Where the queue takes views of shared memory nothing is copied on the way to it.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the fragment is device memory itself; POOL_ERR_PROVIDER when the device is lost;
   *   RangeError when it is longer than a page
   */
  upload(fragment: Fragment): Handle {
    this.#requireDevice('upload');
    this.#requireUsage('upload', COPY_DST, 'COPY_DST');
    const { bytes } = fragment;
    const handle = this.#pool.allocFragment(bytes.length);
    if (handle === 0) return 0;
    try {
      if (this.#areaOf(handle) === undefined) return this.#refuseReserve(handle);
      this.#write(this.binding(handle), bytes);
    } catch (error) {
      this.#pool.release(handle);
      throw error;
    }
    return handle;
  }

  /** What came is the pool's reserve, which no device sees. The next fragment is not cut from its page, either. */
  #refuseReserve(handle: Handle): 0 {
    this.#pool.release(handle);
    park(this.#port);
    unpark(this.#port);
    return 0;
  }

  /**
   * Copies a fragment's window to the start of a device fragment that the caller holds.
   *
   * @throws PagePoolError as `upload`; RangeError when the window is longer than the device fragment
   */
  write(handle: Handle, fragment: Fragment): void {
    this.#requireUsage('write', COPY_DST, 'COPY_DST');
    const binding = this.binding(handle);
    const { bytes } = fragment;
    if (bytes.length > binding.size) {
      throw invalidRange('write', 'length', bytes.length, `at most ${binding.size}`, 'send a shorter window');
    }
    this.#write(binding, bytes);
  }

  /**
   * Copies a device fragment, as it is when the call is made, into a fragment of the host pool. The caller may release the handle at
   * once. When the staging ceiling is reached the copy is made later, and what the program writes until then is seen.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when the device is lost meanwhile; POOL_ERR_CLOSING when the host pool closes; an aborted
   *   signal's reason. Nothing is held then
   */
  async readback(handle: Handle, options: ReadbackOptions = {}): Promise<Fragment> {
    const host = this.#readPool;
    if (host === undefined) {
      throw invalidArgument('readback', 'host', host, 'a pool to read into', 'give it to memory(): { host }');
    }
    this.#requireUsage('readback', COPY_SRC, 'COPY_SRC');
    const { buffer, offset: start, size } = this.binding(handle);
    const { offset, length, signal } = checkWindow(options, size);
    signal?.throwIfAborted();
    const copied = alignUp(length);
    // Reused only by work that is submitted later, so the reference is needed until the copy is submitted.
    this.#pool.retain(handle);
    let staging: StagingBuffer | undefined;
    try {
      const taken = this.#staging.acquire(copied, signal);
      staging = taken instanceof Promise ? await taken : taken;
      // What ended between the promise and here has taken the page's buffer along.
      this.#staging.requireOpen();
      const encoder = this.#host.device.createCommandEncoder();
      encoder.copyBufferToBuffer(buffer, start + offset, staging.buffer, 0, copied);
      this.#host.device.queue.submit([encoder.finish()]);
    } catch (error) {
      if (staging !== undefined) this.#staging.giveBack(staging);
      throw error;
    } finally {
      if (!this.#port.isGone) this.#pool.release(handle);
    }
    return this.#copyOut(staging, host, length, copied, signal);
  }

  async #copyOut(
    staging: StagingBuffer,
    host: PagePool,
    length: number,
    copied: number,
    signal: Signal | undefined,
  ): Promise<Fragment> {
    let fragment: Fragment | undefined;
    try {
      fragment = host.take(length) ?? (await this.#waitForPage(host, length, signal));
      staging.state = 'mapping';
      await staging.buffer.mapAsync(MODE_READ, 0, copied);
      staging.state = 'mapped';
      fragment.bytes.set(new Uint8Array(staging.buffer.getMappedRange(0, copied), 0, length));
      staging.buffer.unmap();
    } catch (error) {
      const isMapping = staging.state !== 'submitted';
      if (isMapping) this.#staging.drop(staging);
      else this.#staging.giveBack(staging);
      fragment?.[dispose]();
      if (isMapping) await this.#hearOfLoss();
      this.#requireDevice('readback', error);
      throw error;
    }
    this.#staging.giveBack(staging);
    return fragment;
  }

  /** A device that goes fails the maps first and tells of its end afterwards: waits until it would have told. */
  async #hearOfLoss(): Promise<void> {
    const { lost, queue } = this.#host.device;
    await Promise.race([lost, queue.onSubmittedWorkDone().catch(() => lost)]);
  }

  /** A host page, where there is none at once; the end of the device ends the wait as well. */
  async #waitForPage(host: PagePool, length: number, signal: Signal | undefined): Promise<Fragment> {
    // It may have been aborted while a staging buffer was made.
    signal?.throwIfAborted();
    const wait = new AbortController();
    const abort = (): void => wait.abort(signal?.reason);
    this.#waits.add(wait);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await host.takeAsync(length, { signal: wait.signal });
    } finally {
      this.#waits.delete(wait);
      signal?.removeEventListener('abort', abort);
    }
  }

  #write({ buffer, offset }: DeviceBinding, bytes: Uint8Array): void {
    const { queue } = this.#host.device;
    const isTaken = this.#host.takesSharedViews || !isSharedBuffer(bytes.buffer);
    const source = (isTaken ? bytes : this.#copyOf(bytes)) as Uint8Array<ArrayBuffer>;
    const whole = bytes.length & -COPY_ALIGNMENT;
    if (whole > 0) queue.writeBuffer(buffer, offset, source, 0, whole);
    if (whole === bytes.length) return;
    // The queue takes multiples of 4: the end is filled up with zeros, and not with what lies behind it.
    const end = new Uint8Array(COPY_ALIGNMENT);
    end.set(source.subarray(whole, bytes.length));
    queue.writeBuffer(buffer, offset + whole, end);
  }

  /** The bytes in memory of this thread alone, kept for the next time. */
  #copyOf(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
    this.#copy ??= new Uint8Array(this.#pool.pageBytes);
    this.#copy.set(bytes);
    this.#copiedBytes += bytes.length;
    return this.#copy;
  }

  // ---------------------------------------------------------------------------------- the end, and reports

  report(): DeviceReport {
    const consumers = [...this.#consumers];
    return {
      fences: { pending: this.#fences.count, handles: this.#fences.handles, refused: this.#fences.refused },
      tokens: {
        consumers: consumers.length,
        held: consumers.reduce((sum, { held }) => sum + held, 0),
        skipped: this.#skipped,
      },
      staging: this.#staging.report(),
      copiedBytes: this.#copiedBytes,
    };
  }

  /** For the provider: the device is gone. Nobody uses its memory any more, so everything that waited for it is over. */
  lose(): void {
    const error = this.#lostError('readback');
    this.#fences.open();
    this.#staging.end(error);
    for (const wait of this.#waits) wait.abort(error);
  }

  /** For the provider: the pool has ended, or this thread has left it. Copies that are under way arrive. */
  end(): void {
    this.#bindings.length = 0;
    this.#staging.end(
      new PagePoolError('POOL_ERR_DESTROYED', 'readback failed: the pool has ended (expected one that lives)'),
    );
    this.#fences.open();
    for (const consumer of [...this.#consumers]) consumer.close();
  }

  #requireUsage(call: string, flag: number, name: string): void {
    if ((this.#host.usage & flag) !== 0) return;
    throw invalidArgument(call, 'usage', this.#host.usage, `${name} in it`, 'give webgpu() a usage with it');
  }

  #requireDevice(call: string, cause?: unknown): void {
    if (this.#host.lost !== undefined) throw this.#lostError(call, cause);
  }

  #lostError(call: string, cause?: unknown): PagePoolError {
    return new PagePoolError(
      'POOL_ERR_PROVIDER',
      `${call} failed: device=lost, ${this.#host.lost} (expected one that is there); close the pool, and make another with a new device`,
      cause === undefined ? undefined : { cause },
    );
  }
}

function checkWindow(options: ReadbackOptions, size: number) {
  const given = requireRecord('readback', 'options', options, ['offset', 'length', 'signal']) as ReadbackOptions;
  const { offset = 0, signal } = given;
  requireInteger('readback', 'offset', offset, 0, size - 1);
  if (offset % COPY_ALIGNMENT !== 0) {
    throw invalidArgument('readback', 'offset', offset, `a multiple of ${COPY_ALIGNMENT}`, 'read from before it');
  }
  const { length = size - offset } = given;
  requireInteger('readback', 'length', length, 1, size - offset);
  return { offset, length, signal };
}

function alignUp(bytes: number): number {
  return Math.ceil(bytes / COPY_ALIGNMENT) * COPY_ALIGNMENT;
}

/** For the provider: the pool as the class that it is at run time. */
export function asPagePool(pool: PagePool | UnreadablePool): PagePool {
  if (pool instanceof PagePool) return pool;
  throw invalidArgument('memory', 'pool', pool, 'a PagePool');
}
