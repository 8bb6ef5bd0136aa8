// Reports by themselves: every figure of the statistics, every finding at its bound, and how long pages are followed.
//
// Words and snapshots of a real pool, of which each test changes what it is about.

import { beforeEach, describe, expect, it } from 'vitest';
import {
  CLAIM_QUARANTINED,
  CLAIM_REAPING,
  COUNTER_COUNT,
  DESCRIPTOR_HOME_OFFSET,
  HOME_HELD,
  HOME_LEFT,
  HOME_RETIRED,
  LANE_ANSWERED_OFFSET,
  LANE_ASKED_OFFSET,
  LANE_CANCELLED_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_FAILED_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RELEASE_OFFSET,
  REPLY_CHANNEL_OFFSET,
  REPLY_OUT,
  REPLY_SERVING,
} from '../../assembly/layout.js';
import { replyOffset } from '../../src/control/calls.js';
import { laneOffset, loadWord } from '../../src/control/nodes.js';
import { descriptorAt, portOffset } from '../../src/control/places.js';
import { HeldPages } from '../../src/inspect/held-pages.js';
import { type Lint, type LintName, lintsOf, resolveLintOptions } from '../../src/inspect/lints.js';
import { MissingPages } from '../../src/inspect/missing-pages.js';
import { PLACES, USED } from '../../src/inspect/page-map.js';
import { type ObservedPort, type PoolSnapshot, readPool } from '../../src/inspect/snapshot.js';
import { portName } from '../../src/reports/holders.js';
import { readStats } from '../../src/reports/stats.js';
import { openPorts } from '../support/ports.js';
import { codeOf } from '../support/realm.js';

const PAGES = 256;
let port: ReturnType<typeof openPorts>[0];

function open(options = {}): void {
  const [first] = openPorts(
    {
      ...{ pageBytes: 4096, pageCount: PAGES, maxPorts: 3 },
      channels: { work: { capacity: 8 }, news: { capacity: 4, whenFull: 'drop-newest' } },
      calls: { ask: { capacity: 4 } },
      ...options,
    },
    ['typescript'],
    2,
  );
  port = first as typeof port;
}
beforeEach(() => open());

const store = (address: number, word: number): void => void Atomics.store(port.memory.i32, address >>> 2, word | 0);
const load = (address: number): number => loadWord(port.memory, address);
const block = (id: number): number => portOffset(port.geometry, id);

