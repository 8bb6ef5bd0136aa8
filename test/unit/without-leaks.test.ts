// A program of pagepool/lean that has not imported pagepool/leaks: it looks for no leaks, and where a thread asks for
// them the error names the import.
//
// In processes of their own, with the package as it is built: what runs in the tests' own processes has everything.

import { describe, expect, it } from 'vitest';
import { at, printed, REFUSED } from '../support/program-text.js';

/** What a call throws, as `code: message`. */
const PROGRAM = `
  const { PagePool } = await import(${at('lean')});${REFUSED}`;

/** What the program prints, as JSON. */
const run = (program: string) => printed(`${PROGRAM} ${program}`);

/** The error of a call. */
function named(call: string, level: string): string {
  const found = `${call} failed: leaks="${level}" (expected pagepool/leaks, or 'off'); import pagepool/leaks`;
  return `POOL_ERR_INVALID_ARGUMENT: ${found} in this thread`;
}

describe('without pagepool/leaks', () => {
  it.each(['sampled', 'all'])('creating refuses %s by an error that names it', async (level) => {
    const program = `const options = { pageCount: 4, leaks: ${JSON.stringify(level)} };
      console.log(JSON.stringify([
        await refused(() => PagePool.create(options)),
        await refused(() => PagePool.createSync(options)),
      ]));`;
    expect(await run(program)).toEqual([named('create', level), named('createSync', level)]);
  });

  it('attaching refuses it, and takes no port', async () => {
    const attaching = `const { parentPort, workerData } = await import('node:worker_threads'); ${PROGRAM}
      parentPort.postMessage(await refused(() => PagePool.attach(workerData, { leaks: 'all' })));`;
    const program = `const { Worker } = await import('node:worker_threads');
      const pool = await PagePool.create({ pageCount: 4 });
      const url = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(attaching)}));
      const worker = new Worker(url, { workerData: pool.share() });
      const message = await new Promise((resolve) => worker.once('message', resolve));
      const claimed = pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
      console.log(JSON.stringify({ message, claimed }));`;
    expect(await run(program)).toEqual({ message: named('attach', 'all'), claimed: 1 });
  });

  it('nothing is looked for, and with it everything is', async () => {
    const program = `const found = [];
      for (const leaks of ['off', 'all']) {
        if (leaks === 'all') await import(${at('leaks')});
        const pool = await PagePool.create({ pageCount: 4, leaks });
        const page = pool.alloc();
        found.push(pool.leaks().map(({ handle }) => handle === page));
        pool.detach({ release: true });
      }
      console.log(JSON.stringify(found));`;
    expect(await run(program)).toEqual([[], [true]]);
  });
});
