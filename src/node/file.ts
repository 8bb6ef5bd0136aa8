// Files into pages: the kernel writes straight into them, many reads are on their way at a time, and their order is
// kept.
//
// A read is one readv over some pages, so that one trip to the thread pool brings a lot. A regular file is read ahead
// by position, up to the size it had when that was last asked; what ends short (the file shrank, or another took its
// bytes) drops what was read ahead of it and goes on from there, so no byte is taken from a wrong place. Anything else
// (a pipe, a device) is read one read at a time. Where that does not block and has nothing, it is asked again later.

import { type BigIntStats, close, fstat, open, readv } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { invalidArgument, is, requireInteger } from '../errors.js';
import { isBytes } from '../platform/buffers.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { Fragment, spendFragment } from '../pool/fragment.js';
import type { Port } from '../port/port.js';
import { isUrl } from './brands.js';
import { Delivery } from './delivery.js';
import { isLater, LATER_MAX_MS, LATER_MS } from './later.js';
import { type OnFragment, type ReadOptions, type ResolvedRead, requireOnFragment, resolveRead } from './options.js';

/** How a file is read. Each fragment is a page, full but for the last one. */
export interface ReadFileOptions extends Omit<ReadOptions, 'minRoomBytes'> {
  /** The first byte; 0 if not given. */
  start?: number | undefined;
  /** The byte after the last one; the file's end if not given, wherever that is when it is reached. */
  end?: number | undefined;
  /** Reads on their way at a time: 1..64; 2 if not given. */
  depth?: number | undefined;
  /**
   * Pages that one read fills: 1..256; as many as 1 MiB are, and half of the pool's in all reads together, if not
   * given.
   */
  pagesPerRead?: number | undefined;
}

const READ_BYTES = 1024 * 1024;
const DEPTH = 2;
const DEPTH_MAX = 64;
const PAGES_MAX = 256;

/**
 * Reads a file into pages: no copy. Resolves with the number of bytes when its end was reached. Takes `depth` times
 * `pagesPerRead` pages at most, fewer where the pool has fewer, and waits while it has none. A file handle or
 * descriptor stays open.
 *
 * @throws (rejects) the file system's error: ENOENT, EACCES, EISDIR; what the user's function throws; PagePoolError
 *   POOL_ERR_MEMORY_LIMIT above `maxBytes`; POOL_ERR_INVALID_ARGUMENT for wrong options. Every page is back then
 * @example
 * const bytes = await readFileInto(pool, 'access.log', (fragment) => {
 *   if (!work.sendFragment(fragment)) return retryLater(fragment);
 * });
 */
export async function readFileInto(
  pool: AttachedPool,
  file: string | URL | Buffer | number | FileHandle,
  onFragment: OnFragment,
  options?: ReadFileOptions,
): Promise<number> {
  const call = 'readFileInto';
  requireOnFragment(call, onFragment);
  const read = resolveRead(call, pool, options, ['start', 'end', 'depth', 'pagesPerRead']);
  const { start = 0, end = Number.MAX_SAFE_INTEGER, depth = DEPTH } = read;
  requireInteger(call, 'start', start, 0, Number.MAX_SAFE_INTEGER);
  requireInteger(call, 'end', end, start as number, Number.MAX_SAFE_INTEGER);
  requireInteger(call, 'depth', depth, 1, DEPTH_MAX);
  const { pagesPerRead = pagesOf(pool, read.readBytes, depth as number) } = read;
  requireInteger(call, 'pagesPerRead', pagesPerRead, 1, PAGES_MAX);
  const target = await openFile(call, file);
  try {
    const size = await sizeOf(target.descriptor);
    const range = { start, end, depth, pagesPerRead, size } as Range;
    return await new FileRead(call, pool, target, onFragment, read, range).run();
  } finally {
    if (target.isOwn) await new Promise<void>((resolve) => close(target.descriptor, () => resolve()));
  }
}

/**
 * Pages of a read: large ones, of which the pool has room for all that are on their way, and as much again for their
 * users.
 */
function pagesOf({ pageCount }: AttachedPool, readBytes: number, depth: number): number {
  const most = Math.min(PAGES_MAX, Math.floor(READ_BYTES / readBytes), Math.floor(pageCount / (2 * depth)));
  return Math.max(1, most);
}

type Done = (error: Error | null, bytes: number) => void;

/** An open file, and how it is read. */
interface Target {
  readonly descriptor: number;
  readonly isOwn: boolean;
  readv(views: Uint8Array[], position: number | null, done: Done): void;
}

