// Memory that somebody else made as a pool's pages: a decoder's heap, another Wasm module's memory, a buffer for a
// consumer that is not trusted (src/user-area/queue.ts).
//
// The memory is not the pool's: it is never cleared, grown or dropped here, and every page has to come back, so none
// may be pinned. Several pools may share it, one after the other or at the same time: a page is fed to one of them and
// to nobody else before that one has retired it. Owner thread only, as every provider.
//
// Kernel: struct io_zcrx_area with its freelist, which outlives the pools of a queue that restarts.

import { callError, invalidArgument, type PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { UNIT_BYTES_MIN } from '../numbers.js';
import { isPlainBuffer, isSharedBuffer, isWasmMemory } from '../platform/buffers.js';
import type { WasmMemory } from '../platform/types.js';
import type { Area, MemoryProvider, ProviderContext } from './provider.js';

/** Which part of the memory pages are cut from. */
export interface UserAreaOptions {
  /** Where the area starts in the memory, a multiple of 16; 0 if not given. */
  byteOffset?: number | undefined;
  /**
   * Bytes of the area, a multiple of the pool's `pageBytes`; the rest of the memory, as far as it reaches now, if not
   * given.
   */
  byteLength?: number | undefined;
}

/** One pool that the area's pages go to. */
interface Tenant {
  readonly area: Area;
  /** Pages that it wants and did not get. */
  wants: number;
  /** Pages that it has. */
  out: number;
}

class UserAreaProvider implements MemoryProvider {
  readonly kind = 'user-area';
  readonly readable = true;
  readonly detachable = false;
  readonly #memory: ArrayBufferLike | WasmMemory;
  readonly #byteOffset: number;
  readonly #byteLength: number;
  readonly #tenants = new Map<ProviderContext, Tenant>();
  /** Pages that nobody has, counted from the area's start; the last is next. */
  #free: number[] = [];
  #pageBytes = 0;

  constructor(memory: ArrayBufferLike | WasmMemory, byteOffset: number, byteLength: number) {
    this.#memory = memory;
    this.#byteOffset = byteOffset;
    this.#byteLength = byteLength;
  }

  init(context: ProviderContext): void {
    const { pageBytes, pageCount } = context.pool;
    this.#requirePages(pageBytes, pageCount);
    // The buffer as it is now: a shared memory that has grown has a longer one, and the earlier ones stay good.
    const buffer = bufferOf(this.#memory);
    const area = context.addArea(
      { buffer, byteOffset: this.#byteOffset, byteLength: pageCount * pageBytes },
      pageCount,
    );
    if (this.#pageBytes === 0) {
      this.#pageBytes = pageBytes;
      for (let page = this.#byteLength / pageBytes - 1; page >= 0; page--) this.#free.push(page);
    }
    this.#tenants.set(context, { area, wants: 0, out: 0 });
  }

  grow(context: ProviderContext, count: number): void {
    const tenant = this.#tenants.get(context);
    if (tenant === undefined) return;
    tenant.wants = count;
    this.#serve(context, tenant);
  }

  retire(context: ProviderContext, pages: Uint32Array): void {
    const tenant = this.#tenants.get(context);
    if (tenant === undefined) return;
    for (const page of pages) this.#free.push(page - tenant.area.firstPage);
    tenant.out -= pages.length;
    // It asks again when it still wants some; others may have asked in vain.
    tenant.wants = 0;
    for (const [other, waiting] of this.#tenants) {
      try {
        if (waiting.wants > 0) this.#serve(other, waiting);
      } catch {
        // Nothing of this pool's: the other one asks again, and is answered then.
      }
    }
  }

  /** The pages that are out stay with the pool that is left behind: nobody else may have them, ever. */
  uninstall(context: ProviderContext): void {
    this.#tenants.delete(context);
  }

  destroy(context: ProviderContext): void {
    const tenant = this.#tenants.get(context);
    this.#tenants.delete(context);
    if (tenant !== undefined && tenant.out !== 0) {
      throw callError(
        'POOL_ERR_PROVIDER',
        'userArea',
        `pages=${tenant.out} of pool="${context.pool.name}"`,
        'all of them back',
      );
    }
  }

  describe(): Record<string, unknown> {
    return {
      kind: this.kind,
      byteOffset: this.#byteOffset,
      byteLength: this.#byteLength,
      pageBytes: this.#pageBytes,
      freePages: this.#free.length,
      pools: this.#tenants.size,
    };
  }

  /** Feeds what the pool wants, as far as there are pages that it has numbers for. */
  #serve(context: ProviderContext, tenant: Tenant): void {
    const { firstPage, pages } = tenant.area;
    const given: number[] = [];
    for (let at = this.#free.length - 1; at >= 0 && given.length < tenant.wants; at--) {
      const page = this.#free[at] as number;
      if (page < pages) given.push(...this.#free.splice(at, 1));
    }
    if (given.length === 0) return;
    try {
      context.feed(Uint32Array.from(given, (page) => page + firstPage));
    } catch (error) {
      this.#free.push(...given.reverse());
      throw error;
    }
    tenant.wants -= given.length;
    tenant.out += given.length;
  }

  #requirePages(pageBytes: number, pageCount: number): void {
    const refuse = (name: string, value: unknown, rule: string): PagePoolError =>
      invalidArgument('userArea', name, value, rule);
    if (this.#pageBytes !== 0 && pageBytes !== this.#pageBytes) {
      throw refuse('pageBytes', pageBytes, `${this.#pageBytes}, as the pool before it`);
    }
    // No page is cut short, and none of the bytes is left out without a word.
    if (this.#byteLength % pageBytes !== 0) {
      throw refuse('byteLength', this.#byteLength, `a multiple of pageBytes=${pageBytes}`);
    }
    const most = this.#byteLength / pageBytes;
    if (pageCount > most) throw refuse('pageCount', pageCount, `at most ${most}, what the area has`);
  }
}

/** What userArea() returns. */
export function userAreaProvider(memory: ArrayBufferLike | WasmMemory, options: UserAreaOptions = {}): MemoryProvider {
  const given = requireRecord('userArea', 'options', options, ['byteOffset', 'byteLength']) as UserAreaOptions;
  const buffer = bufferOf(memory);
  if (!isSharedBuffer(buffer) && (isWasmMemory(memory) || !isPlainBuffer(buffer))) {
    throw invalidArgument(
      'userArea',
      'memory',
      memory,
      'a SharedArrayBuffer or a shared WebAssembly.Memory',
      'make the memory with { shared: true }: any other loses its bytes when it grows',
    );
  }
  const { byteOffset = 0 } = given;
  requireInteger('userArea', 'byteOffset', byteOffset, 0, buffer.byteLength);
  if (byteOffset % UNIT_BYTES_MIN !== 0) {
    throw invalidArgument('userArea', 'byteOffset', byteOffset, `a multiple of ${UNIT_BYTES_MIN}`);
  }
  const { byteLength = buffer.byteLength - byteOffset } = given;
  requireInteger('userArea', 'byteLength', byteLength, 1, buffer.byteLength - byteOffset);
  return new UserAreaProvider(memory, byteOffset, byteLength);
}

function bufferOf(memory: ArrayBufferLike | WasmMemory): ArrayBufferLike {
  return isWasmMemory(memory) ? memory.buffer : (memory as ArrayBufferLike);
}
