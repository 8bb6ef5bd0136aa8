// States by their numbers: a map that has room for millions of them.

const EMPTY = 0;

/** A value from 0 on for each number of a state. */
export class States {
  size = 0;
  private keys = new Float64Array(1024);
  private values = new Int32Array(1024);

  /** The value of a state; -1: it has none. */
  get(key: number): number {
    const at = this.find(key);
    return this.keys[at] === EMPTY ? -1 : this.values[at]!;
  }

  set(key: number, value: number): void {
    let at = this.find(key);
    if (this.keys[at] === EMPTY) {
      this.size += 1;
      if (this.size * 2 > this.keys.length) {
        this.grow();
        at = this.find(key);
      }
      this.keys[at] = key + 1;
    }
    this.values[at] = value;
  }

  /** Where the state is, or would be. Numbers are as good as random, so their last bits are a place. */
  private find(key: number): number {
    const { keys } = this;
    const mask = keys.length - 1;
    let at = key & mask;
    while (keys[at] !== EMPTY && keys[at] !== key + 1) at = (at + 1) & mask;
    return at;
  }

  private grow(): void {
    const { keys, values } = this;
    this.keys = new Float64Array(2 * keys.length);
    this.values = new Int32Array(2 * keys.length);
    for (let i = 0; i < keys.length; i++) {
      if (keys[i] === EMPTY) continue;
      const at = this.find(keys[i]! - 1);
      this.keys[at] = keys[i]!;
      this.values[at] = values[i]!;
    }
  }
}
