// The owner's side of providers, call by call: what a provider may ask for, what becomes of it, and when it is asked.
//
// The supply stands on a port of a real pool; providers say what their test says.

import { afterEach, describe, expect, it, vi } from 'vitest';
import {
  AREAS_ANSWERED,
  AREAS_PULLED,
  AREAS_WANTED,
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_NEWS_OFFSET,
  HEADER_STATE_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STATE_MASK,
  PORT_AREAS_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_WANT_OFFSET,
  STATE_ACTIVE,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { loadWord } from '../../src/control/nodes.js';
import { descriptorAt, portOffset } from '../../src/control/places.js';
import type { PoolOptions } from '../../src/pool/options.js';
import type { Area, AreaMemory, MemoryProvider, ProviderContext } from '../../src/provider/provider.js';
import { Areas, NO_AREAS } from '../../src/supply/areas.js';
import { IdleWatch } from '../../src/supply/idle.js';
import { Supply } from '../../src/supply/supply.js';
import { openPorts } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { scripted } from '../support/scripted.js';
import { turns } from '../support/waiting.js';

const BYTES = 1024;
const PAGES = 32;
const tables: Areas[] = [];

afterEach(() => {
  for (const table of tables.splice(0)) table.close();
  vi.useRealTimers();
  vi.restoreAllMocks();
});

type Script = Parameters<typeof scripted>[0];

/** A supply that has not started, the ports of its pool, and its words. */
function supplyOf(
  script: Script = { grow: () => {} },
  reserveScript?: Script,
  more: Partial<MemoryProvider> = {},
  options: PoolOptions = {},
) {
  const main = scripted(script);
  const reserve = reserveScript === undefined ? undefined : scripted(reserveScript);
  const provider = { ...main.provider, ...more };
  const ports = openPorts(
    {
      ...{ pageBytes: BYTES, pageCount: PAGES, maxPorts: 2, provider },
      ...(reserve === undefined ? {} : { reserve: { provider: reserve.provider, pageCount: 8 } }),
      ...options,
    },
    ['typescript'],
    2,
  );
  const [port, other] = ports as [(typeof ports)[0], (typeof ports)[0]];
  const table = new Areas(port, NO_AREAS, true);
  tables.push(table);
  const supply = new Supply(port, table, provider, reserve?.provider);
  const load = (address: number): number => loadWord(port.memory, address);
  const store = (address: number, word: number): void => void Atomics.store(port.memory.i32, address >>> 2, word | 0);
  const home = (page: number): number => load(descriptorAt(port.geometry, page) + DESCRIPTOR_HOME_OFFSET);
  return {
    ...{ main, reserve, port, other, table, supply, load, store },
    state: (page: number) => home(page) & HOME_STATE_MASK,
    states: (from: number, count: number) => Array.from({ length: count }, (_, i) => home(from + i) & HOME_STATE_MASK),
    want: (id: number, count: number) => store(portOffset(port.geometry, id) + PORT_WANT_OFFSET, count),
    /** The other thread knows what it says. */
    knows: (word: number) => store(portOffset(port.geometry, other.id) + PORT_AREAS_OFFSET, word),
  };
}

/** The same, started, where the other thread fetches changes by itself. */
function started(...args: Parameters<typeof supplyOf>) {
  const made = supplyOf(...args);
  made.knows(AREAS_PULLED);
  expect(made.supply.start('create')).toBeUndefined();
  return { ...made, context: made.main.context() };
}

const memory = (pages: number, byteOffset = 0): AreaMemory => ({
  buffer: new SharedArrayBuffer(byteOffset + pages * BYTES),
  byteOffset,
  byteLength: pages * BYTES,
});

describe('an area', () => {
  it('has the first page numbers that are free and in a row, and the first free index', () => {
    const { context, supply } = started();
    const areas = [8, 4, 8, 12].map((pages) => context.addArea(memory(pages), pages));
    expect(areas.map(({ firstPage, index, pages }) => [index, firstPage, pages])).toEqual([
      [1, 1, 8],
      [2, 9, 4],
      [3, 13, 8],
      [4, 21, 12],
    ]);
    expect(Object.isFrozen(areas[0])).toBe(true);
    expect(messageOf(() => context.addArea(memory(1), 1))).toContain(
      'context.addArea failed: pages=1 (expected page numbers that are free and in a row: the pool has 32 in all)',
    );
    context.retireArea(areas[2] as Area);
    context.retireArea(areas[1] as Area);
    expect([supply.areas.size, [...supply.indexes.slice(8, 22)]]).toEqual([2, [1, ...Array(12).fill(0), 4]]);
    expect(codeOf(() => context.addArea(memory(13), 13))).toBe('POOL_ERR_PROVIDER');
    expect(context.addArea(memory(12), 12)).toEqual({ index: 2, firstPage: 9, pages: 12 });
  });

  it('has its place in the buffer, and threads know it at once', () => {
    const { context, supply, table, load } = started();
    const given = memory(2, 64);
    const { index } = context.addArea(given, 2);
    expect(supply.areas.get(index)).toMatchObject({ byteOffset: 64, since: 1, out: 0, isRetiring: false });
    expect(supply.areas.get(index)?.buffer).toBe(given.buffer);
    expect([table.epoch, load(CONTROL_BASE + HEADER_AREAS_OFFSET)]).toEqual([1, 1]);
    expect(table.snapshot().added).toEqual([
      { index: 1, firstPage: 1, pages: 2, buffer: given.buffer, byteOffset: 64 },
    ]);
    context.addArea({ buffer: new SharedArrayBuffer(BYTES), byteLength: BYTES }, 1);
    expect(table.snapshot().added[1]).toMatchObject({ byteOffset: 0 });
  });

  const plain = new ArrayBuffer(2 * BYTES);
  it.each<[string, AreaMemory | null | undefined, number, string]>([
    ['no pages', memory(1), 0, 'pages=0 (expected an integer, 1..32)'],
    ['half a page', memory(1), 0.5, 'pages=0.5 (expected an integer, 1..32)'],
    ['a page too many', memory(33), 33, 'pages=33 (expected an integer, 1..32)'],
    ['no memory', undefined, 1, 'byteLength=undefined (expected 1024 or more for 1 pages, below 4 GiB)'],
    ['null', null, 1, 'byteLength=undefined (expected 1024 or more'],
    ['a byte too few', { ...memory(2), byteLength: 2 * BYTES - 1 }, 2, 'byteLength=2047 (expected 2048 or more'],
    ['half a byte', { ...memory(2), byteLength: 2048.5 }, 2, 'byteLength=2048.5 (expected 2048 or more'],
    ['no buffer', { byteLength: BYTES }, 1, 'buffer=undefined (expected a buffer, since pages of this provider'],
    ['a plain buffer', { buffer: plain, byteLength: BYTES }, 1, 'buffer=object (expected a SharedArrayBuffer'],
    ['a place before it', { ...memory(2), byteOffset: -1, byteLength: BYTES }, 1, 'byteOffset=-1 (expected 0..1024'],
    ['half a place', { ...memory(2), byteOffset: 0.5, byteLength: BYTES }, 1, 'byteOffset=0.5 (expected 0..1024'],
    ['a place too late', { ...memory(2), byteOffset: 1025, byteLength: BYTES }, 1, 'byteOffset=1025 (expected 0..1024'],
  ])('of %s is refused, and nothing has changed', (_, given, pages, text) => {
    const { context, supply, table } = started();
    expect(messageOf(() => context.addArea(given as AreaMemory, pages))).toContain(`context.addArea failed: ${text}`);
    expect([supply.areas.size, table.epoch, supply.indexes.some((index) => index !== 0)]).toEqual([0, 0, false]);
    expect(context.addArea({ ...memory(2), byteOffset: BYTES, byteLength: BYTES }, 1).firstPage).toBe(1);
  });

  it('as long as the pool is taken, and memory that nobody sees where the provider says so', () => {
    expect(started().context.addArea(memory(PAGES), PAGES).pages).toBe(PAGES);
    const { context, table } = started(undefined, undefined, { readable: false });
    expect(context.addArea({ byteLength: BYTES }, 1).firstPage).toBe(1);
    expect(table.snapshot().added[0]?.buffer).toBeUndefined();
  });

  it.each([
    [2 ** 32 - 65536, true],
    [2 ** 32, false],
  ])('of %s bytes is taken: %s', (bytes, isTaken) => {
    const options = { pageBytes: 65536, pageCount: 65536 };
    const { context } = started(undefined, undefined, { readable: false }, options);
    const code = codeOf(() => context.addArea({ byteLength: bytes }, bytes / 65536));
    expect(code).toBe(isTaken ? undefined : 'POOL_ERR_PROVIDER');
  });

  it('of the reserve has the numbers behind the provider’s', () => {
    const { supply, reserve, context } = started({ grow: () => {} }, { grow: () => {} });
    const reserved = reserve?.context() as ProviderContext;
    expect([context.pool.firstPage, context.pool.pageCount]).toEqual([1, PAGES]);
    expect([reserved.pool.firstPage, reserved.pool.pageCount, reserved.pool.id]).toEqual([33, 8, context.pool.id]);
    expect(codeOf(() => reserved.addArea(memory(9), 9))).toBe('POOL_ERR_PROVIDER');
    expect(reserved.addArea(memory(8), 8).firstPage).toBe(33);
    const mine = context.addArea(memory(PAGES), PAGES);
    expect(mine.firstPage).toBe(1);
    expect([supply.indexes[32], supply.indexes[33], supply.indexes[40]]).toEqual([2, 1, 1]);
    expect(messageOf(() => context.feed(Uint32Array.of(33)))).toContain(
      'page=33 (expected a page of one of its areas)',
    );
    expect(messageOf(() => reserved.retireArea(mine))).toContain('context.retireArea failed: area=2 (expected an area');
    expect(supply.areas.get(mine.index)?.isRetiring).toBe(false);
  });
});

describe('pages that are fed', () => {
  it.each<[string, number[], string]>([
    ['0', [0], 'page=0 (expected a page of one of its areas)'],
    ['of no area', [1, 9], 'page=9 (expected a page of one of its areas)'],
    ['behind the last', [1, 2 ** 31], 'page=2147483648 (expected a page of one of its areas)'],
    ['out already', [1, 4], 'page=4 (expected a page that the provider has, not one that is out)'],
    ['of an area that goes', [1, 5], 'page=5 (expected a page of an area that is not retiring)'],
    ['twice', [1, 2, 1], 'pages=3 (expected 2, each page once)'],
  ])('%s are refused, all of them', (_, pages, text) => {
    const { context, supply } = started();
    context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(4));
    const going = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(8));
    context.retireArea(going);
    expect(messageOf(() => context.feed(Uint32Array.from(pages)))).toContain(`context.feed failed: ${text}`);
    expect([supply.isOut[1], supply.areas.get(1)?.out]).toEqual([0, 1]);
    context.feed(Uint32Array.of(1));
    expect([supply.isOut[1], supply.areas.get(1)?.out]).toEqual([1, 2]);
  });

  it('must be in a Uint32Array, and are read once', () => {
    const { context, supply, state } = started();
    context.addArea(memory(4), 4);
    for (const pages of [[1], null, new Int32Array(1), 1])
      expect(messageOf(() => context.feed(pages as never))).toContain('(expected a Uint32Array)');
    context.feed(new Uint32Array(0));
    context.feed(Uint32Array.of(1, 3));
    expect([...supply.isOut.slice(0, 5)]).toEqual([0, 1, 0, 1, 0]);
    expect([state(1), state(2), state(3)]).toEqual([HOME_FRESH, HOME_RETURNED, HOME_FRESH]);
  });

  it('wait until every thread knows their area, those of each area for its own', () => {
    const { context, supply, state, knows, other } = started();
    knows(0);
    const one = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1, 2));
    const two = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(5, 3));
    expect([supply.areas.get(one.index)?.since, supply.areas.get(two.index)?.since]).toEqual([1, 2]);
    expect([1, 2, 3, 5].map(state)).toEqual(Array(4).fill(HOME_RETURNED));
    expect([supply.waitingFor(), supply.report().waitingFor]).toEqual([[other.id], [other.id]]);
    knows(1);
    expect(supply.serve('alloc')).toBe(false); // nobody wants any
    expect([1, 2, 3, 5].map(state)).toEqual([HOME_FRESH, HOME_FRESH, HOME_FRESH, HOME_RETURNED]);
    knows(2);
    supply.trim('trim');
    expect(supply.waitingFor()).toEqual([]);
    expect(state(5)).toBe(HOME_RETURNED); // it was taken back before it was listed
  });

  it('name who lacks all areas as well', () => {
    const { supply, knows, other } = started();
    for (const word of [AREAS_WANTED, AREAS_ANSWERED]) {
      knows(word);
      expect(supply.report().waitingFor).toEqual([other.id]);
    }
  });
});

