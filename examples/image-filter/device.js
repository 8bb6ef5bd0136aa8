// The filter on the graphics card. Pictures go from pages of the host's pool into pages of device memory, through the
// shader, and back into pages of the host: no GPUBuffer is created for a picture.

import { PagePool } from '/pagepool/index.js';
import { webgpu } from '/pagepool/webgpu.js';
import { BYTES, HEIGHT, SHADER, WIDTH } from './filter.js';

const PAGES = 4;

/** Opens a device; says why where there is none. */
export async function openDevice() {
  if (navigator.gpu === undefined) return { reason: 'This browser has no WebGPU' };
  const adapter = await navigator.gpu.requestAdapter();
  if (adapter === null) return { reason: 'This browser has WebGPU, but no graphics card that it may use' };
  return { device: await adapter.requestDevice(), name: `${adapter.info.vendor} ${adapter.info.architecture}` };
}

/** A pool of device memory, and the filter on it. */
export async function createDeviceFilter(device, host) {
  const provider = webgpu(device, { bufferBytes: PAGES * host.pageBytes });
  const { pageBytes } = host;
  const pool = await PagePool.create({ name: 'device', provider, pageBytes, pageCount: PAGES });
  const memory = provider.memory(pool, { host });
  (await pool.takeAsync()).release(); // the device has confirmed that there is memory
  const module = device.createShaderModule({ code: SHADER });
  const pipeline = await device.createComputePipelineAsync({ layout: 'auto', compute: { module } });
  const setting = device.createBuffer({ size: 4, usage: GPUBufferUsage.UNIFORM | GPUBufferUsage.COPY_DST });

  function dispatch(from, to, strength) {
    device.queue.writeBuffer(setting, 0, new Uint32Array([strength]));
    const resources = [memory.binding(from), memory.binding(to), { buffer: setting }];
    const entries = resources.map((resource, binding) => ({ binding, resource }));
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
    pass.dispatchWorkgroups(Math.ceil(WIDTH / 8), Math.ceil(HEIGHT / 8));
    pass.end();
    device.queue.submit([encoder.finish()]);
  }

  return {
    pool,
    /** The filtered picture, as a fragment of the host's pool; the picture stays the caller's. */
    filter: async (picture, strength) => {
      const from = memory.upload(picture);
      const to = pool.alloc();
      if (from === 0 || to === 0) throw new Error('the device pool is empty');
      dispatch(from, to, strength);
      const output = memory.readback(to, { length: BYTES });
      void memory.afterSubmit([from, to]); // both come home when the device is done
      return output;
    },
    close: async () => {
      await device.queue.onSubmittedWorkDone();
      const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
      device.destroy();
      return isDestroyed;
    },
  };
}
