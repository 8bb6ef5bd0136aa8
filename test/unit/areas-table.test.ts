// One thread's table of areas: what it does with each message that may come, in each state that it may be in.
//
// The table stands on a port of a real pool, and messages come by the pool's own channel.

import { BroadcastChannel, receiveMessageOnPort } from 'node:worker_threads';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  AREAS_ANSWERED,
  AREAS_PULLED,
  AREAS_WANTED,
  CONTROL_BASE,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_OWNER_OFFSET,
  PORT_AREAS_OFFSET,
  PORT_BELL_OFFSET,
  PORT_WANT_OFFSET,
} from '../../assembly/layout.js';
import { seatWord } from '../../src/control/claims.js';
import { loadWord } from '../../src/control/nodes.js';
import { NO_AREA, portOffset } from '../../src/control/places.js';
import type { Engine } from '../../src/engine/engine.js';
import { Areas, areasPart, NO_AREAS, type SharedArea } from '../../src/supply/areas.js';
import { openPorts } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { scripted } from '../support/scripted.js';
import { until } from '../support/waiting.js';

const BYTES = 1024;
const PAGES = 32;

let owner: ReturnType<typeof openPorts>[0];
let port: typeof owner;
let channel: BroadcastChannel;
const tables: Areas[] = [];

