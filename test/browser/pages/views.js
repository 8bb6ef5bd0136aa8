// Which web APIs take a view on the pool's memory, and which throw.

import { PagePool } from './both.js';
import { endPool } from './ending.js';
import { runWorker } from './threads.js';

export async function views() {
  const pool = await PagePool.create({ pageCount: 4 });
  const fragment = pool.take();
  const { bytes } = fragment;
  const clamped = new Uint8ClampedArray(bytes.buffer, bytes.byteOffset, 64);
  const socket = new WebSocket('ws://127.0.0.1:9');
  const frame = { format: 'RGBA', codedWidth: 4, codedHeight: 4, timestamp: 0 };
  const calls = {
    TextDecoder: () => new TextDecoder().decode(bytes),
    'TextEncoder.encodeInto': () => new TextEncoder().encodeInto('text', bytes),
    'crypto.getRandomValues': () => crypto.getRandomValues(bytes),
    'crypto.subtle': () => crypto.subtle.digest('SHA-256', bytes),
    Blob: () => new Blob([bytes]),
    'WebSocket.send': () => socket.send(bytes),
    ImageData: () => new ImageData(clamped, 4, 4),
    VideoFrame: () => new VideoFrame(bytes.subarray(0, 64), frame).close(),
    'EncodedVideoChunk.copyTo': () => new EncodedVideoChunk({ type: 'key', timestamp: 0, data: bytes }).copyTo(bytes),
  };
  const refused = [];
  const taken = [];
  for (const [name, call] of Object.entries(calls)) {
    try {
      await call();
      taken.push(name);
    } catch (error) {
      if (!(error instanceof TypeError)) throw new Error(`${name}: ${error}`);
      refused.push(name);
    }
  }
  socket.close();
  fragment.release();
  const files = await runWorker('file-worker.js', pool.share());
  return { refused, taken, files, end: await endPool(pool) };
}
