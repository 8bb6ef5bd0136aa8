// User references: what the consumer of one queue holds, counted in the pool's thread and nowhere else.
//
// A unit belongs to one fragment as long as somebody holds a reference on it, so the unit in which a window starts
// decides whose reference comes back. A count only goes down where it is not 0: an entry that names what was never
// given, or was given back, takes nothing. Owner only; plain words that the consumer cannot reach. 6 bytes a unit.
//
// Kernel: user_refs of an area (io_uring/zcrx.c), with one thread at it, so that nothing here has to be atomic.

/** How the units of an area lie in its pages. */
export interface UnitsPlan {
  /** The pool's number of the area's first page. */
  readonly firstPage: number;
  readonly pages: number;
  /** log2 of the units a page has. */
  readonly unitsPerPageShift: number;
}

export class UserReferences {
  /** References that are out. */
  outstanding = 0;
  /** References that somebody else released meanwhile: an error of the program around this. */
  lost = 0;
  readonly #plan: UnitsPlan;
  /** Page of the pool -> references that all queues of this thread have given. */
  readonly #given: Uint32Array;
  /** Unit -> references. */
  readonly #counts: Uint16Array;
  /** Unit -> the fragment's handle; right while its count is not 0. */
  readonly #handles: Uint32Array;

  /** @param given shared by the queues of one thread and pool */
  constructor(plan: UnitsPlan, given: Uint32Array) {
    const units = plan.pages * 2 ** plan.unitsPerPageShift;
    this.#plan = plan;
    this.#given = given;
    this.#counts = new Uint16Array(units);
    this.#handles = new Uint32Array(units);
  }

  /** One reference of the handle goes to the consumer. The caller has made sure that it holds one that is not out. */
  add(unit: number, handle: number): void {
    const count = this.#counts[unit] as number;
    if (count > 0 && this.#handles[unit] !== handle) this.#forget(unit, count);
    this.#handles[unit] = handle;
    this.#counts[unit] = (this.#counts[unit] as number) + 1;
    this.#move(unit, 1);
  }

  /** Takes one reference back: its handle; 0: the consumer holds none there. */
  drop(unit: number): number {
    const count = this.#counts[unit] as number;
    if (count === 0) return 0;
    this.#counts[unit] = count - 1;
    this.#move(unit, -1);
    return this.#handles[unit] as number;
  }

  /** Takes every reference back, and calls once for each with its handle. */
  drain(each: (handle: number) => void): void {
    const { firstPage, pages, unitsPerPageShift } = this.#plan;
    for (let page = 0; page < pages && this.outstanding > 0; page++) {
      if (this.#given[firstPage + page] === 0) continue;
      const end = (page + 1) * 2 ** unitsPerPageShift;
      for (let unit = page * 2 ** unitsPerPageShift; unit < end; unit++) {
        for (let handle = this.drop(unit); handle !== 0; handle = this.drop(unit)) each(handle);
      }
    }
  }

  /** The fragment that was there is gone, and its references with it. */
  #forget(unit: number, count: number): void {
    this.lost += count;
    this.#counts[unit] = 0;
    this.#move(unit, -count);
  }

  #move(unit: number, by: number): void {
    const page = this.#plan.firstPage + (unit >>> this.#plan.unitsPerPageShift);
    this.#given[page] = (this.#given[page] as number) + by;
    this.outstanding += by;
  }
}
