// Packet: an ordered list of windows on fragments with one length, the skb of this package.
//
// Each window owns one reference of its fragment (part.ts). Bytes are shared and never copied, but where a call says so. A packet
// belongs to the thread that made it and touches the pool only by retain, release and allocFragment, so every page is accounted for
// whatever happens to the packet. An empty packet has no window, or one of length 0 where it was cut from another.
// Source of the operations: sk_buff (skb_split, pskb_expand_head, skb_linearize, pskb_pull) in the Linux kernel.

import { invalidArgument, invalidRange, PagePoolError, REMEDIES, requireInteger } from '../errors.js';
import { outerEntrances } from '../leaks/call-stack.js';
import { dispose } from '../platform/symbols.js';
import { Fragment, foreignError, portOfFragment, spendFragment } from '../pool/fragment.js';
import { isReadableHandle } from '../port/handles.js';
import { exhausted, type Port, refusal } from '../port/port.js';
import { lookFurther, PROVIDER } from '../port/want.js';
import {
  exactView,
  forgetPart,
  isExclusive,
  looseView,
  Part,
  releasePart,
  sharePart,
  trimEnd,
  trimStart,
} from './part.js';
import { PacketReader } from './reader.js';
import { findByte, isByte, patternOf } from './search.js';

const NO_PARTS: Part[] = [];

/** Where a window of a packet lies: for those that hand handles on. */
export interface PacketWindow {
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
}

/** For channels: the packet's parts, which stay its own. */
export let partsOf: (packet: Packet) => readonly Part[];
/** For channels: the port that the packet's references belong to; undefined while it never had any. */
export let portOfPacket: (packet: Packet) => Port | undefined;
/** For channels: a packet of parts whose references came with them. */
export let packetOf: (port: Port, parts: readonly Part[], tag: number) => Packet;
/** For channels: the references went along. */
export let spendPacket: (packet: Packet) => void;
/** For framing: cuts `skip + length + drop` bytes off the front; those in the middle are the packet returned. */
export let cutFront: (packet: Packet, skip: number, length: number, drop: number) => Packet;
/** For framing: copies small parts together, from part number `from` on, which is not the first. */
export let mergeSmall: (packet: Packet, from: number) => void;

/**
 * Windows on fragments, in order, with one length. Every window owns one reference; `release`, or the end of a `using` block, gives
 * them back, and leaves an empty packet that can be filled again.
 *
 * @example
 * using packet = new Packet().append(header).append(body);
 * if (!sendPacket(channel, packet)) retryLater();
 */
export class Packet extends PacketReader implements Iterable<Uint8Array> {
  #port: Port | undefined;
  #parts: Part[] = [];
  #length = 0;
  #tag = 0;
  #isReadable = true;
  /** The part that was read last, and where it starts: reading on costs no search. */
  #near = 0;
  #nearStart = 0;

  /** Bytes of all windows together. */
  get length(): number {
    return this.#length;
  }

  /** Windows: at most as many as a channel's batch travel as one message. */
  get parts(): number {
    return this.#parts.length;
  }

  /** What the sender wrote beside it, a u32; 0 if it did not come through a channel. */
  get tag(): number {
    return this.#tag;
  }

  /** Whether the processor may look at the bytes: the same for all of them. True while the packet is empty. */
  get isReadable(): boolean {
    return this.#isReadable || this.#parts.length === 0;
  }

  /** The windows by handle, offset and length, for who reads where the bytes lie. The references stay the packet's. */
  windows(): PacketWindow[] {
    return this.#parts.map(({ handle, offset, length }) => ({ handle, offset, length }));
  }

  // ---------------------------------------------------------------------------------- putting together, taking apart

  /**
   * Adds a fragment's window, or all of a packet's, behind the last byte. The references move: the fragment is spent, the other
   * packet is empty afterwards. No copy, no atomics.
   *
   * @throws PagePoolError POOL_ERR_FOREIGN_HANDLE for another pool's; POOL_ERR_UNREADABLE when one is readable and the other not;
   *   POOL_ERR_STALE_HANDLE for a spent fragment; nothing changed then
   */
  append(part: Fragment | Packet): this {
    const parts = this.#take('append', part);
    const last = this.#parts.length;
    for (const each of parts) this.#parts.push(each);
    this.#dropEmpty(last);
    return this;
  }

