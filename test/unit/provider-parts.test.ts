// Providers by themselves: which options each takes, to the bound, and what each does with every call of a pool.

import { describe, expect, it, vi } from 'vitest';
import { resolveProvider, resolveReserve, resolveSource } from '../../src/provider/choose.js';
import { freeRuns, longestFreeRun } from '../../src/provider/page-numbers.js';
import type { Area, AreaMemory, MemoryProvider, ProviderContext } from '../../src/provider/provider.js';
import { slabs } from '../../src/provider/slabs.js';
import { type UserAreaOptions, userAreaProvider } from '../../src/provider/user-area.js';
import { wasmMemory } from '../../src/provider/wasm-memory.js';
import { InjectedFailure, witness } from '../../src/testing/witness.js';
import { codeOf, messageOf } from '../support/realm.js';
import { refuseBuffers, withoutSharedBuffers } from '../support/scarce.js';

const SLAB = 65536;
const PAGE = 4096;
const PER_SLAB = SLAB / PAGE;

/** A pool's side: takes what it is given, and remembers it. `refuses` names a call that fails. */
function poolSide(pageCount: number, pageBytes = PAGE, firstPage = 1) {
  const areas: (Area & { memory: AreaMemory })[] = [];
  const fed: number[] = [];
  const asked: string[] = [];
  const refusals = new Set<string>();
  const call = (name: string): void => {
    asked.push(name);
    if (refusals.has(name)) throw new Error(`${name} is refused`);
  };
  const context: ProviderContext = {
    pool: { id: 1, name: 'pool', pageBytes, pageCount, firstPage, unitBytes: 16 },
    addArea: (memory, pages) => {
      call('addArea');
      const [run] = freeRuns(firstPage, firstPage + pageCount - 1, areas).filter((each) => each.pages >= pages);
      if (run === undefined) throw new Error('no numbers');
      const area = { index: areas.length + 1, firstPage: run.firstPage, pages, memory };
      areas.push(area);
      return area;
    },
    feed: (pages) => {
      call('feed');
      fed.push(...pages);
    },
    retireArea: (area) => {
      call(`retire ${area.firstPage}`);
      if (refusals.has('retireArea')) throw new Error('retireArea is refused');
    },
    keepArea: (area) => call(`keep ${area.firstPage}`),
  };
  return { context, areas, fed, asked, refusals, takeFed: () => fed.splice(0) };
}

const range = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

describe('page numbers', () => {
  it('that are free lie before, between and behind the areas, whatever their order', () => {
    const areas = [
      { index: 1, firstPage: 7, pages: 2 },
      { index: 2, firstPage: 3, pages: 2 },
    ];
    const runs = (first: number, last: number) => freeRuns(first, last, areas).map((run) => Object.values(run));
    expect(runs(1, 10)).toEqual([
      [1, 2],
      [5, 2],
      [9, 2],
    ]);
    expect(runs(3, 8)).toEqual([
      [3, 0],
      [5, 2],
      [9, 0],
    ]);
    expect(areas[0]?.firstPage).toBe(7); // the caller's list is as it was
    expect(longestFreeRun(poolSide(12).context, areas)).toBe(4);
    expect(longestFreeRun(poolSide(10, PAGE, 3).context, areas)).toBe(4);
    expect(longestFreeRun(poolSide(5).context, [])).toBe(5);
  });
});

