// A port's scratch: words in the pool's own memory that bursts work on without copying.
//
// One stretch a port, its own thread only. The first part serves the calls themselves, for arrays that lie elsewhere;
// the rest is taken by `take`, and stays taken until the thread detaches.

import type { Geometry } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { invalidArgument, requireInteger } from '../errors.js';
import { isWords } from '../platform/buffers.js';

/** Words that the calls themselves use: 1,024 handles, or 256 entries of 4 words. */
const OWN_WORDS = 1024;

/** One port's scratch. */
export class Scratch {
  /** The words that the calls themselves use. */
  readonly own: Uint32Array;
  /** Where they lie. */
  readonly ownAddress: number;
  readonly #buffer: ArrayBufferLike;
  readonly #end: number;
  #free: number;
  /** The array of the last burst: loops pass the same one again and again. */
  #known: Uint32Array;
  #knownAddress: number;

  constructor(
    memory: Pick<PoolMemory, 'u32'>,
    geometry: Pick<Geometry, 'scratchOffset' | 'scratchBytes'>,
    portId: number,
  ) {
    this.ownAddress = geometry.scratchOffset + portId * geometry.scratchBytes;
    this.#buffer = memory.u32.buffer;
    this.#end = this.ownAddress + geometry.scratchBytes;
    this.#free = this.ownAddress + OWN_WORDS * 4;
    this.own = new Uint32Array(this.#buffer, this.ownAddress, OWN_WORDS);
    this.#known = this.own;
    this.#knownAddress = this.ownAddress;
  }

  /** `count` words that nobody else uses. */
  take(count: number): Uint32Array {
    const left = (this.#end - this.#free) / 4;
    requireInteger('words', 'count', count, 1, (this.#end - this.ownAddress) / 4 - OWN_WORDS);
    if (count > left) {
      throw invalidArgument(
        'words',
        'count',
        count,
        `at most ${left}, what this thread's scratch has left`,
        'keep the arrays and use them again',
      );
    }
    const words = new Uint32Array(this.#buffer, this.#free, count);
    this.#free += count * 4;
    return words;
  }

  /**
   * The address of an array's words, or 0 when they lie elsewhere and must be copied.
   *
   * @param wordsEach words an item has
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is no Uint32Array with room for `count` items
   */
  addressOf(call: string, name: string, array: Uint32Array, count: number, wordsEach: number): number {
    if (array === this.#known && count >>> 0 === count && count * wordsEach <= array.length) return this.#knownAddress;
    return this.#find(call, name, array, count, wordsEach);
  }

  #find(call: string, name: string, array: Uint32Array, count: number, wordsEach: number): number {
    if (!isWords(array)) throw invalidArgument(call, name, array, 'a Uint32Array');
    requireInteger(call, 'count', count, 0, Math.floor(array.length / wordsEach));
    const address = array.byteOffset;
    if (array.buffer !== this.#buffer || address < this.ownAddress || address >= this.#end) return 0;
    this.#known = array;
    this.#knownAddress = address;
    return address;
  }
}

/** A scratch that is nobody's: for ports that are gone, whose calls refuse but check their arguments first. */
export function idleScratch(): Scratch {
  const bytes = OWN_WORDS * 4;
  return new Scratch({ u32: new Uint32Array(OWN_WORDS) }, { scratchOffset: 0, scratchBytes: bytes }, 0);
}
