// ByteSource: what the calls of this entry take, a fragment, a packet, or a view; and its bytes, window by window.
//
// By shape and not by class: a packet belongs to another entry, which is not loaded for this. A spent fragment and one
// of memory that the processor cannot see throw by themselves where their bytes are asked for.

import { invalidArgument, PagePoolError } from '../errors.js';
import { isBytes, isSharedBuffer } from '../platform/buffers.js';
import { copyBytes } from '../platform/copy.js';

/** A fragment, a packet, or a view on pages: its bytes are read and the reference stays the caller's. */
export type ByteSource = { readonly bytes: Uint8Array } | Iterable<Uint8Array> | Uint8Array;

/** Bytes in memory of this thread alone: `Uint8Array<ArrayBuffer>`, where TypeScript distinguishes the two. */
export type OwnBytes = ReturnType<Uint8ArrayConstructor['of']>;

/** The windows of the source, in order. */
export function windowsOf(call: string, source: ByteSource): readonly Uint8Array[] {
  if (isBytes(source)) return [source];
  try {
    if (typeof source === 'object' && source !== null) {
      const { bytes } = source as { bytes?: unknown };
      if (isBytes(bytes)) return [bytes];
      if (Symbol.iterator in source) {
        const windows = [...source];
        if (windows.every((window) => isBytes(window))) return windows;
      }
    }
  } catch (error) {
    // A fragment or packet that is spent, or cannot be read, throws that itself; anything else is the caller's code.
    if (error instanceof PagePoolError) throw error;
  }
  throw invalidArgument(call, 'source', source, 'a Fragment, a Packet or a Uint8Array');
}

/** One copy of all windows, in memory of this thread. */
export function copyOf(windows: readonly Uint8Array[]): OwnBytes {
  const copy = new Uint8Array(windows.reduce((bytes, { length }) => bytes + length, 0));
  let at = 0;
  for (const window of windows) {
    copyBytes(copy, window, at);
    at += window.length;
  }
  return copy;
}

/** Whether other threads see the bytes. */
export function isShared({ buffer }: Uint8Array): boolean {
  return isSharedBuffer(buffer);
}
