// pagepool/worklet: a processor that takes blocks from the page and gives each back changed, by calls that never wait
// or throw.

import { PagePool } from './both.js';
import { endPool } from './ending.js';

const FRAMES = 128;

export async function tryWorklet({ engine, blocks }) {
  const channel = { capacity: 16, batch: 1 };
  const pool = await PagePool.create({
    engine,
    pageBytes: 1024,
    pageCount: 8,
    maxPorts: 2,
    channels: { out: channel, back: channel, full: { capacity: 1, batch: 1 } },
  });
  const context = new OfflineAudioContext(1, FRAMES * blocks, 48000);
  await context.audioWorklet.addModule(new URL('try-processor.js', import.meta.url));
  const out = pool.channel('out');
  for (let i = 0; i < 4; i++) {
    const fragment = pool.take(4 * FRAMES);
    const { buffer, byteOffset } = fragment.bytes;
    new Float32Array(buffer, byteOffset, FRAMES).fill(i);
    out.sendFragment(fragment, i);
  }
  const node = new AudioWorkletNode(context, 'try', { processorOptions: { share: pool.share(), blocks } });
  const failed = new Promise((_, reject) => {
    node.onprocessorerror = ({ message }) => reject(new Error(`the processor failed: ${message}`));
  });
  const reported = new Promise((resolve) => {
    node.port.onmessage = ({ data }) => resolve(data);
  });
  node.connect(context.destination);
  const rendered = await Promise.race([context.startRendering(), failed]);
  const processor = await Promise.race([reported, failed]);
  const heard = [];
  for (let i = 0; i < 4; i++) heard.push(rendered.getChannelData(0)[FRAMES * i + 5]);
  const back = [];
  for await (const fragment of pool.channel('back')) {
    const { buffer, byteOffset } = fragment.bytes;
    const samples = new Float32Array(buffer, byteOffset, FRAMES);
    back.push([fragment.tag, samples[0], samples.every((sample) => sample === samples[0])]);
    fragment.release();
  }
  const kept = pool.channel('full').receive();
  kept?.release();
  return { heard, back, processor, end: await endPool(pool) };
}
