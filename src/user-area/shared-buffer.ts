// A shared buffer by whatever the realm offers: some have shared Wasm memory and no global SharedArrayBuffer.

import { FURTHER_REMEDIES, PagePoolError } from '../errors.js';
import { WASM_PAGE_BYTES } from '../numbers.js';

/**
 * At least `bytes` zeros that threads can share.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when the platform refuses
 */
export function makeSharedBuffer(bytes: number): SharedArrayBuffer {
  try {
    if (typeof SharedArrayBuffer === 'function') return new SharedArrayBuffer(bytes);
    const pages = Math.ceil(bytes / WASM_PAGE_BYTES);
    const { buffer } = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    return buffer as unknown as SharedArrayBuffer;
  } catch (cause) {
    const remedy = FURTHER_REMEDIES.POOL_ERR_MEMORY_LIMIT;
    throw new PagePoolError('POOL_ERR_MEMORY_LIMIT', `UserQueue failed: bytes=${bytes} of rings; ${remedy}`, { cause });
  }
}
