// userArea() as programs call it: the provider, and the owner's side that a pool over it needs.

import type { WasmMemory } from '../platform/types.js';
import type { MemoryProvider } from '../provider/provider.js';
import { type UserAreaOptions, userAreaProvider } from '../provider/user-area.js';
import { loadOwner } from '../supply/loaded.js';
import { ownerPart } from '../supply/owner-part.js';

/**
 * A provider of pages in memory that somebody else made, for pools whose consumers may be threads that are not trusted:
 * those see all of the memory's bytes, and may write them at any time. Each of a pool's pages comes back before the
 * pool ends. The memory may grow meanwhile; the area stays where it is.
 *
 * @param memory a SharedArrayBuffer, or a shared WebAssembly.Memory; an ArrayBuffer for a pool that is local
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for anything else, and when the options do not lie inside it
 *
 * @example
 * const provider = userArea(decoder.memory, { byteOffset: decoder.heapBase, byteLength: 1 << 24 });
 * const pool = await PagePool.create({ pageBytes: 65536, pageCount: 256, provider });
 */
export function userArea(memory: ArrayBufferLike | WasmMemory, options: UserAreaOptions = {}): MemoryProvider {
  loadOwner(ownerPart);
  return userAreaProvider(memory, options);
}
