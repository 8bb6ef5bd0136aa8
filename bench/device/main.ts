// npm run bench:device: bytes to a device and back, through the pool, with buffers made for each round, and with
// buffers kept by hand.
//
// The same work each: from a shared page to the device, there through a shader that doubles words (or not), and back
// into a shared page. Variants take turns; figures are medians of rounds, in microseconds. What a driver without a
// graphics card takes for the work itself is in all of them. --rounds N sets how often each variant runs.

import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { PagePool } from 'pagepool';
import { webgpu } from 'pagepool/webgpu';
import { openDevice } from '../../examples/device-filter/device.js';

const COPY_SRC = 4;
const COPY_DST = 8;
const STORAGE = 128;
const MAP_READ = 1;
const SIZES = [4096, 65536, 1048576];
const TURNS = 7;

/** One round: the bytes of `input` to the device and back into `output`. */
type Round = (input: Uint8Array, output: Uint8Array) => Promise<void>;

const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '100' } } }).values;
const perTurn = Math.max(1, Math.floor(Number(rounds)));
const { device, name } = await openDevice();
let created = 0;
const createBuffer = device.createBuffer.bind(device);
device.createBuffer = (descriptor) => {
  created += 1;
  return createBuffer(descriptor);
};

const pipeline = device.createComputePipeline({
  layout: 'auto',
  compute: {
    module: device.createShaderModule({
      code: `@group(0) @binding(0) var<storage, read_write> input: array<u32>;
        @group(0) @binding(1) var<storage, read_write> output: array<u32>;
        @compute @workgroup_size(64) fn main(@builtin(global_invocation_id) id: vec3u) {
          if (id.x < arrayLength(&input)) { output[id.x] = 2u * input[id.x]; }
        }`,
    }),
  },
});

function compute(encoder: GPUCommandEncoder, input: GPUBufferBinding, output: GPUBufferBinding, size: number): void {
  const entries = [input, output].map((resource, binding) => ({ binding, resource }));
  const pass = encoder.beginComputePass();
  pass.setPipeline(pipeline);
  pass.setBindGroup(0, device.createBindGroup({ layout: pipeline.getBindGroupLayout(0), entries }));
  pass.dispatchWorkgroups(Math.ceil(size / 256));
  pass.end();
}

/** The work on the buffers it needs, whoever made them. The input is copied first: Dawn takes no shared views. */
function onBuffers(size: number, isComputing: boolean): (buffers: readonly GPUBuffer[]) => Round {
  const copy = new Uint8Array(size);
  return ([staging, from, to = from]) =>
    async (input, output) => {
      if (from === undefined || to === undefined || staging === undefined) throw new Error('buffers are needed');
      copy.set(input);
      device.queue.writeBuffer(from, 0, copy);
      const encoder = device.createCommandEncoder();
      if (isComputing) compute(encoder, { buffer: from }, { buffer: to }, size);
      encoder.copyBufferToBuffer(to, 0, staging, 0, size);
      device.queue.submit([encoder.finish()]);
      await staging.mapAsync(MAP_READ);
      output.set(new Uint8Array(staging.getMappedRange()));
      staging.unmap();
    };
}

/** One for reading back, one for what comes in, and one for what the shader writes. */
function makeBuffers(size: number, isComputing: boolean): GPUBuffer[] {
  const usage = STORAGE | COPY_SRC | COPY_DST;
  const usages = [MAP_READ | COPY_DST, usage, ...(isComputing ? [usage] : [])];
  return usages.map((each) => device.createBuffer({ size, usage: each }));
}

/** The variants, and how each ends. */
async function variants(size: number, isComputing: boolean) {
  const host = await PagePool.create({ pageBytes: size, pageCount: 16 });
  const provider = webgpu(device, { bufferBytes: 16 * size });
  const gpu = await PagePool.create({ provider, pageBytes: size, pageCount: 16, unitBytes: Math.max(256, size / 64) });
  const memory = provider.memory(gpu, { host });
  const work = onBuffers(size, isComputing);
  const kept = makeBuffers(size, isComputing);
  const source = host.take();
  if (source === null) throw new Error('the host pool is empty');
  const pool: Round = async (input) => {
    source.bytes.set(input.subarray(0, 4)); // what arrives is in a shared page already
    const from = memory.upload(source);
    const to = isComputing ? gpu.alloc() : from;
    if (isComputing) {
      const encoder = device.createCommandEncoder();
      compute(encoder, memory.binding(from), memory.binding(to), size);
      device.queue.submit([encoder.finish()]);
    }
    const back = memory.readback(to);
    gpu.release(from);
    if (isComputing) gpu.release(to);
    (await back).release();
  };
  const fresh: Round = async (input, output) => {
    const buffers = makeBuffers(size, isComputing);
    await work(buffers)(input, output);
    for (const buffer of buffers) buffer.destroy();
  };
  const rounds: readonly (readonly [string, Round])[] = [
    ['pool', pool],
    ['createBuffer and destroy', fresh],
    ['buffers kept by hand', work(kept)],
  ];
  const end = async (): Promise<void> => {
    source.release();
    for (const buffer of kept) buffer.destroy();
    await gpu.close({ timeoutMs: 5000 });
    await host.close({ timeoutMs: 5000 });
  };
  return { rounds, end };
}

function quantile(sorted: readonly number[], part: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(part * sorted.length))] ?? Number.NaN;
}

console.log(`${cpus()[0]?.model ?? 'unknown'}, ${cpus().length} cores, Node ${process.version}; device: ${name}`);
console.log(`${TURNS} turns of ${perTurn} rounds; microseconds a round\n`);
console.log('| bytes | work | variant | median | p99 | GPUBuffers a round | against the pool |');
console.log('|---:|---|---|---:|---:|---:|---:|');
for (const size of SIZES) {
  for (const isComputing of [false, true]) {
    const { rounds: each, end } = await variants(size, isComputing);
    const input = new Uint8Array(new SharedArrayBuffer(size)).fill(3);
    const output = new Uint8Array(new SharedArrayBuffer(size));
    const times = each.map((): number[] => []);
    const buffers = each.map(() => 0);
    for (let turn = 0; turn <= TURNS; turn++) {
      for (const [i, [, run]] of each.entries()) {
        const before = created;
        for (let round = 0; round < perTurn; round++) {
          const start = performance.now();
          await run(input, output);
          // The first turn warms up.
          if (turn > 0) times[i]?.push((performance.now() - start) * 1000);
        }
        if (turn > 0) buffers[i] = (buffers[i] ?? 0) + created - before;
      }
    }
    const sorted = times.map((list) => list.sort((a, b) => a - b));
    const base = quantile(sorted[0] ?? [], 0.5);
    for (const [i, [title]] of each.entries()) {
      const list = sorted[i] ?? [];
      const median = quantile(list, 0.5);
      const work = isComputing ? 'there, shader, back' : 'there and back';
      const ratio = i === 0 ? '' : `${(median / base).toFixed(2)} x`;
      const made = ((buffers[i] ?? 0) / list.length).toFixed(2);
      console.log(
        `| ${size} | ${work} | ${title} | ${median.toFixed(0)} | ${quantile(list, 0.99).toFixed(0)} | ${made} | ${ratio} |`,
      );
    }
    await end();
  }
}
device.destroy();
