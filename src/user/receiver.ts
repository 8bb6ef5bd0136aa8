// The untrusted side of a user area: takes what the pool's thread gave, and gives it back.
//
// One thread's, which has nothing of the pool: the area's bytes and two rings. No Wasm, and nothing of the core is
// imported. All that is checked here is checked for the consumer's own sake; the trusted side believes none of it.
// Lock-free; nothing here blocks but `waitSync`. What a thread killed here leaves is taken back by the trusted side's
// scrub.

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
  USER_SLOTS_MAX,
  USER_STATE_OFFSET,
  USER_STATE_OPEN,
  USER_STATE_SCRUBBED,
  USER_TAKEN_EVENT_OFFSET,
  USER_UNIT_BYTES_OFFSET,
  USER_VERSION,
  USER_VERSION_OFFSET,
  USER_WAITS_GIVEN,
  USER_WAITS_OFFSET,
  USER_WAITS_ROOM,
  USER_WANTS_OFFSET,
  type UserShare,
  userRingsBytes,
} from './layout.js';
import { after, type ReceiveOptions, refuse, sleep, turnDue } from './waiting.js';

const dispose: typeof Symbol.dispose = Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose);

/** What a wait knows before it checks. */
interface Armed {
  /** The event as it was: wait for it to change. */
  readonly sequence: number;
  /** Nothing arrives any more, unless this check still finds something. */
  readonly isOver: boolean;
}

/** A window on a page of the area that this side was given, until `release`. */
export class Delivery {
  /** Where the window starts in the area, bytes. */
  readonly offset: number;
  readonly length: number;
  /** What the giver wrote beside it, a u32. */
  readonly tag: number;
  readonly #receiver: Receiver;
  #bytes: Uint8Array | undefined;
  #isSpent = false;

  /** Receivers make deliveries: nobody else calls this. */
  constructor(receiver: Receiver, offset: number, length: number, tag: number) {
    this.#receiver = receiver;
    this.offset = offset;
    this.length = length;
    this.tag = tag;
  }

