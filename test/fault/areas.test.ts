// A thread that attaches while memory is added and never returns to its event loop: it hears of the memory all the
// same.

import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { expect, test } from 'vitest';
import { entryOf } from '../support/threads.js';
import { HUNG_MS } from '../support/waiting.js';

/** Each hits the moment, or does not. */
const ROUNDS = 10;
const PAGES = 200;

const PROGRAM = `
  import { workerData } from 'node:worker_threads';
  const { PagePool } = await import(workerData.entry);
  const pool = PagePool.attach(workerData.share);
  const work = pool.channel('work');
  while (work.waitSync()) work.receive()?.release();
  pool.detach();`;

async function play(engine: 'wasm' | 'typescript'): Promise<boolean> {
  const provider = slabs({ slabBytes: 65536, keepBytes: 0 });
  const pool = await PagePool.create({ provider, engine, pageCount: 64, channels: { work: {} } });
  const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(PROGRAM)}`), {
    workerData: { entry: entryOf(0), share: { ...pool.share(), engine } },
  });
  const exit = new Promise((resolve) => worker.once('exit', () => resolve(true)));
  const work = pool.channel('work');
  try {
    for (let i = 0; i < PAGES; i++) {
      const page = await pool.takeAsync(undefined, { timeoutMs: HUNG_MS, ref: true });
      if (!work.sendFragment(page)) page.release();
    }
    work.close();
    await exit;
    return (await pool.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed;
  } finally {
    await worker.terminate();
  }
}

test.each(['wasm', 'typescript'] as const)(
  'a thread that only blocks and receives gets its pages, engine %s',
  async (engine) => {
    for (let round = 0; round < ROUNDS; round++) expect(await play(engine)).toBe(true);
  },
);
