// What a pool leaves behind: no port, no handle, no mapping, no listener, also where nobody returns to the event loop.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PagePool } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { loadAnotherRealm } from '../support/realm.js';

const isLong = process.env.LONG === '1';
/** Rounds, and pools of each. */
const [ROUNDS, POOLS] = isLong ? [5, Number(process.env.POOLS ?? 1000)] : [5, 60];
const BYTES_A_POOL = isLong ? 8192 : 65_536;

afterEach(() => vi.unstubAllGlobals());

describe('the look at what can be shared', () => {
  it('is had once a realm, closes both ports, and makes no Wasm memory', async () => {
    const ports: { close(): void }[] = [];
    let closed = 0;
    let memories = 0;
    const { MessageChannel: Real, WebAssembly: Wasm } = globalThis;
    vi.stubGlobal(
      'MessageChannel',
      class extends Real {
        constructor() {
          super();
          for (const port of [this.port1, this.port2]) {
            const close = port.close.bind(port);
            port.close = () => {
              closed++;
              close();
            };
            ports.push(port);
          }
        }
      },
    );
    vi.stubGlobal('WebAssembly', {
      ...Object.fromEntries(Object.getOwnPropertyNames(Wasm).map((name) => [name, Wasm[name as keyof typeof Wasm]])),
      Memory: class extends Wasm.Memory {
        constructor(descriptor: WebAssembly.MemoryDescriptor) {
          super(descriptor);
          memories++;
        }
      },
    });
    const { PagePool: Other } = await loadAnotherRealm();
    for (let i = 0; i < 3; i++) Other.createSync({ pageCount: 4, maxPorts: 1 }).destroy();
    expect([ports.length, closed, memories]).toEqual([2, 2, 3]);
  });

  it('falls back to a SharedArrayBuffer where a Wasm memory is refused, and says so where the core is wanted', async () => {
    const { WebAssembly: Wasm } = globalThis;
    vi.stubGlobal('WebAssembly', {
      ...Object.fromEntries(Object.getOwnPropertyNames(Wasm).map((name) => [name, Wasm[name as keyof typeof Wasm]])),
      Memory: class {
        constructor() {
          throw new RangeError('could not allocate memory');
        }
      },
    });
    const pool = PagePool.createSync({ pageCount: 4, maxPorts: 1 });
    expect([pool.mode, pool.engine]).toEqual(['shared', 'typescript']);
    const page = pool.alloc();
    pool.bytes(page).fill(1);
    pool.release(page);
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
    expect(() => PagePool.createSync({ engine: 'wasm' })).toThrow(/10 GiB of addresses/);
  });
});

describe('pools that were created and closed', () => {
  const program = fileURLToPath(new URL('../support/come-and-go.mjs', import.meta.url));
  const build = new URL('../../build/', import.meta.url).href;

  it.each(['wasm', 'typescript', 'slab', 'user-area', 'reserve'])('of %s leave nothing', async (kind) => {
    for (const way of ['awaited', 'at once']) {
      const args = ['--expose-gc', program, build, kind, way, String(POOLS), String(ROUNDS)];
      const { stdout } = await promisify(execFile)(process.execPath, args);
      const found = JSON.parse(stdout) as Record<string, number[]>;
      const { handles, listeners, mappings = [], pools, residentBytes = [] } = found;
      if (isLong) console.log(kind, way, JSON.stringify(found));
      expect([way, pools]).toEqual([way, Array(ROUNDS).fill(POOLS)]);
      expect(new Set(handles).size).toBe(1);
      expect(new Set(listeners).size).toBe(1);
      // The first rounds grow what V8 and malloc keep; a memory that stays would be a mapping each.
      expect((mappings.at(-1) as number) - (mappings.at(1) as number)).toBeLessThan(100);
      // It would also be several megabytes of resident memory in every round. What else grows does so now and then: V8
      // takes megabytes at a time for its heap, and malloc for its arenas.
      const growths = residentBytes.slice(1).map((bytes, i) => bytes - (residentBytes[i] as number));
      expect(Math.min(...growths) / POOLS).toBeLessThan(BYTES_A_POOL);
    }
  });
});
