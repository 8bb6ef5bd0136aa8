// Intake: bytes of a stream into pages, in order, and the pages' filled parts to the user's function.
//
// A source either reads into the memory that `room` names (sockets: no copy), or gives chunks that are copied (`put`).
// Reads fill one page after the other; each becomes a fragment with a reference of its own, the last one of a page
// takes the intake's own along. Node asks for memory one read ahead, also when it was just asked to stop, so a page is
// kept in reserve while there are any; without one the read after the page's last lands in private memory and is
// copied, as does what TLS has decrypted already. Without a page the source pauses until some page is released.

import { ERR_REF_OVERFLOW } from '../../assembly/layout.js';
import { copyBytes } from '../platform/copy.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { Fragment, spendFragment } from '../pool/fragment.js';
import { type Port, refusal } from '../port/port.js';
import { Delivery } from './delivery.js';
import type { OnFragment, ResolvedRead } from './options.js';

/** What an intake asks of its source. */
export interface IntakeSource {
  /** Reading may go on. */
  resume(): void;
  /** End; call `closed()` when no byte can land in pages any more. */
  stop(): void;
}

/**
 * Copies between memories whose addresses differ in their lowest three bits go byte by byte: chunks are put where they
 * do not.
 */
const ALIGN_MASK = 7;
/** What a chunk's first byte and its alignment need. */
const COPY_ROOM_BYTES = 16;
/** Private memory for what comes although no page is left. */
const SPILL_BYTES = 16 * 1024;

export class Intake {
  readonly delivery: Delivery;
  readonly #pool: AttachedPool;
  readonly #port: Port;
  readonly #source: IntakeSource;
  readonly #readBytes: number;
  readonly #minRoomBytes: number;
  readonly #hasReserve: boolean;
  /** The page being filled, with this intake's own reference, and its bytes. */
  #page: Fragment | null = null;
  #view: Uint8Array = new Uint8Array(0);
  #filled = 0;
  #reserve: Fragment | null = null;
  #spill: Uint8Array | null = null;
  /** Chunks that wait for a page. */
  #overrun: Uint8Array[] = [];
  #wait: AbortController | null = null;
  #isPaused = false;
  #hasEnded = false;
  /** No byte can land in pages any more. */
  #isSafe = false;

  /** @param isCopying whether chunks come through `put` alone */
  constructor(
    call: string,
    pool: AttachedPool,
    onFragment: OnFragment,
    read: ResolvedRead,
    isCopying: boolean,
    source: IntakeSource,
  ) {
    this.#pool = pool;
    this.#port = portOf(call, pool);
    this.#source = source;
    this.#readBytes = read.readBytes;
    this.#minRoomBytes = isCopying ? Math.max(read.minRoomBytes, COPY_ROOM_BYTES) : read.minRoomBytes;
    this.#hasReserve = !isCopying;
    this.delivery = new Delivery(call, pool, onFragment, read, {
      onReady: () => this.#proceed(),
      onFail: () => this.#fail(),
    });
    if (isCopying) return;
    try {
      this.#supply();
    } catch (error) {
      this.#release();
      throw error;
    }
  }

  // ---------------------------------------------------------------------------------- bytes that come

  /** The memory for the next read. Asking again changes nothing. */
  room(): Uint8Array {
    if (this.#page === null) {
      this.#spill ??= new Uint8Array(SPILL_BYTES);
      return this.#spill;
    }
    return this.#filled === 0 ? this.#view : this.#view.subarray(this.#filled);
  }

  /**
   * `count` bytes came at the start of `memory`, which is what `room` named last, or the platform's own. False: stop
   * reading.
   */
  received(count: number, memory: Uint8Array): boolean {
    return this.#take(count, () => {
      if (this.#page !== null && this.#isRoom(memory)) {
        this.#deliver(this.#filled, count);
        if (this.#page === null) this.#supply();
        return;
      }
      // The spill is the chunk's own from here on; what the platform named itself is good for this call alone.
      const bytes = memory.subarray(0, count);
      const chunk = memory === this.#spill ? bytes : new Uint8Array(bytes); // a Buffer's slice() is no copy
      if (memory === this.#spill) this.#spill = null;
      this.#keep(chunk);
    });
  }

  /** A chunk came, which nobody writes to any more. False: stop reading. */
  put(chunk: Uint8Array): boolean {
    return this.#take(chunk.length, () => this.#keep(chunk));
  }

