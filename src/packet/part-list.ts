// PartList: a packet's windows in order, with one length, and the place where they were read last.
//
// Each list belongs to one packet. The packet checks what its caller passes: offsets and lengths arrive here in range,
// and bytes are asked for only where they can be read. A call that takes parts out of the list returns them with their
// references, which the caller releases or moves. Reading on from where the last read ended costs no search.

import { PagePoolError } from '../errors.js';
import { copyBytes } from '../platform/copy.js';
import { foreignError } from '../pool/fragment.js';
import { type Port, refusal } from '../port/port.js';
import { exactView, looseView, type Part, releasePart, sharePart, trimEnd, trimStart } from './part.js';
import { findByte } from './search.js';

/** What a list without parts has: never written to, since all such lists have it. Many packets live for one message. */
const NO_PARTS: Part[] = [];

/**
 * The windows of one packet. `private` and no #names: a class with private methods writes a brand into each of its
 * objects, and a packet that lives for one line is made 5 % slower by it.
 */
export class PartList {
  /** The port that the references belong to; undefined while the list never had any. */
  port: Port | undefined;
  /** Whether the bytes can be read: the same for all parts. True while there are none. */
  isReadable = true;
  parts = NO_PARTS;
  /** Bytes of all windows together. */
  length = 0;
  /** The part that was read last, and where it starts. */
  private near = 0;
  private nearStart = 0;

  // ---------------------------------------------------------------------------------- putting in

  /** Notes whose parts come, and of which kind; throws unless they fit to those that are there. */
  join(call: string, port: Port, isReadable: boolean, handle: number): void {
    if (this.parts.length > 0) {
      if (port !== this.port) throw foreignError(call, handle);
      if (isReadable !== this.isReadable) {
        throw new PagePoolError(
          'POOL_ERR_UNREADABLE',
          `${call} failed: isReadable=${isReadable} (expected ${this.isReadable}, as the packet's own fragments are); keep them in packets of their own`,
        );
      }
    }
    this.begin(port, isReadable);
  }

  /** Notes whose parts an empty list is going to have. */
  begin(port: Port | undefined, isReadable: boolean): void {
    this.port = port;
    this.isReadable = isReadable;
  }

  /** Puts a part behind the last. */
  add(part: Part): void {
    if (this.parts.length === 0) this.parts = [part];
    else this.parts.push(part);
    this.length += part.length;
  }

  /** Puts a part in front of the first. */
  private addInFront(part: Part): void {
    if (this.parts.length === 0) this.parts = [part];
    else this.parts.unshift(part);
    this.length += part.length;
    this.rewind();
  }

  /** Puts a part of any length behind the last. */
  append(part: Part): void {
    const border = this.parts.length;
    const before = this.parts[border - 1];
    this.add(part);
    if (before !== undefined && (before.length === 0 || part.length === 0)) this.dropEmpty(border);
  }

  /** Moves the parts of `other` behind the last. */
  appendFrom(other: PartList): void {
    const border = this.parts.length;
    this.length += other.length;
    const parts = other.clear();
    if (border === 0) this.parts = parts;
    else for (const part of parts) this.parts.push(part);
    this.dropEmpty(border);
  }

  /** Puts a part of any length in front of the first. */
  prepend(part: Part): void {
    this.addInFront(part);
    this.dropEmpty(1);
  }

  /** Moves the parts of `other` in front of the first. */
  prependFrom(other: PartList): void {
    this.length += other.length;
    const parts = other.clear();
    this.parts = parts.concat(this.parts); // as arguments of unshift() a hundred thousand would not fit the stack
    this.rewind();
    this.dropEmpty(parts.length);
  }

  /** Releases windows of length 0 where the parts on both sides of `border` met: an empty one stays only when alone. */
  private dropEmpty(border: number): void {
    for (let index = border; index >= border - 1; index--) {
      const part = this.parts[index];
      if (part === undefined || part.length > 0 || this.parts.length === 1) continue;
      this.parts.splice(index, 1);
      this.release('append', [part]);
    }
  }

  /** Takes over everything that `other` has. This list is empty. */
  moveFrom(other: PartList): void {
    this.begin(other.port, other.isReadable);
    this.length = other.length;
    this.parts = other.clear();
  }

