// The audit finds what does not fit together, each thing by itself: words are changed by hand, one invariant at a time.

import { describe, expect, it } from 'vitest';
import {
  BIAS,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  COUNTER_FAST,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SHIFT,
  DESCRIPTOR_SUSPECT_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HEADER_STATE_OFFSET,
  HOME_FRESH,
  HOME_RETIRED,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_OWNER_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_PARKED_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RETIRED_INDEX_MASK,
  STATE_DESTROYED,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_SHIFT,
} from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import { laneOffset, nodeOffset } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import type { Port } from '../../src/port/port.js';
import { auditPool } from '../../src/reports/audit.js';
import { type EngineKind, KINDS, openPorts, pageOf, unitOf } from '../support/ports.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  /**
   * A pool with a page of everything: used whole, used in parts, cached, in the ring, retired, fresh, pinned and gone;
   * a free port.
   */
  function setUp() {
    const channels = { a: { capacity: 4, batch: 2 } };
    const ports = openPorts({ pageBytes: 1024, pageCount: 48, channels }, [kind], 3);
    const [port, other, free] = ports as [Port, Port, Port];
    const { memory, geometry, engine } = port;
    const handles = Array.from({ length: 20 }, () => engine.alloc());
    const fragment = engine.allocFragment(100);
    const pinned = handles.pop() as number;
    engine.pin(pinned);
    engine.release(pinned);
    for (let i = 0; i < 12; i++) engine.release(handles.pop() as number);
    other.engine.trim();
    for (let i = 0; i < 5; i++) engine.release(handles.pop() as number);
    other.engine.release(other.engine.alloc());
    other.engine.park();
    free.engine.park();
    freePort(free);
    const put = (address: number, value: number): void => {
      memory.u32[address >>> 2] = value;
    };
    const read = (address: number): number => memory.u32[address >>> 2] as number;
    const descriptor = (page: number): number => geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT);
    const homeState = (page: number): number => read(descriptor(page) + DESCRIPTOR_HOME_OFFSET) & 7;
    const used = pageOf(port, handles[0] as number);
    const magazine = (): number => nodeOffset(geometry.ring, read(portOffset(geometry, port.id) + PORT_LOADED_OFFSET));
    // Neither empty nor full: there is something to corrupt, and room for more.
    while (![1, 2, 3].includes(read(magazine() + NODE_COUNT_OFFSET))) handles.push(engine.alloc());
    const loaded = magazine();
    const cached = read(loaded + NODE_PAGES_OFFSET);
    const block = (id: number): number => portOffset(geometry, id);
    const row = (id: number, page: number): number => geometry.ledgersOffset + id * geometry.ledgerBytes + 2 * page;
    const setRow = (id: number, page: number, references: number): void => {
      memory.u16[row(id, page) >>> 1] = references;
    };
    /** One number more in the loaded magazine. */
    const append = (page: number): void => {
      const count = read(loaded + NODE_COUNT_OFFSET);
      put(loaded + NODE_PAGES_OFFSET + 4 * count, page);
      put(loaded + NODE_COUNT_OFFSET, count + 1);
    };
    const inState = (state: number): number => {
      for (let page = 1; page <= geometry.pageCount; page++) if (homeState(page) === state) return page;
      throw new Error(`no page in state ${state}`);
    };
    return {
      ports,
      port,
      other,
      free,
      memory,
      geometry,
      handles,
      fragment,
      pinned,
      used,
      loaded,
      cached,
      block,
      row,
      setRow,
      put,
      read,
      descriptor,
      inState,
      append,
    };
  }

  type World = ReturnType<typeof setUp>;

  it('finds nothing wrong where nothing is', () => {
    const { port } = setUp();
    const report = auditPool(port);
    expect(report).toMatchObject({ exact: true, balanced: true, errors: [], suspects: [], settled: [], reaped: [] });
    expect(Object.values(report.pages).every((count) => count > 0)).toBe(true);
  });

  const faults: readonly (readonly [
    what: string,
    corrupt: (world: World) => void,
    errors: readonly RegExp[] | RegExp,
  ])[] = [
    [
      'I1: a page in a magazine that the provider has as well',
      ({ put, read, descriptor, cached }) => {
        const home = descriptor(cached) + DESCRIPTOR_HOME_OFFSET;
        put(home, (read(home) & ~7) | HOME_RETIRED);
      },
      [/^I1 page \d+ has state 2 in the cache of port 0 \(expected 1, in circulation\)$/],
    ],
    [
      'I2: a page in two containers',
      ({ append, cached }) => append(cached),
      [/^I2 page \d+ is in the cache of port 0 and in the cache of port 0 \(expected one place\)$/],
    ],
    [
      'I2: a number that is no page',
      ({ append }) => append(99),
      [/^I2 page 99 in the cache of port 0 \(expected 1\.\.48\)$/],
    ],
    [
      'I2: a node with two holders',
      ({ put, read, block }) => put(block(1) + PORT_MERGE_OFFSET, read(block(1) + PORT_LOADED_OFFSET)),
      [/^I2 node \d+ of the recycle ring \(expected each of \d+ once\)$/],
    ],
    [
      'I3: a count that is not 1 in a container',
      ({ put, descriptor, cached }) => put(descriptor(cached) + DESCRIPTOR_COUNT_OFFSET, 2),
      [/^I3 page \d+ counts 2 in the cache of port 0 \(expected 1\)$/],
    ],
    [
      'I3: a fragment with a holder in a container',
      ({ put, read, geometry, cached }) => {
        const word = geometry.fragmentWordsOffset + 4 * ((cached << geometry.unitsPerPageShift) + 3);
        put(word, read(word) + 1);
      },
      [/^I3 page \d+ has fragments with 1 holders in the cache of port 0 \(expected none\)$/],
    ],
    [
      'I4: a page taken and not counted',
      ({ put, read, block }) => put(block(0) + PORT_HOLD_OFFSET, read(block(0) + PORT_HOLD_OFFSET) - 1),
      [/^I4 inflight=\d+ \(expected \d+, the pages that are not home\)$/],
    ],
    [
      'I5: a magazine that somebody else has written',
      ({ put, loaded }) => put(loaded + NODE_OWNER_OFFSET, 2),
      [/^I5 the loaded magazine of port 0 names owner 2 \(expected 1, the port itself\)$/],
    ],
    [
      'I5: a magazine for what comes home that somebody else has written',
      ({ put, read, block, geometry }) =>
        put(nodeOffset(geometry.ring, read(block(1) + PORT_MERGE_OFFSET)) + NODE_OWNER_OFFSET, 1),
      [/^I5 the merge magazine of port 1 names owner 1 \(expected 2, the port itself\)$/],
    ],
    [
      'I5: an inbox that somebody else has written',
      ({ put, read, geometry }) => {
        const channel = geometry.channels[0] as (typeof geometry.channels)[0];
        put(nodeOffset(channel.ring, read(laneOffset(channel, 1) + LANE_INBOX_OFFSET)) + NODE_OWNER_OFFSET, 1);
      },
      [/^I5 the inbox in channel "a" of port 1 names owner 1 \(expected 2, the port itself\)$/],
    ],
    [
      'I5: a channel node that somebody else has written',
      ({ put, read, geometry }) => {
        const channel = geometry.channels[0] as (typeof geometry.channels)[0];
        put(nodeOffset(channel.ring, read(laneOffset(channel, 1) + LANE_OUTBOX_OFFSET)) + NODE_OWNER_OFFSET, 0);
      },
      [/^I5 the outbox in channel "a" of port 1 names owner 0 \(expected 2, the port itself\)$/],
    ],
    [
      'I7: a retired page without its bit',
      ({ put, read, geometry, inState }) => {
        const page = inState(HOME_RETIRED);
        const bits = geometry.retiredBitsOffset + 4 * (page >>> 5);
        put(bits, read(bits) & ~(1 << (page & 31)));
      },
      [/^I7 page \d+ is retired and cannot be found \(expected its bit to be set\)$/],
    ],
    [
      'I7: a hint that is past a retired page',
      ({ put, read }) => {
        const hint = CONTROL_BASE + HEADER_RETIRED_OFFSET;
        put(hint, (read(hint) & ~RETIRED_INDEX_MASK) | 1);
      },
      /^I7 page \d+ is retired and cannot be found/,
    ],
    [
      'I7: a hint that is past a fresh page',
      ({ put, inState }) => put(CONTROL_BASE + HEADER_FRESH_OFFSET, inState(HOME_FRESH) + 1),
      [/^I7 page \d+ is fresh and cannot be found \(expected \d+ or more, where the search begins\)$/],
    ],
    [
      'I7: a page that left without a pin',
      ({ put, port, pinned, read, descriptor }) => {
        const pins = descriptor(pageOf(port, pinned)) + DESCRIPTOR_PINS_OFFSET;
        put(pins, read(pins) & 0x80000000);
      },
      [/^I7 page \d+ left the pool without a pin \(expected a pin\)$/],
    ],
    [
      'I8: a free port with a row',
      ({ setRow, put, descriptor, used, free }) => {
        setRow(free.id, used, 1);
        setRow(0, used, 0);
        put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, 1);
      },
      [/^I8 port 2 is free and holds page \d+ \(expected it to have nothing\)$/],
    ],
    [
      'I8: a free port in the middle of a step',
      ({ put, block }) => put(block(2) + PORT_RECORD_KIND_OFFSET, 4),
      [/^I8 port 2 is free and is inside a step/],
    ],
    [
      'I8: a free port about to move a count',
      ({ put, block }) => put(block(2) + PORT_COUNTING_OFFSET, 1),
      [/^I8 port 2 is free and is about to move a count/],
    ],
    [
      'I8: a free port with an open page',
      ({ put, block }) => put(block(2) + PORT_FRAGMENT_PAGE_OFFSET, 24),
      [/^I8 port 2 is free and has page 24 open for fragments/],
    ],
    [
      'I8: a free port with pages in its cache',
      ({ put, read, block }) =>
        put(block(0) + PORT_CLAIM_OFFSET, read(block(0) + PORT_CLAIM_OFFSET) & ~CLAIM_STATE_MASK),
      /^I8 port 0 is free and (caches \d+ pages|has page \d+ open for fragments|holds page \d+) \(expected it to have nothing\)$/,
    ],
    [
      'I8: a port that runs in a destroyed pool',
      ({ put, block }) => {
        put(CONTROL_BASE + HEADER_STATE_OFFSET, STATE_DESTROYED);
        put(block(1) + PORT_PARKED_OFFSET, 1);
      },
      [/^I8 port 0 runs in a destroyed pool \(expected it to have parked\)$/],
    ],
    [
      'I9: an allocation that was not counted',
      ({ memory, block }) => {
        memory.u32[(block(0) + PORT_COUNTERS_OFFSET + COUNTER_FAST) >>> 2]! -= 1;
      },
      [/^I9 alloc\.fast \+ slow \+ refill = \d+ \(expected \d+: \d+ recycled, 1 left pinned, \d+ out\)$/],
    ],
    [
      'I10: a reference that the count does not know',
      ({ setRow, used }) => setRow(1, used, 1),
      [
        /^I10 page \d+ counts 1 references \(expected 2, those of ledgers/,
        /^I10 page \d+ has fragments with 1 holders \(expected 2, its references\)$/,
      ],
    ],
    [
      'I10: a count that nobody’s references explain',
      ({ put, descriptor, used }) => put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, 3),
      [/^I10 page \d+ counts 3 references \(expected 1, those of ledgers, channels, tokens and replies\)$/],
    ],
    [
      'I10: a bias that nobody opened',
      ({ put, descriptor, used }) => put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, BIAS),
      [
        /^I10 page \d+ carries a bias without an opener \(expected the port that opened it\)$/,
        /^I10 page \d+ counts \d+ references/,
      ],
    ],
    [
      'I10: a fragment with a holder that nobody is',
      ({ put, read, geometry, port, handles }) => {
        const word = geometry.fragmentWordsOffset + 4 * unitOf(port, handles[0] as number);
        put(word, read(word) + 1);
      },
      [/^I10 page \d+ has fragments with 2 holders \(expected 1, its references\)$/],
    ],
    [
      'I10: a reference on a page that is at home',
      ({ setRow, cached }) => setRow(1, cached, 1),
      [/^I10 page \d+ has 1 references in the cache of port 0 \(expected none\)$/],
    ],
    [
      'I10: an entry that names no page',
      ({ port, put, read, geometry }) => {
        const channel = geometry.channels[0] as (typeof geometry.channels)[0];
        const node = nodeOffset(channel.ring, read(laneOffset(channel, port.id) + LANE_OUTBOX_OFFSET));
        put(node + NODE_ENTRIES_OFFSET, 2 ** geometry.unitBits - 1);
        put(node + NODE_COUNT_OFFSET, 1);
      },
      [/^I10 handle \d+ in channel "a" \(expected one of this pool\)$/],
    ],
    [
      'I10: a token that names no page',
      ({ put, geometry }) => {
        const token = geometry.tokensOffset + (255 << TOKEN_SHIFT);
        put(token, TOKEN_LENT);
        put(token + TOKEN_HANDLE_OFFSET, 1);
      },
      [/^I10 handle 1 in a token \(expected one of this pool\)$/],
    ],
  ];

  it.each(faults)('finds %s', (_, corrupt, errors) => {
    const world = setUp();
    corrupt(world);
    const report = auditPool(world.port);
    // A list: these and no others. One pattern: as many as there are, each of them this.
    const expected = errors instanceof RegExp ? report.errors.map(() => errors) : errors;
    expect(report.errors.length, report.errors.join('; ')).toBe(Math.max(1, expected.length));
    for (const [i, error] of expected.entries()) expect(report.errors[i]).toMatch(error);
    expect(report.balanced).toBe(false);
  });

  it('lists at most a hundred errors', () => {
    const ports = openPorts({ pageBytes: 256, pageCount: 300 }, [kind], 2);
    const [port] = ports as [Port, Port];
    const { memory, geometry } = port;
    for (let page = 1; page <= 300; page++) {
      memory.u32[(geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT)) >>> 2] = 7;
    }
    expect(auditPool(port).errors.length).toBe(100);
  });

  it('sets a suspect page right: what nobody has is taken from its count, and the page goes home with the last', () => {
    const { port, other, put, descriptor, used, handles, setRow } = setUp();
    const suspect = descriptor(used) + DESCRIPTOR_SUSPECT_OFFSET;
    put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, 3);
    put(suspect, 1);
    expect(auditPool(port)).toMatchObject({ exact: true, balanced: true, suspects: [used], settled: [used] });
    expect(auditPool(port)).toMatchObject({ errors: [], suspects: [], settled: [] });
    expect(port.engine.release(handles[0] as number)).toBe(0);
    // Nobody has it at all.
    const [, page = 0] = [other.engine.alloc(), pageOf(other, other.engine.alloc())];
    setRow(other.id, page, 0);
    put(descriptor(page) + DESCRIPTOR_SUSPECT_OFFSET, 1);
    const before = auditPool(port);
    expect(before).toMatchObject({ balanced: true, suspects: [page], settled: [page] });
    expect(auditPool(port).pages.used).toBe(before.pages.used - 1);
  });

  it('only looks when the thread is done with the pool', () => {
    const { port, put, descriptor, used } = setUp();
    put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, 3);
    put(descriptor(used) + DESCRIPTOR_SUSPECT_OFFSET, 1);
    expect(auditPool({ ...port, isGone: true })).toMatchObject({ exact: true, suspects: [used], settled: [] });
    expect(auditPool(port)).toMatchObject({ settled: [used] });
  });

  it.each([
    ['is inside a step', PORT_RECORD_KIND_OFFSET],
    ['is about to move a count, stopped between row and count', PORT_COUNTING_OFFSET],
  ])('is inexact while another port %s, and settles nothing then', (_, word) => {
    const { port, put, block, descriptor, used } = setUp();
    put(descriptor(used) + DESCRIPTOR_COUNT_OFFSET, 3);
    put(descriptor(used) + DESCRIPTOR_SUSPECT_OFFSET, 1);
    put(block(1) + word, 1);
    expect(auditPool(port)).toMatchObject({ exact: false, suspects: [used], settled: [] });
    put(block(1) + word, 0);
    expect(auditPool(port)).toMatchObject({ exact: true, settled: [used] });
  });
});
