// A consumer's program for the type checker: every part of the public interface by its types, and uses that must be
// refused.
//
// Nothing here runs. It uses no global that a bare ES2022 library lacks, since consumers compile with and without DOM.

import {
  type AuditReport,
  type CallHandler,
  type CallRoom,
  type Calls,
  type Channel,
  type ChannelOptions,
  type CloseReport,
  Fragment,
  type FragmentToken,
  type Handle,
  type MemoryProvider,
  PagePool,
  PagePoolError,
  type PagePoolErrorCode,
  type PinToken,
  type PoolOptions,
  type PoolShare,
  type PoolStats,
  type ProviderContext,
  type ServeOptions,
  type WaitOptions,
  wasmMemory,
} from 'pagepool';
import { AttachedPool, attach } from 'pagepool/attach';
import {
  advice,
  type BorderApi,
  type Capabilities,
  capabilities,
  decodeText,
  digest,
  type OwnBytes,
  sendable,
  toUnshared,
  type Verdict,
} from 'pagepool/border';
import { type FragmentTransferHandler, fragmentHandler } from 'pagepool/comlink';
import {
  LINTS,
  type Lint,
  type LintName,
  type MetricMeter,
  type ObservedProvider,
  observe,
  type PoolSnapshot,
  registerMetrics,
} from 'pagepool/inspect';
import { type MountedInspector, type MountTarget, mountInspector } from 'pagepool/inspector-page';
import {
  delimited,
  type FramingOptions,
  type LengthPrefixOptions,
  lengthPrefixed,
  lines,
  nextPacket,
  Packet,
  type PacketSource,
  type PacketWindow,
  packets,
  RecordWriter,
  type RecordWriterOptions,
  receivePacket,
  records,
  sendPacket,
  sendPacketAsync,
  type TextLinesOptions,
  takePacket,
  takePacketAsync,
  textLines,
  waitPacketRoom,
} from 'pagepool/packet';
import { slabs } from 'pagepool/providers';
import { churn, testProvider } from 'pagepool/testing';
import { type Delivery, type ReceiveOptions, Receiver } from 'pagepool/user';
import { UserQueue, type UserQueueStats, type UserShare, userArea } from 'pagepool/user-area';
import {
  type AccessHandle,
  type FrameView,
  frameOf,
  messagesInto,
  readAt,
  readFileInto,
  readStreamInto,
  type Socket,
  sendOver,
  toStream,
  writeAt,
} from 'pagepool/web';
import { type WorkletChannel, WorkletPool } from 'pagepool/worklet';

const channels: Record<string, ChannelOptions> = { work: { capacity: 8, batch: 4, whenFull: 'drop-oldest' } };
const provider: MemoryProvider = wasmMemory({ stepBytes: 1 << 20 });
const options: PoolOptions = { pageBytes: 4096, pageCount: 8, channels, provider, engine: 'auto', zero: 'on-release' };

export async function use(): Promise<CloseReport> {
  const pool: PagePool = await PagePool.create(options);
  const engine: 'wasm' | 'typescript' = pool.engine;
  const share: PoolShare = pool.share();
  const attached = PagePool.attach({ ...share, engine }, { label: 'worker' });
  const handle: Handle = pool.alloc();
  const view: Uint8Array = pool.bytes(handle, 0, 16);
  const pin: PinToken = pool.pin(handle);
  pool.unpin(pin);
  const words: Uint32Array = pool.words(4);
  const channel: Channel = pool.channel('work');
  const isSent: boolean = channel.send(handle, 0, view.length, 1);
  const received: Fragment | null = attached.channel('work').receive();
  const token: FragmentToken | undefined = received?.lend();
  if (token !== undefined) pool.adopt(token)[Symbol.dispose]();
  const wait: WaitOptions = { timeoutMs: 10, ref: isSent };
  for await (const fragment of channel) fragment.slice(0, 1).release();
  await channel.next(wait).catch((error: unknown) => {
    if (error instanceof PagePoolError && error.code === 'POOL_ERR_TIMEOUT') return null;
    throw error;
  });
  const stats: PoolStats = pool.stats();
  const audit: AuditReport = pool.audit();
  words[0] = stats.alloc.fast + audit.pages.total;
  await attached[Symbol.asyncDispose]();
  return pool.close({ timeoutMs: 1000 });
}