  /**
   * The window's bytes, one view kept while the delivery lives; do not use it after the release.
   *
   * @throws Error with code POOL_ERR_STALE_HANDLE when it was released
   */
  get bytes(): Uint8Array {
    if (this.#isSpent) throw refuse('POOL_ERR_STALE_HANDLE', `bytes failed: offset=${this.offset} was released`);
    this.#bytes ??= this.#receiver.bytes(this.offset, this.length);
    return this.#bytes;
  }

  /**
   * Gives the page back; the object is spent.
   *
   * @throws Error with code POOL_ERR_STALE_HANDLE when it was released before
   */
  release(): void {
    if (this.#isSpent) throw refuse('POOL_ERR_STALE_HANDLE', `release failed: offset=${this.offset} was released`);
    this.#isSpent = true;
    this.#bytes = undefined;
    this.#receiver.release(this.offset, this.length);
  }

  /** Gives the page back, if that was not done. */
  [dispose](): void {
    if (!this.#isSpent) this.release();
  }
}

/**
 * A consumer's end of a user queue, in the one thread that consumes.
 *
 * @example
 * const receiver = new Receiver(share); // what queue.share() returned, posted here
 * for await (const delivery of receiver) {
 *   consume(delivery.bytes);
 *   delivery.release();
 * }
 */
export class Receiver {
  /** Bytes of the area. */
  readonly areaBytes: number;
  readonly #buffer: SharedArrayBuffer;
  readonly #areaOffset: number;
  readonly #i32: Int32Array;
  readonly #u32: Uint32Array;
  readonly #completionMask: number;
  readonly #refillMask: number;
  readonly #refills: number;
  readonly #unitBytes: number;
  #head: number;
  #tail: number;
  /** Refills that the ring had no room for: pairs of offset and length, the oldest first. */
  #kept: number[] = [];
  #waits = 0;

  /**
   * @param share what the trusted side's `queue.share()` returned
   * @throws Error with code POOL_ERR_INVALID_ARGUMENT when this is none, POOL_ERR_ABI_MISMATCH for another version's
   */
  constructor(share: UserShare) {
    const { area, rings, byteOffset, byteLength } = checkedShare(share);
    const u32 = new Uint32Array(rings);
    const word = (offset: number): number => u32[offset >>> 2] as number;
    const completions = word(USER_COMPLETIONS_OFFSET);
    const refills = word(USER_REFILLS_OFFSET);
    const isFit =
      isSlots(completions) &&
      isSlots(refills) &&
      userRingsBytes(completions, refills) <= rings.byteLength &&
      word(USER_AREA_BYTES_OFFSET) === byteLength &&
      isPowerOfTwo(word(USER_UNIT_BYTES_OFFSET)) &&
      word(USER_PAGE_BYTES_OFFSET) >= word(USER_UNIT_BYTES_OFFSET);
    if (!isFit) throw refuse('POOL_ERR_CORRUPT', 'Receiver failed: the rings are not those of a user queue');
    this.#buffer = area;
    this.#areaOffset = byteOffset;
    this.areaBytes = byteLength;
    this.#u32 = u32;
    this.#i32 = new Int32Array(rings);
    this.#completionMask = completions - 1;
    this.#refillMask = refills - 1;
    this.#refills = (USER_RINGS_OFFSET >>> 2) + completions * USER_COMPLETION_WORDS;
    this.#unitBytes = word(USER_UNIT_BYTES_OFFSET);
    // A receiver may take over from another one of this queue: it goes on where that one stood.
    this.#head = this.#load(USER_COMPLETION_HEAD_OFFSET);
    this.#tail = this.#load(USER_REFILL_TAIL_OFFSET);
  }

  /**
   * Whether the trusted side has ended the queue: nothing more is given. What is inside can still be received, until it
   * is scrubbed.
   */
  get isClosed(): boolean {
    return this.#load(USER_STATE_OFFSET) !== USER_STATE_OPEN;
  }

  /** Deliveries that can be received now. */
  get pending(): number {
    if (this.#load(USER_STATE_OFFSET) === USER_STATE_SCRUBBED) return 0;
    const pending = (this.#load(USER_COMPLETION_TAIL_OFFSET) - this.#head) >>> 0;
    if (pending > this.#completionMask + 1) throw refuse('POOL_ERR_CORRUPT', `pending failed: pending=${pending}`);
    return pending;
  }

  /** What comes next, or null when nothing is there. The caller releases it. */
  receive(): Delivery | null {
    if (this.#kept.length > 0) this.flush();
    if (this.pending === 0) return null;
    const at = this.#completion(0);
    const offset = this.#u32[at + 1] as number;
    const length = this.#u32[at + 2] as number;
    const tag = this.#u32[at + 3] as number;
    this.#took(1);
    this.#requireWindow('receive', offset, length);
    return new Delivery(this, offset, length, tag);
  }

  /**
   * Receives up to `maxCount` entries of 4 words each (0, offset, length, tag: a channel's, without its handle) and
   * returns how many there are. No garbage. Read one with `bytes`, release them with `releaseBurst`.
   */
  receiveBurst(entries: Uint32Array, maxCount: number): number {
    if (this.#kept.length > 0) this.flush();
    const count = Math.floor(Math.min(this.pending, Math.max(0, maxCount), entries.length / USER_COMPLETION_WORDS));
    for (let i = 0; i < count; i++) {
      const at = this.#completion(i);
      const entry = i * USER_COMPLETION_WORDS;
      for (let word = 0; word < USER_COMPLETION_WORDS; word++) entries[entry + word] = this.#u32[at + word] as number;
    }
    if (count > 0) this.#took(count);
    return count;
  }

  /** The area's bytes from `offset`: a view. */
  bytes(offset: number, length: number): Uint8Array {
    this.#requireWindow('bytes', offset, length);
    return new Uint8Array(this.#buffer, this.#areaOffset + offset, length);
  }

  /**
   * Gives back what came as (`offset`, `length`). Never fails for want of room: what the ring cannot take is kept, and
   * goes with one of the next calls, or during a wait.
   */
  release(offset: number, length: number): void {
    this.#returnWindow('release', offset, length);
    this.flush();
  }

  /** Gives back the first `count` entries of a burst. */
  releaseBurst(entries: Uint32Array, count: number): void {
    if (!(count * USER_COMPLETION_WORDS <= entries.length)) {
      throw refuse('POOL_ERR_INVALID_ARGUMENT', `releaseBurst failed: count=${count}`);
    }
    for (let at = 0; at < count * USER_COMPLETION_WORDS; at += USER_COMPLETION_WORDS) {
      this.#returnWindow('releaseBurst', entries[at + 1] as number, entries[at + 2] as number);
    }
    this.flush();
  }

  /**
   * Notifies the trusted side of what was given back, and passes on what its ring had no room for; how much of that is
   * left.
   */
  flush(): number {
    let done = 0;
    while (done < this.#kept.length && this.#push(this.#kept[done] as number, this.#kept[done + 1] as number))
      done += 2;
    this.#kept.splice(0, done);
    // R1 pairs with A1 in src/user-area/rings.ts takeTail: the refills are written before the tail.
    Atomics.store(this.#i32, USER_REFILL_TAIL_OFFSET >>> 2, this.#tail | 0);
    this.#notify(this.#kept.length > 0);
    return this.#kept.length / 2;
  }

  /**
   * Blocks until there is something to receive: true; or until the queue is closed and everything that was released is
   * on its way, or `timeoutMs` is over: false.
   *
   * @throws TypeError where a thread may not block; use `next` there
   */
  waitSync(timeoutMs: number = Infinity): boolean {
    const deadlineMs = performance.now() + timeoutMs;
    this.#begin();
    try {
      for (;;) {
        const { sequence, isOver } = this.#arm();
        const isReady = this.pending > 0;
        const left = deadlineMs - performance.now();
        if (isReady || isOver || left <= 0) return isReady;
        Atomics.wait(this.#i32, USER_GIVEN_EVENT_OFFSET >>> 2, sequence, left);
      }
    } finally {
      this.#end();
    }
  }

  /**
   * What comes next, waiting for it; null when the queue is closed and everything that was released is on its way.
   *
   * @throws Error with code POOL_ERR_TIMEOUT when `timeoutMs` is over; the signal's reason when it is aborted
   */
  async next(options: ReceiveOptions = {}): Promise<Delivery | null> {
    const { signal, timeoutMs = Infinity } = options;
    const deadlineMs = performance.now() + timeoutMs;
    const due = turnDue();
    if (due !== undefined) await due;
    this.#begin();
    const stay = options.ref !== false ? after(2 ** 31 - 1, () => {}) : undefined;
    try {
      for (let pauseMs = 1; ; pauseMs = Math.min(2 * pauseMs, 10)) {
        signal?.throwIfAborted();
        const { sequence, isOver } = this.#arm();
        const delivery = this.receive();
        if (delivery !== null || isOver) return delivery;
        const left = deadlineMs - performance.now();
        if (left <= 0) throw refuse('POOL_ERR_TIMEOUT', `next failed: timeoutMs=${timeoutMs} is over`);
        await sleep(this.#i32, USER_GIVEN_EVENT_OFFSET >>> 2, sequence, left, pauseMs, options);
      }
    } finally {
      stay?.();
      this.#end();
    }
  }

  /** What comes, each a delivery that the loop's body releases; ends when the queue is closed. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Delivery, void, undefined> {
    for (let delivery = await this.next(); delivery !== null; delivery = await this.next()) yield delivery;
  }

  /** Index of the words of the completion `i` places behind the head. */
  #completion(i: number): number {
    return (USER_RINGS_OFFSET >>> 2) + ((this.#head + i) & this.#completionMask) * USER_COMPLETION_WORDS;
  }

  #took(count: number): void {
    this.#head = (this.#head + count) >>> 0;
    // R2 pairs with A2 in src/user-area/rings.ts roomAgain: the entries are read before their slots are free.
    Atomics.store(this.#i32, USER_COMPLETION_HEAD_OFFSET >>> 2, this.#head | 0);
    this.#notify(false);
  }

  #returnWindow(call: string, offset: number, length: number): void {
    this.#requireWindow(call, offset, length);
    if (this.#kept.length > 0 || !this.#push(offset, length)) this.#kept.push(offset, length);
  }

  /** Writes one refill behind the tail; false: the ring is full. `flush` shows it. */
  #push(offset: number, length: number): boolean {
    const used = (this.#tail - this.#load(USER_REFILL_HEAD_OFFSET)) >>> 0;
    if (used > this.#refillMask) return false;
    const at = this.#refills + (this.#tail & this.#refillMask) * USER_REFILL_WORDS;
    this.#u32[at] = offset - (offset % this.#unitBytes);
    this.#u32[at + 1] = length;
    this.#tail = (this.#tail + 1) >>> 0;
    return true;
  }

  /** Wakes the trusted side, if it asked for that or must make room. */
  #notify(isFull: boolean): void {
    if (!isFull && this.#load(USER_WANTS_OFFSET) === 0) return;
    // R3 pairs with A3 in src/user-area/user-event.ts arm: what is announced was written before.
    Atomics.add(this.#i32, USER_TAKEN_EVENT_OFFSET >>> 2, 1);
    // N1 no ordering needed: the word was raised before.
    Atomics.notify(this.#i32, USER_TAKEN_EVENT_OFFSET >>> 2);
  }

  #begin(): void {
    this.#waits++;
  }

  /** Before each check of a wait. */
  #arm(): Armed {
    const waits = USER_WAITS_GIVEN | (this.#kept.length > 0 ? USER_WAITS_ROOM : 0);
    // X1 pairs with X2 in src/user-area/rings.ts wake: of the other side's step and the check that follows, one sees
    // the other.
    Atomics.store(this.#i32, USER_WAITS_OFFSET >>> 2, waits);
    const sequence = this.#load(USER_GIVEN_EVENT_OFFSET);
    const state = this.#load(USER_STATE_OFFSET);
    if (state === USER_STATE_SCRUBBED) this.#kept = [];
    const kept = this.#kept.length > 0 ? this.flush() : 0;
    return { sequence, isOver: state !== USER_STATE_OPEN && kept === 0 };
  }

  #end(): void {
    // N2 no ordering needed: a wait that is over may still be woken.
    if (--this.#waits === 0) Atomics.store(this.#i32, USER_WAITS_OFFSET >>> 2, 0);
    // N3 no ordering needed: the other side woke some of them, and there may be something for the next one.
    else Atomics.notify(this.#i32, USER_GIVEN_EVENT_OFFSET >>> 2, 1);
  }

  #load(offset: number): number {
    // A1 pairs with R1 in src/user-area/rings.ts publish, with R2 in src/user-area/rings.ts setState, R3 in
    // src/user-area/rings.ts wake and R4 in src/user-area/rings.ts releaseRefills: what they stand behind is seen with
    // them.
    return Atomics.load(this.#i32, offset >>> 2) >>> 0;
  }

  #requireWindow(call: string, offset: number, length: number): void {
    if (Number.isInteger(offset) && offset >= 0 && length >>> 0 === length && offset + length <= this.areaBytes) return;
    throw refuse(
      'POOL_ERR_INVALID_ARGUMENT',
      `${call} failed: offset=${offset}, length=${length} (expected a window on the area's ${this.areaBytes} bytes)`,
    );
  }
}

function checkedShare(share: UserShare): UserShare {
  const { kind, area, rings, byteOffset, byteLength } = (share ?? {}) as UserShare;
  const isFit =
    kind === 'pagepool-user' &&
    isShared(area) &&
    isShared(rings) &&
    Number.isInteger(byteOffset) &&
    byteOffset >= 0 &&
    byteLength > 0 &&
    byteOffset + byteLength <= area.byteLength &&
    rings.byteLength >= USER_RINGS_OFFSET;
  if (!isFit)
    throw refuse('POOL_ERR_INVALID_ARGUMENT', 'Receiver failed: share (expected what queue.share() returned)');
  const words = new Uint32Array(rings);
  if (words[USER_MAGIC_OFFSET >>> 2] !== USER_MAGIC || words[USER_VERSION_OFFSET >>> 2] !== USER_VERSION) {
    throw refuse(
      'POOL_ERR_ABI_MISMATCH',
      `Receiver failed: version (expected ${USER_VERSION}); load one version on both sides`,
    );
  }
  return share;
}

function isShared(value: unknown): boolean {
  return Object.prototype.toString.call(value) === '[object SharedArrayBuffer]';
}

function isPowerOfTwo(value: number): boolean {
  return value > 0 && (value & (value - 1)) === 0;
}

function isSlots(value: number): boolean {
  return isPowerOfTwo(value) && value <= USER_SLOTS_MAX;
}
