// A consumer's program for the type checker: the device entry, and memory that the processor cannot see. Nothing here runs.
//
// It names no type of WebGPU, since consumers compile with and without them.

import { type Fragment, type Handle, PagePool, type UnreadableFragment, type UnreadablePool } from 'pagepool';
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
  // @ts-expect-error code that looks at pages is not given such a pool
  reading(pool);
  // @ts-expect-error a page that the processor maps is of no use: there is no such option
  webgpu(device, { mapped: true });
}