export async function usePackets(
  pool: PagePool,
  channel: Channel,
  first: Fragment,
  source: PacketSource,
): Promise<number> {
  const packet: Packet = new Packet().append(first).prepend(new Packet());
  const rest: Packet = packet.split(4).append(packet.clone()).append(packet.slice(0, 2));
  const head: Uint8Array | null = packet.expandHead(8, 2);
  const part: Fragment | null = rest.shift();
  const windows: PacketWindow[] = rest.windows();
  const words: readonly [number, bigint, number] = [rest.getUint16(0, true), rest.getBigInt64(2), rest.indexOf('x')];
  let bytes = rest.copyTo(new Uint8Array(64), 0, 1, 3) + words[0] + (head?.length ?? 0) + windows.length;
  for (const view of rest) bytes += view.length;
  const buffers: Uint8Array[] = rest.toBuffers();
  if (!rest.coalesce() || !sendPacket(channel, rest, buffers.length))
    await waitPacketRoom(channel, rest, { timeoutMs: 1 });
  await sendPacketAsync(channel, takePacket(pool, 100_000) ?? (await takePacketAsync(pool, 10, { ref: false })), 1);
  for await (const message of packets(channel, { timeoutMs: 1 })) message.release();
  const received: Packet | null = receivePacket(channel) ?? (await nextPacket(channel, { ref: true }));
  const limit: FramingOptions = { maxBytes: 100 };
  const prefix: LengthPrefixOptions = { ...limit, prefixBytes: 2, littleEndian: true };
  for await (const line of lines(packets(channel), limit)) line.release();
  for await (const message of delimited(source, Uint8Array.of(0), limit)) message[Symbol.dispose]();
  for await (const message of lengthPrefixed(source, prefix)) bytes += message.tag;
  received?.release();
  part?.release();
  return bytes;
}

export function useHandler(pool: PagePool, value: unknown): Fragment | undefined {
  const handler: FragmentTransferHandler = fragmentHandler(pool);
  pool.watch({ threads: [] });
  // @ts-expect-error a share is no pool
  fragmentHandler(pool.share());
  return handler.canHandle(value) ? handler.deserialize(handler.serialize(value)[0]) : undefined;
}

export async function useRecords(channel: Channel, maxLength: number | undefined): Promise<number> {
  const how: RecordWriterOptions = { flushMs: 5, whenFull: 'drop-newest', ref: false };
  const writer: RecordWriter = new RecordWriter(channel, how);
  if (!writer.write('text') || !writer.write(new Uint8Array(4))) await writer.flush({ timeoutMs: 1 });
  const isRead: boolean = writer.flushSync(10);
  let count: number = writer.pending + writer.dropped + writer.maxRecordBytes + (isRead ? 1 : 0);
  for await (const message of packets(channel)) for (const record of records(message)) count += record.length;
  const limit: TextLinesOptions = { maxLength };
  for await (const lines of textLines(channel, limit)) for (const line of lines) count += line.length;
  for await (const lines of textLines(['text', new Uint8Array(1)])) count += lines.length;
  // @ts-expect-error a number is no record
  writer.write(1);
  // @ts-expect-error handles are no text
  textLines([1]);
  // @ts-expect-error the oldest are dropped by a channel
  new RecordWriter(channel, { whenFull: 'drop-oldest' });
  writer.release();
  return count;
}

