// DeviceMemory: what the thread that has the device does with the pages of one pool.
//
// From handles to GPUBuffers, copies in and out, fences, and consumers that have no port. Other threads of the pool
// hold, send and release the same handles, and cannot come here: GPUBuffers cannot be posted. Nothing here blocks.

import { pageOfHandle, startInPage } from '../control/places.js';
import { invalidArgument, invalidRange, requireInteger, requireRecord } from '../errors.js';
import type { AttachedPool, Handle } from '../pool/attached-pool.js';
import { isPagePool } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import type { PagePool, UnreadablePool } from '../pool/page-pool.js';
import { extentOf } from '../port/handles.js';
import { type Port, park, unpark } from '../port/port.js';
import { type ConsumerHost, DeviceConsumer, type EndingWorker } from './consumer.js';
import { Custody } from './custody.js';
import type { DeviceArea } from './device-areas.js';
import { type DeviceBinding, type DeviceHost, requireDevice, requireUsage } from './device-host.js';
import { Fences } from './fences.js';
import { COPY_DST, COPY_SRC } from './options.js';
import { QueueWrites } from './queue-writes.js';
import { type ReadbackOptions, Readbacks, resolveReadback } from './readbacks.js';
import type { StagingReport } from './staging.js';

/** How one pool's device memory is read back. */
export interface DeviceMemoryOptions {
  /** The pool whose fragments readback() gives; without one there is no readback. */
  host?: AttachedPool | undefined;
  /** Bytes of all staging buffers together, at least a page; 4 pages if not given, at least 4 MiB. */
  stagingBytes?: number | undefined;
}

/** Who is given device memory without a port. */
export interface ConsumerOptions {
  /** For statistics. */
  name?: string | undefined;
  /** A worker of node:worker_threads (or one with its events): when it ends, all its tokens come back. */
  worker?: EndingWorker | undefined;
}

/** What statistics have of one pool's device memory. */
export interface DeviceReport {
  readonly fences: { readonly pending: number; readonly handles: number; readonly refused: number };
  readonly tokens: { readonly consumers: number; readonly held: number; readonly skipped: number };
  readonly staging: StagingReport;
  /** Bytes that went through the copy that platforms need which take no shared views. */
  readonly copiedBytes: number;
}

const STAGING_BYTES = 4 * 1024 * 1024;
const STAGING_PAGES = 4;
const STAGING_MAX = 2 ** 40;

/** The device's side of one pool; `provider.memory(pool)` makes it. */
export class DeviceMemory {
  readonly #pool: PagePool;
  readonly #port: Port;
  readonly #host: DeviceHost;
  /** Where readbacks go. */
  readonly #target: AttachedPool | undefined;
  readonly #custody: Custody;
  readonly #fences: Fences;
  readonly #writes: QueueWrites;
  readonly #readbacks: Readbacks;
  readonly #consumers = new Set<DeviceConsumer>();
  /** Page -> its binding when bound whole. */
  readonly #bindings: (DeviceBinding | undefined)[] = [];
  #skipped = 0;

  /** The provider makes it: nobody else calls this. */
  constructor(pool: PagePool, port: Port, host: DeviceHost, options: DeviceMemoryOptions) {
    const given = requireRecord('memory', 'options', options, ['host', 'stagingBytes']) as DeviceMemoryOptions;
    if (given.host !== undefined && !isPagePool(given.host)) {
      throw invalidArgument('memory', 'host', given.host, 'a PagePool of this thread');
    }
    const { pageBytes } = pool;
    const { stagingBytes = Math.max(STAGING_BYTES, STAGING_PAGES * pageBytes) } = given;
    requireInteger('memory', 'stagingBytes', stagingBytes, pageBytes, STAGING_MAX);
    this.#pool = pool;
    this.#port = port;
    this.#host = host;
    this.#target = given.host;
    this.#custody = new Custody(port);
    this.#fences = new Fences(this.#custody);
    this.#writes = new QueueWrites(host, pageBytes);
    this.#readbacks = new Readbacks(host, pool, port, stagingBytes);
  }

  /**
   * Where the fragment lies, for bind groups and copies: good while the caller holds the reference. Offsets fit the
   * device's alignment. A whole page's binding is made once and kept.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE and the like; POOL_ERR_PROVIDER when the device is lost;
   *   POOL_ERR_INVALID_ARGUMENT for a page of another provider
   */
  binding(handle: Handle): DeviceBinding {
    const extent = extentOf(this.#port, 'binding', handle);
    requireDevice(this.#host, 'binding');
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
   * Takes the caller's references over and releases them when the promise settles, whatever way, also while the pool
   * closes; at once when the device is lost. Resolves after that and never rejects.
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
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the worker announces its end to nobody: call close() then; or
   *   has ended
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
   * Copies a fragment's window into a new device fragment, which the caller holds; 0 when the pool has no device memory
   * left. The caller keeps the fragment and may release it at once. Where the queue takes views of shared memory
   * nothing is copied on the way to it.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the fragment is device memory itself; POOL_ERR_PROVIDER when the
   *   device is lost; RangeError when it is longer than a page
   */
  upload(fragment: Fragment): Handle {
    requireDevice(this.#host, 'upload');
    requireUsage(this.#host, 'upload', COPY_DST, 'COPY_DST');
    const { bytes } = fragment;
    const handle = this.#pool.allocFragment(bytes.length);
    if (handle === 0) return 0;
    try {
      if (this.#areaOf(handle) === undefined) return this.#refuseReserve(handle);
      this.#writes.write(this.binding(handle), bytes);
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
    requireUsage(this.#host, 'write', COPY_DST, 'COPY_DST');
    const binding = this.binding(handle);
    const { bytes } = fragment;
    if (bytes.length > binding.size) {
      throw invalidRange('write', 'length', bytes.length, `at most ${binding.size}`, 'send a shorter window');
    }
    this.#writes.write(binding, bytes);
  }

  /**
   * Copies a device fragment, as it is when the call is made, into a fragment of the host pool. The caller may release
   * the handle at once. When the staging ceiling is reached the copy is made later, and what the program writes until
   * then is seen.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when the device is lost meanwhile; POOL_ERR_CLOSING when the host pool
   *   closes; an aborted signal's reason. Nothing is held then
   */
  async readback(handle: Handle, options: ReadbackOptions = {}): Promise<Fragment> {
    const target = this.#target;
    if (target === undefined) {
      throw invalidArgument('readback', 'host', target, 'a pool to read into', 'give it to memory(): { host }');
    }
    requireUsage(this.#host, 'readback', COPY_SRC, 'COPY_SRC');
    const { buffer, offset: start, size } = this.binding(handle);
    const { offset, length, signal } = resolveReadback(options, size);
    return this.#readbacks.read(target, handle, { buffer, offset: start + offset, size: length }, signal);
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
      staging: this.#readbacks.report(),
      copiedBytes: this.#writes.copiedBytes,
    };
  }

  /**
   * For the provider: the device is gone. Nobody uses its memory any more, so everything that waited for it is over.
   */
  lose(): void {
    this.#fences.open();
    this.#readbacks.lose();
  }

  /** For the provider: the pool has ended, or this thread has left it. Copies that are under way arrive. */
  end(): void {
    this.#bindings.length = 0;
    this.#readbacks.end();
    this.#fences.open();
    for (const consumer of [...this.#consumers]) consumer.close();
  }
}

/** For the provider: the pool as the class that it is at run time. */
export function asPagePool(pool: PagePool | UnreadablePool): PagePool {
  if (isPagePool(pool)) return pool as PagePool;
  throw invalidArgument('memory', 'pool', pool, 'a PagePool');
}
