// A thread of the device suite in Node: it holds numbers, or it holds tokens and ends with them.

import { parentPort, workerData } from 'node:worker_threads';
import { holdNumbers } from './thread.js';

const { entries, share, tokens } = workerData;
if (tokens !== undefined) {
  // Gives every other one back, and never ends by itself.
  parentPort.postMessage({ ranges: tokens.filter((_, i) => i % 2 === 0).flatMap((token) => [token, 1]) });
  setInterval(() => {}, 1000);
} else {
  const { PagePool } = await import(entries.pool);
  const { webgpu } = await import(entries.webgpu);
  const dawn = await import('webgpu');
  // Kept: Dawn's devices do not keep their instance, and end the process without it.
  globalThis.dawnInstance = dawn.create([]);
  const makeDevice = async () => (await globalThis.dawnInstance.requestAdapter()).requestDevice();
  parentPort.postMessage(await holdNumbers({ PagePool, webgpu, makeDevice }, share));
}
