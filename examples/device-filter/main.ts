// Filters a signal on the device, block by block as it arrives in shared pages from another thread: npm run
// example:device
//
// Every block is filtered by the processor as well and compared. After the first blocks no GPUBuffer is created: pages
// of device memory and staging buffers go round. --file RECORDING.wav takes a recording.

import { once } from 'node:events';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Fragment, PagePool } from 'pagepool';
import { webgpu } from 'pagepool/webgpu';
import { openDevice } from './device.js';
import { createFilter, filterHere, HISTORY } from './filter.js';

const PAGE_BYTES = 65536;
const WARM_UP_BLOCKS = 8;
/** Blocks that are on the device at one time. */
const DEPTH = 4;

const { file } = parseArgs({ options: { file: { type: 'string' } } }).values;
const { device, name } = await openDevice();
let created = 0;
const createBuffer = device.createBuffer.bind(device);
device.createBuffer = (descriptor) => {
  created += 1;
  return createBuffer(descriptor);
};

const host = await PagePool.create({
  name: 'samples',
  pageBytes: PAGE_BYTES,
  pageCount: 32,
  channels: { sound: { capacity: 8, batch: 1 } },
});
const provider = webgpu(device, { bufferBytes: 16 * PAGE_BYTES });
const gpu = await PagePool.create({ name: 'device', provider, pageBytes: PAGE_BYTES, pageCount: 64 });
const memory = provider.memory(gpu, { host });
const filter = createFilter(device);
const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: { share: host.share(), file } });
host.watch(worker);
const ended = once(worker, 'exit');

const expected = new Int16Array(PAGE_BYTES / 2);
let blocks = 0;
let different = 0;
let warm = 0;

/** One block: to the device, through the shader, and back; compared with what the processor makes of it. */
async function filterBlock(input: Fragment): Promise<void> {
  const from = memory.upload(input);
  const to = gpu.alloc();
  if (from === 0 || to === 0) throw new Error('the device pool is empty');
  filter(memory.binding(from), memory.binding(to));
  const readback = memory.readback(to);
  void memory.afterSubmit([from, to]);
  const output = await readback;
  filterHere(samplesOf(input), expected);
  const filtered = samplesOf(output);
  for (let i = HISTORY; i < filtered.length; i++) if (filtered[i] !== expected[i]) different += 1;
  input.release();
  output.release();
  if (++blocks === WARM_UP_BLOCKS) warm = created;
}

function samplesOf({ bytes }: Fragment): Int16Array {
  return new Int16Array(bytes.buffer, bytes.byteOffset, bytes.length / 2);
}

const started = performance.now();
const sound = host.channel('sound');
await Promise.all(
  Array.from({ length: DEPTH }, async () => {
    for (let input = await sound.next(); input !== null; input = await sound.next()) {
      await filterBlock(input);
    }
  }),
);
const seconds = (performance.now() - started) / 1000;
await ended;
const reports = [await gpu.close({ timeoutMs: 60_000 }), await host.close({ timeoutMs: 5000 })];
device.destroy();

const areHome = reports.every(({ isDestroyed }) => isDestroyed);
const samples = blocks * (PAGE_BYTES / 2 - HISTORY);
console.log(`device: ${name}; ${blocks} blocks, ${(samples / seconds / 1e6).toFixed(1)} million samples a second`);
console.log(`samples that differ from the processor's: ${different}`);
console.log(`GPUBuffers created: ${warm} in the first ${WARM_UP_BLOCKS} blocks, ${created - warm} after`);
console.log(`every page is home: ${areHome}`);
process.exitCode = different === 0 && created === warm && areHome && blocks > WARM_UP_BLOCKS ? 0 : 1;