  /** Takes over the first `bytes` bytes of `other`; for 0 of them it gets an empty window. This list is empty. */
  moveFrontFrom(other: PartList, call: string, bytes: number): void {
    if (bytes === 0) {
      this.shareFrom(other, call, 0, 0);
      return;
    }
    const inside = other.seekCut(bytes);
    const cut = other.parts[other.near] as Part;
    // The reference first: what throws has changed nothing.
    const shared = inside > 0 ? sharePart(other.port as Port, call, cut, 0, inside) : undefined;
    this.begin(other.port, other.isReadable);
    const whole = other.cutOff(bytes);
    this.parts = shared === undefined ? whole : whole.length === 0 ? [shared] : whole.concat(shared);
    this.length = bytes;
  }

  /** Shares `length` bytes of `other`, by windows of its own; all or none. This list is empty. */
  shareFrom(other: PartList, call: string, offset: number, length: number): void {
    const { parts, port } = other;
    if (port === undefined || parts.length === 0) return;
    this.begin(port, other.isReadable);
    let skip = offset;
    let left = length;
    try {
      for (const part of parts) {
        // The last part has the empty window at the packet's end.
        if (skip > part.length || (skip === part.length && (length > 0 || part !== parts.at(-1)))) {
          skip -= part.length;
          continue;
        }
        const bytes = Math.min(left, part.length - skip);
        this.add(sharePart(port, call, part, skip, bytes));
        left -= bytes;
        skip = 0;
        if (left === 0) break;
      }
    } catch (error) {
      this.release(call, this.clear());
      throw error;
    }
  }

  // ---------------------------------------------------------------------------------- taking out

  /** Makes the list an empty one: the parts that it had. */
  clear(): Part[] {
    const { parts } = this;
    this.parts = NO_PARTS;
    this.length = 0;
    this.isReadable = true;
    this.rewind();
    return parts;
  }

  /** Takes the first part out. */
  shift(): Part | undefined {
    const part = this.parts.shift();
    if (part !== undefined) this.length -= part.length;
    this.rewind();
    return part;
  }

  /** Takes the first `bytes` bytes off: the parts of which nothing is left. */
  cutOff(bytes: number): Part[] {
    if (bytes === 0) return NO_PARTS;
    const inside = this.seekCut(bytes);
    const whole = this.near;
    if (inside > 0) trimStart(this.parts[whole] as Part, inside);
    this.length -= bytes;
    this.rewind();
    return whole > 0 ? this.parts.splice(0, whole) : NO_PARTS;
  }

  /**
   * Finds the part in which the first `bytes` bytes end, or the end of all: how many bytes of that part are among them.
   */
  private seekCut(bytes: number): number {
    if (bytes < this.length) this.seek(bytes);
    else {
      this.near = this.parts.length;
      this.nearStart = this.length;
    }
    return bytes - this.nearStart;
  }

  /**
   * Puts `fresh`, which ends with a copy of the first `bytes` bytes, in their place: the parts of which nothing is
   * left.
   */
  replaceFront(fresh: Part, bytes: number): Part[] {
    const old = this.cutOff(bytes);
    const empty = this.length === 0 ? this.parts.splice(0) : NO_PARTS;
    this.addInFront(fresh);
    return empty.length > 0 ? old.concat(empty) : old;
  }

  /** Puts `fresh`, which have the same bytes, in place of all parts: those that were there. */
  replaceAll(fresh: Part[]): Part[] {
    const { parts } = this;
    this.parts = fresh;
    this.rewind();
    return parts;
  }

  /** Makes the first window longer by `bytes` bytes in front, which its fragment has there. */
  growFront(bytes: number): void {
    const head = this.parts[0] as Part;
    trimEnd(head, head.length + bytes);
    head.offset -= bytes;
    this.length += bytes;
    this.rewind();
  }

  /** Joins windows that follow each other in the same fragment: the second one's reference is released. */
  joinNeighbours(call: string): void {
    const kept: Part[] = [];
    const spare: Part[] = [];
    for (const part of this.parts) {
      const last = kept.at(-1);
      if (last?.handle === part.handle && last.offset + last.length === part.offset) {
        trimEnd(last, last.length + part.length);
        spare.push(part);
      } else kept.push(part);
    }
    this.replaceAll(kept);
    if (spare.length > 0) this.release(call, spare);
  }