describe('an area that is to go', () => {
  it.each<[string, unknown]>([
    ['null', null],
    ['undefined', undefined],
    ['of another index', { index: 2, firstPage: 1, pages: 4 }],
    ['of another first page', { index: 1, firstPage: 2, pages: 4 }],
  ])('is refused where it is %s', (_, given) => {
    const { context, supply } = started();
    context.addArea(memory(4), 4);
    for (const call of ['retireArea', 'keepArea'] as const) {
      expect(messageOf(() => context[call](given as Area))).toMatch(
        new RegExp(
          `^context\\.${call} failed: area=\\w+ \\(expected an area that addArea returned and that is not gone`,
        ),
      );
    }
    expect(supply.areas.size).toBe(1);
  });

  it('stays while a page is out, goes with the last, and is asked once', async () => {
    const { context, supply, table, state, main } = started();
    const area = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1, 2));
    context.keepArea(area); // it was not to go
    context.retireArea(area);
    context.retireArea(area);
    expect([supply.areas.size, state(1), state(2)]).toEqual([1, HOME_RETIRED, HOME_RETIRED]);
    await turns(1); // asked outside of a callback, what came home is retired soon
    expect([supply.areas.size, main.calls, table.epoch]).toEqual([0, ['init', 'retire 2'], 2]);
    expect([state(1), state(2), main.free]).toEqual([HOME_RETURNED, HOME_RETURNED, [1, 2]]);
  });

  it('takes back what was fed and waits to be listed, and nothing of another area', async () => {
    const { context, supply, state, knows, main } = started();
    knows(0);
    const area = context.addArea(memory(4), 4);
    const stays = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1, 3, 5, 6));
    context.retireArea(area);
    expect([1, 3, 5, 6].map(state)).toEqual([HOME_RETIRED, HOME_RETIRED, HOME_RETURNED, HOME_RETURNED]);
    await turns(1);
    expect([[...supply.areas.keys()], main.calls, main.free]).toEqual([[stays.index], ['init', 'retire 2'], [1, 3]]);
    knows(3);
    expect(supply.serve('alloc')).toBe(false);
    expect([1, 3, 5, 6].map(state)).toEqual([HOME_RETURNED, HOME_RETURNED, HOME_FRESH, HOME_FRESH]);
  });

  it('is kept by a word that comes later', async () => {
    const { context, supply } = started();
    const area = context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1));
    context.retireArea(area);
    context.keepArea(area);
    await turns(1);
    expect([supply.areas.size, supply.areas.get(1)?.isRetiring, supply.areas.get(1)?.out]).toEqual([1, false, 0]);
    context.feed(Uint32Array.of(1));
    expect(supply.areas.get(1)?.out).toBe(1);
  });
});

