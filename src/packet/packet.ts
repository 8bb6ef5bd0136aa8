// Packet: an ordered list of windows on fragments with one length, the skb of this package.
//
// Each window has a reference of its fragment, its own or one of several windows (part.ts). Bytes are shared and never
// copied, but where a call's docs name it (copying.ts). The public calls stand here, and check what they are given;
// part-list.ts keeps the windows. A packet belongs to the thread that made it and touches the pool only by retain,
// release and allocFragment, so every page is accounted for whatever happens to the packet. An empty packet has no
// window, or one of length 0 where it was cut from another.
// Source of the operations: sk_buff (skb_split, pskb_expand_head, skb_linearize, pskb_pull) in the Linux kernel.

import { FURTHER_REMEDIES, invalidArgument, invalidRange, PagePoolError, requireInteger } from '../errors.js';
import { outerEntrances } from '../leaks/call-stack.js';
import { isBytes } from '../platform/buffers.js';
import { type Inspect, inspectCustom, shown, type Unclonable, unclonable } from '../platform/shown.js';
import { touchDeepStack, touchStack } from '../platform/stack.js';
import { dispose } from '../platform/symbols.js';
import { Fragment, foreignError, portOfFragment, spendFragment } from '../pool/fragment.js';
import { requestSources } from '../pool/request-sources.js';
import { isReadableHandle } from '../port/handles.js';
import type { Port } from '../port/port.js';
import { copyTogether, expandFront, mergeSmallParts } from './copying.js';
import { besidePart, forgetPart, ownPart, Part, retainPart, sharePart } from './part.js';
import { PartList } from './part-list.js';
import { PacketReader } from './reader.js';
import { isByte, patternOf } from './search.js';

const NOT_POSTED = unclonable(
  'Packet',
  'what lend() of its fragments returns',
  'send it through a channel, by sendPacket(); or shift() its fragments and post what lend() of each returns',
);

/** Where a window of a packet lies: for those that pass handles on. */
export interface PacketWindow {
  readonly handle: number;
  readonly offset: number;
  readonly length: number;
}

/** Whether the value is a packet of this package. */
export let isPacket: (value: unknown) => value is Packet;
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
 * Windows on fragments, in order, with one length. Every window has a reference, which windows that were cut from one
 * another have together; `release`, or the end of a `using` block, gives them back, and leaves an empty packet that can
 * be filled again.
 *
 * @example
 * using packet = new Packet().append(header).append(body);
 * if (!sendPacket(channel, packet)) retryLater();
 */
export class Packet extends PacketReader implements Iterable<Uint8Array> {
  protected readonly notPosted: Unclonable = NOT_POSTED;
  readonly #list = new PartList();
  #tag = 0;

  /** An empty packet: parts come by `append`. */
  constructor(none?: undefined) {
    super();
    if (none !== undefined) throw invalidArgument('Packet', 'argument', none, 'none', 'append() what it is to have');
  }

  /** Bytes of all windows together. */
  get length(): number {
    return this.#list.length;
  }

  /** Windows: at most as many as a channel's batch travel as one message. */
  get parts(): number {
    return this.#list.parts.length;
  }

  /** What the sender wrote beside it, a u32; 0 if it did not come through a channel. */
  get tag(): number {
    return this.#tag;
  }

  /** Whether the processor may read the bytes: the same for all of them. True while the packet is empty. */
  get isReadable(): boolean {
    return this.#list.isReadable || this.#list.parts.length === 0;
  }

  /** The windows by handle, offset and length, for who reads where the bytes lie. The references stay the packet's. */
  windows(): PacketWindow[] {
    return this.#list.parts.map(({ handle, offset, length }) => ({ handle, offset, length }));
  }

  // ---------------------------------------------------------------------------------- putting together, taking apart

  /**
   * Adds a fragment's window, or all of a packet's, behind the last byte. The references move: the fragment is spent,
   * the other packet is empty afterwards. No copy, no atomics.
   *
   * @throws PagePoolError POOL_ERR_FOREIGN_HANDLE for another pool's; POOL_ERR_UNREADABLE when one is readable and the
   *   other not; POOL_ERR_STALE_HANDLE for a spent fragment; nothing changed then
   */
  append(part: Fragment | Packet): this {
    touchDeepStack();
    if (isPacket(part)) this.#list.appendFrom(this.#join('append', part));
    else this.#list.append(this.#take('append', part));
    return this;
  }

  /** The same in front of the first byte. @throws PagePoolError as `append` */
  prepend(part: Fragment | Packet): this {
    touchDeepStack();
    if (isPacket(part)) this.#list.prependFrom(this.#join('prepend', part));
    else this.#list.prepend(this.#take('prepend', part));
    return this;
  }