export async function misusePackets(pool: PagePool, channel: Channel, packet: Packet): Promise<void> {
  // @ts-expect-error a handle is no fragment
  packet.append(pool.alloc());
  // @ts-expect-error a pin is no reference
  packet.prepend(pool.pin(1));
  // @ts-expect-error the length is its fragments'
  packet.length = 3;
  // @ts-expect-error the pool may be empty: null
  packet.expandHead(4).fill(0);
  // @ts-expect-error packets are no fragments
  channel.sendFragment(packet);
  // @ts-expect-error prefixes have 1, 2 or 4 bytes
  lengthPrefixed([packet], { prefixBytes: 3 });
  // @ts-expect-error nothing may have come
  receivePacket(channel).release();
}

/** A provider of the consumer's own, and the suite that it is run through. */
export async function provide(pool: PagePool): Promise<void> {
  const own: MemoryProvider = {
    kind: 'own',
    readable: true,
    detachable: false,
    init: (context: ProviderContext) => context.feed(new Uint32Array(context.pool.pageCount)),
    grow: () => {},
    retire: (_context, pages) => void pages.length,
    describe: () => ({}),
    destroy: async () => {},
  };
  await PagePool.create({ provider: own, reserve: { provider: slabs({ keepBytes: 0 }), pageCount: 4 } });
  await PagePool.create({ provider: 'slab' });
  const { torn }: { readonly torn: number } = churn(pool, { seed: 1, rounds: 10 });
  await testProvider(() => own, { pageCount: torn });
  // @ts-expect-error a provider has more than a name
  await PagePool.create({ provider: { kind: 'own' } });
  // @ts-expect-error there is no such provider
  await PagePool.create({ provider: 'slabs' });
}

/** A consumer that is not trusted, and its giver. */
export async function give(memory: SharedArrayBuffer): Promise<number> {
  const area: MemoryProvider = userArea(memory, { byteOffset: 16, byteLength: 4096 });
  const pool = await PagePool.create({ provider: area, pageCount: 1 });
  const queue = new UserQueue(pool, { completions: 8, refills: 8 });
  const share: UserShare = queue.share();
  const isGiven: boolean = queue.give(pool.alloc(), 0, 10, 1);
  const stats: UserQueueStats = queue.stats();
  await queue.waitRoom({ timeoutMs: stats.dropped.notHeld });
  return isGiven ? queue.close({ timeoutMs: 1 }) : queue.giveCopy(await take(share));
}

async function take(share: UserShare): Promise<Uint8Array> {
  const receiver = new Receiver(share);
  const wait: ReceiveOptions = { timeoutMs: 10, ref: true };
  const delivery: Delivery | null = await receiver.next(wait);
  for await (const each of receiver) each.release();
  receiver.release(0, receiver.receiveBurst(new Uint32Array(8), 2));
  delivery?.[Symbol.dispose]();
  // @ts-expect-error a receiver has no handles
  receiver.alloc();
  return delivery?.bytes ?? new Uint8Array(1);
}

/** Names of channels: the pool's options name them, and a share carries them. */
export async function names(posted: PoolShare<{ channels: 'work' }>, options: PoolOptions): Promise<void> {
  const pool = await PagePool.create({ pageCount: 8, channels: { work: {}, results: { capacity: 4 } } });
  pool.channel('work').close();
  // @ts-expect-error there is no such channel
  pool.channel('wrok');
  const attached = PagePool.attach(pool.share(), { label: 'worker' });
  attached.channel('results').close();
  // @ts-expect-error there is no such channel
  attached.channel('wrok');
  PagePool.attach({ ...posted, engine: 'typescript' })
    .channel('work')
    .close();
  // @ts-expect-error there is no such channel
  PagePool.attach(posted).channel('results');
  const bare = PagePool.createSync({ pageCount: 8 });
  // @ts-expect-error no channel was declared
  bare.channel('work');
  const work = (of: PagePool<{ channels: 'work' }>): Channel => of.channel('work');
  work(attached).close();
  // A pool of which nothing is known takes any name, and any pool is one.
  const any: PagePool = pool;
  any.channel('other').close();
  work(any).close();
  (await PagePool.create(options)).channel('other').close();
  const workerData: unknown = pool.share();
  PagePool.attach(workerData as PoolShare).channel('other');
  // biome-ignore lint/suspicious/noExplicitAny: what workers get is any
  PagePool.attach(workerData as any).channel('other');
}

