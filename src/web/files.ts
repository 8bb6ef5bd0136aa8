// Files of the origin's private file system, by their access handles: read into pages and written from pages, in
// workers.
//
// The handles take the page's own view where the platform does (it does in Chromium and Firefox): no copy.

import { copiesFor, copiesForSure } from '../border/known.js';
import { type ByteSource, copyOf, windowsOf } from '../border/source.js';
import { invalidArgument, is, requireInteger, requireRecord } from '../errors.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import type { WaitOptions } from '../port/waiting.js';
import { fillRoom, takeRoom } from './room.js';

/** `FileSystemSyncAccessHandle`: what is used of it. */
export interface AccessHandle {
  read(buffer: never, options?: { at?: number | undefined }): number;
  write(buffer: never, options?: { at?: number | undefined }): number;
}

/** How to read a file through. */
export interface FileReadOptions extends Pick<WaitOptions, 'signal' | 'timeoutMs'> {
  /** Where to begin, bytes; 0 if not given. */
  at?: number | undefined;
  /** Bytes of a fragment at most; a page if not given. */
  chunkBytes?: number | undefined;
}

/**
 * Reads up to `bytes` from position `at` into a fragment; null when the pool is empty. The fragment is as long as what
 * was there: a length of 0 is the file's end.
 *
 * @throws what the handle throws; the page is back then
 */
export function readAt(pool: AttachedPool, handle: AccessHandle, at: number, bytes: number): Fragment | null {
  portOf('readAt', pool);
  requireHandle('readAt', handle);
  requireInteger('readAt', 'at', at, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('readAt', 'bytes', bytes, 1, pool.pageBytes);
  const fragment = takeRoom('readAt', pool, bytes);
  return fragment === null ? null : readInto(fragment, handle, at);
}

/** Fills the fragment, and cuts it to what came. */
function readInto(fragment: Fragment, handle: AccessHandle, at: number): Fragment {
  return fillRoom(fragment, () => {
    const copies = copiesFor('FileSystemSyncAccessHandle.read');
    const target = copies ? new Uint8Array(fragment.length) : fragment.bytes;
    const bytesRead = handle.read(target as never, { at });
    if (copies) fragment.bytes.set(target.subarray(0, bytesRead));
    if (bytesRead === fragment.length) return fragment;
    const part = fragment.slice(0, bytesRead);
    fragment.release();
    return part;
  });
}

/**
 * The file from `at` to its end, fragment by fragment, which the loop's body releases. Waits while the pool is empty.
 *
 * @throws PagePoolError POOL_ERR_TIMEOUT when there was no page in `timeoutMs`; an aborted signal's reason; what the
 *   handle throws
 */
export function readFileInto(
  pool: AttachedPool,
  handle: AccessHandle,
  options?: FileReadOptions,
): AsyncGenerator<Fragment, void, undefined> {
  portOf('readFileInto', pool);
  requireHandle('readFileInto', handle);
  const names = ['at', 'chunkBytes', 'signal', 'timeoutMs'];
  const given = requireRecord('readFileInto', 'options', options ?? {}, names) as FileReadOptions;
  const { at = 0, chunkBytes = pool.pageBytes, ...wait } = given;
  requireInteger('readFileInto', 'at', at, 0, Number.MAX_SAFE_INTEGER);
  requireInteger('readFileInto', 'chunkBytes', chunkBytes, 1, pool.pageBytes);
  return readThrough(pool, handle, at, chunkBytes, wait);
}

async function* readThrough(
  pool: AttachedPool,
  handle: AccessHandle,
  start: number,
  chunkBytes: number,
  wait: WaitOptions,
): AsyncGenerator<Fragment, void, undefined> {
  await copiesForSure('FileSystemSyncAccessHandle.read');
  for (let at = start; ; ) {
    const fragment = readInto(await pool.takeAsync(chunkBytes, wait), handle, at);
    if (fragment.length === 0) return fragment.release();
    at += fragment.length;
    yield fragment;
  }
}

/**
 * Writes all bytes at position `at`, and returns how many; the reference stays the caller's. Fewer when the handle took
 * fewer: write the rest by another call, which throws the reason.
 *
 * @throws what the handle throws, such as QuotaExceededError; nothing was written then
 */
export function writeAt(handle: AccessHandle, source: ByteSource, at: number): number {
  requireHandle('writeAt', handle);
  requireInteger('writeAt', 'at', at, 0, Number.MAX_SAFE_INTEGER);
  const copies = copiesFor('FileSystemSyncAccessHandle.write');
  let written = 0;
  for (const window of windowsOf('writeAt', source)) {
    const bytes = copies ? copyOf([window]) : window;
    for (let done = 0; done < bytes.length; ) {
      let count = 0;
      try {
        count = handle.write((done === 0 ? bytes : bytes.subarray(done)) as never, { at: at + written });
      } catch (error) {
        if (written === 0) throw error; // else the next call throws it
      }
      if (count === 0) return written;
      done += count;
      written += count;
    }
  }
  return written;
}

function requireHandle(call: string, handle: AccessHandle): void {
  const isHandle = is(() => typeof handle?.read === 'function' && typeof handle.write === 'function');
  if (!isHandle) throw invalidArgument(call, 'handle', handle, 'a FileSystemSyncAccessHandle');
}
