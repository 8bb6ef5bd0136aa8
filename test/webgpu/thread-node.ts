// A thread of the device suite in Node: it holds numbers, or holds tokens and ends with them, or wants pages of a
// device that is gone.

import { parentPort, workerData } from 'node:worker_threads';
import type { PagePool, PoolShare } from 'pagepool';
import type { webgpu } from 'pagepool/webgpu';
import { until } from '../support/waiting.js';
import { holdNumbers } from './thread.js';

/** What the thread is to do. */
export type Task =
  | { readonly kind: 'hold numbers'; readonly share: PoolShare }
  | { readonly kind: 'hold tokens'; readonly tokens: readonly number[] }
  | { readonly kind: 'wait'; readonly share: PoolShare };

/** Modules by URL: a program without a file of its own finds none by name. */
export interface Entries {
  readonly pool: string;
  readonly webgpu: string;
  readonly dawn: string;
}

interface Dawn {
  create(options: string[]): GPU;
}

const port = parentPort as NonNullable<typeof parentPort>;
const { entries, task } = workerData as { entries: Entries; task: Task };

if (task.kind === 'wait') await wait(task.share);
else if (task.kind === 'hold tokens') {
  // Gives every other one back, and never ends by itself.
  port.postMessage({ ranges: task.tokens.filter((_, i) => i % 2 === 0).flatMap((token) => [token, 1]) });
  setInterval(() => {}, 1000);
} else {
  const { PagePool } = await loadPool();
  const { webgpu: provide } = (await import(entries.webgpu)) as { webgpu: typeof webgpu };
  const dawn = (await import(entries.dawn)) as Dawn;
  const instance = dawn.create([]);
  // Kept: Dawn's devices do not keep their instance, and end the process without it.
  Object.assign(globalThis, { instance });
  const makeDevice = async (): Promise<GPUDevice> => {
    const device = await (await instance.requestAdapter())?.requestDevice();
    if (device === undefined) throw new Error('no WebGPU adapter');
    return device;
  };
  port.postMessage(await holdNumbers({ PagePool, webgpu: provide, makeDevice }, task.share));
}

function loadPool(): Promise<{ PagePool: typeof PagePool }> {
  return import(entries.pool);
}

/**
 * Waits for a page and a message from the first word on; says how that stands at the second, and at the end of both
 * waits.
 */
async function wait(share: PoolShare): Promise<void> {
  const pool = (await loadPool()).PagePool.attach(share);
  const alloc = (): unknown => {
    try {
      return pool.alloc();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  const found: { take: unknown; next: unknown } = { take: 'pending', next: 'pending' };
  port.once('message', async () => {
    const ends = [
      pool.takeAsync(undefined, { ref: true }).then(
        () => {
          found.take = 'a page';
        },
        ({ code }: { code?: string }) => {
          found.take = code;
        },
      ),
      pool
        .channel('work')
        .next({ ref: true })
        .then((fragment) => {
          found.next = fragment;
        }),
    ];
    // The wait for a page looks by a timer: after three more looks it would have found what there is.
    const looked = (): number => pool.stats().alloc.empty;
    const before = looked();
    await until(() => looked() >= before + 3);
    port.postMessage({ alloc: alloc(), ...found });
    await Promise.all(ends);
    port.postMessage({ alloc: alloc(), ...found });
    port.on('message', () => port.postMessage({ alloc: alloc() }));
  });
  port.postMessage({});
}