async function openFile(call: string, file: unknown): Promise<Target> {
  if (typeof file === 'number') requireInteger(call, 'file', file, 0, 0x7fffffff);
  if (typeof file === 'number') return { descriptor: file, isOwn: false, readv: reader(file) };
  if (is(() => typeof (file as Partial<FileHandle> | null)?.readv === 'function')) {
    const handle = file as FileHandle;
    return {
      descriptor: handle.fd,
      isOwn: false,
      // By the handle, which is not closed before its reads are done.
      readv: (views, position, done) => {
        handle.readv(views, position ?? undefined).then(
          ({ bytesRead }) => done(null, bytesRead),
          (error) => done(error, 0),
        );
      },
    };
  }
  if (typeof file !== 'string' && !is(() => isUrl(file)) && !isBytes(file)) {
    throw invalidArgument(call, 'file', file, 'a path, a file descriptor or a FileHandle');
  }
  const descriptor = await new Promise<number>((resolve, reject) => {
    open(file as string, 'r', (error, opened) => (error === null ? resolve(opened) : reject(error)));
  });
  return { descriptor, isOwn: true, readv: reader(descriptor) };
}

function reader(descriptor: number): Target['readv'] {
  return (views, position, done) => readv(descriptor, views, position, done);
}

/** The size of a regular file; null for anything else. */
function sizeOf(descriptor: number): Promise<number | null> {
  return new Promise((resolve, reject) => {
    fstat(descriptor, { bigint: true }, (error: Error | null, stats: BigIntStats) => {
      if (error !== null) reject(error);
      // Files of /proc have a size of 0 and have bytes: they are read as pipes are, from where they stand.
      else resolve(stats.isFile() && stats.size > 0n ? Number(stats.size) : null);
    });
  });
}

interface Range {
  readonly start: number;
  readonly end: number;
  readonly depth: number;
  readonly pagesPerRead: number;
  readonly size: number | null;
}

/** A read on its way, or done and waiting for those before it. */
interface Request {
  readonly pages: Fragment[];
  readonly position: number;
  readonly wanted: number;
  /** Bytes that came; -1: on its way. */
  bytesRead: number;
  /** What was read before it ended short: its bytes are of a wrong place. */
  isVoid: boolean;
  /** A descriptor that does not block had nothing yet: this is no end. */
  isLater: boolean;
}

class FileRead {
  readonly #delivery: Delivery;
  readonly #pool: AttachedPool;
  readonly #port: Port;
  readonly #target: Target;
  readonly #range: Range;
  readonly #readBytes: number;
  /** In the order of the file. */
  readonly #requests: Request[] = [];
  #position: number;
  #onWay = 0;
  #hasEnded = false;
  #isPumping = false;
  #wait: AbortController | null = null;
  /** Until the descriptor is asked again; it holds no page meanwhile. */
  #later: ReturnType<typeof setTimeout> | null = null;
  #laterMs = LATER_MS;