/** What a thread loads that only attaches: the share's names go along, and what is for whoever creates pools lacks. */
export async function light(posted: PoolShare<{ channels: 'work'; calls: 'resize' }>): Promise<void> {
  const pool = await PagePool.create({ pageCount: 8, channels: { work: {} } });
  const attached = attach(pool.share(), { label: 'worker' });
  attached.channel('work').close();
  // @ts-expect-error there is no such channel
  attached.channel('wrok');
  attach(posted).calls('resize');
  // @ts-expect-error there are no such calls
  attach(posted).calls('other');
  attach({ ...posted, engine: 'typescript' })
    .channel('work')
    .close();
  // biome-ignore lint/suspicious/noExplicitAny: what workers get is any
  attach(pool.share() as any).channel('other');
  // Any pool is one, and one is no PagePool.
  const either: AttachedPool<{ channels: 'work' }> = pool;
  const packet: Packet | null = takePacket(either, 1);
  packet?.release();
  // @ts-expect-error only whoever has the whole package audits
  attached.audit();
  // @ts-expect-error only whoever has the whole package closes a pool
  await attached.close();
  // @ts-expect-error only whoever has the whole package reaps
  attached.reap(1);
  // @ts-expect-error only whoever has the whole package follows leaks
  attach(posted, { leaks: 'all' });
  // @ts-expect-error nobody else makes pools
  new AttachedPool({});
  const worklet = WorkletPool.attach(posted);
  // @ts-expect-error what waits is of no audio thread
  worklet.takeAsync();
  worklet.detach();
}

/** Calls: their names are known, handlers answer in one of two ways, and what they are given is typed. */
export async function requests(posted: PoolShare<{ channels: 'work'; calls: 'resize' }>): Promise<number> {
  const pool = await PagePool.create({ pageCount: 8, channels: { work: {} }, calls: { resize: { capacity: 4 } } });
  const calls: Calls = pool.calls('resize');
  // @ts-expect-error there are no such calls
  pool.calls('work');
  // @ts-expect-error there is no such channel
  pool.channel('resize');
  PagePool.attach(pool.share()).calls('resize');
  PagePool.attach(posted).calls('resize');
  // @ts-expect-error there are no such calls
  PagePool.attach(posted).calls('other');
  // @ts-expect-error no calls were declared
  PagePool.createSync({ channels: { work: {} } }).calls('resize');
  const handler: CallHandler = ({ request, reply, from, signal }) =>
    signal.aborted || from === 0 ? request : Promise.resolve(reply.length);
  const options: ServeOptions = { concurrency: 2, signal: undefined };
  void calls.serve(handler, options);
  // @ts-expect-error an answer is a length or a fragment
  void calls.serve(() => 'text');
  const room: CallRoom = await calls.take(10, 20, { timeoutMs: 10 });
  room.request.bytes.fill(1);
  const reply: Fragment = await room.send();
  const packet = new Packet().append(reply);
  const again = await calls.call(packet);
  // @ts-expect-error a request is a fragment or a packet
  await calls.call(again.handle);
  const [stats] = pool.stats().calls;
  return again.length + (stats?.answered ?? 0);
}