  #take(bytes: number, step: () => void): boolean {
    try {
      if (this.delivery.count(bytes)) step();
    } catch (error) {
      this.delivery.fail(error);
    }
    this.#isPaused = !this.#isReady;
    return !this.#isPaused;
  }

  #isRoom(memory: Uint8Array): boolean {
    return memory.buffer === this.#view.buffer && memory.byteOffset === this.#view.byteOffset + this.#filled;
  }

  /** Copies the chunk into pages, or keeps what is left of it until there is one. */
  #keep(chunk: Uint8Array): void {
    const rest = this.#overrun.length > 0 ? chunk : this.#copy(chunk);
    if (rest === null) return;
    this.#overrun.push(rest);
    this.#waitForPage();
  }

  /** What of the chunk found no page; null: all of it did. */
  #copy(chunk: Uint8Array): Uint8Array | null {
    for (let at = 0; at < chunk.length; ) {
      if (this.#page === null) this.#supply();
      if (this.#page === null) return chunk.subarray(at);
      const skew = (chunk.byteOffset + at - this.#filled) & ALIGN_MASK;
      const start = this.#filled + (skew < this.#view.length - this.#filled ? skew : 0);
      const count = Math.min(chunk.length - at, this.#view.length - start);
      copyBytes(this.#view, count === chunk.length ? chunk : chunk.subarray(at, at + count), start);
      at += count;
      this.#deliver(start, count);
      if (this.delivery.isOver) return null;
    }
    return null;
  }

  /** Delivers what lies at `start` of the page. With the last of its room the page goes along: there is none then. */
  #deliver(start: number, count: number): void {
    const page = this.#page as Fragment;
    this.#filled = start + count;
    const isLast = this.#view.length - this.#filled < this.#minRoomBytes || !this.#retain(page);
    if (isLast) {
      spendFragment(page);
      this.#page = null;
    }
    this.delivery.put(new Fragment(this.#port, page.handle, start, count, 0));
  }

  /** One more reference on the page; false when it has as many as can be. */
  #retain({ handle }: Fragment): boolean {
    const code = this.#port.engine.retain(handle, 1);
    if (code >= 0) return true;
    if (code === ERR_REF_OVERFLOW) return false;
    throw refusal(code, this.delivery.call, 'handle', handle);
  }

  // ---------------------------------------------------------------------------------- pages

  /** Goes on to the next page and takes one in reserve; where there is none, waits for it. */
  #supply(): void {
    if (this.delivery.isOver) return;
    if (this.#page === null) {
      const next = this.#reserve ?? this.#pool.take(this.#readBytes);
      this.#reserve = null;
      if (next !== null) this.#open(next);
    }
    if (!this.#hasReserve) return;
    if (this.#page !== null) this.#reserve ??= this.#pool.take(this.#readBytes);
    // With a page in hand it goes on: where every page is in such hands, nobody would release one.
    if (this.#page === null) this.#waitForPage();
  }

  #open(page: Fragment): void {
    try {
      this.#view = page.length === this.#pool.pageBytes ? this.#pool.bytes(page.handle) : page.bytes;
    } catch (error) {
      page.release();
      throw error;
    }
    this.#page = page;
    this.#filled = 0;
  }

  #waitForPage(): void {
    if (this.#wait !== null || this.delivery.isOver) return;
    const wait = new AbortController();
    this.#wait = wait;
    this.delivery.publish('pause');
    this.#pool.takeAsync(this.#readBytes, { signal: wait.signal }).then(
      (page) => {
        if (this.#wait !== wait) page[dispose]();
        else this.#accept(page);
      },
      (error) => {
        if (this.#wait === wait) this.delivery.fail(error);
      },
    );
  }

  #accept(page: Fragment): void {
    this.#wait = null;
    this.delivery.publish('resume');
    try {
      if (this.#page === null) this.#open(page);
      else if (this.#hasReserve && this.#reserve === null) this.#reserve = page;
      else page.release(); // bytes that came meanwhile have found others
      for (let chunk = this.#overrun.shift(); chunk !== undefined; chunk = this.#overrun.shift()) {
        const rest = this.#copy(chunk);
        if (rest === null) continue;
        this.#overrun.unshift(rest);
        this.#waitForPage();
        return;
      }
      if (this.#hasReserve && !this.#hasEnded) this.#supply();
      this.#proceed();
    } catch (error) {
      this.delivery.fail(error);
    }
  }

  // ---------------------------------------------------------------------------------- going on, and the end

  get #isReady(): boolean {
    return this.delivery.isReady && this.#wait === null;
  }

  #proceed(): void {
    if (!this.#isReady) return;
    if (this.#hasEnded) {
      try {
        this.#release();
      } catch (error) {
        this.delivery.fail(error);
        return;
      }
      this.delivery.finish();
    } else if (this.#isPaused) {
      this.#isPaused = false;
      this.#source.resume();
    }
  }

  /** The source has ended: nothing lands in pages any more. */
  ended(): void {
    this.#hasEnded = true;
    this.#isSafe = true;
    if (this.#overrun.length === 0) this.#endWait();
    this.#proceed();
  }

  /**
   * The source is closed: nothing lands in pages any more. Without an end before it that is an error: the cause, where
   * it is known.
   */
  closed(cause?: unknown): void {
    this.#isSafe = true;
    if (this.delivery.isOver) this.#settle();
    else if (!this.#hasEnded) this.delivery.fail(cause ?? prematureClose());
  }

  #fail(): void {
    this.#endWait();
    this.#overrun = [];
    this.#source.stop();
    if (this.#isSafe) this.#settle();
  }

  #settle(): void {
    try {
      this.#release();
    } catch {
      // What ended the reading is reported, and no second error.
    }
    this.delivery.settle();
  }

  #endWait(): void {
    const wait = this.#wait;
    this.#wait = null;
    wait?.abort();
  }

  /** Releases the pages that nobody has got. Throws where the user released one by its number, once too often. */
  #release(): void {
    const page = this.#page;
    const reserve = this.#reserve;
    this.#page = null;
    this.#reserve = null;
    try {
      page?.[dispose]();
    } finally {
      reserve?.[dispose]();
    }
  }
}

/** @param sign what ended it */
export function prematureClose(sign = ''): Error {
  const what = `the source was closed before its end${sign === '' ? '' : `: ${sign}`}`;
  return Object.assign(new Error(what), { code: 'ERR_STREAM_PREMATURE_CLOSE' });
}
