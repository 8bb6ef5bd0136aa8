// An audio worklet attaches to the page's pool: in each block it takes a page from the page's channel, and sends one of
// its own.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { Stamper } from './stamp.js';

const BLOCK_FRAMES = 128;
const BLOCK_BYTES = 4 * BLOCK_FRAMES;

export async function worklet({ engine, seed, blocks }) {
  const channel = { capacity: blocks, batch: 1 };
  const channels = { toWorklet: channel, toPage: channel };
  const pool = await PagePool.create({ engine, pageBytes: 1024, pageCount: 2 * blocks, maxPorts: 2, channels });
  const stamper = new Stamper(pool, seed);
  const toWorklet = pool.channel('toWorklet');
  for (let i = 0; i < blocks; i++) {
    const fragment = pool.take(BLOCK_BYTES);
    stamper.write(fragment.handle, BLOCK_BYTES, i);
    toWorklet.sendFragment(fragment, i);
  }
  // Rendering is offline: it needs no sound card, and no gesture of a user.
  const context = new OfflineAudioContext(1, BLOCK_FRAMES * blocks, 48000);
  await context.audioWorklet.addModule(new URL('worklet-processor.js', import.meta.url));
  const processorOptions = { share: pool.share(), engine, seed, blocks };
  const node = new AudioWorkletNode(context, 'stamps', { processorOptions });
  const failed = new Promise((_, reject) => {
    node.onprocessorerror = ({ message }) => reject(new Error(`the processor failed: ${message}`));
  });
  const reported = new Promise((resolve) => {
    node.port.onmessage = ({ data }) => resolve(data);
  });
  node.connect(context.destination);
  const total = { came: 0, torn: 0 };
  const receiving = (async () => {
    for await (const fragment of pool.channel('toPage')) {
      if (!stamper.isWhole(fragment.handle, fragment.length, blocks + fragment.tag)) total.torn++;
      fragment.release();
      total.came++;
    }
  })();
  await Promise.race([context.startRendering(), failed]);
  const processor = await Promise.race([reported, failed]);
  await receiving;
  return { total, processor, end: await endPool(pool) };
}
