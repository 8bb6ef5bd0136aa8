// The device suite in Node, on Dawn, and what only Node can show: workers that end, and that hold numbers alone.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import * as packet from 'pagepool/packet';
import { testProvider } from 'pagepool/testing';
import { webgpu } from 'pagepool/webgpu';
import { describe, expect, it, vi } from 'vitest';
import { chooseSeed } from '../support/ports.js';
import { program } from '../support/program.js';
import { HUNG_MS } from '../support/waiting.js';
import { dawn, makeDevice, missingDevice } from '../support/webgpu.js';
import { type Platform, setUp, tearDown } from './suite/setting.js';
import { suite } from './suite.js';
import type { Findings } from './thread.js';
import type { Entries, Task } from './thread-node.js';

const built = (name: string) => new URL(`../../build/${name}.js`, import.meta.url).href;
const whole = new URL('../support/whole-entry.mjs', import.meta.url).href;
const entries: Entries = { pool: whole, webgpu: built('webgpu'), dawn };
const source = new URL(
  `data:text/javascript,${encodeURIComponent(await program(new URL('./thread-node.ts', import.meta.url)))}`,
);

/** Starts a thread of this folder; its first message. */
function startThread<Message>(task: Task): { worker: Worker; first: Promise<Message> } {
  const worker = new Worker(source, { workerData: { entries, task } });
  const first = new Promise<Message>((resolve, reject) => {
    worker.once('message', resolve).once('error', reject);
    worker.once('exit', (code) => reject(new Error(`the thread ended with ${code} (expected a message before)`)));
  });
  first.catch(() => {}); // whoever asks is told
  return { worker, first };
}

const missing = await missingDevice();
if (missing !== undefined) console.log(`no WebGPU in Node: ${missing}`);
const platform: Platform = {
  PagePool,
  webgpu,
  testProvider,
  packet,
  makeDevice,
  seed: chooseSeed('webgpu in Node'),
  takesSharedViews: false,
  startThread: () => startThread({ kind: 'hold tokens', tokens: [] }),
  runThread: async (share) => {
    const { worker, first } = startThread<Findings>({ kind: 'hold numbers', share });
    const ended = new Promise((resolve) => worker.once('exit', resolve));
    const found = await first;
    await ended;
    return found;
  },
};

describe.skipIf(missing !== undefined)('WebGPU in Node', () => {
  it.each(suite.map(([name, run]) => [name, run] as const))('%s', async (_, run) => {
    await run(platform);
  });

  it('a worker that is terminated gives all its tokens back', async () => {
    const all = await setUp(platform);
    const { gpu, memory } = all;
    const tokens = Array.from({ length: 10 }, () => gpu.alloc());
    const numbers = tokens.map((_, i) => i + 1);
    const { worker, first } = startThread<{ ranges: number[] }>({ kind: 'hold tokens', tokens: numbers });
    const consumer = memory.consumer({ worker });
    expect(tokens.map((handle) => consumer.give(handle))).toEqual(numbers);
    expect(consumer.release((await first).ranges)).toBe(5);
    expect(consumer.held).toBe(5);
    await worker.terminate();
    expect(consumer.held).toBe(0);
    expect(gpu.audit().pages.used).toBe(0);
    expect(() => memory.consumer({ worker: {} as never })).toThrow(/call close\(\)/);
    expect(() => memory.consumer({ worker })).toThrow(/worker\.threadId=-1 \(expected a worker that runs\)/);
    await tearDown(all);
  });

  it.each([
    [0, /^POOL_ERR_(CLOSING|DESTROYED)$/],
    [1, /^POOL_ERR_CLOSING$/],
  ])(
    'a worker is not told of the loss, and its waits end when the owner destroys the pool: with %i pages out by %s',
    async (out, code) => {
      const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
      // So few that a magazine has one page: what is not out is with the provider.
      const all = await setUp(platform, { pool: { pageCount: 16 } });
      const { gpu, device } = all;
      const held = Array.from({ length: out }, () => gpu.alloc());
      const { worker, first } = startThread({ kind: 'wait', share: gpu.share() });
      const heard = async () => (await once(worker, 'message'))[0] as unknown;
      await first;
      device.destroy();
      await device.lost;
      expect(() => gpu.alloc()).toThrow(expect.objectContaining({ code: 'POOL_ERR_PROVIDER' }));
      let message = heard();
      worker.postMessage('lost');
      expect(await message).toEqual({ alloc: 0, take: 'pending', next: 'pending' });
      message = heard();
      gpu.destroy();
      const ended = expect.stringMatching(code);
      expect(await message).toEqual({ alloc: ended, take: ended, next: null });
      // What the worker asked for was asked of the provider in vain.
      expect(warn).toHaveBeenCalledWith(expect.stringContaining('the device is lost'));
      warn.mockRestore();
      for (const handle of held) gpu.release(handle);
      expect((await gpu.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed).toBe(true);
      message = heard();
      worker.postMessage('destroyed');
      expect(await message).toEqual({ alloc: 'POOL_ERR_DESTROYED' });
      await worker.terminate();
      await tearDown(all);
    },
  );

  it('a device that is out of memory refuses the pool in its own words, and an upload finds none', async () => {
    const maxBufferSize = 2 ** 30; // more than SwiftShader has in one piece
    const device = await makeDevice({ requiredLimits: { maxBufferSize } });
    const options = { pageBytes: 2 ** 24, pageCount: 64 };
    await expect(
      PagePool.create({ provider: webgpu(device, { bufferBytes: maxBufferSize }), ...options }),
    ).rejects.toThrow(/createBuffer of 1073741824 bytes: .*OUT_OF_DEVICE_MEMORY/);
    await expect(device.popErrorScope()).rejects.toThrow(/scope/);
    device.destroy();
  });
});