  constructor(
    call: string,
    pool: AttachedPool,
    target: Target,
    onFragment: OnFragment,
    read: ResolvedRead,
    range: Range,
  ) {
    this.#pool = pool;
    this.#port = portOf(call, pool);
    this.#target = target;
    this.#range = range;
    this.#readBytes = read.readBytes;
    this.#position = range.start;
    this.#delivery = new Delivery(call, pool, onFragment, read, {
      onReady: () => this.#pump(),
      onFail: () => this.#fail(),
    });
  }

  run(): Promise<number> {
    this.#delivery.begin();
    this.#pump();
    return this.#delivery.finished;
  }

  /** Delivers what was read and asks for more, as far as that goes now. */
  #pump(): void {
    if (this.#isPumping) return;
    this.#isPumping = true;
    try {
      this.#deliverDone();
      while (this.#canAsk() && this.#ask()) {}
    } catch (error) {
      this.#delivery.fail(error);
    }
    this.#isPumping = false;
    if (this.#hasEnded && this.#onWay === 0 && this.#requests.length === 0 && this.#delivery.isReady) {
      this.#delivery.finish();
    }
  }

  /**
   * Whether another read may be on its way: regular files are read ahead up to their size, and then once more to see
   * their end.
   */
  #canAsk(): boolean {
    const { depth, size, end } = this.#range;
    if (!this.#delivery.isReady || this.#hasEnded || this.#wait !== null || this.#later !== null) return false;
    if (this.#position >= end) {
      this.#hasEnded = true;
      return false;
    }
    if (this.#requests.length === 0) return true;
    return size !== null && this.#position < size && this.#requests.length < depth;
  }

  /** Asks for the next pages; false when the pool has none. */
  #ask(): boolean {
    const { size, end, pagesPerRead } = this.#range;
    // Of a file's last bytes, and behind its end, no more than can be there.
    const left = Math.min(end, size !== null && this.#position < size ? size : end) - this.#position;
    const pages: Fragment[] = [];
    const views: Uint8Array[] = [];
    let wanted = 0;
    const isBehind = size !== null && this.#position >= size;
    try {
      while (pages.length < (isBehind ? 1 : pagesPerRead) && wanted < left) {
        const page = this.#pool.take(this.#readBytes);
        if (page === null) break;
        pages.push(page);
        const view = page.length === this.#pool.pageBytes ? this.#pool.bytes(page.handle) : page.bytes;
        const bytes = Math.min(page.length, left - wanted);
        views.push(bytes === view.length ? view : view.subarray(0, bytes));
        wanted += bytes;
      }
    } catch (error) {
      for (const page of pages) page.release();
      throw error;
    }
    if (pages.length === 0) {
      this.#waitForPage();
      return false;
    }
    const request: Request = { pages, position: this.#position, wanted, bytesRead: -1, isVoid: false, isLater: false };
    this.#requests.push(request);
    this.#position += wanted;
    this.#onWay++;
    const position = size === null && this.#range.start === 0 ? null : request.position;
    try {
      this.#target.readv(views, position, (error, bytes) => this.#finishRead(request, error, bytes));
    } catch (error) {
      this.#finishRead(request, error as Error, 0); // a handle of the caller's own that refuses at once
    }
    return true;
  }

  #finishRead(request: Request, error: Error | null, bytes: number): void {
    this.#onWay--;
    request.bytesRead = error === null ? bytes : 0;
    request.isLater = isLater(error);
    if (error !== null && !request.isLater) this.#delivery.fail(error);
    if (this.#delivery.isOver) this.#settle();
    else this.#pump();
  }

  /** Delivers the reads that are done, from the first on. */
  #deliverDone(): void {
    for (;;) {
      const request = this.#requests[0];
      if (request === undefined || request.bytesRead < 0 || !this.#delivery.isReady) return;
      this.#requests.shift();
      if (request.isVoid) this.#release(request.pages);
      else this.#deliver(request);
    }
  }

  #deliver(request: Request): void {
    const { pages, position, wanted, bytesRead } = request;
    if (bytesRead < wanted) {
      // Nothing more is here, or not yet: what was read ahead is dropped, and the next read begins where this one
      // ended.
      for (const later of this.#requests) later.isVoid = true;
      this.#position = position + bytesRead;
      if (request.isLater) this.#askLater();
      else if (bytesRead === 0) this.#hasEnded = true;
    }
    if (bytesRead > 0) this.#laterMs = LATER_MS;
    if (!this.#delivery.count(bytesRead)) {
      this.#release(pages);
      return;
    }
    let left = bytesRead;
    for (const page of pages) {
      const bytes = Math.min(left, page.length);
      left -= bytes;
      if (bytes === page.length) this.#delivery.put(page);
      else if (bytes === 0) page.release();
      else {
        spendFragment(page);
        this.#delivery.put(new Fragment(this.#port, page.handle, 0, bytes, 0));
      }
    }
  }

  /** Asks again in a while: a longer one each time that nothing came. */
  #askLater(): void {
    this.#later = setTimeout(() => {
      this.#later = null;
      this.#pump();
    }, this.#laterMs);
    this.#laterMs = Math.min(2 * this.#laterMs, LATER_MAX_MS);
  }

  #waitForPage(): void {
    const wait = new AbortController();
    this.#wait = wait;
    this.#delivery.publish('pause');
    this.#pool.takeAsync(this.#readBytes, { signal: wait.signal }).then(
      (page) => {
        page[dispose]();
        if (this.#wait !== wait) return;
        this.#wait = null;
        this.#delivery.publish('resume');
        this.#pump();
      },
      (error) => {
        if (this.#wait === wait) this.#delivery.fail(error);
      },
    );
  }

  #fail(): void {
    const wait = this.#wait;
    this.#wait = null;
    wait?.abort();
    if (this.#later !== null) clearTimeout(this.#later);
    this.#later = null;
    this.#settle();
  }

  /** After a failure: the kernel may write to the pages of reads on their way until they are done. */
  #settle(): void {
    if (this.#onWay > 0) return;
    for (const { pages } of this.#requests.splice(0)) this.#release(pages);
    this.#delivery.settle();
  }

  #release(pages: readonly Fragment[]): void {
    for (const page of pages) if (!this.#port.isGone) page.release();
  }
}