describe('a callback that throws', () => {
  const fail = (): never => {
    throw new Error('not today');
  };
  it('takes back what it fed, added, retired and kept', () => {
    const { context, supply, main, table, want, port, store } = started({
      grow: (ctx) => {
        const { areas } = main;
        ctx.feed(Uint32Array.of(1, 2));
        ctx.retireArea(areas[1] as Area);
        ctx.keepArea(areas[2] as Area);
        ctx.addArea(memory(4), 4);
        fail();
      },
    });
    for (let i = 0; i < 3; i++) main.addRegion(context, 4);
    context.feed(Uint32Array.of(9));
    store(descriptorAt(port.geometry, 9) + DESCRIPTOR_HOME_OFFSET, HOME_HELD); // somebody has it
    context.retireArea(main.areas[2] as Area);
    want(port.id, 1);
    expect(messageOf(() => supply.serve('alloc'))).toMatch(
      /^alloc failed: provider="scripted" threw in grow\(\): not today \(expected it to succeed\)/,
    );
    expect([...supply.isOut.slice(1, 10)].join('')).toBe('000000001');
    expect([...supply.areas.values()].map(({ isRetiring, out }) => [isRetiring, out])).toEqual([
      [false, 0],
      [false, 0],
      [true, 1],
    ]);
    expect([supply.step, table.snapshot().added.length]).toEqual([undefined, 3]);
    expect([...supply.indexes.slice(1, 17)].join('')).toBe('1111222233330000');
    context.feed(Uint32Array.of(1, 2));
  });

  it('in retire leaves the pages with the provider, and the other provider is told all the same', () => {
    const { context, reserve, supply } = started({ grow: () => {}, retire: fail }, { grow: () => {} });
    const reserved = reserve?.context() as ProviderContext;
    context.addArea(memory(4), 4);
    reserved.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1, 2));
    reserved.feed(Uint32Array.of(33));
    expect(messageOf(() => supply.trim('trim'))).toContain('trim failed: provider="scripted" threw in retire()');
    expect([reserve?.calls, supply.isOut.some((out) => out !== 0)]).toEqual([['init', 'retire 1'], false]);
    expect([supply.areas.get(1)?.out, supply.areas.get(2)?.out]).toEqual([0, 0]);
    expect(supply.report().failure).toBeNull(); // its caller was told
  });
});

