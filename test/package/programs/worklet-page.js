// Takes ten blocks from an audio worklet whose script lies at the address, and says what was in them.

import { PagePool } from 'pagepool';

const BLOCKS = 10;

/** Renders, receives, closes. */
export async function record(url) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 64, channels: { blocks: { batch: 1 } } });
  const context = new OfflineAudioContext(1, 128 * BLOCKS, 48000);
  await context.audioWorklet.addModule(url);
  const processorOptions = { share: pool.share(), blocks: BLOCKS };
  const node = new AudioWorkletNode(context, 'numbers', { processorOptions });
  const failed = new Promise((_, reject) => {
    node.onprocessorerror = ({ message }) => reject(new Error(`the processor failed: ${message}`));
  });
  node.connect(context.destination);
  await Promise.race([context.startRendering(), failed]);
  const blocks = [];
  for await (const fragment of pool.channel('blocks')) {
    const { buffer, byteOffset, length } = fragment.bytes;
    const samples = new Float32Array(buffer, byteOffset, length / 4);
    blocks.push(samples.every((sample) => sample === samples[0]) ? samples[0] : 'mixed');
    fragment.release();
  }
  const { balanced } = pool.audit();
  const { isDestroyed } = await pool.close();
  return { worklet: { blocks, balanced, isDestroyed } };
}