  /**
   * Adds a window on a fragment, which stays the caller's, behind the last byte: `length` bytes from `offset` on, all
   * that follow if no length is given. No copy. Windows on one fragment that are added in a row share a reference: two
   * locked operations for all of them, or none while this thread has all references of the page.
   *
   * @throws PagePoolError as `append`; POOL_ERR_INVALID_ARGUMENT outside the fragment's window; POOL_ERR_REF_OVERFLOW
   *   at 65,535 references; nothing changed then
   * @example
   * const packet = new Packet().appendSlice(page, 0, 20).appendSlice(page, 64, 1000);
   */
  appendSlice(fragment: Fragment, offset = 0, length?: number): this {
    const port = portOfFragment(fragment, 'appendSlice');
    requireInteger('appendSlice', 'offset', offset, 0, fragment.length);
    if (length !== undefined) requireInteger('appendSlice', 'length', length, 0, fragment.length - offset);
    const { handle } = fragment;
    const start = fragment.offset + offset;
    const bytes = length ?? fragment.length - offset;
    const list = this.#list;
    const last = list.parts[list.parts.length - 1];
    if (last?.handle === handle && list.port === port) {
      list.append(besidePart(port, 'appendSlice', last, start, bytes));
      return this;
    }
    list.join('appendSlice', port, isReadableHandle(port, 'appendSlice', handle), handle);
    retainPart(port, 'appendSlice', handle);
    list.append(new Part(port, handle, start, bytes));
    return this;
  }

