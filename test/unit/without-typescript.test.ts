// A program of pagepool/lean that has not imported pagepool/typescript: the Wasm core does everything, and where it
// cannot run the error names the import.
//
// In processes of their own, with the package as it is built: what runs in the tests' own processes has both engines.

import { describe, expect, it } from 'vitest';
import { at, printed, REFUSED } from '../support/program-text.js';
import { HUNG_MS } from '../support/waiting.js';

/** The program's expression for a worker that runs this one. */
function worker(program: string, workerData: string): string {
  const text = `import { parentPort, workerData } from 'node:worker_threads'; ${LOAD} ${program}`;
  const url = `data:text/javascript,${encodeURIComponent(text)}`;
  return `new Worker(new URL(${JSON.stringify(url)}), { workerData: ${workerData} })`;
}

const LOAD = `const { PagePool } = await import(${at('lean')});`;
const NO_COMPILING = `
  const refuse = () => { throw new WebAssembly.CompileError('refused by the content security policy'); };
  WebAssembly.Module = function () { refuse(); };
  WebAssembly.compile = async () => refuse();`;
const NO_SHARED_WASM = `
  const { Memory } = WebAssembly;
  WebAssembly.Memory = function (options) {
    if (options.shared) throw new RangeError('could not allocate memory');
    return new Memory(options);
  };`;

const NAMED =
  /^POOL_ERR_INVALID_ARGUMENT: \w+ failed: engine="\w+" \(expected the TypeScript engine, .*\); import pagepool\/typescript in this thread$/;

describe('without pagepool/typescript', () => {
  it.each([
    ["engine: 'typescript'", '', "{ engine: 'typescript' }"],
    ['no WebAssembly', 'delete globalThis.WebAssembly;', '{}'],
    [
      'neither WebAssembly nor shared memory',
      'delete globalThis.WebAssembly; delete globalThis.SharedArrayBuffer;',
      '{}',
    ],
    ['a policy that forbids to compile', NO_COMPILING, '{}'],
    [
      'the same where memory is not shared',
      `${NO_COMPILING} globalThis.crossOriginIsolated = false; delete globalThis.SharedArrayBuffer;`,
      '{}',
    ],
  ])('creating refuses %s by an error that names it', async (_, realm, options) => {
    const found = await printed(`${realm} ${LOAD} ${REFUSED}
      console.log(JSON.stringify([
        await refused(() => PagePool.create(${options})),
        await refused(() => PagePool.createSync(${options})),
      ]));`);
    expect(found).toEqual([expect.stringMatching(NAMED), expect.stringMatching(NAMED)]);
  });

  it('attaching refuses a share of that engine, and takes no port', async () => {
    const found = await printed(`${LOAD} ${REFUSED}
      import { Worker } from 'node:worker_threads';
      const pool = await PagePool.create({ pageCount: 4 });
      const worker = ${worker(
        `${REFUSED}
        parentPort.postMessage(await refused(() => PagePool.attach(workerData)));`,
        "{ ...pool.share(), engine: 'typescript' }",
      )};
      const message = await new Promise((resolve) => worker.once('message', resolve));
      const claimed = pool.stats().ports.filter(({ isClaimed }) => isClaimed).length;
      console.log(JSON.stringify({ message, claimed }));`);
    expect(found).toEqual({ message: expect.stringMatching(NAMED), claimed: 1 });
  });

  it("a provider's pages that are to be cleared are refused, and the error says why", async () => {
    const found = await printed(`${LOAD} ${REFUSED}
      const { slabs } = await import(${at('providers')});
      console.log(JSON.stringify(await refused(() => PagePool.create({ provider: slabs(), zero: 'on-release' }))));`);
    expect(found).toBe(
      'POOL_ERR_INVALID_ARGUMENT: create failed: zero="on-release" (expected \'never\' with this provider, since the Wasm core clears its own memory alone); import pagepool/typescript in this thread',
    );
  });

  it('memory that is refused names what takes less', async () => {
    const found = await printed(`${LOAD} ${REFUSED} ${NO_SHARED_WASM}
      console.log(JSON.stringify([
        await refused(() => PagePool.create({ pageCount: 4 })),
        await refused(() => PagePool.create({ pageCount: 4, engine: 'wasm' })),
      ]));`);
    const named = 'a shared Wasm memory takes 10 GiB of addresses';
    expect(found[0]).toMatch(`${named}, which a pool does without where pagepool/typescript is imported`);
    expect(found[1]).toMatch(new RegExp(`^POOL_ERR_MEMORY_LIMIT.*${named}$`));
  });

  it('a thread that dies is reaped, the audit is balanced, and the pool closes', async () => {
    const found = await printed(`${LOAD}
      import { Worker } from 'node:worker_threads';
      const pool = await PagePool.create({ pageCount: 16, channels: { work: { capacity: 4 } } });
      const worker = ${worker(
        `
        const pool = PagePool.attach(workerData);
        pool.alloc();
        pool.take(100).slice(0, 10);
        pool.channel('work').sendFragment(pool.take());
        parentPort.postMessage(0);
        setInterval(() => {}, 1000);`,
        'pool.share()',
      )};
      const reaped = pool.watch(worker);
      await new Promise((resolve) => worker.once('message', resolve));
      const { used } = pool.audit().pages;
      await worker.terminate();
      await reaped;
      pool.channel('work').receive().release();
      const { balanced, errors, pages } = pool.audit();
      const { isDestroyed } = await pool.close({ timeoutMs: ${HUNG_MS} });
      console.log(JSON.stringify({ used, balanced, errors, left: pages.used, isDestroyed }));`);
    expect(found).toEqual({ used: 3, balanced: true, errors: [], left: 0, isDestroyed: true });
  });
});