it('pages go to the provider that they are of, to the last one of each', () => {
  const { context, main, reserve, supply } = started({ grow: () => {} }, { grow: () => {} });
  const reserved = reserve?.context() as ProviderContext;
  context.addArea(memory(PAGES), PAGES);
  reserved.addArea(memory(8), 8);
  context.feed(Uint32Array.of(1, PAGES));
  reserved.feed(Uint32Array.of(PAGES + 1, PAGES + 8));
  supply.trim('trim');
  expect([main.free, reserve?.free]).toEqual([
    [1, PAGES],
    [PAGES + 1, PAGES + 8],
  ]);
});

describe('a provider is asked', () => {
  it('for what all threads want, once, and for no more than it has numbers for', () => {
    const { supply, main, want, port, other } = started();
    expect([supply.serve('alloc'), main.calls]).toEqual([false, ['init']]);
    want(port.id, 3);
    want(other.id, 4);
    expect([supply.serve('alloc'), supply.serve('alloc'), main.calls]).toEqual([true, false, ['init', 'grow 7']]);
    want(port.id, 33);
    supply.serve('alloc');
    expect(main.calls.at(-1)).toBe('grow 32');
  });

  it('not while pages wait, nor when they have just been listed, and threads look again then', () => {
    const { supply, main, want, port, knows, context } = started();
    knows(0);
    context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(1));
    want(port.id, 1);
    expect([supply.serve('alloc'), main.calls]).toEqual([false, ['init']]);
    knows(1);
    want(port.id, 1);
    expect([supply.serve('alloc'), main.calls]).toEqual([true, ['init']]);
    want(port.id, 1);
    expect([supply.serve('alloc'), main.calls]).toEqual([true, ['init', 'grow 1']]);
  });

  it.each([
    ['closes', STATE_CLOSING],
    ['is destroyed', STATE_DESTROYED],
  ])('not where the pool %s', (_, state) => {
    const { supply, main, want, port, store } = started();
    store(CONTROL_BASE + HEADER_STATE_OFFSET, state);
    want(port.id, 1);
    supply.serve('alloc');
    expect(main.calls).toEqual(['init']);
    store(CONTROL_BASE + HEADER_STATE_OFFSET, STATE_ACTIVE);
    want(port.id, 1);
    supply.serve('alloc');
    expect(main.calls).toEqual(['init', 'grow 1']);
  });

  it('by one callback at a time: what it wants and gives meanwhile is for the next', () => {
    let inside: unknown[] = [];
    const { supply, main, want, port, context } = started({
      grow: () => {
        want(port.id, 2);
        inside = [supply.serve('alloc'), supply.trim('trim'), main.calls.length];
      },
    });
    main.addRegion(context, 4);
    want(port.id, 1);
    supply.serve('alloc');
    expect(inside).toEqual([false, undefined, 2]);
    supply.serve('alloc');
    expect(main.calls).toEqual(['init', 'grow 1', 'grow 2']);
  });

  it('when somebody has called since, and not again', () => {
    const { supply, main, want, port, store } = started();
    want(port.id, 1);
    supply.heed();
    expect(main.calls).toEqual(['init']);
    store(CONTROL_BASE + HEADER_DEMAND_OFFSET, 5);
    supply.heed();
    expect(main.calls).toEqual(['init', 'grow 1']);
    want(port.id, 1);
    supply.heed();
    expect(main.calls).toEqual(['init', 'grow 1']);
  });

  it('before the reserve, which is asked where it feeds nothing', () => {
    let feeds = true;
    const warn = vi.spyOn(console, 'warn');
    const { supply, main, reserve, want, port } = started(
      { grow: (ctx) => feeds && ctx.feed(Uint32Array.of(main.addRegion(ctx, 2).firstPage)) },
      { grow: () => {} },
    );
    want(port.id, 1);
    expect(supply.serve('alloc')).toBe(true);
    expect([main.calls, reserve?.calls]).toEqual([['init', 'grow 1'], ['init']]);
    feeds = false;
    want(port.id, 20);
    supply.serve('alloc');
    expect([main.calls, reserve?.calls]).toEqual([
      ['init', 'grow 1', 'grow 20'],
      ['init', 'grow 8'],
    ]);
    expect(warn).not.toHaveBeenCalled();
  });

  it('and where it fails the reserve feeds: who asked has pages, and the failure is told and reported', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const fail = () => {
      throw new Error('no memory');
    };
    let feeds = true;
    const { supply, reserve, want, port } = started(
      { grow: fail },
      { grow: (ctx) => feeds && ctx.feed(Uint32Array.of(reserve?.addRegion(ctx, 2).firstPage ?? 0)) },
    );
    const ask = (): boolean => {
      want(port.id, 1);
      return supply.serve('alloc');
    };
    for (let i = 0; i < 2; i++) expect(ask()).toBe(true);
    expect([warn.mock.calls.length, supply.report().failure]).toEqual([1, expect.stringContaining('no memory')]);
    feeds = false;
    expect(messageOf(ask)).toContain('no memory');
    expect(warn).toHaveBeenCalledTimes(1);
  });

  it('and its failure stands in the report until a callback succeeds; told once where nobody catches', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    let reason = 'no memory';
    const { supply, want, port } = started({
      grow: () => {
        if (reason !== '') throw new Error(reason);
      },
    });
    const ask = (): void => {
      want(port.id, 1);
      supply.serveQuietly();
    };
    expect(supply.report().failure).toBeNull();
    ask();
    ask();
    expect(warn).toHaveBeenCalledTimes(1);
    expect(supply.report().failure).toContain('no memory');
    expect(supply.report().failure).toContain('no memory'); // a report is no success
    reason = 'no device';
    ask();
    expect([warn.mock.calls.length, supply.report().failure]).toEqual([2, expect.stringContaining('no device')]);
    reason = '';
    ask();
    expect([warn.mock.calls.length, supply.report().failure]).toEqual([2, null]);
  });
});

