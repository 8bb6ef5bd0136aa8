// From readable memory into a GPUBuffer: straight from shared pages where the queue takes them, by one copy where it
// does not.
//
// The queue has taken the bytes when a call returns. The owner's thread only.

import { isSharedBuffer } from '../platform/buffers.js';
import type { DeviceBinding, DeviceHost } from './device-host.js';
import { COPY_ALIGNMENT } from './options.js';

/** What is written into the pages of one pool. */
export class QueueWrites {
  /** Bytes that were copied on the way to the queue. */
  copiedBytes = 0;
  readonly #host: DeviceHost;
  readonly #pageBytes: number;
  #copy: Uint8Array<ArrayBuffer> | undefined;

  constructor(host: DeviceHost, pageBytes: number) {
    this.#host = host;
    this.#pageBytes = pageBytes;
  }

  /** Writes at the binding's start; it is large enough. */
  write({ buffer, offset }: DeviceBinding, bytes: Uint8Array): void {
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
    this.#copy ??= new Uint8Array(this.#pageBytes);
    this.#copy.set(bytes);
    this.copiedBytes += bytes.length;
    return this.#copy;
  }
}
