// What a program's first calls cost: what the platform loads or compiles once, it does while a pool is made, and not
// where a program waits for the first time and holds its event loop up.

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
