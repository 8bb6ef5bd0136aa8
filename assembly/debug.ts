// Assertions of the checked build: each is one comparison that traps, and nothing at all elsewhere.
//
// No message is given on purpose: a string would become a data segment, which every instantiation would write again over
// live memory. Error codes never depend on an assertion.

/** Traps in the checked build when the fact does not hold. */
// @ts-ignore: decorator
@inline
export function invariant(fact: bool): void {
  if (isDefined(CHECKED)) {
    if (!fact) unreachable();
  }
}

/** Traps in the checked build when an atomic would not be aligned. */
// @ts-ignore: decorator
@inline
export function assertAligned(address: usize): void {
  invariant((address & 3) == 0);
}