  /** The same in front of the first byte. @throws PagePoolError as `append` */
  prepend(part: Fragment | Packet): this {
    const parts = this.#take('prepend', part);
    this.#parts = parts.concat(this.#parts); // as arguments of unshift() a hundred thousand would not fit the stack
    this.#rewind();
    this.#dropEmpty(parts.length);
    return this;
  }

  /** Takes over what is appended or prepended: the parts, which the caller puts in place. */
  #take(call: string, part: Fragment | Packet): readonly Part[] {
    if (part instanceof Packet) {
      if (part === this) throw invalidArgument(call, 'part', part, 'another packet', 'clone() it first');
      const parts = part.#parts;
      if (parts.length > 0) this.#join(call, part.#port as Port, part.#isReadable, parts[0] as Part);
      this.#length += part.#length;
      part.#reset();
      return parts;
    }
    const port = portOfFragment(part, call);
    const { handle, offset, length } = part;
    this.#join(call, port, isReadableHandle(port, call, handle), part);
    spendFragment(part);
    this.#length += length;
    return [new Part(port, handle, offset, length)];
  }

  /** Throws unless what comes fits to what is there. */
  #join(call: string, port: Port, isReadable: boolean, { handle }: { readonly handle: number }): void {
    if (this.#parts.length > 0) {
      if (port !== this.#port) throw foreignError(call, handle);
      if (isReadable !== this.#isReadable) {
        throw new PagePoolError(
          'POOL_ERR_UNREADABLE',
          `${call} failed: isReadable=${isReadable} (expected ${this.#isReadable}, as the packet's own fragments are); keep them in packets of their own`,
        );
      }
    }
    this.#port = port;
    this.#isReadable = isReadable;
  }

  /** Releases windows of length 0 where the parts on both sides of `border` met: an empty one stays only when it is alone. */
  #dropEmpty(border: number): void {
    for (const index of [border, border - 1]) {
      const part = this.#parts[index];
      if (part === undefined || part.length > 0 || this.#parts.length === 1) continue;
      this.#parts.splice(index, 1);
      this.#release('append', [part]);
    }
  }

  /**
   * A packet of the bytes from `offset` on, all of them if no length is given. It shares the fragments and has references of its
   * own: two locked operations a window.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT outside this packet; POOL_ERR_REF_OVERFLOW at 65,535 references
   */
  slice(offset = 0, length: number = this.#length - offset): Packet {
    requireInteger('slice', 'offset', offset, 0, this.#length);
    requireInteger('slice', 'length', length, 0, this.#length - offset);
    return this.#shared('slice', offset, length);
  }

  /** A second packet of the same bytes, with references of its own. Neither sees what becomes of the other. */
  clone(): Packet {
    return this.#shared('clone', 0, this.#length);
  }

  #shared(call: string, offset: number, length: number): Packet {
    const port = this.#port;
    const copy = new Packet();
    copy.#tag = this.#tag;
    if (port === undefined || this.#parts.length === 0) return copy;
    copy.#port = port;
    copy.#isReadable = this.#isReadable;
    let skip = offset;
    let left = length;
    try {
      for (const part of this.#parts) {
        // The last part has the empty window at the packet's end.
        if (skip > part.length || (skip === part.length && (length > 0 || part !== this.#parts.at(-1)))) {
          skip -= part.length;
          continue;
        }
        const bytes = Math.min(left, part.length - skip);
        copy.#add(sharePart(port, call, part, skip, bytes));
        left -= bytes;
        skip = 0;
        if (left === 0) break;
      }
    } catch (error) {
      copy.#release(call, copy.#reset());
      throw error;
    }
    return copy;
  }

  /** Puts a part of this packet's port behind the last. */
  #add(part: Part): void {
    this.#parts.push(part);
    this.#length += part.length;
  }

  /**
   * Cuts the packet in two: it keeps the bytes before `offset`, the packet returned has the rest. Only the fragment that is cut gets one
   * more reference, the others move.
   *
   * @throws PagePoolError as `slice`; nothing changed then
   * @see skb_split
   */
  split(offset: number): Packet {
    requireInteger('split', 'offset', offset, 0, this.#length);
    // An empty side has a window, too, so that it can be sent.
    if (offset === this.#length) return this.#shared('split', offset, 0);
    const front = this.#takeFront('split', offset);
    const rest = new Packet();
    rest.#moveFrom(this);
    this.#moveFrom(front);
    return rest;
  }

  /** Takes over everything that `other` has. This packet is empty. */
  #moveFrom(other: Packet): void {
    this.#port = other.#port;
    this.#isReadable = other.#isReadable;
    this.#tag = other.#tag;
    this.#length = other.#length;
    this.#parts = other.#reset();
  }

  /** Cuts the first `length` bytes off into a packet; for 0 of them it has an empty window. */
  #takeFront(call: string, length: number): Packet {
    if (length === 0) return this.#shared(call, 0, 0);
    const front = new Packet();
    let whole = 0;
    let inside = length;
    for (; inside > 0 && inside >= (this.#parts[whole] as Part).length; whole++) {
      inside -= (this.#parts[whole] as Part).length;
    }
    const cut = this.#parts[whole];
    // The reference first: what throws has changed nothing.
    const shared = inside > 0 ? sharePart(this.#port as Port, call, cut as Part, 0, inside) : undefined;
    front.#port = this.#port;
    front.#isReadable = this.#isReadable;
    front.#tag = this.#tag;
    for (const part of this.#parts.splice(0, whole)) front.#add(part);
    if (shared !== undefined) {
      front.#add(shared);
      trimStart(cut as Part, inside);
    }
    this.#length -= length;
    this.#rewind();
    return front;
  }

  /**
   * Drops the first `bytes` bytes: fragments of which none is left are released.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there are fewer
   * @see pskb_pull
   */
  consume(bytes: number): void {
    requireInteger('consume', 'bytes', bytes, 0, this.#length);
    if (bytes === this.#length && bytes > 0) this.release();
    else this.#drop('consume', bytes);
  }

  #drop(call: string, bytes: number): void {
    const parts = this.#cutOff(bytes);
    if (parts.length > 0) this.#release(call, parts);
  }

  /** Takes the first `bytes` bytes off; the parts of which nothing is left, with their references. */
  #cutOff(bytes: number): Part[] {
    let whole = 0;
    let inside = bytes;
    for (; inside > 0 && inside >= (this.#parts[whole] as Part).length; whole++) {
      inside -= (this.#parts[whole] as Part).length;
    }
    if (inside > 0) trimStart(this.#parts[whole] as Part, inside);
    this.#length -= bytes;
    this.#rewind();
    return whole > 0 ? this.#parts.splice(0, whole) : NO_PARTS;
  }

  /** The first window as a fragment, which has its reference from now on; null when the packet has none. */
  shift(): Fragment | null {
    const part = this.#parts.shift();
    if (part === undefined) return null;
    this.#length -= part.length;
    this.#rewind();
    forgetPart(this.#port as Port, part);
    return new Fragment(this.#port as Port, part.handle, part.offset, part.length, this.#tag);
  }

  // ---------------------------------------------------------------------------------- writing

  /**
   * Puts `bytes` new bytes in front, and makes them and the first `length` bytes behind them this packet's own: the view returned may be
   * written, and nobody else sees it. Where the fragment is this packet's alone, and has room in front, nothing is copied; else
   * the `length` bytes are copied into a new fragment, and clones keep the old one. What the new bytes hold is not said. Null when
   * the pool is empty; nothing changed then.
   *
   * @throws RangeError with code POOL_ERR_INVALID_ARGUMENT when both are more than a page; PagePoolError POOL_ERR_INVALID_ARGUMENT
   *   when the packet has no fragment, or fewer bytes; POOL_ERR_UNREADABLE when its bytes cannot be reached
   * @see pskb_expand_head
   */
  expandHead(bytes: number, length = 0): Uint8Array | null {
    const port = this.#requirePort('expandHead');
    const { pageBytes } = port.geometry;
    requireInteger('expandHead', 'length', length, 0, this.#length);
    requireInteger('expandHead', 'bytes', bytes, length > 0 ? 0 : 1, Number.MAX_SAFE_INTEGER);
    if (bytes + length > pageBytes) {
      throw invalidRange('expandHead', 'bytes + length', bytes + length, `1..${pageBytes}`, 'a head lies in one page');
    }
    this.#requireReadable('expandHead');
    let head = this.#parts[0] as Part;
    if (head.offset >= bytes && head.length >= length && isExclusive(port, 'expandHead', head)) {
      trimEnd(head, head.length + bytes);
      head.offset -= bytes;
    } else {
      const fresh = allocatePart(port, 'expandHead', bytes + length);
      if (fresh === null) return null;
      try {
        this.copyTo(exactView(port, 'expandHead', fresh), bytes, 0, length);
      } catch (error) {
        releasePart(port, fresh); // a window was released by its number
        throw error;
      }
      const old = [...this.#cutOff(length), ...(this.#length === 0 ? this.#parts.splice(0) : NO_PARTS)];
      this.#parts.unshift(fresh);
      this.#length += length;
      this.#release('expandHead', old);
      head = fresh;
    }
    this.#length += bytes;
    this.#rewind();
    return exactView(port, 'expandHead', head).subarray(0, bytes + length);
  }

  /**
   * Copies the bytes together where they lie in more fragments than they need: into one, or as many whole pages as they fill.
   * Windows that touch in one fragment are joined without a copy. False when the pool is empty; the bytes are the same then.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the bytes cannot be copied
   * @see skb_linearize
   */
  coalesce(): boolean {
    const port = this.#port;
    if (port === undefined || this.#parts.length < 2) return true;
    this.#requireReadable('coalesce');
    this.#joinNeighbours();
    const { pageBytes } = port.geometry;
    if (this.#parts.length <= Math.ceil(this.#length / pageBytes)) return true;
    const fresh: Part[] = [];
    let isWhole = false;
    try {
      for (let at = 0; at < this.#length; at += pageBytes) {
        const part = allocatePart(port, 'coalesce', Math.min(pageBytes, this.#length - at));
        if (part === null) break;
        fresh.push(part);
        this.#copy('coalesce', exactView(port, 'coalesce', part), 0, at, part.length);
      }
      isWhole = fresh.length * pageBytes >= this.#length;
    } finally {
      // The pool is empty, or closes; or a window was released by its number.
      if (!isWhole) this.#release('coalesce', fresh.splice(0));
    }
    if (!isWhole) return false;
    const old = this.#parts;
    this.#parts = fresh;
    this.#rewind();
    this.#release('coalesce', old);
    return true;
  }

  /** Joins windows that follow each other in the same fragment: the second one's reference is released. */
  #joinNeighbours(): void {
    const kept: Part[] = [];
    const spare: Part[] = [];
    for (const part of this.#parts) {
      const last = kept.at(-1);
      if (last?.handle === part.handle && last.offset + last.length === part.offset) {
        trimEnd(last, last.length + part.length);
        spare.push(part);
      } else kept.push(part);
    }
    this.#parts = kept;
    this.#rewind();
    if (spare.length > 0) this.#release('coalesce', spare);
  }

  #mergeSmall(from: number): void {
    const port = this.#port as Port;
    // All views first: what was released by its number is found before anything is moved.
    for (let i = from - 1; i < this.#parts.length; i++) exactView(port, 'append', this.#parts[i] as Part);
    const merged: Part[] = [];
    let kept = from;
    for (let i = from; i < this.#parts.length; i++) {
      const part = this.#parts[i] as Part;
      const open = this.#parts[kept - 1] as Part;
      if (hasRoomBehind(port, open, part.length)) {
        trimEnd(open, open.length + part.length);
        looseView(port, 'append', open).set(exactView(port, 'append', part), open.length - part.length);
        merged.push(part);
        continue;
      }
      // Into a page of its own, with room for those that follow, if there is one.
      const handle = part.length > port.geometry.pageBytes / 2 ? 0 : port.engine.alloc();
      const isMoved = handle !== 0 && isWritable(port, 'append', handle);
      this.#parts[kept++] = isMoved ? this.#movedTo(handle, part) : part;
      if (isMoved) merged.push(part);
    }
    this.#parts.length = kept;
    this.#rewind();
    this.#release('append', merged);
  }

  /** A copy of the part's bytes at the start of a fragment. */
  #movedTo(handle: number, part: Part): Part {
    const port = this.#port as Port;
    const fresh = new Part(port, handle, 0, part.length);
    exactView(port, 'append', fresh).set(exactView(port, 'append', part));
    return fresh;
  }

  // ---------------------------------------------------------------------------------- reading

  /**
   * Copies `length` bytes from `offset` on into `target`, at `targetOffset`; all that follow if no length is given. How many.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the target has no room for them, or the packet not as many;
   *   POOL_ERR_UNREADABLE when the bytes cannot be read
   */
  copyTo(target: Uint8Array, targetOffset = 0, offset = 0, length: number = this.#length - offset): number {
    this.#requireReadable('copyTo');
    if (!(target instanceof Uint8Array)) throw invalidArgument('copyTo', 'target', target, 'a Uint8Array');
    requireInteger('copyTo', 'offset', offset, 0, this.#length);
    requireInteger('copyTo', 'length', length, 0, this.#length - offset);
    requireInteger('copyTo', 'targetOffset', targetOffset, 0, target.length - length);
    if (length > 0) this.#copy('copyTo', target, targetOffset, offset, length);
    return length;
  }

  #copy(call: string, target: Uint8Array, targetOffset: number, offset: number, length: number): void {
    this.#seek(offset);
    let skip = offset - this.#nearStart;
    let done = 0;
    for (let i = this.#near; done < length; i++) {
      const part = this.#parts[i] as Part;
      const view = looseView(this.#port as Port, call, part);
      const start = part.lead + skip;
      const bytes = Math.min(length - done, part.length - skip);
      const isAll = start === 0 && bytes === view.length;
      target.set(isAll ? view : view.subarray(start, start + bytes), targetOffset + done);
      done += bytes;
      skip = 0;
    }
  }

  protected override gather(call: string, offset: number, count: number, into: Uint8Array): void {
    this.#requireReadable(call);
    if (!(offset >= 0 && offset + count <= this.#length && Number.isInteger(offset))) {
      requireInteger(call, 'offset', offset, 0, this.#length - count);
    }
    this.#seek(offset);
    let at = offset - this.#nearStart;
    let i = this.#near;
    let part = this.#parts[i] as Part;
    let view = looseView(this.#port as Port, call, part);
    for (let done = 0; done < count; done++) {
      while (at === part.length) {
        at = 0;
        part = this.#parts[++i] as Part;
        view = looseView(this.#port as Port, call, part);
      }
      into[done] = view[part.lead + at++] as number;
    }
  }

  /** Finds the part that has the byte at `offset`, which is below the packet's length. */
  #seek(offset: number): void {
    if (offset < this.#nearStart) this.#rewind();
    for (;;) {
      const { length } = this.#parts[this.#near] as Part;
      if (offset < this.#nearStart + length) return;
      this.#nearStart += length;
      this.#near++;
    }
  }

  /**
   * Where a byte, a string (as UTF-8) or bytes begin, at `from` or after it; also across fragments. -1: nowhere. Searches with the
   * platform's own search where that takes shared memory.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for anything else; POOL_ERR_UNREADABLE when the bytes cannot be read
   */
  indexOf(value: number | string | Uint8Array, from = 0): number {
    requireInteger('indexOf', 'from', from, 0, this.#length);
    this.#requireReadable('indexOf');
    if (isByte(value)) return this.#findByte(value, from, this.#length - 1);
    const pattern = patternOf(value);
    if (pattern === undefined) throw invalidArgument('indexOf', 'value', value, 'a byte, a string or a Uint8Array');
    if (pattern.length === 0) return from;
    const last = this.#length - pattern.length;
    for (let at = this.#findByte(pattern[0] as number, from, last); at !== -1; ) {
      if (this.#startsWith(pattern, at)) return at;
      at = this.#findByte(pattern[0] as number, at + 1, last);
    }
    return -1;
  }

  /** Where the byte is, in [from, last]; -1: not there. */
  #findByte(byte: number, from: number, last: number): number {
    if (from > last) return -1;
    this.#seek(from);
    let start = this.#nearStart;
    let skip = from - start;
    for (let i = this.#near; i < this.#parts.length && start + skip <= last; i++) {
      const part = this.#parts[i] as Part;
      const found = findByte(looseView(this.#port as Port, 'indexOf', part), byte, part.lead + skip);
      if (found !== -1) {
        const at = start + found - part.lead;
        return at <= last ? at : -1;
      }
      start += part.length;
      skip = 0;
    }
    return -1;
  }

  #startsWith(pattern: Uint8Array, offset: number): boolean {
    this.#seek(offset);
    let at = offset - this.#nearStart;
    let i = this.#near;
    let part = this.#parts[i] as Part;
    for (const byte of pattern) {
      while (at === part.length) {
        at = 0;
        part = this.#parts[++i] as Part;
      }
      if (looseView(this.#port as Port, 'indexOf', part)[part.lead + at++] !== byte) return false;
    }
    return true;
  }

  /**
   * A view of each window: for `writev`, or any loop. No copy; do not use them after the release.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the bytes cannot be read
   */
  toBuffers(): Uint8Array[] {
    this.#requireReadable('toBuffers');
    if (this.#length === 0) return [];
    return this.#parts.map((part) => exactView(this.#port as Port, 'toBuffers', part));
  }

  /** The same, one after the other. */
  [Symbol.iterator](): IterableIterator<Uint8Array> {
    return this.toBuffers().values();
  }

  // ---------------------------------------------------------------------------------- the end

  /**
   * Gives all references back; the packet is empty, and can be filled again. An empty one has none to give.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE when one of them was released by its number; the others are released
   */
  release(): void {
    const parts = this.#reset();
    if (parts.length > 0) this.#release('release', parts);
  }

  /** Releases what is there, if the thread is still attached. */
  [dispose](): void {
    if (this.#port?.isGone === false) this.release();
  }

  /** Releases parts that are not in the list any more. */
  #release(call: string, parts: readonly Part[]): void {
    let refused: Part | undefined;
    let code = 0;
    for (const part of parts) {
      const result = releasePart(this.#port as Port, part);
      if (result >= 0 || refused !== undefined) continue;
      refused = part;
      code = result;
    }
    if (refused !== undefined) throw refusal(code, call, 'handle', refused.handle);
  }

  /** Makes the packet an empty one; the parts that it had. */
  #reset(): Part[] {
    const parts = this.#parts;
    this.#parts = [];
    this.#length = 0;
    this.#isReadable = true;
    this.#rewind();
    return parts;
  }

  /** The parts are not those they were: the next read looks for its part from the start. */
  #rewind(): void {
    this.#near = 0;
    this.#nearStart = 0;
  }

  #requirePort(call: string): Port {
    if (this.#port === undefined || this.#parts.length === 0) {
      throw invalidArgument(call, 'parts', 0, 'a packet that has a fragment', 'append one first');
    }
    return this.#port;
  }

  #requireReadable(call: string): void {
    if (this.#isReadable) return;
    throw new PagePoolError(
      'POOL_ERR_UNREADABLE',
      `${call} failed: isReadable=false (expected a packet whose bytes the processor can look at); ${REMEDIES.POOL_ERR_UNREADABLE}`,
    );
  }

  static {
    partsOf = (packet) => packet.#parts;
    portOfPacket = (packet) => packet.#port;
    packetOf = (port, parts, tag) => {
      const packet = new Packet();
      packet.#port = port;
      packet.#tag = tag;
      const [first] = parts;
      if (first !== undefined) packet.#isReadable = isReadableHandle(port, 'receivePacket', first.handle);
      for (const part of parts) packet.#add(part);
      return packet;
    };
    spendPacket = (packet) => {
      for (const part of packet.#reset()) forgetPart(packet.#port as Port, part);
    };
    cutFront = (packet, skip, length, drop) => {
      const [first] = packet.#parts;
      if (first !== undefined && first.length > skip + length + drop) {
        const message = new Packet();
        message.#port = packet.#port;
        message.#isReadable = packet.#isReadable;
        message.#add(sharePart(packet.#port as Port, 'append', first, skip, length));
        packet.#drop('append', skip + length + drop);
        return message;
      }
      // Of an empty message an empty window is left, also where the packet ends with it.
      const empty = length === 0 ? packet.#shared('append', skip, 0) : undefined;
      packet.#drop('append', skip);
      const message = empty ?? packet.#takeFront('append', length);
      packet.#drop('append', drop);
      return message;
    };
    mergeSmall = (packet, from) => packet.#mergeSmall(from);
    const { clone, coalesce, expandHead, shift, slice, split } = Packet.prototype;
    outerEntrances.push(clone, coalesce, expandHead, shift, slice, split);
  }
}

/** Whether as many bytes can be written behind the part's window, where nobody else looks. */
function hasRoomBehind(port: Port, part: Part, bytes: number): boolean {
  const room = port.engine.extent(part.handle) - part.offset - part.length;
  return room >= bytes && isExclusive(port, 'append', part);
}

/** A fragment's window with its one reference; null when the pool is empty, or has no memory left that can be written. */
function allocatePart(port: Port, call: string, bytes: number): Part | null {
  let handle = port.engine.allocFragment(bytes);
  if (handle === 0) {
    exhausted(port, call);
    if (lookFurther(port, call, 1, PROVIDER) !== 0) handle = port.engine.allocFragment(bytes);
  }
  return handle !== 0 && isWritable(port, call, handle) ? new Part(port, handle, 0, bytes) : null;
}

/** Whether bytes can be copied into a fragment that was just allocated; it is given back where they cannot. */
function isWritable(port: Port, call: string, handle: number): boolean {
  if (isReadableHandle(port, call, handle)) return true;
  port.engine.release(handle);
  return false;
}
