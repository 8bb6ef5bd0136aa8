// The memory of a new pool: control region, scratch and the first step of pages, in the best kind that the platform
// grants.

import { callError } from '../errors.js';
import { align, WASM_PAGE_BYTES } from '../numbers.js';
import type { MemoryKind } from '../platform/capabilities.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Geometry } from './geometry.js';
import { PoolMemory } from './memory.js';

const STEP_PAGES_MIN = 16;

/** Wasm pages that one growth step adds: the default provider may say how many bytes, others have nothing to grow. */
export function growStepPages(geometry: Geometry, provider: MemoryProvider | undefined): number {
  const wanted = (provider as { readonly stepBytes?: number } | undefined)?.stepBytes;
  if (wanted !== undefined) return Math.ceil(wanted / WASM_PAGE_BYTES);
  return Math.max(STEP_PAGES_MIN, Math.ceil((geometry.totalBytes - geometry.pagesOffset) / WASM_PAGE_BYTES / 8));
}

/**
 * The memory for a pool: control region, scratch, and the first step of pages; all pages where it cannot grow.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when the platform refuses it
 */
export function createMemory(call: string, geometry: Geometry, kind: MemoryKind, stepPages: number): PoolMemory {
  const maximum = geometry.totalBytes / WASM_PAGE_BYTES;
  const initial = Math.min(maximum, align(geometry.pagesOffset, WASM_PAGE_BYTES) / WASM_PAGE_BYTES + stepPages);
  try {
    if (kind === 'wasm') return new PoolMemory(new WebAssembly.Memory({ initial, maximum, shared: true }));
    if (kind === 'shared-buffer') return new PoolMemory(new SharedArrayBuffer(geometry.totalBytes));
    return new PoolMemory(new ArrayBuffer(geometry.totalBytes));
  } catch (cause) {
    throw callError(
      'POOL_ERR_MEMORY_LIMIT',
      call,
      `bytes=${geometry.totalBytes}`,
      'what the platform grants',
      `ask for fewer or smaller pages: pageCount=${geometry.pageCount}, pageBytes=${geometry.pageBytes}`,
      { cause },
    );
  }
}
