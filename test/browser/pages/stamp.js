// The content that the browser tests hand on: every word of a fragment follows from a seed, who wrote it, and which one
// it is.

/** A u32 that depends on every bit of both. */
function mix(seed, number) {
  let t = Math.imul((seed + number) ^ (number >>> 15), 0x85ebca6b);
  t = Math.imul(t ^ (t >>> 13), 0xc2b2ae35) ^ seed;
  return (t ^ (t >>> 16)) >>> 0;
}

/** Random numbers from a seed: an integer below the limit. */
export function randomFrom(seed) {
  let state = seed >>> 0;
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0;
    return mix(0x2545f491, state) % below;
  };
}

/**
 * Writes and checks the fragments of a pool, through one view of its area that is made anew when the memory has grown.
 */
export class Stamper {
  #pool;
  #seed;
  #words = new Uint32Array(0);

  constructor(pool, seed) {
    this.#pool = pool;
    this.#seed = seed;
  }

  /** Index of the fragment's first word. */
  #at(handle) {
    const { buffer } = this.#pool.area(handle);
    if (buffer !== this.#words.buffer) this.#words = new Uint32Array(buffer);
    return this.#pool.offset(handle) >>> 2;
  }

  /** Fills the fragment's first `length` bytes, a multiple of 4. */
  write(handle, length, number) {
    const start = this.#at(handle);
    const end = start + (length >>> 2);
    const words = this.#words;
    let value = mix(this.#seed, number);
    for (let i = start; i < end; i++) {
      words[i] = value;
      value = (value + 0x9e3779b9) >>> 0;
    }
  }

  /** Whether they are what `write` wrote. */
  isWhole(handle, length, number) {
    const start = this.#at(handle);
    const end = start + (length >>> 2);
    const words = this.#words;
    let value = mix(this.#seed, number);
    for (let i = start; i < end; i++) {
      if (words[i] !== value) return false;
      value = (value + 0x9e3779b9) >>> 0;
    }
    return true;
  }
}
