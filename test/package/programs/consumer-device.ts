// A consumer's program for the type checker: the device entry, and memory that the processor cannot see. Nothing here
// runs.
//
// It names no type of WebGPU, since consumers compile with and without them.

import {
  type Fragment,
  type FragmentToken,
  type Handle,
  PagePool,
  type PoolShare,
  type UnreadableFragment,
  type UnreadablePool,
  type UnreadableShare,
} from 'pagepool';
import {
  nextPacket,
  Packet,
  packets,
  receivePacket,
  sendPacket,
  UnreadablePacket,
  waitPacketRoom,
} from 'pagepool/packet';
import { type DeviceBinding, type DeviceMemory, type WebGpuProvider, webgpu } from 'pagepool/webgpu';

type Device = Parameters<typeof webgpu>[0];

export async function use(device: Device, host: PagePool, fragment: Fragment): Promise<void> {
  const provider: WebGpuProvider = webgpu(device, { bufferBytes: 1 << 24, usage: 0x8c, keepBytes: 0 });
  const pool: UnreadablePool = await PagePool.create({
    provider,
    pageBytes: 65536,
    pageCount: 64,
    channels: { work: {} },
  });
  const memory: DeviceMemory = provider.memory(pool, { host, stagingBytes: 1 << 22 });
  const handle: Handle = memory.upload(fragment);
  const { buffer, offset, size }: DeviceBinding = memory.binding(handle);
  const back: Fragment = await memory.readback(handle, { offset, length: Math.min(size, buffer.size) });
  const taken: UnreadableFragment | null = pool.take(256);
  if (taken !== null && !pool.channel('work').sendFragment(taken.slice(0, 16))) taken.release();
  for await (const came of pool.channel('work')) came.retain().release();
  const share: UnreadableShare = pool.share();
  const other: UnreadablePool = PagePool.attach(share);
  const readable: PagePool = PagePool.attach(host.share() as PoolShare);
  other.release(readable.alloc());
  const packet = new UnreadablePacket();
  const part: UnreadableFragment | null = other.take();
  if (part !== null) packet.append(part).prepend(packet.clone());
  const windows: number = packet.windows().length + packet.split(1).length;
  const channel = other.channel('work');
  await waitPacketRoom(channel, packet);
  if (!sendPacket(channel, packet, windows)) packet.release();
  const got: UnreadablePacket | null = receivePacket(channel) ?? (await nextPacket(channel));
  got?.shift()?.release();
  for await (const each of packets(channel)) each.release();
  const consumer = memory.consumer({ name: 'renderer' });
  const freed: number = consumer.release([consumer.give(handle), 1]);
  await memory.afterSubmit([handle, freed]);
  back.release();
  await pool.close();
}

export async function misuse(device: Device, reading: (pool: PagePool) => void): Promise<void> {
  const pool = await PagePool.create({ provider: webgpu(device) });
  const handle = pool.alloc();
  // @ts-expect-error the processor cannot see the memory
  pool.bytes(handle);
  // @ts-expect-error nor the area
  pool.area(handle);
  // @ts-expect-error nor through a fragment
  pool.take()?.bytes;
  // @ts-expect-error nor through one that came
  pool.channel('work').receive()?.bytes;
  // @ts-expect-error nor through one that was waited for
  (await pool.channel('work').next())?.bytes;
  // @ts-expect-error nor through a token's
  pool.adopt({} as FragmentToken).bytes;
  // @ts-expect-error nor in a thread that attached
  PagePool.attach(pool.share()).bytes(handle);
  // @ts-expect-error nor in a pool that was made at once
  PagePool.createSync({ provider: webgpu(device) }).bytes(handle);
  // @ts-expect-error code that looks at pages is not given such a pool
  reading(pool);
  // @ts-expect-error nor one that attached
  reading(PagePool.attach(pool.share()));
  // @ts-expect-error there is nothing to upload from
  webgpu(device).memory(pool).upload(pool.fragment(handle));
  // @ts-expect-error a packet that can be read takes none
  new Packet().append(pool.fragment(handle));
  // @ts-expect-error and is not what comes
  receivePacket(pool.channel('work'))?.getUint8(0);
  // @ts-expect-error nor does the other one have bytes
  new UnreadablePacket().toBuffers();
  // @ts-expect-error and it cannot be walked
  [...new UnreadablePacket()];
  // @ts-expect-error a page that the processor maps is of no use: there is no such option
  webgpu(device, { mapped: true });
}
