// UserQueue: the pool's side towards one consumer that is not trusted; the zero-copy receive protocol of the kernel's
// io_uring.
//
// `give` makes a reference of this thread a user reference: it stays in this thread's row of the pool's ledger,
// and a count beside it, in memory that the consumer cannot reach, means that the consumer has it. The consumer answers
// with refills; an entry takes back what is out by the count, and nothing else. Whatever is out at the end is
// scrubbed. Owner only: the calls belong to the thread that made the queue; nothing waits for the consumer. If this
// thread dies its row is reaped like any other.
//
// Kernel: io_zcrx_recv_frag (give), io_zcrx_ring_refill (refill), io_zcrx_scrub (scrub), io_zcrx_copy_chunk (giveCopy).

import { FLAG_DETACHABLE } from '../../assembly/layout.js';
import { ENTRY_WORDS } from '../control/messages.js';
import { pageOfHandle, rowIndex, startInPage } from '../control/places.js';
import { callError, invalidArgument, invalidHandle, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { isHandleNumber, isWord } from '../numbers.js';
import { isBytes, isSharedBuffer, isWords } from '../platform/buffers.js';
import { copyBytes } from '../platform/copy.js';
import { type Unclonable, unclonable } from '../platform/shown.js';
import { touchDeepStack } from '../platform/stack.js';
import { dispose } from '../platform/symbols.js';
import { startTimer } from '../platform/timers.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { extentOf, fragmentView } from '../port/handles.js';
import { destroyedError, type Port } from '../port/port.js';
import { requireWaitOptions, type WaitOptions, waitFor } from '../port/waiting.js';
import type { SharedArea } from '../supply/areas.js';
import {
  USER_SLOTS_MAX,
  USER_STATE_ENDED,
  USER_STATE_OPEN,
  USER_STATE_SCRUBBED,
  type UserShare,
} from '../user/layout.js';
import { UserReferences } from './references.js';
import { REFILL_MISALIGNED, REFILL_OUTSIDE, UserRings } from './rings.js';
import { UserEvent } from './user-event.js';

/** How a queue is made. */
export interface UserQueueOptions {
  /** Entries that the consumer may be given before it takes them: a power of two up to 32,768; 256 if not given. */
  completions?: number | undefined;
  /** Entries that it may give back before they are taken: a power of two up to 32,768; 256 if not given. */
  refills?: number | undefined;
}

/** What happened on a queue, in entries. */
export interface UserQueueStats {
  /** References that the consumer has now. */
  readonly outstanding: number;
  /** Given, copies among them. */
  readonly given: number;
  readonly copied: number;
  /** Came back through the refill ring. */
  readonly returned: number;
  /** Taken back at the end. */
  readonly scrubbed: number;
  /** Refills that were no such thing, and were left out. */
  readonly dropped: {
    /** Outside the area, or over the end of a page. */
    readonly outside: number;
    /** No multiple of the unit. */
    readonly misaligned: number;
    /** Nothing was out there: given back before, or never given by this queue. */
    readonly notHeld: number;
  };
  /** Positions of the consumer that could not be, and were bounded to the ring. */
  readonly bounded: { readonly tails: number; readonly heads: number };
  /** References that this program released although the consumer had them. */
  readonly lost: number;
}

const NOT_POSTED = unclonable(
  'UserQueue',
  'what share() returns',
  'post queue.share(), and make the Receiver of it there',
);
const SLOTS = 256;
/** How long the refills are left alone, so that several are taken at once. */
const CHECK_MS = 1;

/** What the queues of one thread and pool have given, by page. */
const givenBy = new WeakMap<Port, Uint32Array>();

/**
 * A queue to one consumer that is not trusted. It gets the area and two rings, through `share()`; nothing that it
 * writes there harms anything but its own data.
 *
 * @example const pool = await PagePool.create({ pageBytes: 4096, pageCount: 256, provider: userArea(new
 *   SharedArrayBuffer(1 << 20)) }); const queue = new UserQueue(pool); worker.postMessage(queue.share()); // there: new
 *   Receiver(share), of pagepool/user worker.once('exit', () => queue.scrub()); const page = pool.alloc(); if (page !==
 *   0 && !queue.give(page, 0, 4096)) pool.release(page); // full: the reference is still ours
 */
export class UserQueue {
  protected readonly notPosted: Unclonable = NOT_POSTED;
  readonly #pool: AttachedPool;
  readonly #port: Port;
  readonly #area: SharedArea & { readonly buffer: SharedArrayBuffer };
  readonly #rings: UserRings;
  readonly #references: UserReferences;
  /** Page -> references that this thread's queues have given. */
  readonly #given: Uint32Array;
  readonly #event: UserEvent;
  /** Bytes of the last copy that was refused for want of a page; 0 if none was. */
  #lackedBytes = 0;
  /** Completions between two checks of the refills. */
  readonly #refillEvery: number;
  readonly #share: UserShare;
  readonly #counts = { given: 0, copied: 0, returned: 0, scrubbed: 0, lost: 0 };
  readonly #dropped = { outside: 0, misaligned: 0, notHeld: 0 };
  #sinceRefill = 0;
  #isFollowing = false;
  #state = USER_STATE_OPEN;

  /**
   * @param pool whose pages lie in one area that it keeps: of `userArea()`, or another provider with `detachable:
   *   false`
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for any other, or a wrong option; POOL_ERR_NOT_SHARED when the area
   *   is not shared memory; POOL_ERR_MEMORY_LIMIT when the platform refuses the rings
   */
  constructor(pool: AttachedPool, options: UserQueueOptions = {}) {
    const { completions = SLOTS, refills = SLOTS } = requireRecord('UserQueue', 'options', options, [
      'completions',
      'refills',
    ]) as UserQueueOptions;
    requireSlots('completions', completions);
    requireSlots('refills', refills);
    const port = portOf('UserQueue', pool);
    const { flags, pageBytes, pageCount, unitBytes, unitsPerPageShift } = port.geometry;
    const area = (flags & FLAG_DETACHABLE) === 0 ? port.areas?.snapshot().added.find(isFirst) : undefined;
    if (area === undefined) {
      throw invalidArgument(
        'UserQueue',
        'pool',
        pool.name,
        'a pool of userArea()',
        'its own memory holds its own words',
      );
    }
    if (!isSharedBuffer(area.buffer)) {
      throw callError('POOL_ERR_NOT_SHARED', 'UserQueue', `pool="${pool.name}"`, 'one in shared memory');
    }
    let given = givenBy.get(port);
    if (given === undefined) {
      given = new Uint32Array(pageCount + 1);
      givenBy.set(port, given);
    }
    const areaBytes = area.pages * pageBytes;
    this.#pool = pool;
    this.#port = port;
    this.#area = { ...area, buffer: area.buffer };
    this.#rings = new UserRings({ completions, refills, unitBytes, pageBytes, areaBytes });
    this.#given = given;
    this.#references = new UserReferences({ firstPage: area.firstPage, pages: area.pages, unitsPerPageShift }, given);
    this.#event = new UserEvent(this.#rings.buffer);
    this.#refillEvery = Math.max(1, refills >>> 2);
    const { byteOffset } = area;
    this.#share = {
      kind: 'pagepool-user',
      area: area.buffer,
      byteOffset,
      byteLength: areaBytes,
      rings: this.#rings.buffer,
    };
  }

  /** What the consumer makes its `Receiver` of: structured-cloneable, nothing of the pool in it. For one consumer. */
  share(): UserShare {
    return { ...this.#share };
  }

  /** References that the consumer has now. */
  get outstanding(): number {
    return this.#references.outstanding;
  }

  /** Whether the queue has ended, by `end`, `close` or `scrub`. */
  get isClosed(): boolean {
    return this.#state !== USER_STATE_OPEN;
  }

  /**
   * Gives the consumer a window on a fragment. True: the caller's reference went along, until it comes back or is
   * scrubbed; false: there is no room, or, for a fragment outside the area, no page to copy it into, and the caller
   * keeps its reference.
   *
   * @param offset where the window starts in the fragment, bytes
   * @param length bytes of the window; copied into a page of the area if the fragment lies elsewhere
   * @param tag a u32 for the consumer
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the queue has ended; POOL_ERR_STALE_HANDLE, POOL_ERR_NOT_HELD,
   *   POOL_ERR_INVALID_ARGUMENT when it is refused; nothing changed then
   */
  give(handle: number, offset: number, length: number, tag = 0): boolean {
    touchDeepStack();
    if (!this.#give('give', handle, offset, length, tag)) return false;
    this.#publish(1);
    return true;
  }

  /**
   * Gives entries of 4 words each (handle, offset, length, tag) from the front and returns how many went. No garbage.
   *
   * @throws PagePoolError with `index` when an entry is refused; those before it went
   */
  giveBurst(entries: Uint32Array, count: number): number {
    touchDeepStack();
    if (!isWords(entries)) throw invalidArgument('giveBurst', 'entries', entries, 'a Uint32Array');
    requireInteger('giveBurst', 'count', count, 0, Math.floor(entries.length / ENTRY_WORDS));
    let sent = 0;
    try {
      for (; sent < count; sent++) {
        const at = sent * ENTRY_WORDS;
        const offset = entries[at + 1] as number;
        const length = entries[at + 2] as number;
        if (!this.#give('giveBurst', entries[at] as number, offset, length, entries[at + 3] as number)) break;
      }
    } catch (error) {
      if (!(error instanceof PagePoolError)) throw error;
      throw new PagePoolError(error.code, error.message, { index: sent, cause: error });
    } finally {
      if (sent > 0) this.#publish(sent);
    }
    return sent;
  }

  /**
   * Copies bytes that lie outside the area into pages of it and gives those, a page's worth an entry, each with the
   * tag. Returns how many bytes went: fewer when there is no room or no page.
   *
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the queue has ended; POOL_ERR_CLOSING when the pool closes. A
   *   call of which some bytes went returns how many, and the next one throws
   */
  giveCopy(bytes: Uint8Array, tag = 0): number {
    touchDeepStack();
    if (!isBytes(bytes)) throw invalidArgument('giveCopy', 'bytes', bytes, 'a Uint8Array');
    if (!isWord(tag)) throw invalidArgument('giveCopy', 'tag', tag, 'a u32');
    this.#requireOpen('giveCopy');
    let done = 0;
    let entries = 0;
    try {
      while (done < bytes.length) {
        const chunk = bytes.subarray(done, done + this.#pool.pageBytes);
        if (!this.#copy(chunk, tag)) break;
        done += chunk.length;
        entries++;
      }
    } catch (error) {
      if (entries === 0) throw error; // else the next call throws it
    }
    if (entries > 0) this.#publish(entries);
    return done;
  }

  /**
   * Takes back what the consumer has given back, at most `maxCount` entries, and releases it; how many references that
   * were. What else stands in the ring is counted and left out. Called by `give` now and then, and by itself while this
   * thread returns to its event loop; call it where pages are wanted at once.
   *
   * @see io_zcrx_ring_refill
   */
  refill(maxCount: number = USER_SLOTS_MAX): number {
    touchDeepStack();
    if (!isWord(maxCount)) requireInteger('refill', 'maxCount', maxCount, 0, USER_SLOTS_MAX);
    return this.#refill(maxCount);
  }

  #refill(maxCount: number): number {
    this.#port.supply?.refuseReentry('refill'); // nothing can be released there
    this.#sinceRefill = 0;
    if (this.#state === USER_STATE_SCRUBBED) return 0;
    const count = Math.min(this.#rings.takeTail(), maxCount);
    if (count === 0) return 0;
    const before = this.#counts.returned;
    for (let i = 0; i < count; i++) this.#takeBack(this.#rings.takeRefill());
    this.#rings.releaseRefills();
    return this.#counts.returned - before;
  }

  /**
   * Resolves when there is room for an entry; where the last copy was refused for want of a page, when there is one as
   * well. A wait for a page probes every 1 to 10 ms.
   *
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the queue has ended; POOL_ERR_DESTROYED when this thread has
   *   left the pool; POOL_ERR_CLOSING when the pool closes; POOL_ERR_TIMEOUT when `timeoutMs` is over
   */
  async waitRoom(options?: WaitOptions): Promise<void> {
    const probe = (): true | undefined => {
      this.#requireOpen('waitRoom');
      // Nothing can be given any more, and with a consumer that is gone no room would ever come.
      if (this.#port.isGone) throw destroyedError('waitRoom');
      this.refill();
      return this.#rings.room() > 0 && this.#hasMissing() ? true : undefined;
    };
    await this.#wait('waitRoom', probe, requireWaitOptions('waitRoom', options));
  }

  /** Ends the queue: nothing more is given, what is inside can still be received and given back. */
  end(): void {
    if (this.#state !== USER_STATE_OPEN) return;
    this.#state = USER_STATE_ENDED;
    this.#rings.setState(USER_STATE_ENDED);
  }

  /**
   * Ends the queue, waits for everything to come back, and scrubs what did not when `timeoutMs` is over or the signal
   * is aborted; how many references those were. Without either a consumer that gives nothing back keeps this waiting.
   *
   * @throws an aborted signal's reason, after the scrub
   */
  async close(options?: WaitOptions): Promise<number> {
    const given = requireWaitOptions('close', options);
    this.end();
    const probe = (): true | undefined => {
      this.refill();
      return this.#references.outstanding === 0 || this.#port.isGone ? true : undefined;
    };
    try {
      await this.#wait('close', probe, given);
    } catch (error) {
      if (!(error instanceof PagePoolError) || error.code !== 'POOL_ERR_TIMEOUT') throw error;
    } finally {
      this.scrub();
    }
    return this.#counts.scrubbed;
  }

  /**
   * Ends the queue and takes every reference back that the consumer still has, whatever it did and whether it lives;
   * how many. Its pages are used again at once: a consumer that goes on writes into what is not its own any more, as
   * far as the area reaches. Call it when the consumer's thread has ended.
   *
   * @see io_zcrx_scrub
   */
  scrub(): number {
    touchDeepStack();
    if (this.#state === USER_STATE_SCRUBBED) return 0;
    this.#port.supply?.refuseReentry('scrub');
    this.#refill(USER_SLOTS_MAX); // what was given back in time is no loss
    this.#state = USER_STATE_SCRUBBED;
    this.#rings.setState(USER_STATE_SCRUBBED);
    const before = this.#counts.scrubbed;
    this.#references.drain((handle) => {
      if (this.#release(handle)) this.#counts.scrubbed++;
    });
    this.#event.close();
    return this.#counts.scrubbed - before;
  }

  /** Scrubs. */
  [dispose](): void {
    this.scrub();
  }

  /** What happened so far. */
  stats(): UserQueueStats {
    const { lost, outstanding } = this.#references;
    const { headsBounded, tailsBounded } = this.#rings;
    const bounded = { tails: tailsBounded, heads: headsBounded };
    return { ...this.#counts, lost: this.#counts.lost + lost, outstanding, dropped: { ...this.#dropped }, bounded };
  }

  /** One entry, not yet published; false: no room. */
  #give(call: string, handle: number, offset: number, length: number, tag: number): boolean {
    if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
    this.#requireOpen(call);
    const port = this.#port;
    const extent = extentOf(port, call, handle);
    // A window that starts behind the last byte would be the next fragment's.
    if (!isWord(offset) || offset >= extent)
      throw invalidArgument(call, 'offset', offset, `an integer, 0..${extent - 1}`);
    requireLength(call, length, extent - offset);
    if (!isWord(tag)) throw invalidArgument(call, 'tag', tag, 'a u32');
    const page = pageOfHandle(port, handle);
    this.#requireHeld(call, page, handle);
    if (this.#hasPage(page)) {
      if (this.#rings.room() === 0) return false;
      this.#put(page, startInPage(port, handle) + offset, handle, length, tag);
      return true;
    }
    if (!this.#copy(fragmentView(port, call, handle, offset, length), tag)) return false;
    port.engine.release(handle);
    return true;
  }

  /** One entry with a copy of up to a page; false: no room, or no page. */
  #copy(bytes: Uint8Array, tag: number): boolean {
    if (this.#rings.room() === 0) return false;
    const handle = this.#allocInArea(Math.max(1, bytes.length));
    this.#lackedBytes = handle === 0 ? Math.max(1, bytes.length) : 0;
    if (handle === 0) return false;
    copyBytes(fragmentView(this.#port, 'giveCopy', handle, 0, bytes.length), bytes);
    this.#put(pageOfHandle(this.#port, handle), startInPage(this.#port, handle), handle, bytes.length, tag);
    this.#counts.copied++;
    return true;
  }

  /** Room for a copy, or 0. */
  #allocInArea(bytes: number): number {
    // The open fragment page may be one of a reserve; whole pages are then still the area's, while it has any.
    return this.#inArea(this.#pool.allocFragment(bytes)) || this.#inArea(this.#pool.alloc());
  }

  /** Whether the last copy that was refused for want of a page would find one now. */
  #hasMissing(): boolean {
    if (this.#lackedBytes === 0) return true;
    const handle = this.#allocInArea(this.#lackedBytes);
    if (handle === 0) return false;
    this.#port.engine.release(handle);
    this.#lackedBytes = 0;
    return true;
  }

  /** The handle if its page lies in the area; else it is released: 0. */
  #inArea(handle: number): number {
    if (handle === 0 || this.#hasPage(pageOfHandle(this.#port, handle))) return handle;
    this.#port.engine.release(handle);
    return 0;
  }

  #hasPage(page: number): boolean {
    return page >= this.#area.firstPage && page < this.#area.firstPage + this.#area.pages;
  }

  /** The reference is the consumer's from here on: counted first, since the consumer may answer at once. */
  #put(page: number, startInPage: number, handle: number, length: number, tag: number): void {
    const { pageBytes, unitBytes } = this.#port.geometry;
    const offset = (page - this.#area.firstPage) * pageBytes + startInPage;
    this.#references.add(Math.floor(offset / unitBytes), handle);
    this.#rings.write(offset, length, tag);
  }

  #publish(entries: number): void {
    this.#rings.publish();
    this.#counts.given += entries;
    this.#sinceRefill += entries;
    if (this.#sinceRefill >= this.#refillEvery) this.#refill(USER_SLOTS_MAX);
    if (!this.#isFollowing) this.#follow();
  }

  /** One refill's unit, or what is wrong with it. */
  #takeBack(unit: number): void {
    if (unit >= 0) {
      const handle = this.#references.drop(unit);
      if (handle === 0) this.#dropped.notHeld++;
      else if (this.#release(handle)) this.#counts.returned++;
    } else if (unit === REFILL_OUTSIDE) this.#dropped.outside++;
    else if (unit === REFILL_MISALIGNED) this.#dropped.misaligned++;
  }

  /** The consumer has it no more. False: this program had released it. */
  #release(handle: number): boolean {
    // A port that is gone has given all its references back already.
    if (this.#port.isGone || this.#port.engine.release(handle) >= 0) return true;
    this.#counts.lost++;
    return false;
  }

  /**
   * Takes refills while anything is out, whenever this thread returns to its event loop, once a millisecond at
   * most.
   */
  #follow(): void {
    this.#isFollowing = true;
    this.#event.begin();
    const check = (): void => {
      const sequence = this.#event.arm();
      if (!this.#port.isGone) this.refill();
      if (this.#port.isGone || this.#references.outstanding === 0) {
        this.#isFollowing = false;
        this.#event.end(wake);
      } else if (!this.#event.listen(sequence, wake)) wake();
    };
    const wake = (): void => void startTimer(check, CHECK_MS);
    wake();
  }

  async #wait(call: string, probe: () => true | undefined, options: WaitOptions): Promise<void> {
    const what = call === 'close' ? 'what the consumer of a user queue has' : 'room in a user queue';
    await waitFor({ call, port: this.#port, event: this.#event, probe, units: 'none', what }, options);
  }

  #requireOpen(call: string): void {
    if (this.#state === USER_STATE_OPEN) return;
    throw callError('POOL_ERR_CHANNEL_CLOSED', call, `queue of pool="${this.#pool.name}"`, 'an open queue');
  }

  /** This thread must have a reference on the page that no consumer has. */
  #requireHeld(call: string, page: number, handle: number): void {
    const { geometry, id, memory } = this.#port;
    const row = rowIndex(geometry, id, page);
    // Plain: this thread's own row.
    if ((memory.u16[row] as number) > (this.#given[page] as number)) return;
    throw callError(
      'POOL_ERR_NOT_HELD',
      call,
      `handle=${handle}`,
      'a fragment that this thread holds a reference on, and did not pass on',
    );
  }
}

function isFirst({ firstPage }: SharedArea): boolean {
  return firstPage === 1;
}

function requireSlots(name: string, value: unknown): asserts value is number {
  requireInteger('UserQueue', name, value, 2, USER_SLOTS_MAX);
  if (((value as number) & ((value as number) - 1)) !== 0)
    throw invalidArgument('UserQueue', name, value, 'a power of two');
}

function requireLength(call: string, length: unknown, most: number): void {
  if (!isWord(length) || length > most) throw invalidArgument(call, 'length', length, `an integer, 0..${most}`);
}
