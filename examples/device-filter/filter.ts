// A low-pass filter on 16-bit samples, in whole numbers: on the device and on the processor, to the same bit.
//
// A page holds the samples before a block and the block itself, so that every block can be filtered alone.

export const TAPS = 63;
/** Samples of the block before that a page begins with; even, since the device works on pairs. */
export const HISTORY = TAPS + 1;
const SCALE_BITS = 15;
const CUTOFF = 0.05;

/** A windowed sinc, in 1/32768. */
export const coefficients = Int32Array.from({ length: TAPS }, (_, i) => {
  const x = i - (TAPS - 1) / 2;
  const sinc = x === 0 ? 2 * CUTOFF : Math.sin(2 * Math.PI * CUTOFF * x) / (Math.PI * x);
  const window = 0.54 - 0.46 * Math.cos((2 * Math.PI * i) / (TAPS - 1));
  return Math.round(sinc * window * 2 ** SCALE_BITS);
});

/** Filters what follows the history, on the processor. */
export function filterHere(samples: Int16Array, output: Int16Array): void {
  for (let i = HISTORY; i < samples.length; i++) {
    let sum = 0;
    for (let k = 0; k < TAPS; k++) sum += (coefficients[k] as number) * (samples[i - k] as number);
    output[i] = sum >> SCALE_BITS;
  }
}

// One invocation writes two samples. Both bindings can be written: pages of one buffer may not be read-only here and
// written there in one dispatch.
const SHADER = `
@group(0) @binding(0) var<storage, read_write> samples: array<u32>;
@group(0) @binding(1) var<storage, read_write> filtered: array<u32>;
const TAPS = ${TAPS}u;
const coefficients = array<i32, ${TAPS}>(${[...coefficients].join(', ')});

fn sampleAt(i: u32) -> i32 {
  let pair = samples[i / 2u];
  return bitcast<i32>(select(pair << 16u, pair, (i & 1u) == 1u)) >> 16u;
}

fn filterAt(i: u32) -> u32 {
  var sum = 0;
  for (var k = 0u; k < TAPS; k++) { sum += coefficients[k] * sampleAt(i - k); }
  return bitcast<u32>(sum >> ${SCALE_BITS}u) & 0xffffu;
}

@compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
  if (id.x < ${HISTORY / 2}u || id.x >= arrayLength(&samples)) { return; }
  filtered[id.x] = filterAt(2u * id.x) | (filterAt(2u * id.x + 1u) << 16u);
}`;

type Binding = GPUBufferBinding & { readonly size: number };

/** Filters what follows the history, on the device: submits the work and returns. */
export function createFilter(device: GPUDevice): (input: Binding, output: Binding) => void {
  const module = device.createShaderModule({ code: SHADER });
  const pipeline = device.createComputePipeline({ layout: 'auto', compute: { module } });
  return (input, output) => {
    const entries = [input, output].map((resource, binding) => ({ binding, resource }));
    const group = device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries });
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    pass.dispatchWorkgroups(Math.ceil(input.size / 4 / 64));
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
}
