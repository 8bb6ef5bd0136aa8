// From device memory into pages of a readable pool, by way of a staging buffer.
//
// The copy to the staging buffer is submitted as soon as there is one; mapping waits for a page to copy into. Whatever
// fails on the way leaves no buffer behind that is in use, no page and no reference. The owner's thread only; nothing
// blocks.

import { invalidArgument, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { copyBytes } from '../platform/copy.js';
import { dispose } from '../platform/symbols.js';
import type { Signal } from '../platform/types.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import type { Fragment } from '../pool/fragment.js';
import type { Port } from '../port/port.js';
import { type DeviceBinding, type DeviceHost, lostError, requireDevice } from './device-host.js';
import { COPY_ALIGNMENT } from './options.js';
import { Staging, type StagingBuffer, type StagingReport } from './staging.js';

/** What to read back. */
export interface ReadbackOptions {
  /** Where in the fragment, bytes, a multiple of 4; 0 if not given. */
  offset?: number | undefined;
  /** Bytes; to the end of the fragment's extent if not given. */
  length?: number | undefined;
  /** Ends the wait for a staging buffer, or for a host page. */
  signal?: Signal | undefined;
}

const MODE_READ = 1;

/** Readbacks of one pool. */
export class Readbacks {
  readonly #host: DeviceHost;
  readonly #pool: AttachedPool;
  readonly #port: Port;
  readonly #staging: Staging;
  /** Ends the waits for host pages when the device is gone. */
  readonly #waits = new Set<AbortController>();

  constructor(host: DeviceHost, pool: AttachedPool, port: Port, stagingBytes: number) {
    this.#host = host;
    this.#pool = pool;
    this.#port = port;
    this.#staging = new Staging(host.device, stagingBytes, `pagepool ${pool.name} staging`);
  }

  /** Copies the window of a device fragment, which the caller holds, into a fragment of `target`. */
  async read(
    target: AttachedPool,
    handle: number,
    window: DeviceBinding,
    signal: Signal | undefined,
  ): Promise<Fragment> {
    signal?.throwIfAborted();
    const copied = alignUp(window.size);
    // Reused only by work that is submitted later, so the reference is needed until the copy is submitted.
    this.#pool.retain(handle);
    let staging: StagingBuffer | undefined;
    try {
      const taken = this.#staging.acquire(copied, signal);
      staging = taken instanceof Promise ? await taken : taken;
      // What ended between the promise and here has taken the page's buffer along.
      this.#staging.requireOpen();
      const encoder = this.#host.device.createCommandEncoder();
      encoder.copyBufferToBuffer(window.buffer, window.offset, staging.buffer, 0, copied);
      this.#host.device.queue.submit([encoder.finish()]);
    } catch (error) {
      if (staging !== undefined) this.#staging.free(staging);
      throw error;
    } finally {
      if (!this.#port.isGone) this.#pool.release(handle);
    }
    return this.#copyOut(staging, target, window.size, signal);
  }

  report(): StagingReport {
    return this.#staging.report();
  }

  /** The device is gone: whoever waits for a staging buffer or a page is notified. */
  lose(): void {
    const error = lostError(this.#host, 'readback');
    this.#staging.end(error);
    for (const wait of this.#waits) wait.abort(error);
  }

  /** The pool has ended, or this thread has left it. Copies that were submitted arrive. */
  end(): void {
    this.#staging.end(
      new PagePoolError('POOL_ERR_DESTROYED', 'readback failed: the pool has ended (expected one that lives)'),
    );
  }

  async #copyOut(
    staging: StagingBuffer,
    target: AttachedPool,
    length: number,
    signal: Signal | undefined,
  ): Promise<Fragment> {
    const copied = alignUp(length);
    let fragment: Fragment | undefined;
    try {
      fragment = target.take(length) ?? (await this.#waitForPage(target, length, signal));
      staging.state = 'mapping';
      await staging.buffer.mapAsync(MODE_READ, 0, copied);
      staging.state = 'mapped';
      copyBytes(fragment.bytes, new Uint8Array(staging.buffer.getMappedRange(0, copied), 0, length));
      staging.buffer.unmap();
    } catch (error) {
      const isMapping = staging.state !== 'submitted';
      if (isMapping) this.#staging.drop(staging);
      else this.#staging.free(staging);
      fragment?.[dispose]();
      if (isMapping) await this.#onLoss();
      requireDevice(this.#host, 'readback', error);
      throw error;
    }
    this.#staging.free(staging);
    return fragment;
  }

  /**
   * A device that goes fails the maps first and announces its end afterwards: waits until it would have announced it.
   */
  async #onLoss(): Promise<void> {
    const { lost, queue } = this.#host.device;
    await Promise.race([lost, queue.onSubmittedWorkDone().catch(() => lost)]);
  }

  /** A host page, where there is none at once; the end of the device ends the wait as well. */
  async #waitForPage(target: AttachedPool, length: number, signal: Signal | undefined): Promise<Fragment> {
    // It may have been aborted while a staging buffer was made.
    signal?.throwIfAborted();
    const wait = new AbortController();
    const abort = (): void => wait.abort(signal?.reason);
    this.#waits.add(wait);
    signal?.addEventListener('abort', abort, { once: true });
    try {
      return await target.takeAsync(length, { signal: wait.signal });
    } finally {
      this.#waits.delete(wait);
      signal?.removeEventListener('abort', abort);
    }
  }
}

/** The options with their defaults, for a fragment of `size` bytes. @throws PagePoolError POOL_ERR_INVALID_ARGUMENT */
export function resolveReadback(
  options: ReadbackOptions,
  size: number,
): { offset: number; length: number; signal: Signal | undefined } {
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
