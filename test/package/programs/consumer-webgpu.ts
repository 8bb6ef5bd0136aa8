// A consumer's program for the type checker where WebGPU has types: the entry takes and gives the platform's own.
// Nothing here runs.

import { PagePool } from 'pagepool';
import { webgpu } from 'pagepool/webgpu';

export async function use(device: GPUDevice, group: GPUBindGroupLayout): Promise<GPUBindGroup> {
  const provider = webgpu(device, { usage: 0x88 });
  const pool = await PagePool.create({ provider, pageBytes: 65536 });
  const binding: GPUBufferBinding = provider.memory(pool).binding(pool.alloc());
  const buffer: GPUBuffer = provider.memory(pool).binding(pool.alloc()).buffer;
  buffer.destroy();
  // @ts-expect-error an adapter is no device
  webgpu({} as GPUAdapter);
  return device.createBindGroup({ layout: group, entries: [{ binding: 0, resource: binding }] });
}
