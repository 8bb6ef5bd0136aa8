// The trusted side of a user queue's rings: writes completions, reads refills, and believes nothing.
//
// One thread's, that of the pool. Whoever has the buffer can write all of it at any time. So every position and every
// event that this side owns is kept here and only written there; of what the consumer owns each word is read once, by
// an atomic load (a plain one could be read twice by the compiler), checked, and used as it was read. A position that
// cannot be is bounded to the ring. Nothing here waits for the consumer. See src/user/layout.ts.

import {
  USER_AREA_BYTES_OFFSET,
  USER_COMPLETION_HEAD_OFFSET,
  USER_COMPLETION_TAIL_OFFSET,
  USER_COMPLETION_WORDS,
  USER_COMPLETIONS_OFFSET,
  USER_GIVEN_EVENT_OFFSET,
  USER_MAGIC,
  USER_MAGIC_OFFSET,
  USER_PAGE_BYTES_OFFSET,
  USER_REFILL_HEAD_OFFSET,
  USER_REFILL_TAIL_OFFSET,
  USER_REFILL_WORDS,
  USER_REFILLS_OFFSET,
  USER_RINGS_OFFSET,
  USER_START_POS,
  USER_STATE_OFFSET,
  USER_STATE_OPEN,
  USER_UNIT_BYTES_OFFSET,
  USER_VERSION,
  USER_VERSION_OFFSET,
  USER_WAITS_GIVEN,
  USER_WAITS_OFFSET,
  USER_WAITS_ROOM,
  USER_WAKES_MAX,
  userRingsBytes,
} from '../user/layout.js';
import { makeSharedBuffer } from './shared-buffer.js';

/** The refill lies outside the area, or reaches over the end of a page. */
export const REFILL_OUTSIDE = -1;
/** Its offset is no multiple of the unit. */
export const REFILL_MISALIGNED = -2;

/** What the rings are for. */
export interface RingsPlan {
  /** Slots of the completion ring: a power of two. */
  readonly completions: number;
  readonly refills: number;
  readonly unitBytes: number;
  readonly pageBytes: number;
  readonly areaBytes: number;
}

export class UserRings {
  readonly buffer: SharedArrayBuffer;
  /** Times that the consumer's tail was further than its ring is long. */
  tailsBounded = 0;
  /** The same of its head, or a head that is ahead of what was given. */
  headsBounded = 0;
  readonly #plan: RingsPlan;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #refillsIndex: number;
  #completionTail = USER_START_POS;
  /** The consumer's head as it was read last, never ahead of the tail nor a ring behind it. */
  #completionHead = USER_START_POS;
  #refillHead = USER_START_POS;
  #event = 0;

  constructor(plan: RingsPlan) {
    this.#plan = plan;
    this.buffer = makeSharedBuffer(userRingsBytes(plan.completions, plan.refills));
    this.#i32 = new Int32Array(this.buffer);
    this.#u32 = new Uint32Array(this.buffer);
    this.#refillsIndex = (USER_RINGS_OFFSET >>> 2) + plan.completions * USER_COMPLETION_WORDS;
    // Plain: nobody else has the buffer yet.
    const header = [
      [USER_MAGIC_OFFSET, USER_MAGIC],
      [USER_VERSION_OFFSET, USER_VERSION],
      [USER_COMPLETIONS_OFFSET, plan.completions],
      [USER_REFILLS_OFFSET, plan.refills],
      [USER_UNIT_BYTES_OFFSET, plan.unitBytes],
      [USER_PAGE_BYTES_OFFSET, plan.pageBytes],
      [USER_AREA_BYTES_OFFSET, plan.areaBytes],
      [USER_STATE_OFFSET, USER_STATE_OPEN],
      [USER_COMPLETION_TAIL_OFFSET, USER_START_POS],
      [USER_COMPLETION_HEAD_OFFSET, USER_START_POS],
      [USER_REFILL_TAIL_OFFSET, USER_START_POS],
      [USER_REFILL_HEAD_OFFSET, USER_START_POS],
    ] as const;
    for (const [offset, value] of header) this.#u32[offset >>> 2] = value;
  }

