// The two kinds of numbers that calls take, told apart from everything else without a conversion that could throw.
//
// Any thread; pure. Optimised code knows that it has a small integer, so that the look at the type costs nothing there.

/** Whether this may be a handle: an integer from 1 to 2^31 - 1. The engine looks at the rest. */
export function isHandleNumber(value: unknown): value is number {
  return typeof value === 'number' && (value | 0) === value && value > 0;
}

/** Whether this is an unsigned 32-bit integer. */
export function isWord(value: unknown): value is number {
  return typeof value === 'number' && value >>> 0 === value;
}
