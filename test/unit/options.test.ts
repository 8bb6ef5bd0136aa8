// Options: every default, every bound, and the message of every refusal.

import { PagePool } from 'pagepool';
import { describe, expect, it } from 'vitest';
import { resolveAttach, resolveOptions } from '../../src/pool/options.js';
import type { MemoryProvider } from '../../src/provider/provider.js';
import '../../src/providers.js';
import { codeOf, messageOf } from '../support/realm.js';
import '../../src/typescript.js';

const MiB = 1024 * 1024;

describe('options', () => {
  it('have the defaults that the documentation names', () => {
    expect(resolveOptions('create', undefined)).toEqual({
      name: 'pool',
      pageBytes: 4096,
      pageCount: 1024,
      unitBytes: 64,
      maxPorts: 16,
      tokens: 256,
      stalls: {},
      channels: [],
      calls: [],
      provider: expect.objectContaining({ kind: 'wasm-memory' }),
      reserve: undefined,
      source: { kind: 'wasm-memory', isOwn: true, readable: true, detachable: true, reservePages: 0 },
      engine: 'auto',
      module: undefined,
      zero: 'never',
      leaks: { leaks: 'off' },
    });
    expect(resolveOptions('create', { channels: { a: {} } }).channels).toEqual([
      { name: 'a', capacity: 256, batch: 8, whenFull: 'refuse' },
    ]);
  });

  it('that are given as undefined have their defaults', () => {
    const names = 'name pageBytes pageCount unitBytes maxPorts tokens channels provider reserve engine module zero';
    const all = [...names.split(' '), 'leaks', 'onLeak', 'stallMs', 'onStall'];
    const undefinedOnes = Object.fromEntries(all.map((name) => [name, undefined]));
    const { provider: _, ...resolved } = resolveOptions('create', undefinedOnes);
    const { provider: __, ...defaults } = resolveOptions('create', {});
    expect(resolved).toEqual(defaults);
    const channel = { capacity: undefined, batch: undefined, whenFull: undefined };
    expect(resolveOptions('create', { channels: { a: channel } }).channels).toEqual(
      resolveOptions('create', { channels: { a: {} } }).channels,
    );
    const attach = { label: undefined, leaks: undefined, onLeak: undefined, stallMs: undefined, onStall: undefined };
    expect(resolveAttach('attach', attach)).toEqual(resolveAttach('attach', {}));
  });

  it.each([
    [256, 100, 64],
    [4096, 1024, 64],
    [65536, 256, 1024],
    [64 * MiB, 8, MiB],
    [4096, 200_000, 1024],
    [256, 2 ** 24 - 1, 256],
  ])(
    'choose a unit for %i bytes by %i pages that leaves ten generation bits where it can',
    (pageBytes, pageCount, unitBytes) => {
      expect(resolveOptions('create', { pageBytes, pageCount }).unitBytes).toBe(unitBytes);
    },
  );

  const notIntegers = [Number.NaN, -1, 1.5, Number.POSITIVE_INFINITY, '4096', null, {}, true, 4096n, 2 ** 53];
  it.each(
    ['pageBytes', 'pageCount', 'unitBytes', 'maxPorts'].flatMap((name) =>
      notIntegers.map((value) => [name, value] as const),
    ),
  )('refuse %s=%s', (name, value) => {
    const call = () => resolveOptions('create', { [name]: value });
    expect(codeOf(call)).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(messageOf(call)).toMatch(new RegExp(`^create failed: ${name}=.* \\(expected .*\\); `));
  });

  it.each([
    [{ pageBytes: 128 }, 'pageBytes=128 (expected a power of two, 256..67108864)'],
    [{ pageBytes: 128 * MiB }, 'pageBytes=134217728 (expected a power of two'],
    [{ pageBytes: 4097 }, 'pageBytes=4097 (expected a power of two'],
    [{ pageBytes: 0 }, 'pageBytes=0 (expected a power of two'],
    [{ pageCount: 0 }, 'pageCount=0 (expected an integer, 1..67108832)'],
    [{ pageCount: 2 ** 26 }, 'pageCount=67108864 (expected an integer'],
    [{ maxPorts: 0 }, 'maxPorts=0 (expected an integer, 1..64)'],
    [{ maxPorts: 65 }, 'maxPorts=65 (expected an integer, 1..64)'],
    [{ unitBytes: 8 }, 'unitBytes=8 (expected a power of two, 16..4096)'],
    [{ unitBytes: 8192 }, 'unitBytes=8192 (expected a power of two, 16..4096)'],
    [{ pageBytes: 64 * MiB, pageCount: 2, unitBytes: 1024 }, 'pass unitBytes: 2048'],
    [{ pageBytes: 4096, pageCount: 2 ** 20, unitBytes: 16 }, 'pass unitBytes: 128'],
    [{ name: '' }, 'name="" (expected a string of 1..128 characters)'],
    [{ name: 7 }, 'name=7 (expected a string'],
    [{ name: 'x'.repeat(129) }, 'expected a string'],
    [{ engine: 'native' }, 'engine="native" (expected one of "auto", "wasm", "typescript")'],
    [{ engine: null }, 'engine=null (expected one of'],
    [{ zero: true }, 'zero=true (expected one of "never", "on-release")'],
    [{ module: {} }, 'module=object (expected a WebAssembly.Module'],
    [{ provider: {} }, "provider=object (expected 'wasm-memory', 'slab' or a MemoryProvider"],
    [{ provider: null }, 'provider=null (expected'],
    [{ pagesize: 1 }, 'pagesize=1 (expected no such option; there are name, pageBytes'],
    [
      { channels: [] },
      'channels=array (expected an object of options by name); declare each by its name: { work: {} }',
    ],
    [{ channels: { a: 1 } }, 'channels.a=1 (expected an object)'],
    [{ channels: { a: { capacity: 0 } } }, 'channels.a.capacity=0 (expected an integer, 1..65535)'],
    [{ channels: { a: { capacity: 65536 } } }, 'channels.a.capacity=65536'],
    [{ channels: { a: { batch: 0 } } }, 'channels.a.batch=0 (expected an integer, 1..32)'],
    [{ channels: { a: { batch: 33 } } }, 'channels.a.batch=33'],
    [{ channels: { a: { whenFull: 'drop' } } }, 'channels.a.whenFull="drop" (expected one of'],
    [{ channels: { a: { size: 3 } } }, 'channels.a.size=3 (expected no such option'],
    [{ channels: { '': {} } }, 'channels="" (expected names'],
    [[], 'options=array (expected an object)'],
    [null, 'options=null (expected an object)'],
    ['x', 'options="x" (expected an object)'],
  ])('refuse %j and say what they expect', (options, text) => {
    expect(messageOf(() => resolveOptions('create', options))).toContain(text);
  });

  it('that need more than 4 GiB together are refused by create', async () => {
    const tooMany = { pageBytes: 65536, pageCount: 65536 };
    expect(messageOf(() => PagePool.createSync(tooMany))).toMatch(
      /^createSync failed: pageCount=65536 \(expected pages, .* 4 GiB/,
    );
    await expect(PagePool.create(tooMany)).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    const channels = Object.fromEntries(
      Array.from({ length: 200 }, (_, i) => [`c${i}`, { capacity: 65535, batch: 32 }]),
    );
    expect(messageOf(() => PagePool.createSync({ channels }))).toContain('channels=200 (expected');
  });

  describe('of a pool that clears its pages', () => {
    const nothing = () => {};
    const calls = { init: nothing, grow: nothing, retire: nothing, describe: () => ({}), destroy: nothing };
    const other: MemoryProvider = { kind: 'another', readable: true, detachable: true, ...calls };
    const outside: MemoryProvider = { ...other, readable: false };
    it.each([
      [{}, 'auto', 'auto'],
      [{}, 'wasm', 'wasm'],
      [{}, 'typescript', 'typescript'],
      [{ provider: other }, 'auto', 'typescript'],
      [{ provider: other }, 'typescript', 'typescript'],
      [{ reserve: { provider: other, pageCount: 4 } }, 'auto', 'typescript'],
      [{ provider: other }, 'wasm', /engine="wasm" [(]expected 'auto' or 'typescript' with zero: 'on-release'/],
      [{ reserve: { provider: other, pageCount: 4 } }, 'wasm', /engine="wasm" [(]expected 'auto' or 'typescript'/],
      [{ provider: outside }, 'auto', /zero="on-release" [(]expected 'never' with memory that the processor cannot/],
    ] as const)('%j, engine %s: %s', (options, engine, found) => {
      const resolve = () => resolveOptions('create', { ...options, engine, zero: 'on-release' }).engine;
      if (typeof found === 'string') expect(resolve()).toBe(found);
      else expect(messageOf(resolve)).toMatch(found);
      // Pages that are not cleared may lie wherever they like.
      expect(resolveOptions('create', { ...options, engine }).engine).toBe(engine);
    });
  });
});