  /** Completions that can be written now. Reads the consumer's head when the room that was known is used up. */
  room(): number {
    const { completions } = this.#plan;
    const known = completions - ((this.#completionTail - this.#completionHead) >>> 0);
    return known > 0 ? known : this.#roomAgain();
  }

  #roomAgain(): number {
    const { completions } = this.#plan;
    // A2 pairs with R2 in src/user/receiver.ts took: the consumer has read what it claims to have read.
    const head = Atomics.load(this.#i32, USER_COMPLETION_HEAD_OFFSET >>> 2) >>> 0;
    const used = (this.#completionTail - head) >>> 0;
    if (used > completions) {
      this.headsBounded++;
      return 0;
    }
    this.#completionHead = head;
    return completions - used;
  }

  /** Writes a completion, of which there is room; `publish` shows it. */
  write(offset: number, length: number, tag: number): void {
    const slot = this.#completionTail & (this.#plan.completions - 1);
    const at = (USER_RINGS_OFFSET >>> 2) + slot * USER_COMPLETION_WORDS;
    const u32 = this.#u32;
    // Plain: published by R1. What the consumer does to them is its own loss.
    u32[at] = 0;
    u32[at + 1] = offset;
    u32[at + 2] = length;
    u32[at + 3] = tag;
    this.#completionTail = (this.#completionTail + 1) >>> 0;
  }

  /** Shows what was written, and wakes the consumer if it waits. */
  publish(): void {
    // R1 pairs with A1 in src/user/receiver.ts load: the completions are written before the tail.
    Atomics.store(this.#i32, USER_COMPLETION_TAIL_OFFSET >>> 2, this.#completionTail | 0);
    this.#wake(USER_WAITS_GIVEN | USER_WAITS_ROOM);
  }

  /** Notifies the consumer that the queue has ended: one of USER_STATE_*. */
  setState(state: number): void {
    // R2 pairs with A1 in src/user/receiver.ts load: what was given last is seen with the end.
    Atomics.store(this.#i32, USER_STATE_OFFSET >>> 2, state);
    this.#wake();
  }

  /** @param waits what the consumer may be waiting for; it is woken in any case if not given */
  #wake(waits?: number): void {
    // X2 pairs with X1 in src/user/receiver.ts arm: of what was published and a wait that begins, one sees the other.
    if (waits !== undefined && (Atomics.load(this.#i32, USER_WAITS_OFFSET >>> 2) & waits) === 0) return;
    this.#event = (this.#event + 1) | 0;
    // R3 pairs with A1 in src/user/receiver.ts load: what is to be read is there before the event.
    Atomics.store(this.#i32, USER_GIVEN_EVENT_OFFSET >>> 2, this.#event);
    // N1 no ordering needed: the event was raised before. Never all: whoever queues there is not trusted.
    Atomics.notify(this.#i32, USER_GIVEN_EVENT_OFFSET >>> 2, USER_WAKES_MAX);
  }

  /** How many refills may be taken: never more than the ring has slots, whatever the tail is. */
  takeTail(): number {
    const { refills } = this.#plan;
    // A1 pairs with R1 in src/user/receiver.ts flush: an honest consumer's refills are there.
    const tail = Atomics.load(this.#i32, USER_REFILL_TAIL_OFFSET >>> 2) >>> 0;
    const count = (tail - this.#refillHead) >>> 0;
    if (count <= refills) return count;
    this.tailsBounded++;
    return refills;
  }

  /**
   * The next refill's unit, counted from the area's start, or what is wrong with it: REFILL_*. The head moves on either
   * way.
   */
  takeRefill(): number {
    const { areaBytes, pageBytes, refills, unitBytes } = this.#plan;
    const at = this.#refillsIndex + (this.#refillHead & (refills - 1)) * USER_REFILL_WORDS;
    this.#refillHead = (this.#refillHead + 1) >>> 0;
    const offset = this.#read(at);
    const length = this.#read(at + 1);
    if (offset >= areaBytes || (offset % pageBytes) + length > pageBytes) return REFILL_OUTSIDE;
    return offset % unitBytes === 0 ? offset / unitBytes : REFILL_MISALIGNED;
  }

  /** Makes room for more refills, behind the last that was taken. */
  releaseRefills(): void {
    // R4 pairs with A1 in src/user/receiver.ts load: the slots were read before the consumer writes them again.
    Atomics.store(this.#i32, USER_REFILL_HEAD_OFFSET >>> 2, this.#refillHead | 0);
    this.#wake(USER_WAITS_ROOM);
  }

  #read(index: number): number {
    // N2 no ordering needed: A1 came before; a hostile consumer writes whenever it likes, and what was read is all that
    // counts.
    return Atomics.load(this.#i32, index) >>> 0;
  }
}
