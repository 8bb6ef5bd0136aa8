// A shader that doubles words, from one binding to the other.

import type { DeviceBinding } from 'pagepool/webgpu';

/** Submits the shader. Both bindings may lie in one buffer, so both can be written. */
export function doubler(device: GPUDevice): (input: DeviceBinding, output: DeviceBinding) => void {
  const module = device.createShaderModule({
    code: `@group(0) @binding(0) var<storage, read_write> input: array<u32>;
      @group(0) @binding(1) var<storage, read_write> output: array<u32>;
      @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
        if (id.x < arrayLength(&input)) { output[id.x] = 2 * input[id.x]; }
      }`,
  });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  return (input, output) => {
    const group = device.createBindGroup({
      layout: pipeline.getBindGroupLayout(0),
      entries: [input, output].map((resource, binding) => ({ binding, resource })),
    });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(input.size / 256));
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}

/** The fragment's bytes as words. */
export function wordsOf({ bytes }: { readonly bytes: Uint8Array }): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
}