describe('the statistics', () => {
  it('have every counter of every port by its name, above 2^32 too, and their sums', () => {
    for (const id of [0, 1]) {
      for (let i = 0; i < COUNTER_COUNT; i++) {
        store(block(id) + PORT_COUNTERS_OFFSET + 8 * i, (id + 1) * (100 + i));
        store(block(id) + PORT_COUNTERS_OFFSET + 8 * i + 4, id);
      }
      store(block(id) + PORT_HOLD_OFFSET, 2 ** 31 + id);
      store(block(id) + PORT_RELEASE_OFFSET, 2 ** 32 - 1 + 2 * id);
    }
    const high = 2 ** 32;
    const counters = (of: (i: number) => number) => ({
      alloc: {
        ...{ fast: of(0), slow: of(1), slowHighOrder: 0, empty: of(2), refill: of(3), waive: of(4) },
        ...{ fail: of(11), stolen: of(12), fragments: of(15) },
      },
      recycle: {
        ...{ cached: of(5) - of(7), cacheFull: of(6), ring: of(7), ringFull: of(8), releasedRefcnt: of(9) },
      },
      ...{ rejected: of(10), repaired: of(13), suspect: of(14) },
    });
    const stats = readStats(port, 'wasm');
    const clamped = (of: (i: number) => number) => {
      const { recycle, ...rest } = counters(of);
      return { ...rest, recycle: { ...recycle, cached: Math.max(0, recycle.cached) } };
    };
    expect(stats.ports[1]).toEqual({
      ...{ portId: 1, label: 'testport', isClaimed: true, cached: 0, hold: 2 ** 31 + 1, release: 1 },
      ...clamped((i) => 2 * (100 + i) + high),
    });
    expect(stats.ports[0]).toMatchObject({
      portId: 0,
      hold: 2 ** 31,
      release: 2 ** 32 - 1,
      ...clamped((i) => 100 + i),
    });
    expect(stats.ports[2]).toMatchObject({ portId: 2, label: '', isClaimed: false, hold: 0, alloc: { fast: 0 } });
    expect(stats).toMatchObject({ hold: 1, release: 0, ...clamped((i) => 3 * (100 + i) + high) });
    store(block(0) + PORT_COUNTERS_OFFSET + 8 * 5, 1000);
    expect(readStats(port, 'wasm').ports[0]?.recycle.cached).toBe(1000 - 107);
  });

  it('say which pool and engine, and where each page is', () => {
    const set = (page: number, state: number): void =>
      store(descriptorAt(port.geometry, page) + DESCRIPTOR_HOME_OFFSET, state);
    set(1, HOME_HELD);
    set(2, HOME_HELD);
    set(3, HOME_LEFT);
    set(PAGES, HOME_LEFT);
    set(4, HOME_RETIRED);
    const { geometry } = port;
    const stats = readStats(port, 'typescript');
    expect(stats.pages).toEqual({ total: PAGES, used: 2, cached: 0, ring: 0, provider: PAGES - 4, pinned: 2 });
    expect(stats).toMatchObject({
      ...{ name: 'test', engine: 'typescript', pageBytes: 4096, unitBytes: geometry.unitBytes },
      ...{ generationBits: geometry.generationBits, provider: { kind: 'wasm-memory', state: 'own', owner: null } },
    });
    expect(stats.memoryBytes).toBe(port.memory.wasm?.buffer.byteLength);
    const handles = [port.engine.alloc(), port.engine.alloc()];
    for (const handle of handles) port.engine.release(handle);
    const { cached, ring, used } = readStats(port, 'wasm').pages;
    expect([cached + ring > 0, used]).toEqual([true, 2]);
  });

  it('count calls in each state, of each port and slot, those of their channel alone', () => {
    const { geometry } = port;
    const index = geometry.channels.findIndex(({ isCalls }) => isCalls);
    const ask = geometry.channels[index] as (typeof geometry.channels)[number];
    const last = geometry.replyCount - 1;
    const set = (id: number, slot: number, state: number, channel = index): void => {
      const reply = replyOffset(geometry, id, slot);
      store(reply, (load(reply) & ~7) | state);
      store(reply + REPLY_CHANNEL_OFFSET, channel);
    };
    set(0, 0, REPLY_OUT);
    set(2, last, REPLY_OUT);
    set(1, 0, REPLY_SERVING);
    set(1, last, REPLY_OUT, 99);
    for (const [i, counter] of [
      LANE_ASKED_OFFSET,
      LANE_ANSWERED_OFFSET,
      LANE_FAILED_OFFSET,
      LANE_CANCELLED_OFFSET,
    ].entries()) {
      store(laneOffset(ask, 0) + counter, 10 * (i + 1));
      store(laneOffset(ask, 2) + counter, 1);
    }
    expect(readStats(port, 'wasm').calls).toEqual([
      { name: 'ask', capacity: 4, waiting: 2, serving: 1, asked: 11, answered: 21, failed: 31, cancelled: 41 },
    ]);
  });

  it('count entries of channels: what was dropped inside was not received, what never was inside was not taken', () => {
    const { geometry } = port;
    for (const channel of geometry.channels) {
      store(laneOffset(channel, 0) + LANE_SENT_OFFSET, 50);
      store(laneOffset(channel, 1) + LANE_SENT_OFFSET, 5);
      store(laneOffset(channel, 1) + LANE_RECEIVED_OFFSET, 30);
      store(laneOffset(channel, 2) + LANE_DROPPED_OFFSET, 7);
    }
    const idle = { pending: 0, waiting: { senders: 0, receivers: 0 }, sent: 55, dropped: 7 };
    expect(readStats(port, 'wasm').channels).toEqual([
      { name: 'work', capacity: 8, received: 23, ...idle },
      { name: 'news', capacity: 4, received: 30, ...idle },
    ]);
  });

  it('name ports with what is to be said of their claims', () => {
    expect(portName(3, '', 1)).toBe('port 3');
    expect(portName(3, 'a "b"', 1)).toBe('port 3 "a \\"b\\""');
    expect(portName(3, 'x', CLAIM_QUARANTINED)).toBe('port 3 "x", which is set aside,');
    expect(portName(3, 'x', CLAIM_REAPING | (2 << 3))).toBe('port 3 "x", which port 1 reaps,');
  });
});