beforeEach(() => {
  const { provider } = scripted();
  const ports = openPorts({ pageBytes: BYTES, pageCount: PAGES, maxPorts: 2, provider }, ['typescript'], 2);
  [owner, port] = ports as [typeof owner, typeof owner];
  store(CONTROL_BASE + HEADER_OWNER_OFFSET, seatWord(owner));
  channel = new BroadcastChannel(`pagepool ${port.identity}`);
});
afterEach(() => {
  for (const table of tables.splice(0)) table.close();
  channel.close();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

function store(address: number, word: number): void {
  Atomics.store(owner.memory.i32, address >>> 2, word | 0);
}
const load = (address: number): number => loadWord(owner.memory, address);
const said = (): number => load(portOffset(port.geometry, port.id) + PORT_AREAS_OFFSET);
const calls = (): number => load(CONTROL_BASE + HEADER_DEMAND_OFFSET);
const rings = (): number => load(portOffset(owner.geometry, owner.id) + PORT_BELL_OFFSET);
const setEpoch = (epoch: number): void => store(CONTROL_BASE + HEADER_AREAS_OFFSET, epoch);
const numbers = (from: number, count: number): number[] => Array.from({ length: count }, (_, i) => from + i);

/** An area whose bytes are its index. */
function area(index: number, firstPage: number, pages: number, byteOffset = 0): SharedArea {
  const buffer = new SharedArrayBuffer(byteOffset + pages * BYTES);
  new Uint8Array(buffer).fill(index);
  return { index, firstPage, pages, buffer, byteOffset };
}

const change = (epoch: number, since: number | null, added: SharedArea[] = [], removed: number[] = []) => ({
  epoch,
  since,
  added,
  removed,
});

function table(first = NO_AREAS, isOwner = false): Areas {
  const made = new Areas(port, first, isOwner);
  tables.push(made);
  return made;
}

/** The table with somebody who listens: what it forgets, when it arrives, and which engine the port has. */
function heard(first = NO_AREAS) {
  const areas = table(first);
  const forgotten: number[][] = [];
  const engines: Engine[] = [];
  let arrived = 0;
  const seat = { engine: port.engine, isGone: false, standIn: (engine: Engine) => void engines.push(engine) };
  areas.listen(
    {
      forget: (firstPage, pages) => void forgotten.push([firstPage, pages]),
      arrived: () => void arrived++,
    },
    seat,
  );
  return { areas, forgotten, engines, seat, arrived: () => arrived };
}

/** A checked handle of the page's first fragment. */
const handleOf = (page: number): number => page << port.geometry.unitsPerPageShift;
const isKnown = (areas: Areas, page: number): boolean =>
  codeOf(() => areas.viewOf('bytes', handleOf(page))) === undefined;
const knownPages = (areas: Areas): number[] => numbers(1, PAGES).filter((page) => isKnown(areas, page));

describe('a change', () => {
  it('adds areas from their first page to their last, where each page lies in its buffer', () => {
    const { areas } = heard();
    areas.apply(change(1, 0, [area(1, 3, 2), area(2, 9, 4, 512)]));
    expect(knownPages(areas)).toEqual([3, 4, 9, 10, 11, 12]);
    expect([3, 4, 9, 12].map((page) => areas.startOf('offset', handleOf(page)))).toEqual([0, BYTES, 0, 3 * BYTES]);
    const view = areas.viewOf('bytes', handleOf(10)) as Uint8Array;
    expect([view.byteOffset, view.length, view[0]]).toEqual([512, 4 * BYTES, 2]);
    expect(areas.viewOf('bytes', handleOf(9))).toBe(view);
    const window = areas.window('bytes', handleOf(10), 16, 8) as Uint8Array;
    expect([window.byteOffset, window.length, window.buffer === view.buffer]).toEqual([512 + BYTES + 16, 8, true]);
    expect(areas.snapshot()).toMatchObject({ epoch: 1, since: null, removed: [], added: [{ index: 1 }, { index: 2 }] });
    expect(areas.epoch).toBe(1);
  });

  it('takes areas away, their views and their places, and says so to the listener', () => {
    const { areas, forgotten } = heard();
    areas.apply(change(1, 0, [area(1, 3, 2), area(2, 9, 4)]));
    for (const page of [3, 9]) areas.viewOf('bytes', handleOf(page));
    expect(forgotten).toEqual([]);
    areas.apply(change(2, 1, [], [2, 7]));
    expect(forgotten).toEqual([[9, 4]]);
    expect(knownPages(areas)).toEqual([3, 4]);
    const { engine } = port;
    vi.spyOn(engine, 'offset').mockReturnValue(1);
    expect(numbers(8, 6).map((page) => areas.knownView(engine, handleOf(page)))).toEqual(Array(6).fill(undefined));
    expect(areas.knownView(engine, handleOf(3))?.[0]).toBe(1);
    expect(areas.knownStart(handleOf(9), 64)).toBeUndefined();
  });

  it('puts an area of the same index in the place of the old one, and its pages go', () => {
    const { areas, forgotten } = heard();
    areas.apply(change(1, 0, [area(1, 3, 2)]));
    areas.apply(change(2, 1, [area(1, 20, 1)]));
    expect([forgotten, knownPages(areas)]).toEqual([[[3, 2]], [20]]);
  });

  it('of all areas takes away those that it lacks, and leaves those that are the same with their views', () => {
    const [one, two, three] = [area(1, 3, 2), area(2, 9, 4), area(3, 20, 2)];
    const { areas, forgotten } = heard();
    areas.apply(change(1, 0, [one, two, three]));
    const view = areas.viewOf('bytes', handleOf(9));
    areas.apply(change(5, null, [{ ...two }, three]));
    expect([forgotten, knownPages(areas)]).toEqual([[[3, 2]], [9, 10, 11, 12, 20, 21]]);
    expect(areas.viewOf('bytes', handleOf(9))).toBe(view);
  });

  it.each<[string, Partial<SharedArea>, number[]]>([
    ['another buffer', { buffer: new SharedArrayBuffer(4 * BYTES) }, [9, 10, 11, 12]],
    ['another first page', { firstPage: 10 }, [10, 11, 12, 13]],
    ['fewer pages', { pages: 3 }, [9, 10, 11]],
  ])('of all areas replaces one that has %s', (_, more, pages) => {
    const one = area(1, 9, 4);
    const { areas, forgotten } = heard();
    areas.apply(change(1, 0, [one]));
    const view = areas.viewOf('bytes', handleOf(10));
    areas.apply(change(2, null, [{ ...one, ...more }]));
    expect([forgotten, knownPages(areas)]).toEqual([[[9, 4]], pages]);
    expect(areas.viewOf('bytes', handleOf(10))).not.toBe(view);
  });

  it('does nothing once the table is closed, which keeps nothing', () => {
    setEpoch(1);
    const { areas, forgotten } = heard(change(1, null, [area(1, 3, 2)]));
    areas.close();
    expect([forgotten, areas.epoch, areas.snapshot().added]).toEqual([[[3, 2]], 0, []]);
    areas.apply(change(2, 1, [area(2, 9, 4)]));
    expect([areas.epoch, areas.snapshot().added]).toEqual([0, []]);
    const before = calls();
    areas.post(change(3, 2));
    areas.follow();
    areas.carryTo({ addEventListener: expect.unreachable });
    expect([areas.catchUp(), calls()]).toEqual([true, before]);
    expect(receiveMessageOnPort(channel as never)).toBeUndefined();
  });
});

describe('a page', () => {
  it('that is of no area is told apart from one in memory that the processor does not see', () => {
    const areas = table(change(1, null, [{ ...area(1, 3, 2), buffer: undefined }, area(2, 9, 1)]));
    expect(codeOf(() => areas.viewOf('bytes', handleOf(3)))).toBe('POOL_ERR_UNREADABLE');
    expect(messageOf(() => areas.viewOf('bytes', handleOf(4)))).toContain(
      'bytes failed: page=4 (expected memory that the processor can see)',
    );
    expect(messageOf(() => areas.startOf('offset', handleOf(8)))).toBe(
      'offset failed: page=8 (expected one of an area that this thread knows); return to the event loop, where its memory arrives',
    );
    expect([3, 8, 9].map((page) => areas.isReadable(handleOf(page)))).toEqual([false, false, true]);
    expect(areas.startOf('offset', handleOf(4))).toBe(BYTES); // it has a place all the same
  });

  it('is cleared, it and no byte beside it', () => {
    const one = area(7, 3, 3);
    const areas = table(change(1, null, [one]));
    areas.clear(4);
    const bytes = new Uint8Array(one.buffer as SharedArrayBuffer);
    expect([0, BYTES - 1, BYTES, 2 * BYTES - 1, 2 * BYTES].map((at) => bytes[at])).toEqual([7, 7, 0, 0, 7]);
  });

  it('has a known view and start where its area was asked for, and its handle is right', () => {
    const areas = table(change(1, null, [area(1, 3, 2)]));
    const { engine } = port;
    const offset = vi.spyOn(engine, 'offset').mockReturnValue(5);
    expect(areas.knownView(engine, handleOf(3))).toBeUndefined();
    const view = areas.viewOf('bytes', handleOf(4));
    expect(areas.knownView(engine, handleOf(3))).toBe(view);
    expect(areas.knownView(engine, 0.5)).toBeUndefined();
    offset.mockReturnValue(0);
    expect(areas.knownView(engine, handleOf(3))).toBeUndefined();
    expect(areas.knownStart(handleOf(3), 0)).toBeUndefined();
    const start = port.geometry.pagesOffset + 3 * BYTES; // page 4, as the engine counts it
    expect(areas.knownStart(handleOf(4), start)).toBe(BYTES);
    expect(areas.knownStart(handleOf(8), NO_AREA)).toBeUndefined();
  });

  it('of the pool’s own memory is not the table’s', () => {
    const reserve = { provider: scripted().provider, pageCount: 8 };
    const options = { pageBytes: BYTES, pageCount: 8, maxPorts: 1, reserve };
    [port] = openPorts(options, ['typescript'], 1) as [typeof port];
    owner = port;
    const areas = table(change(1, null, [area(1, 9, 2)]));
    expect([8, 9].map((page) => areas.viewOf('bytes', handleOf(page)) === undefined)).toEqual([true, false]);
    expect([8, 9].map((page) => areas.startOf('offset', handleOf(page)))).toEqual([undefined, 0]);
    expect([8, 9, 11].map((page) => areas.isReadable(handleOf(page)))).toEqual([true, true, false]);
    expect(areas.window('bytes', handleOf(8), 0, 1)).toBeUndefined();
    expect(areas.knownStart(handleOf(8), 4096)).toBe(4096);
  });
});

describe('a message', () => {
  const one = area(1, 3, 2);
  it.each<[string, unknown, number, number[]]>([
    ['that follows is taken', change(6, 5, [one]), 6, [3, 4]],
    ['with all areas is taken, however much was missed', change(9, null, [one]), 9, [3, 4]],
    ['of the epoch that is known changes nothing', change(5, 4, [one]), 5, []],
    ['of an older epoch changes nothing', change(4, null, [one]), 5, []],
    ['that is a text changes nothing', 'change', 5, []],
    ['that is undefined changes nothing', undefined, 5, []],
    ['that has no list changes nothing', { epoch: 6, since: 5, added: 1, removed: [] }, 5, []],
  ])('%s', async (_, message, epoch, pages) => {
    setEpoch(5);
    const { areas, engines } = heard(change(5, null));
    setEpoch(6);
    channel.postMessage(message);
    channel.postMessage(change(0, null)); // behind it: older, and of no effect
    areas.catchUp();
    expect([areas.epoch, knownPages(areas), engines]).toEqual([epoch, pages, []]);
    expect(said()).toBe(AREAS_PULLED);
  });

  it('that skips one makes the thread ask, and stand without pages until it has all', () => {
    setEpoch(5);
    const { areas, engines, arrived } = heard(change(5, null));
    const [before, rung] = [calls(), rings()];
    channel.postMessage(change(7, 6, [one]));
    expect(areas.catchUp()).toBe(false);
    expect([areas.epoch, said(), calls(), rings()]).toEqual([5, AREAS_WANTED, before + 1, rung + 1]);
    expect(engines.length).toBe(1);
    expect(engines[0]).not.toBe(port.engine);
    setEpoch(7);
    channel.postMessage(change(7, null, [one]));
    expect(areas.catchUp()).toBe(true);
    expect([areas.epoch, said(), engines.length, engines[1] === port.engine, arrived()]).toEqual([
      7,
      AREAS_PULLED,
      2,
      true,
      1,
    ]);
    expect(knownPages(areas)).toEqual([3, 4]);
  });

  it('that is an answer, but not the latest, leaves the thread behind, and asking', () => {
    const { areas, engines } = heard(change(0, null));
    channel.postMessage(change(7, 6));
    expect(areas.catchUp()).toBe(false);
    store(portOffset(port.geometry, port.id) + PORT_AREAS_OFFSET, AREAS_ANSWERED);
    setEpoch(8);
    channel.postMessage(change(7, null));
    expect([areas.catchUp(), areas.epoch, said(), engines.length]).toEqual([false, 7, AREAS_WANTED, 1]);
  });

  it('is followed where bytes are read, when the epoch has moved, and is not looked for else', () => {
    setEpoch(5);
    const areas = table(change(5, null));
    channel.postMessage(change(6, 5, [one]));
    areas.follow();
    expect(areas.epoch).toBe(5);
    setEpoch(6);
    areas.follow();
    expect([areas.epoch, knownPages(areas)]).toEqual([6, [3, 4]]);
  });
});

describe('a new table', () => {
  it.each([
    ['knows the latest', 5, AREAS_PULLED, 0, true],
    ['was overtaken', 6, AREAS_WANTED, 1, false],
  ])('that %s says so', (_, epoch, word, asked, isCaughtUp) => {
    setEpoch(epoch);
    const before = calls();
    const { areas, engines } = heard(change(5, null));
    expect([said(), calls() - before, areas.catchUp(), engines.length]).toEqual([word, asked, isCaughtUp, asked]);
  });

  it('has one listener', () => {
    const { areas } = heard();
    expect(() => areas.listen({ forget() {}, arrived() {} }, port)).toThrow('there is a listener');
  });

  it('leaves the engine of a port that is gone alone', () => {
    setEpoch(5);
    const { areas, engines, seat, arrived } = heard(change(5, null));
    seat.isGone = true;
    channel.postMessage(change(7, 6));
    expect(areas.catchUp()).toBe(false);
    channel.postMessage(change(8, null));
    setEpoch(8);
    expect([areas.catchUp(), engines, arrived()]).toEqual([true, [], 0]);
  });

  it('opens no channel where the memory is not shared', () => {
    const open = vi.fn();
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ BroadcastChannel: open } as never);
    const { memory } = port;
    const seat = { ...port, memory: { i32: memory.i32, u32: memory.u32, isShared: false } as typeof memory };
    const areas = new Areas(seat, NO_AREAS, true);
    expect([open.mock.calls, said()]).toEqual([[], AREAS_PULLED]);
    areas.close();
  });

  it('says what the platform refuses: the channel, or a message', () => {
    const Refusing = class {
      unref() {}
      close() {}
      postMessage(): void {
        throw new Error('not cloned');
      }
    };
    const builtin = vi.spyOn(process, 'getBuiltinModule');
    builtin.mockReturnValue({ BroadcastChannel: Refusing } as never);
    const areas = table();
    expect(messageOf(() => areas.post(change(1, 0)))).toMatch(
      /^a pool with areas failed: not cloned \(expected its areas announced to its threads\)/,
    );
    builtin.mockReturnValue({ BroadcastChannel: expect.unreachable } as never);
    expect(codeOf(() => table())).toBe('POOL_ERR_PROVIDER');
  });
});

