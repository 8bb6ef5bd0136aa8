// Staging: GPUBuffers that can be mapped, used again and again, so that reading back creates none after warm-up.
//
//            copy submitted          a host page is there          the device is done           copied out
//   free ------------------> submitted --------------> mapping --------------> mapped ------------> free
//
// A buffer is mapped no longer than the copy out of it takes: it waits for a host page while it is not. Sizes are
// powers of two. All buffers together stay below a ceiling; who finds it reached waits in a queue. The owner's thread
// only.

import type { Signal } from '../platform/types.js';
import { createChecked } from './device-areas.js';
import { COPY_DST, MAP_READ } from './options.js';
import type { GpuBuffer, GpuDevice } from './platform-types.js';

export type StagingState = 'free' | 'submitted' | 'mapping' | 'mapped';

/** One staging buffer. */
export interface StagingBuffer {
  readonly buffer: GpuBuffer;
  readonly bytes: number;
  state: StagingState;
}

/** Who waits for room below the ceiling. */
interface Waiter {
  readonly bytes: number;
  readonly take: (staging: StagingBuffer | Promise<StagingBuffer>) => void;
  readonly fail: (reason: unknown) => void;
}

/** What a staging pool holds. */
export interface StagingReport {
  readonly bytes: number;
  readonly bytesMax: number;
  readonly free: number;
  readonly submitted: number;
  readonly mapping: number;
  readonly mapped: number;
  readonly waiting: number;
  /** Buffers created, ever. */
  readonly created: number;
}

/** The staging buffers of one pool. */
export class Staging {
  readonly bytesMax: number;
  readonly #device: GpuDevice;
  readonly #label: string;
  readonly #buffers = new Set<StagingBuffer>();
  readonly #waiters = new Set<Waiter>();
  /** Bytes of buffers that are being created. */
  #pendingBytes = 0;
  #created = 0;
  #end: unknown;

  constructor(device: GpuDevice, bytesMax: number, label: string) {
    this.#device = device;
    this.bytesMax = bytesMax;
    this.#label = label;
  }

  /** A buffer of at least `bytes` bytes, `submitted` from now on: the caller has a copy into it to submit. */
  acquire(bytes: number, signal: Signal | undefined): StagingBuffer | Promise<StagingBuffer> {
    const size = 2 ** Math.ceil(Math.log2(bytes));
    // In order: who asked before and still waits is served first.
    return (this.#waiters.size === 0 ? this.#take(size) : undefined) ?? this.#wait(size, signal);
  }

  /** Throws the reason of the end, when there was one. */
  requireOpen(): void {
    if (this.#end !== undefined) throw this.#end;
  }

  /** The buffer can be used again; it is not mapped. */
  free(staging: StagingBuffer): void {
    if (this.#end === undefined) staging.state = 'free';
    else this.#destroy(staging);
    this.#serve();
  }

  /** The buffer cannot be used again. */
  drop(staging: StagingBuffer): void {
    this.#destroy(staging);
    this.#serve();
  }

  /**
   * Free buffers go now, the others when they are free. Whoever waits gets the reason, and so does whoever asks later.
   */
  end(reason: unknown): void {
    if (this.#end !== undefined) return;
    this.#end = reason;
    for (const staging of [...this.#buffers]) if (staging.state === 'free') this.#destroy(staging);
    for (const { fail } of [...this.#waiters]) fail(reason);
  }

  report(): StagingReport {
    const report = { free: 0, submitted: 0, mapping: 0, mapped: 0 };
    for (const { state } of this.#buffers) report[state] += 1;
    const { bytesMax } = this;
    return { bytes: this.#bytes, bytesMax, ...report, waiting: this.#waiters.size, created: this.#created };
  }

  get #bytes(): number {
    let bytes = this.#pendingBytes;
    for (const staging of this.#buffers) bytes += staging.bytes;
    return bytes;
  }

  /** A free buffer, or a new one where there is room; undefined when the ceiling is reached by buffers in use. */
  #take(bytes: number): StagingBuffer | Promise<StagingBuffer> | undefined {
    if (this.#end !== undefined) return Promise.reject(this.#end);
    const free = [...this.#buffers].filter(({ state }) => state === 'free');
    const fit = free.find((staging) => staging.bytes === bytes);
    if (fit !== undefined) {
      fit.state = 'submitted';
      return fit;
    }
    // Free buffers of other sizes make room.
    let over = this.#bytes + bytes - this.bytesMax;
    const evicted = free.filter((staging) => {
      if (over <= 0) return false;
      over -= staging.bytes;
      return true;
    });
    if (over > 0) return undefined;
    for (const staging of evicted) this.#destroy(staging);
    return this.#create(bytes);
  }

  async #create(bytes: number): Promise<StagingBuffer> {
    this.#pendingBytes += bytes;
    try {
      const buffer = await createChecked(this.#device, bytes, MAP_READ | COPY_DST, this.#label);
      this.#pendingBytes -= bytes;
      const staging: StagingBuffer = { buffer, bytes, state: 'submitted' };
      this.#buffers.add(staging);
      this.#created += 1;
      if (this.#end === undefined) return staging;
      this.#destroy(staging);
    } catch (error) {
      this.#pendingBytes -= bytes;
      this.#serve();
      throw error;
    }
    throw this.#end;
  }

  /** Serves whoever waits, in order, as far as there is room. */
  #serve(): void {
    for (const waiter of this.#waiters) {
      const taken = this.#take(waiter.bytes);
      if (taken === undefined) break;
      waiter.take(taken);
    }
  }

  #wait(bytes: number, signal: Signal | undefined): Promise<StagingBuffer> {
    return new Promise((resolve, reject) => {
      const settle = (): void => {
        this.#waiters.delete(waiter);
        signal?.removeEventListener('abort', abort);
      };
      const waiter: Waiter = {
        bytes,
        take: (staging) => {
          settle();
          resolve(staging);
        },
        fail: (reason) => {
          settle();
          reject(reason);
        },
      };
      const abort = (): void => waiter.fail(signal?.reason);
      this.#waiters.add(waiter);
      signal?.addEventListener('abort', abort, { once: true });
    });
  }

  #destroy(staging: StagingBuffer): void {
    this.#buffers.delete(staging);
    staging.buffer.destroy();
  }
}
