// Pools of memory that the processor cannot see, as the compiler sees them: everything that a pool has, but no bytes.
//
// Types alone, no code: at run time such a pool is a PagePool whose bytes() throws. They are types of their own and no subtypes,
// so that code which looks at pages is not given one; code for both kinds takes either type and asks isReadable().

import type { WaitOptions } from '../port/waiting.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Channel } from './channel.js';
import type { Fragment, FragmentToken } from './fragment.js';
import type { Handle, PagePool } from './page-pool.js';
import type { PoolShare } from './share.js';

/** A provider whose pages the processor cannot see. */
export type UnreadableProvider = MemoryProvider & { readonly readable: false };

/** A pool of memory that the processor cannot see. */
export interface UnreadablePool
  extends Omit<PagePool, 'bytes' | 'area' | 'take' | 'takeAsync' | 'fragment' | 'adopt' | 'channel' | 'share'> {
  /** The processor cannot see the memory: does not compile, and throws POOL_ERR_UNREADABLE. */
  bytes(handle: never): never;
  /** The processor cannot see the memory: does not compile, and throws POOL_ERR_UNREADABLE. */
  area(handle: never): never;
  take(bytes?: number): UnreadableFragment | null;
  takeAsync(bytes?: number, options?: WaitOptions): Promise<UnreadableFragment>;
  fragment(handle: Handle, offset?: number, length?: number): UnreadableFragment;
  adopt(token: FragmentToken): UnreadableFragment;
  channel(name: string): UnreadableChannel;
  share(): UnreadableShare;
}

/** The share of such a pool: who attaches with it has such a pool, too. */
export type UnreadableShare = PoolShare & { readonly options: { readonly source: { readonly readable: false } } };

/** The pool that a share attaches to; a `PagePool` where nothing is known of the share. */
export type PoolOf<Share> = PoolShare extends Share
  ? PagePool
  : [Share] extends [never]
    ? PagePool
    : Share extends UnreadableShare
      ? UnreadablePool
      : PagePool;

/** A fragment of memory that the processor cannot see. */
export interface UnreadableFragment extends Omit<Fragment, 'bytes' | 'retain' | 'slice'> {
  retain(): UnreadableFragment;
  slice(offset: number, length: number): UnreadableFragment;
}

/** A channel of a pool whose memory the processor cannot see. */
export interface UnreadableChannel
  extends Omit<Channel, 'sendFragment' | 'receive' | 'next' | typeof Symbol.asyncIterator> {
  sendFragment(fragment: UnreadableFragment, tag?: number): boolean;
  receive(): UnreadableFragment | null;
  next(options?: WaitOptions): Promise<UnreadableFragment | null>;
  [Symbol.asyncIterator](): AsyncGenerator<UnreadableFragment, void, undefined>;
}
