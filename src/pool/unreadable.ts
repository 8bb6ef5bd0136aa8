// What a pool of memory that the processor cannot see deals in, as the compiler sees it: everything that others have,
// but no bytes.
//
// Types alone, no code: at run time each is of the same class as its like, and bytes() throws. They are types of their
// own and no subtypes, so that code which reads pages is not given one; code for both kinds takes either type and
// asks isReadable(). The pool itself is beside PagePool (page-pool.ts), whose calls name both.

import type { WaitOptions } from '../port/waiting.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { Channel } from './channel.js';
import type { Fragment, FragmentToken } from './fragment.js';
import type { PoolNames } from './names.js';
import type { PoolShare } from './share.js';

/** A provider whose pages the processor cannot see. */
export type UnreadableProvider = MemoryProvider & { readonly readable: false };

/** The share of such a pool: who attaches with it has such a pool, too. */
export type UnreadableShare<Names extends PoolNames = PoolNames> = PoolShare<Names> & {
  readonly options: { readonly source: { readonly readable: false } };
};

/** A fragment of memory that the processor cannot see. */
export interface UnreadableFragment extends Omit<Fragment, 'bytes' | 'retain' | 'slice'> {
  retain(): UnreadableFragment;
  slice(offset: number, length: number): UnreadableFragment;
}

/** A channel of a pool whose memory the processor cannot see. */
export interface UnreadableChannel
  extends Omit<Channel, 'sendFragment' | 'sendAsync' | 'receive' | 'next' | 'fragments' | typeof Symbol.asyncIterator> {
  sendFragment(fragment: UnreadableFragment, tag?: number): boolean;
  sendAsync(fragment: UnreadableFragment, tag?: number, options?: WaitOptions): Promise<void>;
  receive(): UnreadableFragment | null;
  next(options?: WaitOptions): Promise<UnreadableFragment | null>;
  fragments(options?: WaitOptions): AsyncGenerator<UnreadableFragment, void, undefined>;
  [Symbol.asyncIterator](): AsyncGenerator<UnreadableFragment, void, undefined>;
}

/** The calls of a pool that differ where the processor cannot see the memory. */
export interface UnreadableCalls<Names extends PoolNames = PoolNames> {
  /** The processor cannot see the memory: does not compile, and throws POOL_ERR_UNREADABLE. */
  bytes(handle: never): never;
  /** The processor cannot see the memory: does not compile, and throws POOL_ERR_UNREADABLE. */
  area(handle: never): never;
  take(bytes?: number): UnreadableFragment | null;
  takeAsync(bytes?: number, options?: WaitOptions): Promise<UnreadableFragment>;
  fragment(handle: number, offset?: number, length?: number): UnreadableFragment;
  lendAsync(fragment: UnreadableFragment, options?: WaitOptions): Promise<FragmentToken>;
  adopt(token: FragmentToken): UnreadableFragment;
  channel(name: Names['channels'] & string): UnreadableChannel;
  share(): UnreadableShare<Names>;
}
