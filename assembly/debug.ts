// Assertions and poison of the checked build: each traps when it finds something wrong, and is nothing at all
// elsewhere.
//
// No message is given on purpose: a string would become a data segment, which every instantiation would write again
// over live memory. Error codes never depend on an assertion. Poison shows whoever reads a page after its release
// nonsense, and finds whoever writes to it then: what this port put into its loaded magazine must come out as it went
// in. Other engines poison nothing, so of pages that came from elsewhere nothing is expected.

import { NODE_COUNT_OFFSET } from './layout';

/** Whether this is the checked build, or the debug build. */
export const CHECKS: bool = isDefined(CHECKED);
/** What a page that nobody holds is filled with: the kernel's POISON_FREE, eight times. */
const POISON: u64 = 0x6b6b6b6b6b6b6b6b;

/** Places of the loaded magazine below this one were not filled by releases of this port. */
let foreignPlaces: u32 = 0;

/** Traps in the checked build when the fact does not hold. */
// @ts-ignore: decorator
@inline
export function invariant(fact: bool): void {
  if (CHECKS) {
    if (!fact) unreachable();
  }
}

/** Traps in the checked build when an atomic would not be aligned. */
// @ts-ignore: decorator
@inline
export function assertAligned(address: usize): void {
  invariant((address & 3) == 0);
}

/** Fills the bytes of a page that nobody holds any more. `isCleared`: they are zero, and stay so. */
export function poison(start: usize, bytes: usize, isCleared: bool): void {
  if (!isCleared) memory.fill(start, <u8>POISON, bytes);
}

/** The pages that are in the loaded magazine now are none that this port has just released. */
// @ts-ignore: decorator
@inline
export function expectForeign(node: usize): void {
  if (CHECKS) foreignPlaces = load<u32>(node + NODE_COUNT_OFFSET); // plain: owner only
}

/**
 * A page leaves the loaded magazine, which had `filled` ones: traps when its bytes are not what this port left there.
 */
export function requirePoison(filled: u32, start: usize, bytes: usize, isCleared: bool): void {
  if (filled <= foreignPlaces) {
    foreignPlaces = filled - 1;
    return;
  }
  const expected = isCleared ? 0 : POISON;
  // A page is a power of two of at least 256 bytes.
  for (let at = start; at < start + bytes; at += 8) invariant(load<u64>(at) == expected);
}
