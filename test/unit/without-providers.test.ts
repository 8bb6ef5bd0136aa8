// A program of pagepool/lean that has not imported pagepool/providers: pools of their own memory are all there is, and
// any other is refused by an error that names the import.
//
// In processes of their own, with the package as it is built: what runs in the tests' own processes has everything.

import { describe, expect, it } from 'vitest';
import { at, printed, REFUSED } from '../support/program-text.js';

/** A provider of one's own, as short as one can be, and what a call throws, as `code: message`. */
const PROGRAM = `
  const { PagePool, wasmMemory } = await import(${at('lean')});
  const plain = {
    kind: 'mine',
    readable: true,
    detachable: true,
    init: (context) => {
      const byteLength = context.pool.pageBytes * context.pool.pageCount;
      context.addArea({ buffer: new SharedArrayBuffer(byteLength), byteLength }, context.pool.pageCount);
    },
    grow: (context) => context.feed(Uint32Array.of(1)),
    retire: () => {},
    describe: () => ({}),
    destroy: () => {},
  };${REFUSED}
  const both = async (options) => [
    await refused(() => PagePool.create({ pageCount: 4, ...options })),
    await refused(() => PagePool.createSync({ pageCount: 4, ...options })),
  ];`;

/** What the program prints, as JSON. */
const run = (program: string) => printed(`${PROGRAM} ${program}`);

/** The error of a call, for a provider that the option has. */
function named(call: string, option: string, kind: string): string {
  const rule = '(expected pagepool/providers, where a provider has the pages)';
  const found = `${call} failed: ${option}="${kind}" ${rule}`;
  return `POOL_ERR_INVALID_ARGUMENT: ${found}; import pagepool/providers in this thread`;
}

describe('without pagepool/providers', () => {
  it.each([
    ['a provider of its own', '{ provider: plain }', 'provider', 'mine'],
    ['slabs by their name', "{ provider: 'slab' }", 'provider', 'slab'],
    ['a reserve', '{ reserve: { provider: plain, pageCount: 1 } }', 'reserve.provider', 'mine'],
    ['a reserve by its name', "{ reserve: { provider: 'slab', pageCount: 1 } }", 'reserve.provider', 'slab'],
  ])('creating refuses %s by an error that names it', async (_, options, option, kind) => {
    expect(await run(`console.log(JSON.stringify(await both(${options})));`)).toEqual([
      named('create', option, kind),
      named('createSync', option, kind),
    ]);
  });

  it('wrong options are refused as what they are', async () => {
    expect(await run(`console.log(JSON.stringify(await both({ provider: plain, unitBytes: 3 })));`)).toEqual([
      expect.stringMatching(/^POOL_ERR_INVALID_ARGUMENT: create failed: unitBytes=3 /),
      expect.stringMatching(/^POOL_ERR_INVALID_ARGUMENT: createSync failed: unitBytes=3 /),
    ]);
  });

  it("the pool's own memory works, however it grows", async () => {
    const program = `console.log(JSON.stringify(await both({ provider: wasmMemory({ stepBytes: 65536 }) })));`;
    expect(await run(program)).toEqual(['nothing', 'nothing']);
  });

  it.each([
    ['pagepool/providers', `await import(${at('providers')});`],
    ['userArea()', `(await import(${at('user-area')})).userArea(new SharedArrayBuffer(4096));`],
  ])('with %s each provider works', async (_, load) => {
    const program = `${load}
      const found = [];
      for (const provider of [plain, 'slab']) {
        const pool = await PagePool.create({ pageCount: 4, provider });
        const page = pool.alloc();
        found.push(page !== 0 && pool.bytes(page).length);
        pool.release(page);
        await pool.close();
      }
      console.log(JSON.stringify(found));`;
    expect(await run(program)).toEqual([4096, 4096]);
  });

  it('attaching refuses a pool whose pages a provider has, and names pagepool/areas', async () => {
    const attaching = `const { parentPort, workerData } = await import('node:worker_threads');
      const { PagePool } = await import(${at('lean')});
      try {
        PagePool.attach(workerData);
      } catch ({ code, message }) {
        parentPort.postMessage(code + ': ' + message);
      }`;
    const program = `await import(${at('providers')});
      const { Worker } = await import('node:worker_threads');
      const pool = await PagePool.create({ pageCount: 4, provider: 'slab' });
      const url = new URL('data:text/javascript,' + encodeURIComponent(${JSON.stringify(attaching)}));
      const worker = new Worker(url, { workerData: pool.share() });
      const message = await new Promise((resolve) => worker.once('message', resolve));
      const claimed = pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
      console.log(JSON.stringify({ message, claimed }));`;
    expect(await run(program)).toEqual({
      message:
        'POOL_ERR_INVALID_ARGUMENT: attach failed: provider="slab" (expected pagepool/areas, where a provider has the pages); import pagepool/areas in this thread',
      claimed: 1,
    });
  });
});