describe('the option that names a provider', () => {
  const slab = slabs();
  const resolve = (value: unknown): MemoryProvider => resolveProvider('create', 'provider', value, () => slab);
  const whole = () => ({
    ...wasmMemory(),
    kind: 'own',
    init() {},
    grow() {},
    retire() {},
    describe: () => ({}),
    destroy() {},
  });

  it('takes names, providers, and nothing', () => {
    expect([resolve(undefined).kind, resolve('wasm-memory').kind, resolve('slab')]).toEqual([
      'wasm-memory',
      'wasm-memory',
      slab,
    ]);
    const mine = whole();
    expect(resolve(mine)).toBe(mine);
    for (const idleMs of [undefined, 1, 2 ** 31 - 1]) expect(resolve({ ...whole(), idleMs }).idleMs).toBe(idleMs);
  });

  it.each<[string, unknown]>([
    ...(['init', 'grow', 'retire', 'describe', 'destroy'] as const).map((name): [string, unknown] => [name, 5]),
    ['kind', undefined],
    ['readable', 1],
    ['detachable', undefined],
    ['idleMs', 0],
    ['idleMs', 2 ** 31],
  ])('refuses one whose %s is %s', (name, value) => {
    expect(codeOf(() => resolve({ ...whole(), [name]: value }))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  it.each([
    ['null', null, 'null'],
    ['a number', 5, '5'],
    ['a name of none', 'gpu', '"gpu"'],
    ['one that shows itself by its kind', { kind: 'half' }, '"half"'],
  ])('refuses %s', (_, value, shown) => {
    expect(messageOf(() => resolve(value))).toBe(
      `create failed: provider=${shown} (expected 'wasm-memory', 'slab' or a MemoryProvider with init, grow, retire, describe, destroy); pass what the message expects`,
    );
  });

  it('refuses one that throws when it is looked at', () => {
    const bad = {
      get kind(): string {
        throw new Error('not mine');
      },
    };
    expect(codeOf(() => resolve(bad))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  it.each<[string, object, boolean]>([
    ['slab', { provider: 'slab', pageCount: 1 }, true],
    ['slab of the most pages', { provider: 'slab', pageCount: 9 }, true],
    ['slab of a page too many', { provider: 'slab', pageCount: 10 }, false],
    ['slab of no page', { provider: 'slab', pageCount: 0 }, false],
    ['slab of no count', { provider: 'slab' }, false],
    ['no provider', { pageCount: 1 }, false],
    ['the pool’s own memory', { provider: 'wasm-memory', pageCount: 1 }, false],
    ['wasmMemory()', { provider: wasmMemory(), pageCount: 1 }, false],
    ['more than that', { provider: 'slab', pageCount: 1, readable: true }, false],
  ])('and the one of a reserve: %s', (_, value, isTaken) => {
    const call = () => resolveReserve('create', value, 9, () => slab);
    if (isTaken) expect(call()).toEqual({ provider: slab, pageCount: (value as { pageCount: number }).pageCount });
    else expect(codeOf(call)).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(resolveReserve('create', undefined, 9, () => slab)).toBeUndefined();
  });

  it.each([
    [true, true, true],
    [true, false, false],
    [false, true, false],
    [false, false, false],
  ])('and its reserve may do with pages what both may: %s and %s', (one, other, both) => {
    const main = { ...whole(), readable: one, detachable: one };
    const reserve = { provider: { ...whole(), readable: other, detachable: other }, pageCount: 3 };
    const of = { kind: 'own', isOwn: false, readable: both, detachable: both, reservePages: 3 };
    expect(resolveSource(main, reserve)).toEqual(of);
    expect(resolveSource(main, undefined)).toEqual({ ...of, readable: one, detachable: one, reservePages: 0 });
    expect(resolveSource(wasmMemory(), undefined).isOwn).toBe(true);
  });
});

describe('options at their bounds', () => {
  it.each<[string, () => unknown, boolean]>([
    ['stepBytes of 64 KiB', () => wasmMemory({ stepBytes: 65536 }), true],
    ['stepBytes a byte less', () => wasmMemory({ stepBytes: 65535 }), false],
    ['stepBytes of 1 GiB', () => wasmMemory({ stepBytes: 2 ** 30 }), true],
    ['stepBytes a byte more', () => wasmMemory({ stepBytes: 2 ** 30 + 1 }), false],
    ['half a stepByte', () => wasmMemory({ stepBytes: 65536.5 }), false],
    ['slabBytes of 64 KiB', () => slabs({ slabBytes: 65536 }), true],
    ['slabBytes of half of that', () => slabs({ slabBytes: 32768 }), false],
    ['slabBytes of 1 GiB', () => slabs({ slabBytes: 2 ** 30 }), true],
    ['slabBytes of twice that', () => slabs({ slabBytes: 2 ** 31 }), false],
    ['slabBytes that are no power', () => slabs({ slabBytes: 65537 }), false],
    ['slabBytes that are nearly one', () => slabs({ slabBytes: 65536 + 2 ** -30 }), false],
    ['keepBytes of 0', () => slabs({ keepBytes: 0 }), true],
    ['keepBytes of -1', () => slabs({ keepBytes: -1 }), false],
    ['keepBytes of a half', () => slabs({ keepBytes: 0.5 }), false],
    ['idleMs of 1', () => slabs({ idleMs: 1 }), true],
    ['idleMs of 0', () => slabs({ idleMs: 0 }), false],
    ['idleMs of a half', () => slabs({ idleMs: 1.5 }), false],
    ['idleMs of 24 days', () => slabs({ idleMs: 2 ** 31 - 1 }), true],
    ['idleMs of a moment more', () => slabs({ idleMs: 2 ** 31 }), false],
  ])('%s', (_, make, isTaken) => expect(codeOf(make)).toBe(isTaken ? undefined : 'POOL_ERR_INVALID_ARGUMENT'));

  it('are what a provider describes, or their defaults', () => {
    expect(wasmMemory().describe()).toEqual({ kind: 'wasm-memory', stepBytes: 'an eighth of the pages' });
    expect(wasmMemory({ stepBytes: 65536 }).describe()).toMatchObject({ stepBytes: 65536 });
    expect(slabs().describe()).toEqual({
      ...{ kind: 'slab', slabBytes: 2 ** 21, keepBytes: 2 ** 21, pools: 0, slabs: 0, bytes: 0, freePages: 0 },
      ...{ retiringSlabs: 0, droppedSlabs: 0, refusedSlabs: 0 },
    });
    expect([slabs().idleMs, slabs({ idleMs: 7 }).idleMs]).toEqual([1000, 7]);
    expect(slabs({ slabBytes: SLAB }).describe()).toMatchObject({ keepBytes: SLAB });
  });
});

describe('slabs', () => {
  const make = (keepBytes = 0, slabBytes = SLAB) => slabs({ slabBytes, keepBytes });

  it.each([
    [0, 0],
    [1, 1],
    [SLAB, 1],
    [SLAB + 1, 2],
    [9 * SLAB, 3],
  ])('that keep %i bytes begin with %i slabs', (keepBytes, count) => {
    const provider = make(keepBytes);
    const { context, areas } = poolSide(2 * PER_SLAB + 3);
    provider.init(context);
    expect(areas.map(({ firstPage, pages }) => [firstPage, pages])).toEqual(
      [
        [1, PER_SLAB],
        [17, PER_SLAB],
        [33, 3],
      ].slice(0, count),
    );
    expect(provider.describe()).toMatchObject({ pools: 1, slabs: count });
    for (const { memory, pages } of areas) {
      expect([memory.byteLength, memory.buffer?.byteLength, memory.byteOffset]).toEqual([
        pages * PAGE,
        pages * PAGE,
        undefined,
      ]);
    }
  });

  it('feed what is wanted, the lowest number first, from the fullest slab', () => {
    const provider = make();
    const { context, takeFed, asked } = poolSide(3 * PER_SLAB);
    provider.init(context);
    provider.grow(context, 3);
    expect([takeFed(), asked]).toEqual([
      [1, 2, 3],
      ['addArea', 'feed'],
    ]);
    provider.grow(context, PER_SLAB);
    expect(takeFed()).toEqual(range(4, PER_SLAB));
    // Two pages of the first are home, 13 of the second.
    provider.retire(context, Uint32Array.of(5, 2));
    provider.grow(context, 3);
    expect(takeFed()).toEqual([2, 5, 20]);
    provider.grow(context, 100);
    expect(takeFed()).toEqual(range(21, 28));
    asked.splice(0);
    provider.grow(context, 1);
    expect([takeFed(), asked]).toEqual([[], []]);
    expect(provider.describe()).toMatchObject({ slabs: 3, freePages: 0, bytes: 3 * SLAB });
  });

  it('drop what is wholly home, the youngest first, down to the mark', () => {
    const provider = make(SLAB);
    const { context, asked } = poolSide(3 * PER_SLAB);
    provider.init(context);
    provider.grow(context, 3 * PER_SLAB);
    asked.splice(0);
    provider.retire(context, Uint32Array.from(range(1, 3 * PER_SLAB)));
    expect(asked).toEqual(['retire 33', 'retire 17']);
    expect(provider.describe()).toMatchObject({ slabs: 1, droppedSlabs: 2, freePages: PER_SLAB });
  });

  it.each([
    [8, 8, []], // the other has half of the room
    [8, 4, ['retire 17']],
    [8, 5, []],
    [4, 8, ['retire 1']],
    [5, 8, []],
    [4, 4, ['retire 17']], // of two the younger one
    [1, 16, []],
  ])('call the emptiest in where the others have twice its room: %i and %i used', (first, second, calls) => {
    const provider = make();
    const { context, asked } = poolSide(2 * PER_SLAB);
    provider.init(context);
    provider.grow(context, 2 * PER_SLAB);
    asked.splice(0);
    const home = [...range(1 + first, PER_SLAB - first), ...range(17 + second, PER_SLAB - second)];
    provider.retire(context, Uint32Array.from(home));
    expect([asked, provider.describe().retiringSlabs]).toEqual([calls, calls.length]);
  });

  it('are as they were where a call of the context fails, and make no slab of what was refused', () => {
    const provider = make();
    const { context, takeFed, refusals, asked, areas } = poolSide(3 * PER_SLAB);
    provider.init(context);
    provider.grow(context, 4);
    takeFed();
    refusals.add('feed');
    expect(() => provider.grow(context, PER_SLAB)).toThrow('feed is refused');
    expect(provider.describe()).toMatchObject({ slabs: 1, freePages: PER_SLAB - 4 });
    refusals.clear();
    areas.pop(); // as the pool takes a step back
    provider.grow(context, PER_SLAB);
    expect(takeFed()).toEqual(range(5, PER_SLAB));
    refusals.add('addArea');
    expect(() => provider.grow(context, 2 * PER_SLAB)).toThrow('addArea is refused');
    expect(provider.describe()).toMatchObject({ slabs: 2, freePages: PER_SLAB - 4 });
    expect(asked.at(-1)).toBe('addArea');
  });

  it('are cut in halves where the platform refuses, to one page, and counted', () => {
    const provider = make();
    const { context, takeFed, areas } = poolSide(PER_SLAB);
    provider.init(context);
    let most = 3 * PAGE;
    refuseBuffers(() => most);
    try {
      provider.grow(context, 2);
      expect([areas[0]?.pages, takeFed(), provider.describe().refusedSlabs]).toEqual([2, [1, 2], 3]);
      most = 0;
      provider.grow(context, 1);
      expect([areas.length, takeFed(), provider.describe().refusedSlabs]).toEqual([1, [], 8]);
      expect(() => slabs({ slabBytes: SLAB }).init(poolSide(4).context)).toThrow(
        'the platform has no memory for a slab (expected at least a page): close other pools',
      );
    } finally {
      vi.unstubAllGlobals();
    }
  });

  it('of a page larger than a slab are one page each, in plain buffers where none are shared', () => {
    const provider = make();
    const { context, areas } = poolSide(2, 2 * SLAB);
    withoutSharedBuffers();
    try {
      provider.init(context);
      provider.grow(context, 1);
    } finally {
      vi.unstubAllGlobals();
    }
    expect([areas.length, areas[0]?.pages, areas[0]?.memory.buffer]).toEqual([1, 1, expect.any(ArrayBuffer)]);
  });

  it.each(['uninstall', 'destroy'] as const)('know a pool until %s', (end) => {
    const provider = make();
    const { context } = poolSide(PER_SLAB);
    expect(() => provider.grow(context, 1)).toThrow('no slabs for this pool (expected init() before)');
    provider.init(context);
    expect(provider.describe()).toMatchObject({ pools: 1 });
    provider[end]?.(context);
    expect(provider.describe()).toMatchObject({ pools: 0 });
    expect(() => provider.retire(context, Uint32Array.of(1))).toThrow('no slabs for this pool');
  });
});

describe('memory that somebody else made', () => {
  const make = (bytes: number, options: UserAreaOptions = {}) =>
    userAreaProvider(new SharedArrayBuffer(bytes), options);

  it.each<[string, UserAreaOptions, boolean]>([
    ['all of it', {}, true],
    ['from its start', { byteOffset: 0 }, true],
    ['from 16', { byteOffset: 16 }, true],
    ['from 8', { byteOffset: 8 }, false],
    ['from before it', { byteOffset: -16 }, false],
    ['from its last unit', { byteOffset: 4 * PAGE - 16 }, true],
    ['from its end', { byteOffset: 4 * PAGE }, false],
    ['from behind it', { byteOffset: 4 * PAGE + 16 }, false],
    ['one byte', { byteLength: 1 }, true],
    ['no byte', { byteLength: 0 }, false],
    ['to its end', { byteOffset: PAGE, byteLength: 3 * PAGE }, true],
    ['a byte too many', { byteOffset: PAGE, byteLength: 3 * PAGE + 1 }, false],
    ['another option', { bytes: 1 } as UserAreaOptions, false],
  ])('of which %s is used', (_, options, isTaken) => {
    expect(codeOf(() => make(4 * PAGE, options))).toBe(isTaken ? undefined : 'POOL_ERR_INVALID_ARGUMENT');
  });

  it.each<[string, () => unknown, boolean]>([
    ['a plain buffer', () => new ArrayBuffer(PAGE), true],
    ['a shared memory', () => new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }), true],
    ['a memory that is not shared', () => new WebAssembly.Memory({ initial: 1 }), false],
    ['a view', () => new Uint8Array(new SharedArrayBuffer(PAGE)), false],
  ])('is %s', (_, memory, isTaken) => {
    expect(codeOf(() => userAreaProvider(memory() as ArrayBuffer))).toBe(
      isTaken ? undefined : 'POOL_ERR_INVALID_ARGUMENT',
    );
  });

  it('is one area of each pool, where it was asked for', () => {
    const provider = make(8 * PAGE, { byteOffset: 2 * PAGE, byteLength: 4 * PAGE });
    const { context, areas } = poolSide(3);
    provider.init(context);
    expect(areas.map(({ pages, memory }) => [pages, memory.byteOffset, memory.byteLength])).toEqual([
      [3, 2 * PAGE, 3 * PAGE],
    ]);
    expect(provider.describe()).toEqual({
      ...{ kind: 'user-area', byteOffset: 2 * PAGE, byteLength: 4 * PAGE },
      ...{ pageBytes: PAGE, freePages: 4, pools: 1 },
    });
  });

  it('refuses a pool of other pages, or of more', () => {
    expect(messageOf(() => make(4 * PAGE).init(poolSide(5).context))).toContain('pageCount=5 (expected at most 4');
    expect(messageOf(() => make(4 * PAGE).init(poolSide(1, 3 * PAGE).context))).toContain('a multiple of pageBytes');
    const provider = make(4 * PAGE);
    provider.init(poolSide(4).context);
    expect(messageOf(() => provider.init(poolSide(1, 2 * PAGE).context))).toContain('4096, as the pool before it');
    provider.init(poolSide(4).context);
    expect(provider.describe()).toMatchObject({ freePages: 4, pools: 2 });
  });

  it('goes to whoever wants it, each page to one pool, and back to whoever asked in vain', () => {
    const provider = make(4 * PAGE);
    const [one, other] = [poolSide(4), poolSide(2, PAGE, 11)];
    provider.grow(one.context, 1); // not begun: nothing
    provider.retire(one.context, Uint32Array.of(1));
    expect([one.fed, one.asked, provider.describe().freePages]).toEqual([[], [], 0]);
    provider.init(one.context);
    provider.init(other.context);
    provider.grow(one.context, 3);
    provider.grow(other.context, 2); // it has numbers for the first two pages alone, which are out
    expect([one.takeFed(), other.takeFed()]).toEqual([[1, 2, 3], []]);
    provider.retire(one.context, Uint32Array.of(3));
    expect(other.takeFed()).toEqual([]);
    provider.retire(one.context, Uint32Array.of(1));
    expect([other.takeFed(), provider.describe().freePages]).toEqual([[11], 2]);
    provider.retire(one.context, Uint32Array.of(2));
    expect([other.takeFed(), provider.describe().freePages]).toEqual([[12], 2]);
    provider.retire(other.context, Uint32Array.of(11));
    expect([other.takeFed(), one.takeFed(), provider.describe().freePages]).toEqual([[], [], 3]);
  });

  it('keeps what could not be fed, and tells the pool that asked', () => {
    const provider = make(4 * PAGE);
    const [one, other] = [poolSide(4), poolSide(4)];
    provider.init(one.context);
    provider.init(other.context);
    one.refusals.add('feed');
    expect(() => provider.grow(one.context, 2)).toThrow('feed is refused');
    expect(provider.describe().freePages).toBe(4);
    provider.grow(other.context, 4);
    expect(other.takeFed()).toEqual([1, 2, 3, 4]);
    provider.retire(other.context, Uint32Array.of(2)); // the first is asked again, and refuses: nobody is told
    expect(provider.describe().freePages).toBe(1);
    one.refusals.clear();
    provider.retire(other.context, Uint32Array.of(3));
    expect(one.takeFed().toSorted()).toEqual([2, 3]);
  });

  it('has to be back when a pool ends, and stays out when its owner leaves', () => {
    const provider = make(2 * PAGE);
    const one = poolSide(2);
    provider.init(one.context);
    provider.grow(one.context, 1);
    expect(messageOf(() => provider.destroy(one.context))).toContain('pages=1 of pool="pool" (expected all of them');
    provider.destroy(one.context); // it has ended
    const next = poolSide(2);
    provider.init(next.context);
    provider.grow(next.context, 2);
    expect(next.takeFed()).toEqual([2]);
    provider.uninstall?.(next.context);
    expect(provider.describe()).toMatchObject({ pools: 0, freePages: 0 });
    provider.retire(next.context, Uint32Array.of(2));
    expect(provider.describe()).toMatchObject({ freePages: 0 });
  });
});

describe('a witness', () => {
  const whole = (more: Partial<MemoryProvider> = {}): MemoryProvider => ({
    ...{ kind: 'own', readable: true, detachable: false, init() {}, grow() {}, retire() {} },
    ...{ describe: () => ({ it: 'is' }), destroy() {} },
    ...more,
  });

  it('passes everything on, and finds nothing wrong with what is right', () => {
    const told: unknown[] = [];
    const watch = witness(
      whole({
        idleMs: 5,
        init: (context) => void told.push(context.addArea({ byteLength: PAGE }, 1)),
        grow: (context, count) => void told.push(count, context.feed(Uint32Array.of(1))),
        retire: (_, pages) => void told.push([...pages]),
        uninstall: () => void told.push('uninstall'),
        destroy: () => void told.push('destroy'),
      }),
    );
    const { context, fed } = poolSide(4);
    const { provider } = watch;
    expect([provider.kind, provider.readable, provider.detachable, provider.idleMs]).toEqual(['own', true, false, 5]);
    expect([provider.describe(), 'idleMs' in witness(whole()).provider]).toEqual([{ it: 'is' }, false]);
    provider.init(context);
    expect([watch.open, watch.out]).toEqual([1, 0]);
    provider.grow(context, 2);
    expect([watch.out, fed]).toEqual([1, [1]]);
    provider.retire(context, Uint32Array.of(1));
    expect([watch.out, watch.calls]).toEqual([0, 2]);
    provider.destroy(context);
    expect([watch.open, watch.faults]).toEqual([0, []]);
    provider.init(context);
    provider.uninstall?.(context);
    expect([watch.open, watch.faults, told.slice(1)]).toEqual([
      0,
      [],
      [2, undefined, [1], 'destroy', expect.anything(), 'uninstall'],
    ]);
  });

  it.each<[string, (watch: ReturnType<typeof witness>, context: ProviderContext) => void, RegExp]>([
    ['init twice', ({ provider }, context) => provider.init(context), /^init was called twice for one pool$/],
    ['grow for no page', ({ provider }, context) => provider.grow(context, 0), /^grow was called for 0 pages$/],
    ['grow for half a page', ({ provider }, context) => provider.grow(context, 1.5), /^grow was called for 1.5 pages$/],
    ['a page that was not fed', ({ provider }, c) => provider.retire(c, Uint32Array.of(3)), /^I7 page 3 was returned/],
    [
      'a page fed twice',
      ({ provider }, context) => [provider.grow(context, 1), provider.grow(context, 1)],
      /^page 1 is fed while it is out$/,
    ],
    [
      'an end with a page out',
      ({ provider }, context) => [provider.grow(context, 1), provider.destroy(context)],
      /^I7 1 pages were not returned before destroy$/,
    ],
    [
      'a call behind the end',
      ({ provider }, context) => [provider.destroy(context), provider.grow(context, 1)],
      /^grow was called for a pool that has not begun, or has ended$/,
    ],
  ])('finds %s', (_, use, fault) => {
    const watch = witness(whole({ grow: (context) => context.feed(Uint32Array.of(1)) }));
    const { context } = poolSide(4);
    watch.provider.init(context);
    use(watch, context);
    expect(watch.faults).toEqual([expect.stringMatching(fault)]);
  });

  it('finds a callback inside of another one, and counts what is fed to another pool meanwhile', () => {
    const [one, other] = [poolSide(4), poolSide(4)];
    let second: ProviderContext | undefined;
    const watch = witness(
      whole({
        init: (context) => {
          second ??= context;
        },
        grow: (_, count) => {
          if (count === 1) second?.feed(Uint32Array.of(2));
          else watch.provider.grow(one.context, 1);
        },
      }),
    );
    watch.provider.init(other.context);
    watch.provider.init(one.context);
    watch.provider.grow(one.context, 1);
    expect([watch.out, other.fed, watch.faults]).toEqual([1, [2], []]);
    watch.provider.retire(other.context, Uint32Array.of(2));
    watch.provider.grow(one.context, 2);
    expect(watch.faults).toEqual(['a callback was called inside another one']);
  });

  it('forgets what a callback fed that throws, and a pool whose init throws or rejects', async () => {
    let how: 'throws' | 'rejects' | 'works' = 'throws';
    const watch = witness(
      whole({
        init: () => {
          if (how === 'throws') throw new Error('no');
          return how === 'rejects' ? Promise.reject(new Error('later')) : undefined;
        },
        grow: (context) => {
          context.feed(Uint32Array.of(1));
          throw new Error('behind it');
        },
      }),
    );
    const { context } = poolSide(4);
    expect(() => watch.provider.init(context)).toThrow('no');
    expect(watch.open).toBe(0);
    how = 'rejects';
    const rejected = watch.provider.init(context);
    expect(watch.open).toBe(1);
    await expect(rejected).rejects.toThrow('later');
    expect(watch.open).toBe(0);
    how = 'works';
    watch.provider.init(context);
    expect(() => watch.provider.grow(context, 1)).toThrow('behind it');
    expect([watch.out, watch.faults]).toEqual([0, []]);
  });

  it('fails the call that it is told to, that one alone', () => {
    const watch = witness(whole({ grow: (context) => context.feed(Uint32Array.of(watch.calls)) }));
    const { context, fed } = poolSide(4);
    watch.provider.init(context);
    watch.failAt = 2;
    watch.provider.grow(context, 1);
    expect(() => watch.provider.grow(context, 1)).toThrow(InjectedFailure);
    watch.provider.grow(context, 1);
    expect([fed, watch.calls]).toEqual([[0, 2], 3]);
  });

  it('asks for all areas but those that were asked for', () => {
    const areas: Area[] = [];
    const watch = witness(
      whole({
        init: (context) => {
          for (let i = 0; i < 3; i++) areas.push(context.addArea({ byteLength: PAGE }, 1));
          for (const area of areas.slice(0, 2)) context.retireArea(area);
          context.keepArea(areas[1] as Area);
        },
      }),
    );
    const { context, asked } = poolSide(4);
    watch.provider.init(context);
    asked.splice(0);
    watch.retireAreas();
    expect(asked.toSorted()).toEqual(['retire 2', 'retire 3']);
  });
});