  /**
   * Releases parts that are not in the list any more. Of those that are refused the first is reported; the others are
   * released.
   */
  release(call: string, parts: readonly Part[]): void {
    let refused: Part | undefined;
    let code = 0;
    for (const part of parts) {
      const result = releasePart(this.port as Port, part);
      if (result >= 0 || refused !== undefined) continue;
      refused = part;
      code = result;
    }
    if (refused !== undefined) throw refusal(code, call, 'handle', refused.handle);
  }

  // ---------------------------------------------------------------------------------- reading

  /** Copies `length` bytes, more than 0, from `offset` on into `target`. */
  copy(call: string, target: Uint8Array, targetOffset: number, offset: number, length: number): void {
    this.seek(offset);
    let skip = offset - this.nearStart;
    let done = 0;
    for (let i = this.near; done < length; i++) {
      const part = this.parts[i] as Part;
      const view = looseView(this.port as Port, call, part);
      const start = part.lead + skip;
      const bytes = Math.min(length - done, part.length - skip);
      const isAll = start === 0 && bytes === view.length;
      copyBytes(target, isAll ? view : view.subarray(start, start + bytes), targetOffset + done);
      done += bytes;
      skip = 0;
    }
  }

  /** Writes `count` bytes from `offset` on at the start of `into`: for a few bytes. */
  gather(call: string, offset: number, count: number, into: Uint8Array): void {
    let at = offset - this.nearStart;
    let i = this.near;
    let part = this.parts[i] as Part;
    // Most reads go on in the part of the last one.
    if (at < 0 || at >= part.length) {
      this.seek(offset);
      at = offset - this.nearStart;
      i = this.near;
      part = this.parts[i] as Part;
    }
    let view = looseView(this.port as Port, call, part);
    for (let done = 0; done < count; done++) {
      while (at === part.length) {
        at = 0;
        part = this.parts[++i] as Part;
        view = looseView(this.port as Port, call, part);
      }
      into[done] = view[part.lead + at++] as number;
    }
  }

  /** Finds the part that has the byte at `offset`, which is below the length. */
  private seek(offset: number): void {
    if (offset < this.nearStart) this.rewind();
    for (;;) {
      const { length } = this.parts[this.near] as Part;
      if (offset < this.nearStart + length) return;
      this.nearStart += length;
      this.near++;
    }
  }

  /** The parts are not those they were: the next read searches for its part from the start. */
  private rewind(): void {
    this.near = 0;
    this.nearStart = 0;
  }

  /** Where the bytes of `pattern`, which is not empty, begin, at `from` or after it; -1: nowhere. */
  find(call: string, pattern: Uint8Array, from: number): number {
    const last = this.length - pattern.length;
    for (let at = this.findByte(call, pattern[0] as number, from, last); at !== -1; ) {
      if (this.startsWith(call, pattern, at)) return at;
      at = this.findByte(call, pattern[0] as number, at + 1, last);
    }
    return -1;
  }

  /** Where the byte is, in [from, last]; -1: not there. */
  findByte(call: string, byte: number, from: number, last: number): number {
    if (from > last) return -1;
    this.seek(from);
    let start = this.nearStart;
    let skip = from - start;
    for (let i = this.near; i < this.parts.length && start + skip <= last; i++) {
      const part = this.parts[i] as Part;
      const found = findByte(looseView(this.port as Port, call, part), byte, part.lead + skip);
      if (found !== -1) {
        const at = start + found - part.lead;
        return at <= last ? at : -1;
      }
      start += part.length;
      skip = 0;
    }
    return -1;
  }

  private startsWith(call: string, pattern: Uint8Array, offset: number): boolean {
    this.seek(offset);
    let at = offset - this.nearStart;
    let i = this.near;
    let part = this.parts[i] as Part;
    for (const byte of pattern) {
      while (at === part.length) {
        at = 0;
        part = this.parts[++i] as Part;
      }
      if (looseView(this.port as Port, call, part)[part.lead + at++] !== byte) return false;
    }
    return true;
  }

  /** A view of each window. */
  views(call: string): Uint8Array[] {
    return this.parts.map((part) => exactView(this.port as Port, call, part));
  }
}
