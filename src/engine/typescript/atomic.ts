// The only place of this engine that touches shared words atomically; assembly/atomic.ts is its counterpart.
//
// Every wrapper is one sequentially consistent operation on the word at a byte address; callers write the ordering they
// need as a label, and labels are those of assembly/, since ports of both engines meet on the same words. Values are
// int32, as they come from the view: what a caller compares or stores is one, too (`| 0`), and never a boxed number.

import { onStep } from './step.js';

/** A view of shared words, and what can be done to one of them. */
export class Words {
  declare readonly i32: Int32Array;

  constructor(i32: Int32Array) {
    this.i32 = i32;
  }

  /** Atomic load. */
  protected aload(address: number): number {
    onStep?.(address);
    return Atomics.load(this.i32, address >>> 2);
  }

  /**
   * Plain load of a word that others may write meanwhile: for callers whom any value ever stored there serves, and who
   * order nothing by it but what depends on it.
   */
  protected rload(address: number): number {
    onStep?.(address);
    return this.i32[address >>> 2]!;
  }

  /** Atomic store: a locked operation. */
  protected astore(address: number, value: number): void {
    onStep?.(address);
    Atomics.store(this.i32, address >>> 2, value);
  }

  /** Compare-exchange; returns the word that was there. */
  protected acas(address: number, seen: number, next: number): number {
    onStep?.(address);
    return Atomics.compareExchange(this.i32, address >>> 2, seen, next);
  }

  /** Fetch and add. */
  protected aadd(address: number, value: number): number {
    onStep?.(address);
    return Atomics.add(this.i32, address >>> 2, value);
  }

  /** Sets bits; returns the word that was there. */
  protected aor(address: number, bits: number): number {
    onStep?.(address);
    return Atomics.or(this.i32, address >>> 2, bits);
  }

  /** Keeps only the bits given; returns the word that was there. */
  protected aand(address: number, bits: number): number {
    onStep?.(address);
    return Atomics.and(this.i32, address >>> 2, bits);
  }

  /** Wakes every thread that waits on the word; nobody can where the memory is not shared. */
  protected anotify(address: number): void {
    onStep?.(address);
    Atomics.notify(this.i32, address >>> 2);
  }
}
