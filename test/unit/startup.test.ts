// What a program's first calls cost: what the platform loads or compiles once, it does while a pool is made, and not
// where a program waits for the first time and holds its event loop up. What a pool can do without is not loaded.

import { describe, expect, it } from 'vitest';
import { at, printed } from '../support/program-text.js';

describe('the first wait of a program', () => {
  it("loads no module of Node's: the clock is there since the pool was made", async () => {
    const loaded = await printed(`
      const { PagePool } = await import(${at('index')});
      const pool = await PagePool.create({ pageCount: 4, channels: { work: {} } });
      const before = new Set(process.moduleLoadList);
      const wait = pool.channel('work').next({ timeoutMs: 1 });
      const loaded = process.moduleLoadList.filter((name) => !before.has(name));
      const { code } = await wait.catch((error) => error);
      pool.destroy();
      console.log(JSON.stringify({ isKnown: before.size > 0, loaded, code }));`);
    expect(loaded).toEqual({ isKnown: true, loaded: [], code: 'POOL_ERR_TIMEOUT' });
  });

  it('finds the function compiled that asks for room on the stack', async () => {
    const levels = await printed(`
      const levels = [];
      const { Instance } = WebAssembly;
      WebAssembly.Instance = function (module, imports) {
        const made = new Instance(module, imports);
        const touch = made.exports[''];
        return touch === undefined ? made : { exports: { '': (count) => void (levels.push(count), touch(count)) } };
      };
      const { PagePool } = await import(${at('index')});
      const pool = await PagePool.create({ pageCount: 4 });
      pool.destroy();
      console.log(JSON.stringify(levels));`);
    expect(levels[0]).toBe(0);
  });
});

describe('the identity of a pool', () => {
  it("is drawn without Node's crypto, which takes longer to load than a pool to make", async () => {
    const loaded = await printed(`
      const { PagePool } = await import(${at('index')});
      const before = new Set(process.moduleLoadList);
      const pool = await PagePool.create({ pageCount: 4 });
      pool.destroy();
      console.log(JSON.stringify(process.moduleLoadList.filter((name) => !before.has(name) && name.includes('crypto'))));`);
    expect(loaded).toEqual([]);
  });

  it('differs between threads whose platform was given one seed', async () => {
    const program = `
      import { parentPort } from 'node:worker_threads';
      import { PagePool } from ${at('index')};
      const pool = PagePool.createSync({ pageCount: 4 });
      parentPort.postMessage({ drawn: Math.random(), identity: pool.share().identity.join('.') });
      pool.destroy();`;
    const found = await printed(
      `
      const { once } = await import('node:events');
      const { Worker } = await import('node:worker_threads');
      const start = () => once(new Worker(${JSON.stringify(program)}, { eval: true }), 'message');
      const [[one], [two]] = await Promise.all([start(), start()]);
      console.log(JSON.stringify([one.drawn === two.drawn, one.identity === two.identity]));`,
      '--random-seed=7',
    );
    expect(found).toEqual([true, false]);
  });
});
