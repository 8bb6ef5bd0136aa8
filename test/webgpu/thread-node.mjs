// A thread of the device suite in Node: it holds numbers, or holds tokens and ends with them, or wants pages of a device that is gone.

import { parentPort, workerData } from 'node:worker_threads';
import { turns } from '../support/waiting.js';
import { holdNumbers } from './thread.js';

const { entries, share, tokens, waits } = workerData;
if (waits !== undefined) {
  const { PagePool } = await import(entries.pool);
  const pool = PagePool.attach(share);
  const alloc = () => {
    try {
      return pool.alloc();
    } catch ({ code }) {
      return code;
    }
  };
  const found = { take: 'pending', next: 'pending' };
  parentPort.once('message', async () => {
    const ends = [
      pool.takeAsync(undefined, { ref: true }).then(
        () => (found.take = 'a page'),
        ({ code }) => (found.take = code),
      ),
      pool
        .channel('work')
        .next({ ref: true })
        .then((fragment) => (found.next = fragment)),
    ];
    // Each wait looks a few times meanwhile.
    await turns(60);
    parentPort.postMessage({ alloc: alloc(), ...found });
    await Promise.all(ends);
    parentPort.postMessage({ alloc: alloc(), ...found });
    parentPort.on('message', () => parentPort.postMessage({ alloc: alloc() }));
  });
  parentPort.postMessage({});
} else if (tokens !== undefined) {
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
