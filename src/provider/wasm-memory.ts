// The default provider: pages in the pool's own memory, which grows in steps to a maximum.
//
// Pages lie right behind the control region, so any port can take fresh ones and give retired ones back by itself, on
// shared words: the callbacks have nothing to do. The memory never shrinks. Where WebAssembly cannot share memory the
// same pages lie in one buffer of full size, which the system commits as it is touched.

import { invalidArgument, requireRecord } from '../errors.js';
import { WASM_PAGE_BYTES } from '../numbers.js';
import type { MemoryProvider } from './provider.js';

/** How the default provider grows. */
export interface WasmMemoryOptions {
  /**
   * Bytes that one growth step adds, rounded up to 64 KiB: 64 KiB..1 GiB; an eighth of the pages, at least 1 MiB, if
   * not given.
   */
  stepBytes?: number | undefined;
}

const STEP_BYTES_MAX = 1024 * 1024 * 1024;

/** The provider of pages in the pool's own memory. */
class WasmMemoryProvider implements MemoryProvider {
  readonly kind = 'wasm-memory';
  readonly readable = true;
  readonly detachable = true;
  readonly stepBytes: number | undefined;

  constructor(stepBytes: number | undefined) {
    this.stepBytes = stepBytes;
  }

  init(): void {}
  grow(): void {}
  retire(): void {}
  destroy(): void {}

  describe(): Record<string, unknown> {
    return { kind: this.kind, stepBytes: this.stepBytes ?? 'an eighth of the pages' };
  }
}

/**
 * The default provider, with its growth step chosen. Grows only; never reserves more than the pool can use.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is unknown or outside its range
 *
 * @example
 * const pool = await PagePool.create({ provider: wasmMemory({ stepBytes: 16 * 1024 * 1024 }) });
 */
export function wasmMemory(options: WasmMemoryOptions = {}): MemoryProvider {
  const { stepBytes } = requireRecord('wasmMemory', 'options', options, ['stepBytes']) as WasmMemoryOptions;
  if (
    stepBytes !== undefined &&
    !(Number.isInteger(stepBytes) && stepBytes >= WASM_PAGE_BYTES && stepBytes <= STEP_BYTES_MAX)
  ) {
    throw invalidArgument('wasmMemory', 'stepBytes', stepBytes, `an integer, ${WASM_PAGE_BYTES}..${STEP_BYTES_MAX}`);
  }
  return new WasmMemoryProvider(stepBytes);
}

/**
 * Whether a provider's pages lie in the pool's own memory: by its name, which another copy of the package gives it as
 * well.
 */
export function isOwnMemory(provider: MemoryProvider): boolean {
  return provider.kind === 'wasm-memory';
}
