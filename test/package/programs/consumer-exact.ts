// A consumer's program for compilers with `exactOptionalPropertyTypes`: what is undefined counts as not given, in every
// entry.
//
// Nothing here runs.

import type { AttachOptions, ChannelOptions, LeakOptions, PoolOptions, WaitOptions } from 'pagepool';
import { PagePool, wasmMemory } from 'pagepool';
import { decodeText } from 'pagepool/border';
import { type FramingOptions, type LengthPrefixOptions, lengthPrefixed, lines, packets } from 'pagepool/packet';
import { type SlabOptions, slabs } from 'pagepool/providers';
import type { ReceiveOptions, Receiver } from 'pagepool/user';
import { UserQueue, type UserQueueOptions, userArea } from 'pagepool/user-area';

/** The options of that type with each property, where it may be missing, undefined. */
type Undefined<Options> = {
  [Name in keyof Options]: Record<never, never> extends Pick<Options, Name> ? undefined : Options[Name];
};

export async function use(
  pool: Undefined<PoolOptions>,
  attach: Undefined<AttachOptions & LeakOptions>,
  channel: Undefined<ChannelOptions>,
  wait: Undefined<WaitOptions>,
  slab: Undefined<SlabOptions>,
): Promise<void> {
  const created = await PagePool.create(pool);
  await PagePool.create({ channels: { work: channel }, provider: slabs(slab) });
  await PagePool.create({ provider: wasmMemory({ stepBytes: undefined }) });
  const attached = PagePool.attach(created.share(), attach);
  attached.detach({ release: undefined });
  attached.reap(1, { force: undefined });
  attached.leaks({ olderThanMs: undefined });
  await created.takeAsync(undefined, wait);
  await created.close(wait);
}

export async function useMore(
  pool: PagePool,
  receiver: Receiver,
  framing: Undefined<FramingOptions>,
  prefix: Undefined<LengthPrefixOptions>,
  queue: Undefined<UserQueueOptions>,
  receive: Undefined<ReceiveOptions>,
): Promise<void> {
  const source = packets(pool.channel('work'));
  for await (const line of lines(source, framing)) line.release();
  for await (const message of lengthPrefixed(source, prefix)) message.release();
  decodeText(new Uint8Array(1), { encoding: undefined, fatal: undefined });
  await new UserQueue(pool, queue).waitRoom({ timeoutMs: undefined, signal: undefined, ref: undefined });
  userArea(new SharedArrayBuffer(8), { byteOffset: undefined, byteLength: undefined });
  await receiver.next(receive);
}