describe('the end', () => {
  const fed = (...args: Parameters<typeof supplyOf>) => {
    const made = started(...args);
    made.context.addArea(memory(4), 4);
    made.context.feed(Uint32Array.of(1, 2, 3));
    return made;
  };

  it('of a pool gives back what is out, listed and waiting, and ends the providers in their order', async () => {
    const order: string[] = [];
    const note = (name: string) => ({ grow: () => {}, destroy: async () => void order.push(name) });
    const { supply, main, knows, context, table, port, reserve, want } = fed(note('main'), note('reserve'));
    knows(0);
    context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(5));
    supply.finish();
    supply.finish();
    await supply.finished();
    expect([main.calls, main.free, order]).toEqual([
      ['init', 'retire 4', 'destroy'],
      [1, 2, 3, 5],
      ['main', 'reserve'],
    ]);
    expect([supply.areas.size, reserve?.calls, port.memory]).toEqual([0, ['init', 'destroy'], port.memory]);
    expect(codeOf(() => context.addArea(memory(1), 1))).toBe('POOL_ERR_PROVIDER');
    expect(table.snapshot().added.length).toBe(2); // the table is the attachment's to close
    want(port.id, 1);
    expect([supply.serve('alloc'), supply.waitingFor()]).toEqual([false, []]);
    supply.trim('trim');
    supply.uninstall();
    expect(main.calls.length).toBe(3);
  });

  it('of an owner that leaves tells the providers, whatever they throw, and ends them', () => {
    const { supply, main, reserve, context } = fed(
      { grow: () => {} },
      { grow: () => {} },
      {
        uninstall: () => {
          throw new Error('never mind');
        },
      },
    );
    supply.uninstall();
    expect([main.calls, reserve?.calls]).toEqual([['init'], ['init', 'uninstall']]);
    for (const call of [() => context.feed(Uint32Array.of(4)), () => reserve?.context().addArea(memory(1), 1)])
      expect(messageOf(call)).toContain('(expected a pool that still uses this provider)');
    supply.uninstall();
    supply.finish();
    expect(reserve?.calls).toEqual(['init', 'uninstall']);
  });

  it('whose provider fails is told by its first failure, and the others end all the same', async () => {
    const fail = (name: string) => ({
      grow: () => {},
      destroy: () => {
        throw new Error(name);
      },
    });
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const { supply, reserve } = fed(fail('first'), fail('second'));
    supply.finish();
    await expect(supply.finished()).rejects.toThrow('close failed: provider="scripted" threw in destroy(): first');
    expect([reserve?.calls.at(-1), warn.mock.calls.length]).toEqual(['destroy', 1]);
  });

  it('waits for pins, looking again by a timer, and nobody waits for it', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { supply, main, store, port, context } = fed();
    const homeOf = (page: number) => descriptorAt(port.geometry, page) + DESCRIPTOR_HOME_OFFSET;
    store(homeOf(2), 3); // HOME_LEFT
    supply.finish();
    await supply.finished();
    expect([main.calls, vi.getTimerCount()]).toEqual([['init', 'retire 2'], 1]);
    await vi.advanceTimersByTimeAsync(250);
    expect([main.calls.length, vi.getTimerCount()]).toEqual([2, 1]);
    context.retireArea(main.areas[0] ?? { index: 1, firstPage: 1, pages: 4 }); // it is not over
    store(homeOf(2), HOME_HELD);
    await vi.advanceTimersByTimeAsync(100);
    await supply.finished();
    expect([main.calls.slice(1), vi.getTimerCount()]).toEqual([['retire 2', 'retire 1', 'destroy'], 0]);
  });
});

