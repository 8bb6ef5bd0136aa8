// Waits between real threads: no wake-up is lost, whenever what is waited for comes.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { entry } from '../support/threads.js';
import { HUNG_MS } from '../support/waiting.js';
import { ENGINES, runShape } from './run.js';

describe.each(ENGINES)('%s', (_, engines) => {
  const options = { pageCount: 8, channels: { c: { capacity: 1, batch: 1 } } };

  it.each([
    ['a thread that blocks for an entry', 'waitSync', 2, 5000],
    ['one of two threads that block for an entry', 'waitSync of two', 3, 2000],
    ['a thread that awaits an entry', 'next', 2, 3000],
    ['one of two threads, of which one awaits and one blocks', 'next beside waitSync', 3, 2000],
  ])('%s is woken by it', async (_name, shape, sides, rounds) => {
    const done = await runShape(shape, sides, engines, rounds, options);
    expect(done.sum('received')).toBe(done.rounds);
  });

  it('a thread that awaits pages and room goes on', async () => {
    const { rounds, sum } = await runShape('waitRoom and takeAsync', 2, engines, 1000, { ...options, pageCount: 1 });
    expect(sum('received')).toBe(rounds);
  });
});

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  it('an idle thread hears that the pool closes, and lets it', async () => {
    const worker = new Worker(
      `const { parentPort } = require('node:worker_threads');
      import(${JSON.stringify(entry)}).then(({ PagePool }) => {
        parentPort.on('message', (share) => {
          const pool = PagePool.attach(share);
          pool.release(pool.alloc());
          parentPort.postMessage('idle');
        });
        parentPort.postMessage('ready');
      });`,
      { eval: true },
    );
    await once(worker, 'message');
    for (let round = 0; round < 150; round++) {
      const pool = PagePool.createSync({ engine, pageCount: 8, maxPorts: 2 });
      worker.postMessage(pool.share());
      await once(worker, 'message');
      // Cached by an idle thread: only if it hears of the end does it give its pages back.
      const report = await pool.close({ timeoutMs: HUNG_MS });
      expect(report, `round ${round}`).toMatchObject({ isDestroyed: true, holders: [] });
    }
    await worker.terminate();
  });
});