describe('findings', () => {
  type Change = (snapshot: PoolSnapshot, i: number) => PoolSnapshot;
  const snapshotOf = (): PoolSnapshot => ({ ...readPool(port_(), () => 0, new MissingPages(port)), rates: null });
  const port_ = () => ({ ...port, name: 'test', kind: 'wasm-memory' });

  /** What is found where each of some snapshots is changed. */
  function found(change: Change, count = 3, limits = { stallMs: 1000, leakMs: 1000 }): Lint[] {
    const base = snapshotOf();
    const history = Array.from({ length: count }, (_, i) => change(base, i));
    return lintsOf({ observed: port_(), history, held: new HeldPages(port), holders: () => [], ...limits });
  }
  const names = (lints: Lint[]): LintName[] => lints.map(({ name }) => name);
  /** The same change of one port. */
  const ofPort =
    (id: number, more: (port: ObservedPort, i: number) => object): Change =>
    (snapshot, i) => ({
      ...snapshot,
      ports: snapshot.ports.map((each) => (each.portId === id ? { ...each, ...more(each, i) } : each)),
    });
  const ofChannel =
    (id: number, more: (i: number) => object): Change =>
    (snapshot, i) => ({
      ...snapshot,
      channels: snapshot.channels.map((each, at) => (at === id ? { ...each, ...more(i) } : each)),
    });

  it('are none where nothing is wrong, and none of a pool that is destroyed', () => {
    expect(found((snapshot) => snapshot)).toEqual([]);
    const waits = [{ what: 'a page', forMs: 5000 }];
    const stalled = ofPort(1, () => ({ waits }));
    expect(names(found(stalled))).toEqual(['stalled-wait']);
    expect(found((snapshot, i) => ({ ...stalled(snapshot, i), state: 'destroyed' }))).toEqual([]);
    expect(names(found((snapshot, i) => ({ ...stalled(snapshot, i), state: 'closing' })))).toEqual(['stalled-wait']);
  });

  it.each([
    ['a page', 999, false, ''],
    ['a page', 1000, true, 'release what is held'],
    ['room in channel "work"', 1000, true, 'receive there'],
    ['an entry of channel "work"', 9000, false, ''],
  ])('of a wait for %s since %i ms: %s', (what, forMs, isFound, remedy) => {
    const lints = found(ofPort(1, () => ({ waits: [{ what, forMs }] })));
    expect(names(lints)).toEqual(isFound ? ['stalled-wait'] : []);
    if (!isFound) return;
    expect(lints[0]?.what).toBe(`port 1 "testport" has waited for ${what} for at least 1.0 s; `);
    expect([lints[0]?.portId, lints[0]?.remedy.startsWith(remedy)]).toEqual([1, true]);
  });

  it.each([
    [PAGES - 5, false],
    [PAGES - 4, true],
  ])('of queues with room for %i and 4 entries: %s', (capacity, isFound) => {
    open({ channels: { work: { capacity }, news: { capacity: 4 } } });
    const lints = found((snapshot) => snapshot).filter(({ name }) => name === 'queue-can-hold-all');
    expect(lints.map(({ channel }) => channel)).toEqual(isFound ? ['work'] : []);
    const entries = capacity + 4;
    const remedy = `give each a capacity of 64 or less, or create the pool with more than ${entries} pages`;
    for (const lint of lints) expect(lint.remedy).toBe(remedy);
  });

  describe('of a port that stands in a step', () => {
    const inStep = (more: (port: ObservedPort, i: number) => object = () => ({})): Change =>
      ofPort(1, (each, i) => ({ isInStep: true, ...more(each, i) }));
    it('in three snapshots, and not in two', () => {
      expect([2, 3, 4].map((count) => names(found(inStep(), count)))).toEqual([
        [],
        ['port-not-reaped'],
        ['port-not-reaped'],
      ]);
      expect(found(inStep())[0]).toMatchObject({ portId: 1, what: expect.stringContaining('the last 3 snapshots') });
    });
    it.each<[string, (port: ObservedPort, i: number) => object]>([
      ['that was in none once', (_, i) => ({ isInStep: i !== 1 })],
      ['that is free', () => ({ state: 'free' })],
      ['that is reaped', () => ({ state: 'reaped' })],
      ['that allocates', ({ alloc }, i) => ({ alloc: { ...alloc, fast: i } })],
      ['that refills', ({ alloc }, i) => ({ alloc: { ...alloc, refill: i } })],
      ['that recycles', ({ recycle }, i) => ({ recycle: { ...recycle, cached: i } })],
      ['that takes pages', (_, i) => ({ hold: i })],
      ['that gives pages', (_, i) => ({ release: i })],
    ])('and not %s', (_, more) => expect(found(inStep(more))).toEqual([]));
    it('and of one that is set aside in any case', () => {
      const [lint] = found(
        ofPort(1, () => ({ state: 'set aside' })),
        1,
      );
      expect([lint?.name, lint?.portId, lint?.remedy]).toEqual([
        'port-not-reaped',
        1,
        expect.stringContaining('reap(1, { force: true })'),
      ]);
    });
  });

  it.each([
    [1, 2, 3, true],
    [1, 3, 3, false],
    [0, 0, 3, false],
    [2, 2, 3, true],
    [1, 1, 2, false],
  ])('of a port that steals %i of %i refills between each of %i snapshots: %s', (stolen, refill, count, isFound) => {
    const lints = found(
      ofPort(1, ({ alloc }, i) => ({ alloc: { ...alloc, stolen: i * stolen, refill: i * refill } })),
      count,
    );
    expect(names(lints)).toEqual(isFound ? ['starving-port'] : []);
    expect(lints[0]?.portId).toBe(isFound ? 1 : undefined);
  });

  it.each([
    [2, 1, 1, true],
    [3, 1, 1, false],
    [2, 2, 1, true],
    [2, 3, 1, false],
    [0, 0, 0, false],
  ])('of %i pages allocated, %i taken and %i given back between snapshots: %s', (fast, taken, given, isFound) => {
    const start = 2 ** 32 - 1; // the counts wrap between the snapshots
    const change: Change = (snapshot, i) => ({
      ...snapshot,
      counters: {
        ...snapshot.counters,
        alloc: { ...snapshot.counters.alloc, fast: i * fast },
        hold: (start + i * taken) >>> 0,
        release: (start + i * given) >>> 0,
      },
    });
    expect(names(found(change))).toEqual(isFound ? ['never-recycled'] : []);
    for (const place of ['slow', 'refill'] as const) {
      const other: Change = (snapshot, i) => {
        const changed = change(snapshot, i);
        return {
          ...changed,
          counters: { ...changed.counters, alloc: { ...snapshot.counters.alloc, [place]: i * fast } },
        };
      };
      expect(names(found(other))).toEqual(isFound ? ['never-recycled'] : []);
    }
  });

  it.each([
    ['serving', 3, ['lagging-owner'], 'has not answered'],
    ['gone', 3, ['lagging-owner'], 'is gone'],
    ['own', 3, [], ''],
    ['serving', 2, [], ''],
  ] as const)('of wants where the owner is %s, in %i snapshots: %s', (state, count, expected, text) => {
    const wanting = ofPort(1, () => ({ wanted: 5 }));
    const change: Change = (snapshot, i) => {
      const wants = wanting(snapshot, i);
      return { ...wants, provider: { ...wants.provider, state } };
    };
    const lints = found(change, count);
    expect(names(lints)).toEqual(expected);
    if (expected.length === 0) return;
    expect([lints[0]?.portId, lints[0]?.what]).toEqual([
      1,
      `port 1 "testport" has asked for 5 pages, and the thread that calls the provider ${text}`,
    ]);
    expect(lints[0]?.remedy.startsWith(state === 'gone' ? 'create the pool' : 'let the thread')).toBe(true);
    expect(
      found((snapshot, i) => (i === 1 ? { ...change(snapshot, i), ports: snapshot.ports } : change(snapshot, i))),
    ).toEqual([]);
  });

  describe('of a channel', () => {
    const waiting = (senders: number, receivers = 0) => ({ waiting: { senders, receivers } });
    it.each<[string, (i: number) => object, boolean]>([
      ['that is full', () => ({ pending: 8 }), true],
      ['that has room for one', () => ({ pending: 7 }), false],
      ['for whose room somebody waits', () => waiting(1), true],
      ['that was full, but once', (i) => ({ pending: i === 1 ? 0 : 8 }), false],
      ['that drops again and again', (i) => ({ dropped: i }), true],
      ['that dropped once', (i) => ({ dropped: i > 1 ? 1 : 0 }), false],
    ])('%s', (_, more, isFound) => {
      expect(names(found(ofChannel(0, more)))).toEqual(isFound ? ['slow-consumer'] : []);
      expect(names(found(ofChannel(0, more), 2))).toEqual([]);
    });
    it('with who waits, and what would help', () => {
      const [one] = found(ofChannel(0, (i) => ({ pending: 8, dropped: i, ...waiting(1, 1) })));
      expect(one).toMatchObject({
        channel: 'work',
        what: 'channel "work" was full in each of the last snapshots: 8 of 8 entries, 1 thread waits for room, and entries are dropped',
        remedy: 'a receiver waits there all the same: let it return to its event loop',
      });
      const [other] = found(ofChannel(1, () => ({ pending: 4, ...waiting(2) })));
      expect(other).toMatchObject({
        channel: 'news',
        what: 'channel "news" was full in each of the last snapshots: 4 of 4 entries, 2 threads wait for room',
        remedy: 'receive in more threads, or with receiveBurst; or send less',
      });
    });
  });

  it('of more ports than pages allow, to the page', () => {
    const { magazineCapacity } = port.geometry;
    const kept = 2 * (2 * magazineCapacity + 1); // two ports are attached
    const of = (pageCount: number) => found((snapshot) => ({ ...snapshot, pageCount }), 1);
    expect([2 * kept, 2 * kept - 1].map((count) => names(of(count)).includes('many-ports-few-pages'))).toEqual([
      false,
      true,
    ]);
    const lint = of(2 * kept - 1).find(({ name }) => name === 'many-ports-few-pages');
    expect(lint?.what).toBe(`2 attached threads may cache ${kept} of ${2 * kept - 1} pages`);
    expect(lint?.remedy).toBe(`create the pool with ${2 * kept} pages or more, or attach fewer threads`);
  });

  it.each<[string, (i: number) => object, boolean]>([
    ['wait', () => ({ waiting: 1, asked: 5 }), true],
    ['wait, and more are asked and given up', (i) => ({ waiting: 1 + i, asked: 5 + 2 * i, cancelled: i }), true],
    ['wait, and one was taken', (i) => ({ waiting: 1, asked: 5 + i }), false],
    ['waited, but not once', (i) => ({ waiting: i === 1 ? 0 : 1, asked: i === 1 ? 4 : 5 }), false],
  ])('of calls that %s', (_, more, isFound) => {
    const change: Change = (snapshot, i) => ({
      ...snapshot,
      calls: snapshot.calls.map((each) => ({ ...each, ...more(i) })),
    });
    expect(names(found(change))).toEqual(isFound ? ['unserved-calls'] : []);
    expect(found(change, 2)).toEqual([]);
  });

  it('are asked for with limits that are numbers', () => {
    expect(resolveLintOptions('lints', {})).toEqual({ stallMs: 10_000, leakMs: 60_000 });
    expect(resolveLintOptions('lints', { stallMs: 0, leakMs: Infinity })).toEqual({ stallMs: 0, leakMs: Infinity });
    for (const options of [{ stallMs: -1 }, { leakMs: Number.NaN }, { leakMs: '1' }, { ms: 1 }, null])
      expect(codeOf(() => resolveLintOptions('lints', options))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  describe('of pages in the same hands', () => {
    const base = () => {
      const snapshot = snapshotOf();
      const places = new Uint8Array(snapshot.map.places.length).fill(255);
      const owners = snapshot.map.owners.slice();
      return { places, owners };
    };
    it('follow each page from the reading that found it there first, as long as every reading finds it', () => {
      const held = new HeldPages(port);
      const map = base();
      const read = (atMs: number): void => held.follow({ atMs, map: map as never });
      map.places[3] = USED;
      map.owners[3] = 1;
      read(100);
      expect(held.since(99)).toEqual([]);
      expect(held.since(100)).toEqual([{ page: 4, portId: 1, sinceMs: 100 }]);
      read(200);
      expect(held.since(100).length).toBe(1);
      map.owners[3] = 0; // other hands
      read(300);
      expect([held.since(299), held.since(300)]).toEqual([[], [{ page: 4, portId: 0, sinceMs: 300 }]]);
      const word = port.geometry.fragmentWordsOffset + 4 * (4 << port.geometry.unitsPerPageShift);
      store(word, load(word) + 2 ** 16); // another use in the same hands
      read(400);
      expect(held.since(399)).toEqual([]);
      map.places[3] = 255;
      read(500);
      expect(held.since(500)).toEqual([]);
      map.places[3] = USED;
      read(600);
      expect(held.since(600)).toEqual([{ page: 4, portId: 0, sinceMs: 600 }]);
      // A mark of a reading long ago is none of now, whatever number that had.
      for (let i = 0; i < 600; i++) read(700 + i);
      expect(held.since(600)).toEqual([{ page: 4, portId: 0, sinceMs: 600 }]);
    });

    it('name the port, the longest time and the first ten pages', () => {
      const held = new HeldPages(port);
      const snapshot = snapshotOf();
      const map = base();
      for (let i = 0; i < 12; i++) {
        map.places[i] = USED;
        map.owners[i] = 1;
      }
      held.follow({ atMs: 100, map: map as never });
      const lints = (atMs: number, leakMs: number) =>
        lintsOf({
          ...{ observed: port_(), history: [{ ...snapshot, atMs }], held, holders: () => [], stallMs: 1000, leakMs },
        });
      expect(lints(1099, 1000)).toEqual([]);
      expect(lints(1100, 1000)).toEqual([
        {
          name: 'leak-suspect',
          what: 'port 1 "testport" has held 12 pages without a move for 1.0 s or longer',
          remedy: expect.stringContaining('release what is not needed'),
          portId: 1,
          pages: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
        },
      ]);
    });
  });

  describe('of pages that nobody was found to have', () => {
    const LOST = PLACES.indexOf('nobody');
    const MOVING = PLACES.indexOf('moving');
    const mapOf = (isStill: boolean) => ({
      isStill,
      byPlace: new Uint32Array(PLACES.length),
      places: new Uint8Array(PAGES).fill(LOST),
    });
    it('are lost at once where nothing moved, and on their way for two readings where something did', () => {
      const missing = new MissingPages(port);
      const still = mapOf(true);
      missing.follow([5], still);
      expect([[...missing.lost], still.byPlace[LOST], still.byPlace[MOVING], still.places[4]]).toEqual([
        [5],
        1,
        0,
        LOST,
      ]);
      const lost = [1, 2, 3].map(() => {
        const map = mapOf(false);
        missing.follow([7], map);
        return [[...missing.lost], map.byPlace[LOST], map.byPlace[MOVING], map.places[6]];
      });
      expect(lost).toEqual([
        [[], 0, 1, MOVING],
        [[], 0, 1, MOVING],
        [[7], 1, 0, LOST],
      ]);
    });
    it('are others when the page was used, or found, meanwhile', () => {
      const missing = new MissingPages(port);
      const read = (pages: number[]): number[] => {
        missing.follow(pages, mapOf(false));
        return [...missing.lost];
      };
      read([7]);
      read([7]);
      const word = port.geometry.fragmentWordsOffset + 4 * (7 << port.geometry.unitsPerPageShift);
      store(word, load(word) + 2 ** 16);
      expect([read([7]), read([7]), read([7])]).toEqual([[], [], [7]]);
      read([]);
      expect([read([7]), read([7])]).toEqual([[], []]);
    });
  });
});
