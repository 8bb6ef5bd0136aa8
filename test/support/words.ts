// The words of a control region, all of them: what an act changed, and what it left as it was.
//
// Whoever expects a change writes the words down, into a copy; every other word must be as before. So a fault is seen
// that two engines share, and one that touches what belongs to somebody else.

import type { Geometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { rowIndex } from '../../src/control/places.js';

/** A copy of the words, into which a test writes what it expects. */
export class Expected {
  readonly #geometry: Geometry;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;

  constructor(memory: PoolMemory, geometry: Geometry) {
    this.#geometry = geometry;
    const bytes = memory.bytes.slice(0, geometry.controlBytes);
    this.u32 = new Uint32Array(bytes.buffer);
    this.u16 = new Uint16Array(bytes.buffer);
  }

  /** The word at an address. */
  word(address: number): number {
    return this.u32[address >>> 2] as number;
  }

  set(address: number, value: number): void {
    this.u32[address >>> 2] = value;
  }

  add(address: number, value: number): void {
    this.set(address, this.word(address) + value);
  }

  setRow(id: number, page: number, references: number): void {
    this.u16[rowIndex(this.#geometry, id, page)] = references;
  }

  /** What is not as it is written down: `address: found (expected)`, each word of the control region. */
  differences(memory: PoolMemory): string[] {
    const found: string[] = [];
    for (let i = 0; i < this.u32.length; i++) {
      if (memory.u32[i] === this.u32[i]) continue;
      found.push(`${4 * i}: 0x${(memory.u32[i] as number).toString(16)} (expected 0x${this.word(4 * i).toString(16)})`);
    }
    return found;
  }
}