describe('where changes come by the event loop alone', () => {
  beforeEach(() => vi.spyOn(process, 'getBuiltinModule').mockReturnValue({ BroadcastChannel } as never));

  it('the thread says which epoch it knows, and calls the owner whenever that moves', async () => {
    setEpoch(5);
    const before = calls();
    // So that it does not compare once more, whenever that is. Not for longer: other tests' timers run meanwhile.
    vi.stubGlobal('setTimeout', undefined);
    const areas = table(change(5, null));
    vi.unstubAllGlobals();
    expect([said(), calls()]).toEqual([5, before + 1]);
    setEpoch(6);
    channel.postMessage(change(6, 5));
    expect(areas.epoch).toBe(5);
    await until(() => areas.epoch === 6);
    expect([said(), calls()]).toEqual([6, before + 2]);
    channel.postMessage(change(6, 5)); // again: nothing new
    channel.postMessage(change(7, 6));
    setEpoch(7);
    await until(() => areas.epoch === 7);
    expect([said(), calls()]).toEqual([7, before + 3]);
  });

  it.each([
    ['asks for what its channel came too late for', 6, AREAS_WANTED],
    ['is content where nothing was posted', 5, 5],
  ])('the thread compares once more, and %s', (_, epoch, word) => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    setEpoch(5);
    table(change(5, null));
    expect([said(), vi.getTimerCount()]).toEqual([5, 1]);
    setEpoch(epoch);
    vi.advanceTimersToNextTimer();
    expect([said(), vi.getTimerCount()]).toEqual([word, epoch === 5 ? 0 : 1]);
  });

  it('asks again and again by one timer, until it has what it missed', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    setEpoch(6);
    const before = calls();
    const { areas, engines } = heard(change(5, null));
    expect([said(), vi.getTimerCount(), engines.length]).toEqual([AREAS_WANTED, 1, 1]);
    const asked = calls();
    expect(asked).toBe(before + 2); // its epoch, and the question
    store(portOffset(port.geometry, port.id) + PORT_AREAS_OFFSET, AREAS_ANSWERED);
    vi.advanceTimersToNextTimer();
    expect([said(), calls(), vi.getTimerCount()]).toEqual([AREAS_WANTED, asked + 1, 1]);
    areas.apply(change(6, null));
    expect([said(), vi.getTimerCount(), areas.catchUp(), engines.length]).toEqual([6, 0, true, 2]);
  });

  it('has no timer once it is closed', () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    setEpoch(6);
    const areas = table(change(5, null));
    expect(vi.getTimerCount()).toBe(1);
    areas.close();
    expect(vi.getTimerCount()).toBe(0);
  });

  it('asks once where there are no timers', () => {
    vi.stubGlobal('setTimeout', undefined);
    setEpoch(6);
    const before = calls();
    const areas = table(change(5, null));
    expect([said(), calls()]).toEqual([AREAS_WANTED, before + 2]);
    vi.unstubAllGlobals();
    areas.close();
  });

  it('refuses to block for what only the event loop brings', () => {
    vi.spyOn(Atomics, 'wait').mockReturnValue('timed-out');
    const areas = table();
    areas.requireAll('waitSync'); // nothing is missing
    setEpoch(1);
    const behind = table();
    vi.useFakeTimers({ toFake: ['performance', 'Date'] });
    let now = performance.now();
    vi.spyOn(performance, 'now').mockImplementation(() => (now += 1000));
    expect(messageOf(() => behind.requireAll('waitSync'))).toContain(
      'return to the event loop first, or use next() here',
    );
    behind.apply(change(1, 0));
    behind.requireAll('waitSync');
  });
});

