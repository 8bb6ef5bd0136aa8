// Fragment: one reference on a window of a fragment, as an object that `using` releases.
//
// It adds no state of its own to the pool: a handle, a window, and whether the reference is still here. A Fragment
// belongs to the thread that made it; to pass it on, send it through a channel or lend it.

import {
  ERR_NO_TOKEN,
  ERR_STALE_HANDLE,
  OK,
  TOKEN_LENT,
  TOKEN_SEQ_SHIFT,
  TOKEN_SHIFT,
  TOKEN_STATE_MASK,
  TOKEN_TIME_OFFSET,
} from '../../assembly/layout.js';
import { loadWord, loanParts } from '../control/nodes.js';
import {
  callError,
  engineError,
  invalidArgument,
  type PagePoolError,
  requireInteger,
  requireMilliseconds,
  requireRecord,
  show,
} from '../errors.js';
import { type Inspect, inspectCustom, shown, type Unclonable } from '../platform/shown.js';
import { touchDeepStack, touchStack } from '../platform/stack.js';
import { dispose } from '../platform/symbols.js';
import { fragmentView } from '../port/handles.js';
import { type Port, refusal } from '../port/port.js';
import { FRAGMENT_NOT_POSTED } from './posting.js';

/** A reference on its way outside any channel; structured-cloneable, good for one `adopt` in any thread of the pool. */
export interface FragmentToken {
  readonly kind: 'pagepool-fragment';
  readonly identity: string;
  readonly index: number;
  readonly sequence: number;
}

/** Whether the value is a fragment of this package. */
export let isFragment: (value: unknown) => value is Fragment;
/** For channels: the fragment's reference went along. */
export let spendFragment: (fragment: Fragment) => void;
/** For pools: a token of the fragment, which is the port's; undefined where all are out. */
export let lendFragment: (fragment: Fragment, port: Port, call: string) => FragmentToken | undefined;
/** For packets: the port of a fragment that still has its reference; throws for another value. */
export let portOfFragment: (fragment: Fragment, call: string) => Port;
/** For channels: throws unless the fragment is this port's and still has its reference. */
export let requireOwnFragment: (fragment: Fragment, port: Port, call: string) => void;

/**
 * One reference on a part of a page, released by `release()` or at the end of a `using` block.
 *
 * @example
 * using fragment = pool.take(1500);
 * if (fragment !== null) fragment.bytes.fill(1);
 */
export class Fragment {
  readonly handle: number;
  /** Where this window starts in the fragment, bytes. */
  readonly offset: number;
  /** Bytes of this window. */
  readonly length: number;
  /** What the sender wrote beside it, a u32; 0 if it did not come through a channel. */
  readonly tag: number;
  readonly #port: Port;
  protected readonly notPosted: Unclonable = FRAGMENT_NOT_POSTED;
  #view: Uint8Array | undefined;
  #isSpent = false;

  /** Takes over one reference of this thread. Pools and channels make fragments: nobody else calls this. */
  constructor(port: Port, handle: number, offset: number, length: number, tag: number) {
    if (typeof port !== 'object')
      throw invalidArgument('Fragment', 'port', port, 'a call of take(), fragment() or adopt()');
    this.#port = port;
    this.handle = handle;
    this.offset = offset;
    this.length = length;
    this.tag = tag;
    if (handle !== 0) port.leaks?.watch(this);
  }

  /**
   * The window's bytes, one view kept while the fragment lives; do not use it after the release.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE when the reference was released or went along
   */
  get bytes(): Uint8Array {
    this.#requireOwn('bytes');
    this.#view ??= fragmentView(this.#port, 'bytes', this.handle, this.offset, this.length);
    return this.#view;
  }

  /**
   * A second object on the same window, with a reference of its own. Two locked operations, or none while this thread
   * has all references of the page.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE when this one was released; POOL_ERR_REF_OVERFLOW at 65,535 references
   */
  retain(): Fragment {
    return this.slice(0, this.length);
  }

  /**
   * A window inside this one, with a reference of its own; the bytes are the same.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it would reach outside this window
   */
  slice(offset: number, length: number): Fragment {
    this.#requireOwn('slice');
    requireInteger('slice', 'offset', offset, 0, this.length);
    requireInteger('slice', 'length', length, 0, this.length - offset);
    const port = this.#port;
    if (port.leaks !== undefined) touchStack();
    // The object first: behind the engine's call nothing is entered, so the stack cannot end in between.
    const slice: Unowned = new Fragment(port, 0, this.offset + offset, length, this.tag);
    const code = port.engine.retain(this.handle, 1);
    if (code < 0) throw refusal(code, 'slice', 'handle', this.handle);
    slice.handle = this.handle;
    port.leaks?.watch(slice);
    return slice as Fragment;
  }

  /**
   * Gives the reference back; the object is spent.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE when it was spent before
   */
  release(): void {
    this.#requireOwn('release');
    const port = this.#port;
    if (port.leaks !== undefined) touchStack();
    const code = port.engine.release(this.handle);
    if (code < 0) throw refusal(code, 'release', 'handle', this.handle);
    // As `#spend`, and nothing is entered.
    this.#isSpent = true;
    this.#view = undefined;
    port.leaks?.unwatch(this);
  }

