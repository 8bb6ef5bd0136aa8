// Numbers: the two kinds that calls take, and the arithmetic that knows nothing of a pool.
//
// Any thread; pure. A value is checked without a conversion that could throw; optimised code knows that it has a
// small integer, so that the check of the type costs nothing there.

/** What WebAssembly grows a memory by. */
export const WASM_PAGE_BYTES = 65536;

/** The smallest step of a fragment. */
export const UNIT_BYTES_MIN = 16;

/** Whether this may be a handle: an integer from 1 to 2^31 - 1. The engine checks the rest. */
export function isHandleNumber(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value && value > 0;
}

/** Whether this is an unsigned 32-bit integer. */
export function isWord(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value;
}

/** `value` rounded up to a multiple of `alignment`. */
export function align(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** The bits that `value` takes, at least 1. */
export function bitsFor(value: number): number {
  return Math.max(1, Math.floor(Math.log2(Math.max(1, value))) + 1);
}

/** How many low bits of a handle number the units of `pageCount` pages; page 0 is never used. */
export function unitBitsOf(pageCount: number, unitsPerPageShift: number): number {
  return bitsFor((pageCount + 1) * 2 ** unitsPerPageShift - 1);
}
