// The only place that touches shared words atomically.
//
// Every wrapper is one sequentially consistent instruction on a 4-byte aligned word; callers write the ordering they
// need as a label. The model build yields before each of them, so that an explorer decides who goes next; the checked
// build asserts the alignment. Plain loads and stores are never wrapped: the comment at each has the reason why it is
// safe.

import { assertAligned } from './debug';

// @ts-ignore: decorator
@external('env', 'yieldPoint')
declare function yieldPoint(): void;

// @ts-ignore: decorator
@inline
function step(address: usize): void {
  if (isDefined(ASC_INTERLEAVE)) yieldPoint();
  assertAligned(address);
}

/** Atomic load. */
// @ts-ignore: decorator
@inline
export function aload(address: usize): u32 {
  step(address);
  return atomic.load<u32>(address);
}

/**
 * Plain load of a word that others may write meanwhile: for callers whom any value ever stored there serves, and who
 * order nothing by it but what depends on it. An atomic load costs an alignment and a bounds check on top in today's
 * engines.
 */
// @ts-ignore: decorator
@inline
export function rload(address: usize): u32 {
  step(address);
  return load<u32>(address);
}

/** Plain load of two neighbouring words, the one at the address in the low half: as `rload` of each. */
// @ts-ignore: decorator
@inline
export function rload64(address: usize): u64 {
  step(address);
  return load<u64>(address);
}

/** Atomic store: a locked operation. */
// @ts-ignore: decorator
@inline
export function astore(address: usize, value: u32): void {
  step(address);
  atomic.store<u32>(address, value);
}

/** Compare-exchange; returns the word that was there. */
// @ts-ignore: decorator
@inline
export function acas(address: usize, seen: u32, next: u32): u32 {
  step(address);
  return atomic.cmpxchg<u32>(address, seen, next);
}

/** Fetch and add. */
// @ts-ignore: decorator
@inline
export function aadd(address: usize, value: u32): u32 {
  step(address);
  return atomic.add<u32>(address, value);
}

/** Sets bits; returns the word that was there. */
// @ts-ignore: decorator
@inline
export function aor(address: usize, bits: u32): u32 {
  step(address);
  return atomic.or<u32>(address, bits);
}

/** Keeps only the bits given; returns the word that was there. */
// @ts-ignore: decorator
@inline
export function aand(address: usize, bits: u32): u32 {
  step(address);
  return atomic.and<u32>(address, bits);
}

/** Wakes every thread that waits on the word. */
// @ts-ignore: decorator
@inline
export function anotify(address: usize): void {
  step(address);
  atomic.notify(address, -1);
}