describe('the owner of pages', () => {
  it.each([
    ['is called by another thread', false, 1],
    ['asks itself', true, 0],
  ])('%s, once for all that is wanted until it is taken', (_, isOwner, rung) => {
    const areas = table();
    const want = portOffset(port.geometry, port.id) + PORT_WANT_OFFSET;
    const { magazineCapacity } = port.geometry;
    const before = calls();
    areas.want(1, isOwner);
    expect([load(want), calls() - before]).toEqual([magazineCapacity, rung]);
    areas.want(magazineCapacity + 1, isOwner);
    expect([load(want), calls() - before]).toEqual([magazineCapacity + 1, rung]);
    areas.ringOwner();
    expect(calls() - before).toBe(rung + 1);
  });

  it('is gone where its port is another thread’s, and not where there is none', () => {
    const areas = table();
    expect(areas.isOwnerGone).toBe(false);
    store(CONTROL_BASE + HEADER_OWNER_OFFSET, seatWord({ ...owner, claim: owner.claim + 2 ** 10 }));
    expect(areas.isOwnerGone).toBe(true);
    store(CONTROL_BASE + HEADER_OWNER_OFFSET, 0);
    expect(areas.isOwnerGone).toBe(false);
  });
});

describe('a list of areas that came with a share', () => {
  const { geometry } = openPorts(
    { pageBytes: BYTES, pageCount: 8, maxPorts: 1, reserve: { provider: scripted().provider, pageCount: 8 } },
    ['typescript'],
    1,
  )[0] as typeof owner;
  const good = (): SharedArea => area(1, 9, 8);
  const buffer = (bytes: number): SharedArrayBuffer => new SharedArrayBuffer(bytes);

  it.each<[string, unknown]>([
    ['that is empty', NO_AREAS],
    ['of the last epoch', { ...NO_AREAS, epoch: 0x7fffffff }],
    ['with every page that providers have', change(1, null, [good()])],
    ['whose memory fits to the byte', change(1, null, [{ ...good(), byteOffset: 8, buffer: buffer(8 * BYTES + 8) }])],
    ['with memory that nobody sees', change(1, null, [{ ...good(), buffer: undefined }])],
  ])('%s is taken', (_, value) => {
    expect(areasPart.opener(value, geometry)).toBeTypeOf('function');
  });

  it.each<[string, unknown]>([
    ['that is undefined', undefined],
    ['of an epoch behind the last', { ...NO_AREAS, epoch: 0x80000000 }],
    ['of half an epoch', { ...NO_AREAS, epoch: 0.5 }],
    ['of an epoch below 0', { ...NO_AREAS, epoch: -1 }],
    ['with a page of the pool’s own', change(1, null, [area(1, 8, 8)])],
    ['with a page too many', change(1, null, [area(1, 9, 9)])],
    ['with an area that begins behind the last page', change(1, null, [area(1, 17, 1)])],
    ['with an area of index 0', change(1, null, [{ ...good(), index: 0 }])],
    ['with an area of no pages', change(1, null, [{ ...good(), pages: 0 }])],
    ['with a place before the memory', change(1, null, [{ ...good(), byteOffset: -1 }])],
    ['with memory a byte too short', change(1, null, [{ ...good(), buffer: buffer(8 * BYTES - 1) }])],
    ['with memory a byte too late', change(1, null, [{ ...good(), byteOffset: 1 }])],
    ['with memory of the thread’s own', change(1, null, [{ ...good(), buffer: new ArrayBuffer(8 * BYTES) }])],
    ['with a good area before a bad one', change(1, null, [good(), { ...good(), pages: 0.5 }])],
  ])('%s is refused', (_, value) => {
    expect(() => areasPart.opener(value, geometry)).toThrow(
      expect.objectContaining({ code: 'POOL_ERR_CORRUPT', message: expect.stringMatching(/^attach failed: areas=/) }),
    );
  });
});
