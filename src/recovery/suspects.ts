// Suspects: pages that a death may have left with references which nobody has.
//
// A thread that dies between its row and the page's count leaves no witness (refcount.ts releaseShared, retain). Its
// page is marked, and stays as it is until an audit has seen every reference while nothing moved: then the count is put
// right.

import { DESCRIPTOR_COUNT_OFFSET, DESCRIPTOR_SUSPECT_OFFSET } from '../../assembly/layout.js';
import { descriptorAt, rowIndex } from '../control/places.js';
import type { Port } from '../port/port.js';

/** A marked page. */
export interface Suspicion {
  readonly page: number;
  /** References that somebody has. */
  readonly references: number;
  /** References that the count has beyond those. */
  excess: number;
}

/**
 * Takes the references that nobody has from the page's count, and the page home if no other is left. True: there were
 * some. The caller has seen all references while nothing moved; a count that moved since is left for the next audit.
 */
export function settleSuspicion(port: Port, { page, references, excess }: Suspicion): boolean {
  const { memory, geometry, engine, id } = port;
  const descriptor = descriptorAt(geometry, page);
  const counter = (descriptor + DESCRIPTOR_COUNT_OFFSET) >>> 2;
  // N1 no ordering needed: the exchange decides.
  const seen = Atomics.load(memory.i32, counter);
  const row = rowIndex(geometry, id, page);
  const isNobodys = excess > 0 && references === 0;
  // The last of them becomes this thread's, and is released like any: the page goes home whatever way it has to.
  if (isNobodys) memory.u16[row] = 1;
  const left = seen - excess + (isNobodys ? 1 : 0);
  // X2 of two that settle the page one wins; a holder that released or retained meanwhile makes it fail.
  if (excess > 0 && Atomics.compareExchange(memory.i32, counter, seen, left) !== seen) {
    if (isNobodys) memory.u16[row] = 0;
    return false;
  }
  // N3 no ordering needed: the mark is a hint for audits.
  Atomics.store(memory.i32, (descriptor + DESCRIPTOR_SUSPECT_OFFSET) >>> 2, 0);
  if (isNobodys) engine.releaseHeld(page, 1);
  return excess > 0;
}