describe('the start', () => {
  it('waits for providers that take their time, one after the other', async () => {
    const order: string[] = [];
    const slow = (name: string) => ({
      grow: () => {},
      init: async () => {
        order.push(`${name} begins`);
        await turns(1);
        order.push(`${name} is ready`);
      },
    });
    const { supply, load } = supplyOf(slow('main'), slow('reserve'));
    const started = supply.start('create');
    expect(started).toBeInstanceOf(Promise);
    await started;
    expect(order).toEqual(['main begins', 'main is ready', 'reserve begins', 'reserve is ready']);
    expect(load(CONTROL_BASE + HEADER_AREAS_OFFSET)).toBe(0);
  });

  it.each([
    ['the provider', 0],
    ['the reserve', 1],
  ])('is refused where %s refuses later, once', async (_, which) => {
    const scripts = [0, 1].map((i) => ({
      grow: () => {},
      init: () => (i === which ? Promise.reject(new Error('no device')) : undefined),
    }));
    const { supply } = supplyOf(scripts[0], scripts[1]);
    await expect(supply.start('create')).rejects.toThrow(
      /^create failed: provider="scripted" threw in init\(\): no device \(expected it to succeed\)/,
    );
  });

  it('is refused at once where it would take time, and the rest is nobody’s', async () => {
    const { supply, main } = supplyOf({ grow: () => {}, init: () => Promise.reject(new Error('later')) });
    expect(messageOf(() => supply.startAtOnce('createSync'))).toBe(
      "createSync failed: the provider's init() returned a promise (expected it to be done at once); use create()",
    );
    await turns(2);
    expect(main.calls).toEqual(['init']);
    expect(supplyOf().supply.startAtOnce('createSync')).toBeUndefined();
  });

  it('refuses calls of the pool inside of callbacks alone', () => {
    let inside: string | undefined;
    const { supply } = supplyOf({
      grow: () => {},
      init: () => {
        inside = codeOf(() => supply.refuseReentry('alloc'));
      },
    });
    supply.start('create');
    expect([inside, codeOf(() => supply.refuseReentry('alloc'))]).toEqual(['POOL_ERR_PROVIDER', undefined]);
  });

  it('begins to look for idleness where the provider asks for it, and the end ends that', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    started();
    expect(vi.getTimerCount()).toBe(0);
    const { supply } = started({ grow: () => {} }, undefined, { idleMs: 50 });
    expect(vi.getTimerCount()).toBe(1);
    supply.uninstall();
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe('idleness', () => {
  const watched = () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const { port, other, load, store, main, supply, knows } = supplyOf({ pagesAtOnce: 8 });
    knows(AREAS_PULLED);
    supply.start('create');
    const trims: boolean[] = [];
    const watch = new IdleWatch(port, 50, (isFirst) => void trims.push(isFirst));
    return { port, other, load, store, main, supply, trims, watch, look: () => vi.advanceTimersByTime(50) };
  };

  it('is asked of twice, then quiet; whatever moves begins anew', () => {
    const { watch, trims, look, port, supply } = watched();
    watch.start();
    look();
    expect(trims).toEqual([]); // the first look only counts
    for (let i = 0; i < 4; i++) look();
    expect(trims).toEqual([true, true, false, false]);
    const handle = (() => {
      Atomics.store(port.memory.i32, (portOffset(port.geometry, port.id) + PORT_WANT_OFFSET) >>> 2, 1);
      supply.serve('alloc');
      return port.engine.alloc();
    })();
    expect(handle).toBeGreaterThan(0);
    look();
    expect(trims.length).toBe(4);
    look();
    expect(trims.slice(4)).toEqual([true]);
    port.engine.release(handle);
    look();
    look();
    expect(trims.slice(5)).toEqual([true]);
    watch.stop();
    look();
    expect([trims.length, vi.getTimerCount()]).toEqual([6, 0]);
    watch.stop();
  });

  it('asks the threads for their caches twice, and leaves them alone then', () => {
    const { watch, look, load, store, other, port } = watched();
    const limits = [port, other].map(({ geometry, id }) => portOffset(geometry, id) + PORT_LIMIT_OFFSET);
    const news = () => load(CONTROL_BASE + HEADER_NEWS_OFFSET);
    watch.start();
    const asked = Array.from({ length: 5 }, () => {
      for (const limit of limits) store(limit, 9);
      const before = news();
      look();
      return [...limits.map((limit) => load(limit)), news() - before];
    });
    expect(asked).toEqual([
      [9, 9, 0],
      [0, 0, 1],
      [0, 0, 1],
      [9, 9, 0],
      [9, 9, 0],
    ]);
    watch.stop();
  });

  it('is none of a pool that closes', () => {
    const { watch, trims, look, store } = watched();
    watch.start();
    store(CONTROL_BASE + HEADER_STATE_OFFSET, STATE_CLOSING);
    for (let i = 0; i < 3; i++) look();
    expect(trims).toEqual([]);
    watch.stop();
  });

  it('ends with a look that ends it, and is not looked for where there are no timers', () => {
    const { port, look } = watched();
    let looks = 0;
    const watch: IdleWatch = new IdleWatch(port, 50, () => {
      looks++;
      watch.stop();
    });
    watch.start();
    for (let i = 0; i < 4; i++) look();
    expect([looks, vi.getTimerCount()]).toEqual([1, 0]);
    vi.useRealTimers();
    vi.stubGlobal('setTimeout', undefined);
    new IdleWatch(port, 1, () => {}).start();
    vi.unstubAllGlobals();
  });
});

it('sends all areas to a thread that asks, and is asked again where the platform refuses', () => {
  const { supply, knows, table, load, other, port, context } = started();
  context.addArea(memory(4), 4);
  const said = (): number => load(portOffset(port.geometry, other.id) + PORT_AREAS_OFFSET);
  const post = vi.spyOn(table, 'post');
  supply.serve('alloc');
  expect(post).not.toHaveBeenCalled();
  knows(AREAS_WANTED);
  supply.serve('alloc');
  expect([post.mock.calls, said()]).toEqual([[[table.snapshot()]], AREAS_ANSWERED]);
  post.mockImplementation(() => {
    throw new Error('not cloned');
  });
  knows(AREAS_WANTED);
  expect(() => supply.serve('alloc')).toThrow('not cloned');
  expect(said()).toBe(AREAS_WANTED);
});

describe('a thread that attaches while an area is announced', () => {
  /** The change is announced by `announced`, which has the real post, and attaches the thread. */
  function announcing(announced: (post: () => void, attach: () => void) => void) {
    const made = started();
    const { context, other, port, supply, table } = made;
    const first = table.snapshot();
    const real = table.post.bind(table);
    let late: Areas | undefined;
    const attach = (): void => {
      late = new Areas(other, first);
      tables.push(late);
    };
    vi.spyOn(table, 'post').mockImplementationOnce((change) => announced(() => real(change), attach));
    const error = messageOf(() => {
      context.addArea(memory(4), 4);
      context.feed(Uint32Array.of(2));
    });
    supply.serve('alloc'); // answers who asked
    const knowsAll = late?.catchUp();
    return { ...made, late, error, knowsAll, handle: 2 << port.geometry.unitsPerPageShift };
  }

  it.each([true, false])('has its bytes, its channel open before the post: %s', (isOpen) => {
    const { late, knowsAll, handle, table } = announcing((post, attach) => {
      if (isOpen) attach();
      post();
      if (!isOpen) attach();
    });
    expect([knowsAll, late?.epoch]).toEqual([true, table.epoch]);
    expect(late?.viewOf('bytes', handle)?.length).toBe(4 * BYTES);
  });

  it('that the platform refuses stands without pages no longer than until the owner has answered', () => {
    const { late, error, knowsAll, context, handle, table } = announcing((_, attach) => {
      attach();
      throw new Error('not cloned');
    });
    expect([error, knowsAll, late?.epoch, table.epoch]).toEqual(['not cloned', true, 0, 0]);
    context.addArea(memory(4), 4);
    context.feed(Uint32Array.of(2));
    expect(late?.viewOf('bytes', handle)?.length).toBe(4 * BYTES);
  });
});
