// The memory of a new pool: control region, scratch and the first step of pages, in the best kind that the platform
// grants.

import { loadedTypeScript } from '../engine/loaded.js';
import { callError } from '../errors.js';
import { align, WASM_PAGE_BYTES } from '../numbers.js';
import { addressLimit, spareAddresses, WASM_ADDRESS_BYTES } from '../platform/addresses.js';
import type { MemoryKind } from '../platform/capabilities.js';
import type { MemoryProvider } from '../provider/provider.js';
import { type Geometry, totalBytesOf } from './geometry.js';
import { PoolMemory } from './memory.js';

const STEP_PAGES_MIN = 16;

/**
 * Wasm pages that one growth step adds: the default provider may ask for a number of bytes, others have nothing to
 * grow.
 */
export function growStepPages(geometry: Geometry, provider: MemoryProvider | undefined): number {
  const wanted = (provider as { readonly stepBytes?: number } | undefined)?.stepBytes;
  if (wanted !== undefined) return Math.ceil(wanted / WASM_PAGE_BYTES);
  return Math.max(STEP_PAGES_MIN, Math.ceil((totalBytesOf(geometry) - geometry.pagesOffset) / WASM_PAGE_BYTES / 8));
}

/**
 * The memory for a pool: control region, scratch, and the first step of pages; all pages where it cannot grow, since
 * Wasm memory of one thread would take its views away. A Wasm memory reserves some 10 GiB of addresses. Where the
 * platform refuses those and the TypeScript engine may serve the pool, the memory is a buffer.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when the platform refuses it
 */
export function createMemory(
  call: string,
  geometry: Geometry,
  kind: MemoryKind,
  stepPages: number,
  engine: 'auto' | 'wasm' | 'typescript' = 'wasm',
): PoolMemory {
  const { pageBytes, pageCount, pagesOffset } = geometry;
  const totalBytes = totalBytesOf(geometry);
  const maximum = totalBytes / WASM_PAGE_BYTES;
  const initial = Math.min(maximum, align(pagesOffset, WASM_PAGE_BYTES) / WASM_PAGE_BYTES + stepPages);
  const make = {
    wasm: () => {
      requireAddresses(WASM_ADDRESS_BYTES);
      return new WebAssembly.Memory({ initial, maximum, shared: true });
    },
    'shared-buffer': () => {
      requireAddresses(totalBytes);
      return new SharedArrayBuffer(totalBytes);
    },
    local: () => {
      requireAddresses(WASM_ADDRESS_BYTES);
      return new WebAssembly.Memory({ initial: maximum, maximum });
    },
    buffer: () => new ArrayBuffer(totalBytes),
  };
  const ways: Record<MemoryKind, readonly [first: keyof typeof make, ...others: (keyof typeof make)[]]> = {
    wasm: ['wasm', 'shared-buffer'],
    'shared-buffer': ['shared-buffer'],
    local: typeof WebAssembly === 'object' ? ['local', 'buffer'] : ['buffer'],
  };
  // The core runs in Wasm memory alone.
  const hasOthers = engine !== 'wasm' && loadedTypeScript() !== undefined;
  let cause: unknown;
  for (const each of hasOthers ? ways[kind] : ways[kind].slice(0, 1)) {
    try {
      return new PoolMemory(make[each]());
    } catch (error) {
      cause = error;
    }
  }
  const limit = addressLimit() || (kind === 'wasm' ? ', or close other pools' : '');
  const others =
    engine === 'wasm' || hasOthers ? '' : ', which a pool does without where pagepool/typescript is imported';
  const addresses = kind === 'wasm' ? `${limit}; a shared Wasm memory takes 10 GiB of addresses${others}` : limit;
  throw callError(
    'POOL_ERR_MEMORY_LIMIT',
    call,
    `bytes=${totalBytes}`,
    'what the platform grants',
    `ask for fewer or smaller pages: pageCount=${pageCount}, pageBytes=${pageBytes}${addresses}`,
    { cause },
  );
}

/** Throws where the system leaves so few addresses that the platform itself would end for want of them. */
function requireAddresses(bytes: number): void {
  if (bytes > spareAddresses()) throw new RangeError(`${bytes} bytes of addresses (expected fewer, under this limit)`);
}
