// Where a packet's bytes are copied: into fragments that the packet alone has. Everywhere else bytes are shared.
//
// Each call copies first and takes over after that: where the pool is empty, or a window was released by its number,
// the packet has the bytes that it had.

import { copyBytes } from '../platform/copy.js';
import { isReadableHandle } from '../port/handles.js';
import type { Port } from '../port/port.js';
import { seekPages } from '../port/want.js';
import { exactView, isExclusive, looseView, Part, releasePart, trimEnd } from './part.js';
import type { PartList } from './part-list.js';

/**
 * Makes `bytes` new bytes in front, and the `length` bytes behind them, the list's own: a view of both; null: no page.
 */
export function expandFront(list: PartList, port: Port, bytes: number, length: number): Uint8Array | null {
  let head: Part | null = list.parts[0] as Part;
  if (head.offset >= bytes && head.length >= length && isExclusive(port, 'expandHead', head)) list.growFront(bytes);
  else {
    head = allocatePart(port, 'expandHead', bytes + length);
    if (head === null) return null;
    try {
      if (length > 0) list.copy('expandHead', exactView(port, 'expandHead', head), bytes, 0, length);
    } catch (error) {
      releasePart(port, head); // a window was released by its number
      throw error;
    }
    list.release('expandHead', list.replaceFront(head, length));
  }
  return exactView(port, 'expandHead', head).subarray(0, bytes + length);
}

/** Copies the bytes together into as few pages as hold them; false when the pool is empty. */
export function copyTogether(list: PartList, port: Port): boolean {
  list.joinNeighbours('coalesce');
  const { pageBytes } = port.geometry;
  if (list.parts.length <= Math.ceil(list.length / pageBytes)) return true;
  const fresh: Part[] = [];
  let isWhole = false;
  try {
    for (let at = 0; at < list.length; at += pageBytes) {
      const part = allocatePart(port, 'coalesce', Math.min(pageBytes, list.length - at));
      if (part === null) break;
      fresh.push(part);
      list.copy('coalesce', exactView(port, 'coalesce', part), 0, at, part.length);
    }
    isWhole = fresh.length * pageBytes >= list.length;
  } finally {
    // The pool is empty, or closes; or a window was released by its number.
    if (!isWhole) list.release('coalesce', fresh.splice(0));
  }
  if (isWhole) list.release('coalesce', list.replaceAll(fresh));
  return isWhole;
}

/** Copies small parts together, from part number `from` on, which is not the first. */
export function mergeSmallParts(list: PartList, port: Port, from: number): void {
  const { parts } = list;
  // All views first: what was released by its number is found before anything is moved.
  for (let i = from - 1; i < parts.length; i++) exactView(port, 'append', parts[i] as Part);
  const merged: Part[] = [];
  let kept = from;
  for (let i = from; i < parts.length; i++) {
    const part = parts[i] as Part;
    const open = parts[kept - 1] as Part;
    if (hasRoomBehind(port, open, part.length)) {
      trimEnd(open, open.length + part.length);
      copyBytes(looseView(port, 'append', open), exactView(port, 'append', part), open.length - part.length);
      merged.push(part);
      continue;
    }
    // Into a page of its own, with room for those that follow, if there is one.
    const handle = part.length > port.geometry.pageBytes / 2 ? 0 : port.engine.alloc();
    const isMoved = handle !== 0 && isWritable(port, 'append', handle);
    parts[kept++] = isMoved ? movedTo(port, handle, part) : part;
    if (isMoved) merged.push(part);
  }
  parts.length = kept;
  list.replaceAll(parts);
  list.release('append', merged);
}

/** A copy of the part's bytes at the start of a fragment. */
function movedTo(port: Port, handle: number, part: Part): Part {
  const fresh = new Part(port, handle, 0, part.length);
  copyBytes(exactView(port, 'append', fresh), exactView(port, 'append', part));
  return fresh;
}

/** Whether as many bytes can be written behind the part's window, where nobody else reads. */
function hasRoomBehind(port: Port, part: Part, bytes: number): boolean {
  const room = port.engine.extent(part.handle) - part.offset - part.length;
  return room >= bytes && isExclusive(port, 'append', part);
}

/**
 * A fragment's window with its one reference; null when the pool is empty, or has no memory left that can be written.
 */
function allocatePart(port: Port, call: string, bytes: number): Part | null {
  const ask = (): number => port.engine.allocFragment(bytes);
  const handle = ask() || seekPages(port, call, 1, ask);
  return handle !== 0 && isWritable(port, call, handle) ? new Part(port, handle, 0, bytes) : null;
}

/** Whether bytes can be copied into a fragment that was just allocated; it is released where they cannot. */
function isWritable(port: Port, call: string, handle: number): boolean {
  if (isReadableHandle(port, call, handle)) return true;
  port.engine.release(handle);
  return false;
}