export async function misuse(pool: PagePool, share: PoolShare, fragment: Fragment): Promise<void> {
  // @ts-expect-error the option is called pageBytes
  await PagePool.create({ pageSize: 4096 });
  // @ts-expect-error pools are created or attached
  new PagePool();
  // @ts-expect-error a handle is a number
  pool.release('1');
  // @ts-expect-error there is no such policy
  await PagePool.create({ channels: { work: { whenFull: 'later' } } });
  // @ts-expect-error the pool may be empty: null
  pool.take().release();
  // @ts-expect-error bursts take 32-bit words
  pool.allocBurst(new Uint8Array(4), 4);
  // @ts-expect-error a fragment is not made of a handle by hand
  new Fragment(1);
  // @ts-expect-error what share() returned is read-only
  share.name = 'other';
  // @ts-expect-error the length is the sender's
  fragment.length = 3;
  // @ts-expect-error there is no such code
  const isEmpty = (code: PagePoolErrorCode): boolean => code === 'POOL_ERR_EMPTY';
  // @ts-expect-error only the package's entries can be imported
  if (isEmpty('POOL_ERR_TIMEOUT')) await import('pagepool/build/port/port.js');
}

export async function border(fragment: Fragment, packet: Packet): Promise<Verdict> {
  const found: Capabilities = await capabilities();
  const api: BorderApi = 'fetch body';
  const bytes: OwnBytes = sendable(packet, api);
  const view: Uint8Array = bytes;
  const text: string = decodeText(fragment, { encoding: 'utf-8', fatal: true }) + decodeText(view) + advice(found)[0];
  const hash: Uint8Array = await digest(packet, 'SHA-512');
  // @ts-expect-error there is no such API
  sendable(fragment, 'alert');
  // @ts-expect-error there is no such digest
  await digest(fragment, 'MD5');
  // @ts-expect-error a handle is no source
  toUnshared(1);
  return text.length + hash.length > toUnshared(fragment).length ? found.views[api].verdict : 'taken';
}

export async function web(
  pool: PagePool,
  handle: AccessHandle,
  socket: Socket,
  body: Parameters<typeof readStreamInto>[1],
): Promise<void> {
  for await (const fragment of readStreamInto(pool, body, { chunkBytes: 10 })) sendOver(socket, fragment);
  for await (const fragment of readFileInto(pool, handle, { at: 3 })) writeAt(handle, fragment, 0);
  for await (const message of messagesInto(pool, socket, { timeoutMs: 5 })) message.release();
  const part: Fragment | null = readAt(pool, handle, 0, 16);
  const frame: FrameView | null = part === null ? null : frameOf(part);
  toStream(pool.channel('work'));
  // @ts-expect-error what is in the page is read, not replaced
  if (frame !== null) frame.width = 3;
}

export function look(share: PoolShare, pool: PagePool): string[] {
  const snapshot: PoolSnapshot = observe(share).snapshot();
  const found: Lint[] = observe(pool).lints({ stallMs: 1000, leakMs: undefined });
  const names: readonly LintName[] = LINTS;
  // @ts-expect-error pages have no such place
  snapshot.places.lost;
  return [...names, ...found.map(({ what }) => what), ...snapshot.ports.map(({ label }) => label)];
}

export function measure(meter: MetricMeter, pool: PagePool, target: MountTarget): MountedInspector {
  const unregister: () => void = registerMetrics(meter, pool);
  unregister();
  const { description, wanted }: ObservedProvider = observe(pool).snapshot().provider;
  // @ts-expect-error a selector is no element
  mountInspector('#inspector', pool);
  return mountInspector(target, wanted > 0 && description === null ? pool : pool.share());
}

export function worklet(share: PoolShare, samples: Float32Array): void {
  const pool = WorkletPool.attach(share);
  const channel: WorkletChannel = pool.channel('work');
  const handle: Handle = pool.tryAlloc();
  pool.write(handle, samples, 4);
  if (!channel.trySend(handle, 0, 16) && channel.tryReceive()) pool.read(channel.handle, samples);
  // @ts-expect-error an audio thread does not wait
  channel.waitSync();
}
