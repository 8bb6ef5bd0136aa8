// AttachedPool: a pool as an attached thread sees it, which is what every thread of a pool does.
//
// Its calls belong to the thread that created or attached it. The number calls are one engine call and one comparison
// each; everything else (checks of options, bursts on foreign arrays, waiting, reports) stands in the files beside this
// one. PagePool (page-pool.ts) adds what creates, watches, repairs and ends pools: a program of threads that attach
// loads nothing of that.

import { pageOfHandle } from '../control/places.js';
import { inflight } from '../control/state.js';
import type { Engine } from '../engine/engine.js';
import { invalidHandle, requireFlag, requireInteger } from '../errors.js';
import { isHandleNumber, isWord } from '../numbers.js';
import { isWords } from '../platform/buffers.js';
import { type Inspect, inspectCustom, shown, type Unclonable } from '../platform/shown.js';
import { touchStack } from '../platform/stack.js';
import { asyncDispose } from '../platform/symbols.js';
import { allocBulk, allocBurst, releaseBulk } from '../port/bursts.js';
import { areaOf, extentOf, fragmentView, isReadableHandle, offsetOf, pinError, sizeError } from '../port/handles.js';
import { type Port, refusal } from '../port/port.js';
import { rejecting, requireWaitOptions, type WaitOptions } from '../port/waiting.js';
import { seekPages } from '../port/want.js';
import type { Areas } from '../supply/areas.js';
import { type Attachment, declared } from './attachment.js';
import type { Calls } from './calls.js';
import type { Channel } from './channel.js';
import { enrol } from './enrolled.js';
import { adoptToken, Fragment, type FragmentToken, reclaimOlder, type Unowned } from './fragment.js';
import type { PoolNames } from './names.js';
import { POOL_NOT_POSTED } from './posting.js';
import type { PoolShare } from './share.js';
import { Start } from './start.js';

/**
 * A reference on a fragment, as a number: 0 < handle < 2^30; 0 is no handle. What crosses threads with it is in the
 * channel.
 */
export type Handle = number;

/** What `pin` returns: good for one `unpin`, from any thread. */
export type PinToken = number;

/**
 * A pool of pages of shared memory, as a thread sees it that another one's share attached: with all that such a thread
 * does. What creates, watches, repairs and ends pools is `PagePool`, which extends it.
 *
 * @example
 * import { attach } from 'pagepool/attach';
 * const pool = attach(share); // what pool.share() of the thread that created it was posted as
 * for await (const fragment of pool.channel('work')) {
 *   consume(fragment.bytes);
 *   fragment.release();
 * }
 */
export class AttachedPool<Names extends PoolNames = PoolNames> {
  readonly name: string;
  readonly pageBytes: number;
  /** Pages at most. */
  readonly pageCount: number;
  /** This thread's port: 0..maxPorts - 1. */
  readonly portId: number;
  readonly engine: 'wasm' | 'typescript';
  /** `'local'`: the memory cannot be shared, and `share()` throws why. */
  readonly mode: 'shared' | 'local';
  protected readonly notPosted: Unclonable = POOL_NOT_POSTED;
  /** The port's engine, beside the port's own: the fast paths save a load. */
  #engine: Engine;
  readonly #port: Port;
  readonly #attachment: Attachment;
  /** Where pages of providers lie; undefined where all are the pool's own. */
  readonly #areas: Areas | undefined;
  /** The attachment's. */
  readonly #views: (Uint8Array | undefined)[];

