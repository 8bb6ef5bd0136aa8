// The GPUBuffers of one pool: each is an area, cut into pages.
//
// Which of their pages are with the provider, and which buffers nobody needs. A buffer is used only after the device
// has confirmed that it exists: createBuffer answers at once also where there is no memory, and pages of a buffer that
// is none would be like any other. The owner's thread only.

import { longestFreeRun } from '../provider/page-numbers.js';
import type { Area, ProviderContext } from '../provider/provider.js';
import type { ResolvedOptions } from './options.js';
import type { GpuBuffer, GpuDevice } from './platform-types.js';

/** One GPUBuffer. */
export interface DeviceArea {
  readonly area: Area;
  readonly buffer: GpuBuffer;
  readonly bytes: number;
  /** Pages that are with the provider; the last is fed first. */
  readonly free: number[];
  /** Its pages are not fed any more. */
  isRetiring: boolean;
}

/** The areas of one context. */
export class DeviceAreas {
  readonly context: ProviderContext;
  /** The pool has ended, or refused the provider. */
  isOver = false;
  /** Buffers created and destroyed, ever. */
  created = 0;
  destroyed = 0;
  /** Page -> its area. */
  readonly #areaOf: (DeviceArea | undefined)[] = [];
  readonly #areas = new Set<DeviceArea>();
  readonly #device: GpuDevice;
  readonly #options: ResolvedOptions;

  constructor(device: GpuDevice, options: ResolvedOptions, context: ProviderContext) {
    this.#device = device;
    this.#options = options;
    this.context = context;
  }

  get count(): number {
    return this.#areas.size;
  }

  /** Bytes of device memory. */
  get bytes(): number {
    let bytes = 0;
    for (const area of this.#areas) bytes += area.bytes;
    return bytes;
  }

  get freePages(): number {
    let pages = 0;
    for (const { free } of this.#areas) pages += free.length;
    return pages;
  }

  /**
   * Pages that one more buffer can have: its numbers must follow each other, and buffers of several sizes leave gaps.
   */
  get pagesLeft(): number {
    return longestFreeRun(
      this.context,
      [...this.#areas].map(({ area }) => area),
    );
  }

  areaOf(page: number): DeviceArea | undefined {
    return this.#areaOf[page];
  }

  /**
   * Takes one more buffer; its pages are with the provider. Rejects, and nothing is left, when the device refuses it,
   * or the pool ended meanwhile.
   */
  async create(): Promise<GpuBuffer> {
    const { pool } = this.context;
    // Buffers are created one at a time: until this one is there numbers may come back, and none goes.
    const pages = Math.min(Math.floor(this.#options.bufferBytes / pool.pageBytes), this.pagesLeft);
    const bytes = pages * pool.pageBytes;
    const buffer = await createChecked(this.#device, bytes, this.#options.usage, `pagepool ${pool.name}`);
    this.created += 1;
    try {
      if (this.isOver) throw new Error('the pool has ended (expected one that lives)');
      const area = this.context.addArea({ byteLength: bytes }, pages);
      // The lowest number is fed first.
      const free = Array.from({ length: pages }, (_, i) => area.firstPage + pages - 1 - i);
      const own: DeviceArea = { area, buffer, bytes, free, isRetiring: false };
      this.#areas.add(own);
      for (const page of free) this.#areaOf[page] = own;
      return buffer;
    } catch (error) {
      this.#destroy(buffer);
      throw error;
    }
  }

  /** Feeds up to `count` pages, of the fullest buffer first, so that others can empty; how many. */
  feed(count: number): number {
    const taken: { from: DeviceArea; page: number }[] = [];
    while (taken.length < count) {
      const from = this.#fullest();
      if (from === undefined) break;
      while (taken.length < count && from.free.length > 0) taken.push({ from, page: from.free.pop() as number });
    }
    if (taken.length === 0) return 0;
    try {
      this.context.feed(Uint32Array.from(taken, ({ page }) => page));
    } catch (error) {
      for (const { from, page } of taken.reverse()) from.free.push(page);
      throw error;
    }
    return taken.length;
  }

  /** Pages that came home; buffers that nobody needs go. */
  retire(pages: Uint32Array): void {
    for (const page of pages) (this.#areaOf[page] as DeviceArea).free.push(page);
    const unneeded = this.#unneeded();
    // All calls of the context first: where one throws, everything is as it was.
    for (const { area, isRetiring } of unneeded) if (!isRetiring) this.context.retireArea(area);
    for (const area of unneeded) this.#forget(area);
  }

  /** The device is gone: no page is fed any more, and each is forgotten when it comes home. */
  abandon(): void {
    for (const own of [...this.#areas]) {
      own.buffer.destroy();
      own.isRetiring = true;
      this.context.retireArea(own.area);
      if (own.free.length === own.area.pages) this.#forget(own);
    }
  }

  /** The pool has ended. */
  end(): void {
    this.isOver = true;
    for (const area of [...this.#areas]) this.#forget(area);
  }

  #fullest(): DeviceArea | undefined {
    let found: DeviceArea | undefined;
    for (const own of this.#areas) {
      if (own.isRetiring || own.free.length === 0) continue;
      if (found === undefined || own.free.length < found.free.length) found = own;
    }
    return found;
  }

  /** Buffers whose pages are all home, and that the pool need not keep. */
  #unneeded(): DeviceArea[] {
    let kept = this.bytes;
    return [...this.#areas].filter((own) => {
      if (own.free.length < own.area.pages) return false;
      if (!own.isRetiring && kept - own.bytes < this.#options.keepBytes) return false;
      kept -= own.bytes;
      return true;
    });
  }

  #forget(own: DeviceArea): void {
    this.#areas.delete(own);
    this.#areaOf.fill(undefined, own.area.firstPage, own.area.firstPage + own.area.pages);
    this.#destroy(own.buffer);
  }

  /** Work that was submitted still finds the buffer: the device lets go of the memory after it. */
  #destroy(buffer: GpuBuffer): void {
    buffer.destroy();
    this.destroyed += 1;
  }
}

/**
 * A buffer that is there. Rejects with the device's error otherwise: out of memory, or an invalid request. The scopes
 * are opened and closed in one go, so the program's own are not in the way, also where createBuffer throws.
 */
export async function createChecked(device: GpuDevice, size: number, usage: number, label: string): Promise<GpuBuffer> {
  let buffer: GpuBuffer;
  let errors: Promise<readonly ({ readonly message: string } | null)[]>;
  device.pushErrorScope('out-of-memory');
  device.pushErrorScope('validation');
  try {
    buffer = device.createBuffer({ label, size, usage });
  } finally {
    errors = Promise.all([device.popErrorScope(), device.popErrorScope()]);
    errors.catch(() => {}); // nobody asks where createBuffer threw
  }
  try {
    const error = (await errors).find((each) => each !== null);
    if (error == null) return buffer;
    throw new Error(`createBuffer of ${size} bytes: ${error.message.trim()}`);
  } catch (error) {
    buffer.destroy();
    throw error;
  }
}