  /** The parts of a packet that may be joined to this one's. */
  #join(call: string, packet: Packet): PartList {
    packet.#refuseReentry(call);
    if (packet === this) throw invalidArgument(call, 'part', packet, 'another packet', 'clone() it first');
    const { parts, port, isReadable } = packet.#list;
    const [first] = parts;
    if (first !== undefined) this.#list.join(call, port as Port, isReadable, first.handle);
    return packet.#list;
  }

  /** A fragment's window, whose reference is the packet's from now on. */
  #take(call: string, fragment: Fragment): Part {
    const port = portOfFragment(fragment, call);
    const { handle, offset, length } = fragment;
    this.#list.join(call, port, isReadableHandle(port, call, handle), handle);
    spendFragment(fragment);
    return new Part(port, handle, offset, length);
  }

  /**
   * A packet of the bytes from `offset` on, all of them if no length is given. It has the fragments and their
   * references together with this one until one of both is sent: no locked operation.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT outside this packet
   */
  slice(offset = 0, length?: number): Packet {
    const bytes = this.#requireWindow('slice', offset, length);
    return this.#shared('slice', offset, bytes);
  }

  /** A second packet of the same bytes, as `slice` has them. Neither sees what becomes of the other. */
  clone(): Packet {
    return this.#shared('clone', 0, this.length);
  }

  #shared(call: string, offset: number, length: number): Packet {
    touchDeepStack();
    const copy = new Packet();
    copy.#tag = this.#tag;
    copy.#list.shareFrom(this.#list, call, offset, length);
    return copy;
  }

  /**
   * Cuts the packet in two: it keeps the bytes before `offset`, the packet returned has the rest. Both have the
   * fragment that is cut, the others move.
   *
   * @throws PagePoolError as `slice`; nothing changed then
   * @see skb_split
   */
  split(offset: number): Packet {
    touchDeepStack();
    requireInteger('split', 'offset', offset, 0, this.length);
    // An empty side has a window, too, so that it can be sent.
    if (offset === this.length) return this.#shared('split', offset, 0);
    const front = new PartList();
    front.moveFrontFrom(this.#list, 'split', offset);
    const rest = new Packet();
    rest.#tag = this.#tag;
    rest.#list.moveFrom(this.#list);
    this.#list.moveFrom(front);
    return rest;
  }

  /**
   * Drops the first `bytes` bytes: fragments of which none is left are released.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there are fewer
   * @see pskb_pull
   */
  consume(bytes: number): void {
    touchDeepStack();
    requireInteger('consume', 'bytes', bytes, 0, this.length);
    this.#refuseReentry('consume');
    if (bytes === this.length && bytes > 0) this.release();
    else this.#drop('consume', bytes);
  }

  /** Inside a provider's callback nothing can be released: refused before the packet lets go of a part. */
  #refuseReentry(call: string): void {
    this.#list.port?.supply?.refuseReentry(call);
  }

  #drop(call: string, bytes: number): void {
    const parts = this.#list.cutOff(bytes);
    if (parts.length > 0) this.#list.release(call, parts);
  }

  /**
   * The first window as a fragment, which has its reference from now on; null when the packet has none.
   *
   * @throws PagePoolError POOL_ERR_REF_OVERFLOW where others have the reference, too, and the page has 65,535;
   *   nothing changed then
   */
  shift(): Fragment | null {
    const [part] = this.#list.parts;
    if (part === undefined) return null;
    touchStack();
    const port = this.#list.port as Port;
    ownPart(port, 'shift', part);
    this.#list.shift();
    forgetPart(port, part);
    return new Fragment(port, part.handle, part.offset, part.length, this.#tag);
  }

  // ---------------------------------------------------------------------------------- writing

  /**
   * Puts `bytes` new bytes in front, and makes them and the first `length` bytes behind them this packet's own: the
   * view returned may be written, and nobody else sees it. Where the fragment is this packet's alone, and has room in
   * front, nothing is copied; else the `length` bytes are copied into a new fragment, and clones keep the old one. What
   * the new bytes hold is undefined. Null when the pool is empty; nothing changed then.
   *
   * @throws RangeError with code POOL_ERR_INVALID_ARGUMENT when both are more than a page; PagePoolError
   *   POOL_ERR_INVALID_ARGUMENT when the packet has no fragment, or fewer bytes; POOL_ERR_UNREADABLE when its bytes
   *   cannot be reached
   * @see pskb_expand_head
   */
  expandHead(bytes: number, length = 0): Uint8Array | null {
    touchDeepStack();
    const port = this.#requirePort('expandHead');
    const { pageBytes } = port.geometry;
    requireInteger('expandHead', 'length', length, 0, this.length);
    requireInteger('expandHead', 'bytes', bytes, length > 0 ? 0 : 1, Number.MAX_SAFE_INTEGER);
    if (bytes + length > pageBytes) {
      throw invalidRange('expandHead', 'bytes + length', bytes + length, `1..${pageBytes}`, 'a head lies in one page');
    }
    this.#requireReadable('expandHead');
    return expandFront(this.#list, port, bytes, length);
  }

  /**
   * Copies the bytes together where they lie in more fragments than they need: into one, or as many whole pages as they
   * fill. Windows that touch in one fragment are joined without a copy. False when the pool is empty; the bytes are the
   * same then.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the bytes cannot be copied
   * @see skb_linearize
   */
  coalesce(): boolean {
    touchDeepStack();
    const { parts, port } = this.#list;
    if (port === undefined || parts.length < 2) return true;
    this.#requireReadable('coalesce');
    return copyTogether(this.#list, port);
  }

  // ---------------------------------------------------------------------------------- reading

  /**
   * Copies `length` bytes from `offset` on into `target`, at `targetOffset`; all that follow if no length is given. How
   * many.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the target has no room for them, or the packet not as many;
   *   POOL_ERR_UNREADABLE when the bytes cannot be read
   */
  copyTo(target: Uint8Array, targetOffset = 0, offset = 0, length?: number): number {
    this.#requireReadable('copyTo');
    if (!isBytes(target)) throw invalidArgument('copyTo', 'target', target, 'a Uint8Array');
    const bytes = this.#requireWindow('copyTo', offset, length);
    if (bytes > target.length) throw invalidArgument('copyTo', 'target.length', target.length, `${bytes} or more`);
    requireInteger('copyTo', 'targetOffset', targetOffset, 0, target.length - bytes);
    if (bytes > 0) this.#list.copy('copyTo', target, targetOffset, offset, bytes);
    return bytes;
  }

  /** How many bytes the window has; what is not given is checked before anything is computed with it. */
  #requireWindow(call: string, offset: number, length: number | undefined): number {
    requireInteger(call, 'offset', offset, 0, this.length);
    if (length !== undefined) requireInteger(call, 'length', length, 0, this.length - offset);
    return length ?? this.length - offset;
  }

  protected override gather(call: string, offset: number, count: number, into: Uint8Array): void {
    const list = this.#list;
    this.#requireReadable(call);
    // The kind first: a BigInt or a symbol cannot be computed with.
    if (!(Number.isInteger(offset) && offset >= 0 && offset + count <= list.length)) {
      if (count > list.length) throw invalidArgument(call, "the packet's bytes", list.length, `${count} or more`);
      requireInteger(call, 'offset', offset, 0, list.length - count);
    }
    list.gather(call, offset, count, into);
  }

  /**
   * Where a byte, a string (as UTF-8) or bytes begin, at `from` or after it; also across fragments. -1: nowhere.
   * Searches with the platform's own search where that takes shared memory.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for anything else; POOL_ERR_UNREADABLE when the bytes cannot be
   *   read
   */
  indexOf(value: number | string | Uint8Array, from = 0): number {
    requireInteger('indexOf', 'from', from, 0, this.length);
    this.#requireReadable('indexOf');
    if (isByte(value)) return this.#list.findByte('indexOf', value, from, this.length - 1);
    const pattern = patternOf(value);
    if (pattern === undefined) throw invalidArgument('indexOf', 'value', value, 'a byte, a string or a Uint8Array');
    return pattern.length === 0 ? from : this.#list.find('indexOf', pattern, from);
  }

  /**
   * A view of each window: for `writev`, or any loop. No copy; do not use them after the release.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the bytes cannot be read
   */
  toBuffers(): Uint8Array[] {
    this.#requireReadable('toBuffers');
    return this.length === 0 ? [] : this.#list.views('toBuffers');
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
    touchDeepStack();
    this.#refuseReentry('release');
    const parts = this.#list.clear();
    if (parts.length > 0) this.#list.release('release', parts);
  }

  /** Releases what is there, if the thread is still attached. */
  [dispose](): void {
    if (this.#list.port?.isGone === false) this.release();
  }

  #requirePort(call: string): Port {
    const { parts, port } = this.#list;
    if (port === undefined || parts.length === 0) {
      throw invalidArgument(call, 'parts', 0, 'a packet that has a fragment', 'append one first');
    }
    return port;
  }

  #requireReadable(call: string): void {
    if (this.#list.isReadable) return;
    throw new PagePoolError(
      'POOL_ERR_UNREADABLE',
      `${call} failed: isReadable=false (expected a packet whose bytes the processor can read); ${FURTHER_REMEDIES.POOL_ERR_UNREADABLE}`,
    );
  }

  [inspectCustom](depth: number | null, options: object, inspect?: Inspect): string {
    const { length, parts, tag } = this;
    return shown('Packet', { length, parts, tag }, depth, options, inspect);
  }

  static {
    // By the brand: what is asked for by a class runs the code of a proxy.
    isPacket = (value): value is Packet => typeof value === 'object' && value !== null && #list in value;
    partsOf = (packet) => packet.#list.parts;
    portOfPacket = (packet) => packet.#list.port;
    packetOf = (port, parts, tag) => {
      const packet = new Packet();
      packet.#tag = tag;
      const [first] = parts;
      packet.#list.begin(port, first === undefined || isReadableHandle(port, 'receivePacket', first.handle));
      for (const part of parts) packet.#list.add(part);
      return packet;
    };
    spendPacket = (packet) => {
      const list = packet.#list;
      for (const part of list.clear()) forgetPart(list.port as Port, part);
    };
    cutFront = (packet, skip, length, drop) => {
      touchDeepStack();
      const list = packet.#list;
      const [first] = list.parts;
      if (first !== undefined && first.length > skip + length + drop) {
        const message = new Packet();
        message.#list.begin(list.port, list.isReadable);
        message.#list.add(sharePart(list.port as Port, 'append', first, skip, length));
        packet.#drop('append', skip + length + drop);
        return message;
      }
      const message = new Packet();
      message.#tag = packet.#tag;
      // Of an empty message an empty window is left, also where the packet ends with it.
      if (length === 0) message.#list.shareFrom(list, 'append', skip, 0);
      packet.#drop('append', skip);
      if (length > 0) message.#list.moveFrontFrom(list, 'append', length);
      packet.#drop('append', drop);
      return message;
    };
    mergeSmall = (packet, from) => {
      touchDeepStack();
      mergeSmallParts(packet.#list, packet.#list.port as Port, from);
    };
    requestSources.push((value, call, own) => {
      if (!(value instanceof Packet)) return undefined;
      const { parts, port } = value.#list;
      const [only] = parts;
      if (only === undefined || parts.length > 1) {
        const rule = '1, in which the answer has room';
        throw invalidArgument(call, "the packet's parts", parts.length, rule, 'append something, or coalesce() it');
      }
      if (port !== own) throw foreignError(call, only.handle);
      ownPart(own, call, only);
      const request = new Fragment(own, only.handle, only.offset, only.length, value.#tag);
      spendPacket(value);
      return request;
    });
    addEntrances(Packet.prototype);
  }
}

/**
 * A function of its own: Vite's transform for servers takes a name that a static block declares for the import of that
 * name, and modules are published with short names.
 */
function addEntrances({ clone, coalesce, expandHead, shift, slice, split }: Packet): void {
  outerEntrances.push(clone, coalesce, expandHead, shift, slice, split);
}