  /** Releases the reference, if it is still here and the thread is still attached. */
  [dispose](): void {
    if (!this.#isSpent && !this.#port.isGone) this.release();
  }

  /**
   * Moves the reference into a token that another thread adopts once; the object is spent. Without a thread to adopt it
   * the reference stays out until `reclaimTokens`.
   *
   * @throws PagePoolError POOL_ERR_REF_OVERFLOW when as many tokens are out as the pool has (`pool.lendAsync` waits
   *   then); POOL_ERR_STALE_HANDLE when this was spent before
   */
  lend(): FragmentToken {
    const token = this.#lend('lend');
    if (token !== undefined) return token;
    const found = `tokens=${this.#port.geometry.tokenCount}`;
    const todo =
      'adopt() or reclaimTokens() what is out, wait with pool.lendAsync(), or create the pool with more tokens';
    throw callError('POOL_ERR_REF_OVERFLOW', 'lend', found, 'fewer fragments lent and not yet adopted', todo);
  }

  /** The token; undefined where all are out. */
  #lend(call: string): FragmentToken | undefined {
    touchStack();
    this.#requireOwn(call);
    const { engine, identity } = this.#port;
    const loan = engine.lend(this.handle, this.offset, this.length, Math.floor(Date.now() / 1000));
    if (loan === ERR_NO_TOKEN) return undefined;
    if (loan < 0) throw refusal(loan, call, 'handle', this.handle);
    this.#spend();
    return { kind: 'pagepool-fragment', identity, ...loanParts(loan) };
  }

  [inspectCustom](depth: number | null, options: object, inspect?: Inspect): string {
    const { handle, offset, length, tag } = this;
    return shown('Fragment', { handle, offset, length, tag, isSpent: this.#isSpent }, depth, options, inspect);
  }

  static {
    // By the brand: what is asked for by a class runs the code of a proxy.
    isFragment = (value): value is Fragment => typeof value === 'object' && value !== null && #port in value;
    spendFragment = (fragment) => fragment.#spend();
    portOfFragment = (fragment, call) => {
      if (!isFragment(fragment)) throw invalidArgument(call, 'fragment', fragment, 'a Fragment');
      fragment.#requireOwn(call);
      return fragment.#port;
    };
    lendFragment = (fragment, port, call) => {
      requireOwnFragment(fragment, port, call);
      return fragment.#lend(call);
    };
    requireOwnFragment = (fragment, port, call) => {
      if (portOfFragment(fragment, call) !== port) throw foreignError(call, fragment.handle);
    };
  }

  #spend(): void {
    this.#isSpent = true;
    this.#view = undefined;
    this.#port.leaks?.unwatch(this);
  }

  #requireOwn(call: string): void {
    if (this.#isSpent) throw engineError(ERR_STALE_HANDLE, call, 'handle', this.handle);
  }
}

/** A fragment that gets its reference last of all. */
export type Unowned = { -readonly [Key in keyof Fragment]: Fragment[Key] };

/**
 * The fragment of a token, taken over by this thread.
 *
 * @throws PagePoolError POOL_ERR_TOKEN_SPENT when it was adopted or reclaimed before; POOL_ERR_FOREIGN_HANDLE for
 *   another pool's
 */
export function adoptToken(port: Port, token: FragmentToken): Fragment {
  touchStack();
  const names = ['kind', 'identity', 'index', 'sequence'];
  // Read once: what is used is what was checked.
  const { kind, identity, index, sequence } = requireRecord('adopt', 'token', token, names) as Partial<FragmentToken>;
  if (kind !== 'pagepool-fragment') throw invalidArgument('adopt', 'token', token, 'what lend() returned');
  if (identity !== port.identity) throw foreignError('adopt', index);
  requireInteger('adopt', 'token.index', index, 0, port.geometry.tokenCount - 1);
  requireInteger('adopt', 'token.sequence', sequence, 0, 2 ** (32 - TOKEN_SEQ_SHIFT) - 1);
  const { own, ownAddress } = port.scratch;
  const code = port.engine.adopt(index as number, sequence as number, ownAddress);
  if (code < 0) throw refusal(code, 'adopt', 'token', index);
  return new Fragment(port, own[0] as number, own[1] as number, own[2] as number, 0);
}

/** Releases tokens lent at least so long ago that nobody adopted; how many. */
export function reclaimOlder(port: Port, olderThanMs: number): number {
  touchDeepStack();
  requireMilliseconds('reclaimTokens', 'olderThanMs', olderThanMs);
  // A loan's second has begun up to a second before the loan: any age but 0 leaves one more.
  const second = Math.floor((Date.now() - olderThanMs) / 1000) - (olderThanMs > 0 ? 1 : 0);
  return reclaimTokens(port, Math.max(0, second));
}

/** Releases tokens lent at or before `timeSeconds` that nobody adopted; how many. */
export function reclaimTokens({ engine, geometry, memory, scratch }: Port, timeSeconds: number): number {
  let reclaimed = 0;
  for (let index = 0; index < geometry.tokenCount; index++) {
    const token = geometry.tokensOffset + (index << TOKEN_SHIFT);
    // Atomic: the time of a lent token is visible with its word. An adopter that is faster wins.
    const word = loadWord(memory, token);
    if ((word & TOKEN_STATE_MASK) !== TOKEN_LENT || loadWord(memory, token + TOKEN_TIME_OFFSET) > timeSeconds) continue;
    if (engine.adopt(index, word >>> TOKEN_SEQ_SHIFT, scratch.ownAddress) !== OK) continue;
    engine.release(scratch.own[0] as number);
    reclaimed++;
  }
  return reclaimed;
}

/** The error for what belongs to another pool, or to another attachment. */
export function foreignError(call: string, value: unknown): PagePoolError {
  return callError(
    'POOL_ERR_FOREIGN_HANDLE',
    call,
    `value=${show(value)}`,
    'one of this pool, attached in this thread',
    'use each with the pool it came from',
  );
}