  /** Call `attach` of pagepool/attach. */
  constructor(start: never) {
    Start.check(start, new.target === AttachedPool ? 'AttachedPool' : 'PagePool');
    const { port } = start as Start;
    this.#port = port;
    this.#attachment = (start as Start).attachment(this);
    this.#engine = port.engine;
    this.#areas = port.areas;
    this.name = port.name;
    this.pageBytes = port.geometry.pageBytes;
    this.pageCount = port.geometry.pageCount;
    this.portId = port.id;
    this.engine = port.engine.kind;
    this.mode = port.memory.isShared ? 'shared' : 'local';
    this.#views = this.#attachment.views;
    this.#attachment.begin((engine) => {
      this.#engine = engine;
    });
    enrol(this, { port, takers: this.#attachment.takers });
  }

  /**
   * What other threads attach with: structured-cloneable, good while the pool lives.
   *
   * @throws PagePoolError POOL_ERR_NOT_SHARED when the pool is local; POOL_ERR_DESTROYED when it is
   */
  share(): PoolShare<Names> {
    return this.#attachment.share() as PoolShare<Names>;
  }

  /**
   * Pages that are not with the provider: held by somebody, or in a port's cache or the ring, as in the kernel. So it
   * is not 0 when all are released; `stats().pages.used` of a `PagePool` counts those that somebody holds.
   */
  get inflight(): number {
    return inflight(this.#port.memory, this.#port.geometry);
  }

  // ---------------------------------------------------------------------------------- numbers: no garbage

  /**
   * A whole page with one reference, which the caller holds; or 0 when the pool is empty. No atomics when the cache has
   * pages.
   *
   * @throws PagePoolError POOL_ERR_CLOSING or POOL_ERR_DESTROYED when no page will ever come
   * @see page_pool_alloc_pages
   */
  alloc(): Handle {
    const handle = this.#engine.alloc();
    return handle !== 0 ? handle : this.#seekPage('alloc');
  }

  /**
   * A part of a page, 1..pageBytes bytes, with one reference; or 0 when the pool is empty. More than half a page takes
   * a whole one. No atomics while the port's open page has room.
   *
   * @throws RangeError with code POOL_ERR_INVALID_ARGUMENT when `bytes` is above pageBytes
   * @see page_pool_alloc_frag
   */
  allocFragment(bytes: number): Handle {
    if (!isWord(bytes) || bytes === 0 || bytes > this.pageBytes)
      throw sizeError('allocFragment', bytes, this.pageBytes);
    const handle = this.#engine.allocFragment(bytes);
    return handle !== 0 ? handle : this.#seekFragment('allocFragment', bytes);
  }

  #seekFragment(call: string, bytes: number): Handle {
    return seekPages(this.#port, call, 1, () => this.#engine.allocFragment(bytes));
  }

  /**
   * `count` words in the pool's own memory: bursts on them copy nothing. They stay this thread's until it detaches, so
   * take them once. About 7,000 words a thread.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there are not as many left
   */
  words(count: number): Uint32Array {
    return this.#port.scratch.take(count);
  }

  #seekPage(call: string): Handle {
    return seekPages(this.#port, call, 1, () => this.#engine.alloc());
  }

  /** Allocates `count` pages into `out`, all or none: false: none, and what `out` holds is no handle. */
  allocBulk(out: Uint32Array, count: number): boolean {
    return allocBulk(this.#port, 'allocBulk', out, count);
  }

  /**
   * Allocates up to `count` pages into `out` and returns how many; no copy when `out` is the pool's `words()`.
   *
   * @throws PagePoolError POOL_ERR_CLOSING, POOL_ERR_DESTROYED or POOL_ERR_PROVIDER when there is no page and the pool
   *   closes, or its provider fails. A call that has taken some returns those, and the next one throws
   */
  allocBurst(out: Uint32Array, count: number): number {
    return allocBurst(this.#port, out, count);
  }

  /**
   * Takes `count` more references on the fragment, which this thread holds. Two locked operations, or none
   * while this thread has all references of the page.
   *
   * @throws PagePoolError POOL_ERR_REF_OVERFLOW above 65,535; POOL_ERR_STALE_HANDLE, POOL_ERR_NOT_HELD; nothing changed
   *   then
   */
  retain(handle: Handle, count = 1): void {
    if (!isHandleNumber(handle)) throw invalidHandle('retain', handle);
    if (!isWord(count) || count === 0 || count > 0xffff) requireInteger('retain', 'count', count, 1, 0xffff);
    const code = this.#engine.retain(handle, count);
    if (code < 0) throw refusal(code, 'retain', 'handle', handle);
  }

  /**
   * Gives one reference back; with the last one the page is recycled. The handle must not be used after it. No atomics
   * for the last reference on a page when the cache has room.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE when the fragment is gone (with probability 1 - 2^-generationBits);
   *   POOL_ERR_NOT_HELD when this thread holds no reference on the page; nothing changed then
   * @see page_pool_put_page
   */
  release(handle: Handle): void {
    if (!isHandleNumber(handle)) throw invalidHandle('release', handle);
    const code = this.#engine.release(handle);
    if (code < 0) throw refusal(code, 'release', 'handle', handle);
  }

  /**
   * Gives one reference of each handle back, from the front; all of the array if `count` is not given.
   *
   * @throws PagePoolError with `index` at the first handle that is refused; those before it are released, those after
   *   it not
   */
  releaseBulk(handles: Uint32Array, count: number = isWords(handles) ? handles.length : 0): void {
    releaseBulk(this.#port, handles, count);
  }

  /**
   * The whole area that the fragment lies in: one view, kept until the memory grows past it, or the area is given up.
   *
   * @throws PagePoolError POOL_ERR_UNREADABLE when the processor cannot see the memory
   */
  area(handle: Handle): Uint8Array {
    return this.#areas?.knownView(this.#engine, handle) ?? areaOf(this.#port, 'area', handle);
  }

  /** Where in its area the fragment starts, bytes. */
  offset(handle: Handle): number {
    if (!isHandleNumber(handle)) throw invalidHandle('offset', handle);
    const offset = this.#engine.offset(handle);
    if (this.#areas !== undefined)
      return this.#areas.knownStart(handle, offset) ?? offsetOf(this.#port, 'offset', handle);
    if (offset === 0) throw refusal(this.#engine.extent(handle), 'offset', 'handle', handle);
    return offset >>> 0;
  }

  /** Bytes reserved for the fragment: whole units. */
  extent(handle: Handle): number {
    return extentOf(this.#port, 'extent', handle);
  }

  /**
   * How many references the fragment has, in all threads together. Windows of packets that one thread cut from one
   * another have one together.
   */
  refCount(handle: Handle): number {
    if (!isHandleNumber(handle)) throw invalidHandle('refCount', handle);
    const count = this.#engine.refCount(handle);
    if (count < 0) throw refusal(count, 'refCount', 'handle', handle);
    return count;
  }

  /** Whether the processor may read the fragment's bytes: always with Wasm memory. */
  isReadable(handle: Handle): boolean {
    return isReadableHandle(this.#port, 'isReadable', handle);
  }

  /**
   * Takes a reference on the handle's page for somebody whom the pool does not count: the page is not used again before
   * `unpin`, also when its last user leaves, and also while the pool closes. One locked operation. Pins survive their
   * thread.
   *
   * @throws PagePoolError POOL_ERR_NOT_DETACHABLE when the provider must have all its pages back;
   *   POOL_ERR_STALE_HANDLE, POOL_ERR_NOT_HELD when the caller holds nothing
   * @see get_page
   */
  pin(handle: Handle): PinToken {
    if (!isHandleNumber(handle)) throw invalidHandle('pin', handle);
    const page = this.#engine.pin(handle);
    if (page < 0) throw pinError(page, handle);
    return page;
  }

  /**
   * Gives a pin back, from any thread of the pool, also after closing. One locked operation.
   *
   * @throws PagePoolError POOL_ERR_TOKEN_SPENT when the page has no pin to undo
   */
  unpin(token: PinToken): void {
    if (!isHandleNumber(token)) requireInteger('unpin', 'token', token, 1, this.pageCount);
    const code = this.#engine.unpin(token);
    if (code < 0) throw refusal(code, 'unpin', 'token', token);
  }

  // ---------------------------------------------------------------------------------- views and objects

  /**
   * The fragment's bytes, from `offset`, `length` of them; never past its extent. A whole page's view is made once and
   * kept, others are made by each call. Do not use the view after the release.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the window reaches outside the fragment; POOL_ERR_UNREADABLE
   *   when the processor cannot see the memory
   */
  bytes(handle: Handle, offset?: number, length?: number): Uint8Array {
    const isAll = offset === undefined && length === undefined;
    if (!isAll || extentOf(this.#port, 'bytes', handle) < this.pageBytes)
      return fragmentView(this.#port, 'bytes', handle, offset, length);
    const page = pageOfHandle(this.#port, handle);
    this.#areas?.follow();
    let view = this.#views[page];
    if (view === undefined) {
      view = fragmentView(this.#port, 'bytes', handle);
      this.#views[page] = view;
    }
    return view;
  }

  /** A fragment of `bytes` bytes, or a whole page when not given; null when the pool is empty. */
  take(bytes?: number): Fragment | null {
    return this.#take('take', bytes);
  }

  #take(call: string, bytes: number | undefined): Fragment | null {
    const { pageBytes } = this;
    const isSize = bytes === undefined || (isWord(bytes) && bytes > 0 && bytes <= pageBytes);
    if (!isSize) throw sizeError(call, bytes, pageBytes);
    const port = this.#port;
    if (port.leaks !== undefined) touchStack();
    // The object first: behind the engine's call nothing is entered, so the stack cannot end in between.
    const fragment: Unowned = new Fragment(port, 0, 0, bytes ?? pageBytes, 0);
    let handle = bytes === undefined ? this.#engine.alloc() : this.#engine.allocFragment(bytes);
    if (handle === 0) handle = bytes === undefined ? this.#seekPage(call) : this.#seekFragment(call, bytes);
    if (handle === 0) return null;
    fragment.handle = handle;
    port.leaks?.watch(fragment);
    return fragment as Fragment;
  }

  /**
   * The same, waiting for a page to come back when the pool is empty. This thread's cached pages go to the others
   * meanwhile.
   *
   * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; POOL_ERR_CLOSING when the pool closes; an aborted
   *   signal's reason
   */
  takeAsync(bytes?: number, options?: WaitOptions): Promise<Fragment> {
    return rejecting(() => {
      const take = (): Fragment | undefined => this.#take('takeAsync', bytes) ?? undefined;
      const { takers } = this.#attachment;
      return takers.take({ call: 'takeAsync', pages: 1, take }, requireWaitOptions('takeAsync', options));
    });
  }

  /** Wraps a reference that the caller holds into a Fragment, which releases it from now on. */
  fragment(handle: Handle, offset = 0, length?: number): Fragment {
    const extent = extentOf(this.#port, 'fragment', handle);
    requireInteger('fragment', 'offset', offset, 0, extent);
    if (length !== undefined) requireInteger('fragment', 'length', length, 0, extent - offset);
    return new Fragment(this.#port, handle, offset, length ?? extent - offset, 0);
  }

  /**
   * `fragment.lend()`, waiting for a token where as many are out as the pool has: until somebody adopts or reclaims
   * one. When it rejects the fragment is still the caller's.
   *
   * @throws PagePoolError as `lend`; POOL_ERR_TIMEOUT when `timeoutMs` is over; POOL_ERR_CLOSING when all are out and
   *   the pool closes; an aborted signal's reason
   */
  async lendAsync(fragment: Fragment, options?: WaitOptions): Promise<FragmentToken> {
    return this.#attachment.lend(fragment, requireWaitOptions('lendAsync', options));
  }

  /**
   * Takes over the reference in a token that another thread lent.
   *
   * @throws PagePoolError POOL_ERR_TOKEN_SPENT when it was adopted or reclaimed before
   */
  adopt(token: FragmentToken): Fragment {
    return adoptToken(this.#port, token);
  }

  /**
   * The channel of that name: the same in every thread.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when no channel of that name was declared
   */
  channel(name: Names['channels'] & string): Channel {
    return declared('channel', 'a channel', this.#attachment.channels, name);
  }

  /**
   * The calls of that name, requests that are answered: the same in every thread.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when no calls of that name were declared, or this thread of
   *   pagepool/attach or pagepool/lean has not imported pagepool/calls
   */
  calls(name: Names['calls'] & string): Calls {
    return this.#attachment.calls(name);
  }

  // ---------------------------------------------------------------------------------- the whole pool

  /**
   * Releases the references of tokens that were lent at least `olderThanMs` ago and never adopted; how many. Whole
   * seconds.
   */
  reclaimTokens(olderThanMs: number): number {
    return reclaimOlder(this.#port, olderThanMs);
  }

  /**
   * Gives the pages in this thread's cache and in the ring to the provider; how many. The memory of others' caches
   * stays. 0 where the thread that calls the provider is gone: nothing would come back.
   *
   * @throws PagePoolError POOL_ERR_PROVIDER when this thread calls the provider, and it fails
   */
  trim(): number {
    return this.#attachment.trim();
  }

  /**
   * Does what other threads asked of this one, for threads that rarely return to their event loop: returns cached pages
   * back, shows that it lives. A `PagePool` also goes on with a closing that nobody else can finish.
   */
  poll(): void {
    this.#attachment.poll();
  }

  /**
   * Leaves the pool: returns cached pages and frees the port. Every later call throws POOL_ERR_DESTROYED. Entries
   * that were received in a batch and not yet taken go to the end of their channel; where it is closed or full they are
   * dropped and counted.
   *
   * @param options `release`: also releases every reference that this thread still holds
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it holds references and `release` is not set; nothing is left
   *   then
   */
  detach(options?: { release?: boolean | undefined }): void {
    this.#attachment.detach(requireFlag('detach', options, 'release'));
  }

  /** As `detach()`. */
  async [asyncDispose](): Promise<void> {
    this.detach();
  }

  [inspectCustom](depth: number | null, options: object, inspect?: Inspect): string {
    const { name, pageBytes, pageCount, portId, engine, mode, inflight } = this;
    return shown(
      'AttachedPool',
      { name, pageBytes, pageCount, portId, engine, mode, inflight },
      depth,
      options,
      inspect,
    );
  }
}
