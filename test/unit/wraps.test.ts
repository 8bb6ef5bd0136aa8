// Every free-running word starts near its wrap and runs across it: nothing is lost, and the audit balances on the other
// side.
//
// The words of a fresh pool are written before its first use, as if the pool had been in use for as long as it takes.

import { describe, expect, it } from 'vitest';
import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CONTROL_BASE,
  COUNTER_FAST,
  COUNTER_RECYCLED,
  EMPTY,
  ERR_STALE_HANDLE,
  ERR_TOKEN_SPENT,
  EVENT_ONE_OFFSET,
  FULL,
  HEADER_RETIRED_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  OK,
  PORT_BELL_OFFSET,
  PORT_BYTES,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_SPARE_OFFSET,
  RETIRED_INDEX_BITS,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  TOKEN_SEQ_SHIFT,
} from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import type { ChannelGeometry, Geometry, RingGeometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { counterAt, laneOffset, laneSum, loadWord, loanParts, pendingEntries } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { inflight } from '../../src/control/state.js';
import type { Port } from '../../src/port/port.js';
import { type EngineKind, KINDS, openPort, openPorts, pageOf, requireBalance } from '../support/ports.js';

const combinations: readonly (readonly [string, readonly EngineKind[]])[] = [
  ...KINDS.map((kind) => [kind, [kind, kind]] as const),
  ['both engines', ['release', 'typescript']],
];

const put = ({ u32 }: PoolMemory, address: number, value: number): void => {
  u32[address >>> 2] = value;
};

/** Sets a ring to `laps` laps before its lap bits wrap. */
function ageRing(memory: PoolMemory, ring: RingGeometry, laps: number): void {
  const lapBits = 31 - ring.nodeBits;
  const lap = 2 ** lapBits - laps;
  for (let i = 0; i < ring.slotCount; i++) put(memory, ring.slotsOffset + 4 * i, lap * 2 ** (ring.nodeBits + 1) + i);
  put(memory, ring.offset + RING_HEAD_OFFSET, lap * 2 ** ring.indexBits);
  put(memory, ring.offset + RING_TAIL_OFFSET, lap * 2 ** ring.indexBits);
}

/** The lap that a hint stands in. */
const lapOf = ({ memory }: Port, ring: RingGeometry, hint: number): number =>
  loadWord(memory, ring.offset + hint) >>> ring.indexBits;

const wrap = { channels: { a: { capacity: 3, batch: 2 } } } as const;

describe.each(combinations)('with the engines %s', (_, kinds) => {
  const open = (prepare: (memory: PoolMemory, geometry: Geometry) => void, more = {}): [Port, Port] =>
    openPorts({ pageCount: 24, ...wrap, ...more }, kinds, 2, prepare) as [Port, Port];
  const channelOf = ({ geometry }: Port) => geometry.channels[0] as ChannelGeometry;

  it('the laps of the recycle ring wrap', () => {
    const [a, b] = open((memory, { ring }) => ageRing(memory, ring, 3));
    const { ring } = a.geometry;
    const start = lapOf(a, ring, RING_TAIL_OFFSET);
    for (let i = 0; i < 8 * ring.slotCount; i++) {
      const port = i % 2 === 0 ? a : b;
      const handles = Array.from({ length: 1 + (i % 12) }, () => port.engine.alloc());
      expect(handles).not.toContain(0);
      for (const handle of handles) expect(port.engine.release(handle)).toBe(OK);
      port.engine.park();
      port.engine.unpark();
      requireBalance(a);
    }
    expect(lapOf(a, ring, RING_TAIL_OFFSET)).toBeLessThan(start);
    expect(lapOf(a, ring, RING_HEAD_OFFSET)).toBeLessThan(start);
  });

  it.each(['refuse', 'drop-oldest'] as const)(
    'the laps of a channel wrap, full and empty on the way (%s)',
    (whenFull) => {
      const [a, b] = open((memory, { channels }) => ageRing(memory, (channels[0] as ChannelGeometry).ring, 4), {
        channels: { a: { capacity: 3, batch: 1, whenFull } },
      });
      const { ring } = channelOf(a);
      const start = lapOf(a, ring, RING_TAIL_OFFSET);
      for (let i = 0; i < 40; i++) {
        const handles = Array.from({ length: 4 }, () => a.engine.alloc());
        const codes = handles.map((handle, tag) => a.engine.send(0, handle, 0, 1, tag));
        expect(codes).toEqual([OK, OK, OK, whenFull === 'refuse' ? FULL : OK]);
        if (whenFull === 'refuse') expect(a.engine.release(handles[3] as number)).toBe(OK);
        const expected = whenFull === 'refuse' ? [0, 1, 2] : [1, 2, 3];
        for (const tag of expected) {
          expect(b.engine.receiveBurst(0, b.scratch.ownAddress, 1)).toBe(1);
          expect(b.scratch.own[3]).toBe(tag);
          expect(b.engine.release(b.scratch.own[0] as number)).toBe(OK);
        }
        expect(b.engine.receiveBurst(0, b.scratch.ownAddress, 1)).toBe(0);
        expect(b.engine.lastError()).toBe(EMPTY);
        requireBalance(a);
      }
      expect(lapOf(a, ring, RING_TAIL_OFFSET)).toBeLessThan(start);
      expect(lapOf(a, ring, RING_HEAD_OFFSET)).toBeLessThan(start);
    },
  );

  it.each([0, 1])('the counters of port %i carry into their high word', (id) => {
    const from = 2 ** 32 - 3;
    const prepare = (memory: PoolMemory, geometry: Geometry) => {
      const counters = portOffset(geometry, id) + PORT_COUNTERS_OFFSET;
      // Alike, since the audit compares them.
      for (const counter of [COUNTER_FAST, COUNTER_RECYCLED]) put(memory, counters + counter, from);
    };
    const ports = open(prepare, { pageCount: 96 });
    const { engine, geometry, memory, scratch } = ports[id] as Port;
    const read = (counter: number) => counterAt(memory, portOffset(geometry, id), counter);
    expect(engine.release(engine.alloc())).toBe(OK); // fills the cache
    const before = read(COUNTER_FAST);
    for (let i = 1; i <= 4; i++) {
      expect(engine.release(engine.alloc())).toBe(OK);
      expect([read(COUNTER_FAST), read(COUNTER_RECYCLED)]).toEqual([before + i, from + 1 + i]);
    }
    requireBalance(ports[0]);
    prepare(memory, geometry);
    const [fast, recycled] = [read(COUNTER_FAST), read(COUNTER_RECYCLED)];
    expect(engine.allocBurst(scratch.ownAddress, 4)).toBe(4);
    expect(engine.releaseBulk(scratch.ownAddress, 4)).toBe(4);
    expect([read(COUNTER_FAST) - fast, read(COUNTER_RECYCLED) - recycled]).toEqual([4, 4]);
    expect(read(COUNTER_FAST)).toBeGreaterThan(2 * 2 ** 32 - 1);
  });

  it.each([
    ['both', 0xfffffffa, 0xfffffffa],
    ['the sign', 0x7ffffffa, 0x7ffffffa],
  ])('the counters of pages held and released wrap (%s)', (_name, hold, release) => {
    const [a, b] = open((memory, geometry) => {
      for (const id of [0, 1]) {
        put(memory, portOffset(geometry, id) + PORT_HOLD_OFFSET, hold);
        put(memory, portOffset(geometry, id) + PORT_RELEASE_OFFSET, release);
      }
    });
    for (let i = 0; i < 10; i++) {
      const port = i % 2 === 0 ? a : b;
      const handles = Array.from({ length: 10 }, () => port.engine.alloc());
      expect(inflight(a.memory, a.geometry)).toBeGreaterThanOrEqual(10);
      for (const handle of handles) port.engine.release(handle);
      requireBalance(a);
      port.engine.trim();
      expect(inflight(a.memory, a.geometry)).toBe(0);
      requireBalance(a);
    }
    for (const offset of [PORT_HOLD_OFFSET, PORT_RELEASE_OFFSET]) {
      const word = loadWord(a.memory, portOffset(a.geometry, a.id) + offset);
      expect((word - hold) >>> 0).toBeLessThan(1000);
      expect(word).not.toBe(hold);
    }
  });

  it('the counters of entries sent, received and dropped wrap', () => {
    const [a, b] = open(
      (memory, geometry) => {
        const channel = geometry.channels[0] as ChannelGeometry;
        for (const id of [0, 1]) {
          for (const offset of [LANE_SENT_OFFSET, LANE_RECEIVED_OFFSET, LANE_DROPPED_OFFSET])
            put(memory, laneOffset(channel, id) + offset, 0xfffffff8);
        }
      },
      { channels: { a: { capacity: 4, batch: 2, whenFull: 'drop-newest' } } },
    );
    const channel = channelOf(a);
    for (let i = 0; i < 12; i++) {
      for (let j = 0; j < 5; j++) expect(a.engine.send(0, a.engine.alloc(), 0, 1, j)).toBe(OK);
      expect(pendingEntries(a.memory, a.geometry, channel)).toBe(4);
      expect(laneSum(a.memory, a.geometry, channel, LANE_DROPPED_OFFSET)).toBe((2 * 0xfffffff8 + i + 1) % 2 ** 32);
      expect(b.engine.receiveBurst(0, b.scratch.ownAddress, 10)).toBe(4);
      for (let j = 0; j < 4; j++) expect(b.engine.release(b.scratch.own[4 * j] as number)).toBe(OK);
      expect(pendingEntries(a.memory, a.geometry, channel)).toBe(0);
      requireBalance(a);
    }
    expect(loadWord(a.memory, laneOffset(channel, a.id) + LANE_SENT_OFFSET)).toBe(40);
  });

  it('a bell wraps, and every publication still changes it', () => {
    const bellOf = ({ portsOffset }: Geometry) => portsOffset + PORT_BYTES + PORT_BELL_OFFSET; // port 1's
    const [a] = open((memory, geometry) => put(memory, bellOf(geometry), 0xfffffffd));
    const event = channelOf(a).offset + CHANNEL_NOT_EMPTY_OFFSET;
    const seen = [0, 1, 2, 3, 4].map(() => {
      put(a.memory, event + EVENT_ONE_OFFSET, 2); // as if port 1 were waiting
      const handle = a.engine.alloc();
      expect(a.engine.send(0, handle, 0, 1, 0)).toBe(OK);
      expect(loadWord(a.memory, event + EVENT_ONE_OFFSET)).toBe(0);
      expect(a.engine.receiveBurst(0, a.scratch.ownAddress, 1)).toBe(1);
      a.engine.release(handle);
      return loadWord(a.memory, bellOf(a.geometry));
    });
    expect(seen).toEqual([0xfffffffe, 0xffffffff, 0, 1, 2]);
  });

  it('the sequence of a token wraps, and tokens of before stay spent', () => {
    const last = 2 ** (32 - TOKEN_SEQ_SHIFT) - 1;
    const [a, b] = open((memory, { tokensOffset }) => put(memory, tokensOffset, (last - 1) * 2 ** TOKEN_SEQ_SHIFT));
    const spent: number[] = [];
    for (let i = 0; i < 5; i++) {
      const handle = a.engine.alloc();
      const loan = a.engine.lend(handle, 0, 1, 0);
      const { index, sequence } = loanParts(loan);
      expect([index, sequence]).toEqual([0, (last - 1 + i) % (last + 1)]);
      for (const before of spent) expect(b.engine.adopt(index, before, b.scratch.ownAddress)).toBe(ERR_TOKEN_SPENT);
      expect(b.engine.adopt(index, sequence, b.scratch.ownAddress)).toBe(OK);
      expect(b.scratch.own[0]).toBe(handle);
      expect(b.engine.release(handle)).toBe(OK);
      spent.push(sequence);
      requireBalance(a);
    }
  });

  it('the generations of a page and of a fragment wrap, and each handle is good for its own use alone', () => {
    const [a] = open(() => {});
    const { generationBits, unitBits } = a.geometry;
    expect(generationBits).toBe(14);
    const rounds = 2 ** generationBits;
    const release = (handle: number) => expect(a.engine.release(handle)).toBe(OK);
    for (const alloc of [() => a.engine.alloc(), () => a.engine.allocFragment(4096 / 2)]) {
      const first = alloc();
      const unit = first & (2 ** unitBits - 1);
      release(first);
      const generations = new Set([first >>> unitBits]);
      let uses = 1;
      for (let handle = alloc(); generations.size < rounds || uses < rounds + 10; handle = alloc()) {
        if ((handle & (2 ** unitBits - 1)) === unit) {
          generations.add(handle >>> unitBits);
          uses++;
          // One generation of 16,384 comes around at last: a stale handle is as good as new then, and no sooner.
          if (uses !== rounds + 1) expect(a.engine.release(first)).toBe(ERR_STALE_HANDLE);
          else expect(handle).toBe(first);
        }
        expect(handle).toBeLessThan(2 ** 30);
        release(handle);
      }
      expect(generations.size).toBe(rounds);
      requireBalance(a);
    }
  });

  it('the stamp of the hint of retired bits wraps', () => {
    const [a, b] = open((memory) =>
      put(memory, CONTROL_BASE + HEADER_RETIRED_OFFSET, (0xfffffffd << RETIRED_INDEX_BITS) >>> 0),
    );
    const stamps = new Set<number>();
    for (let i = 0; i < 300; i++) {
      const port = i % 2 === 0 ? a : b;
      const handles = [0, 1, 2].map(() => port.engine.alloc());
      expect(handles).not.toContain(0);
      for (const handle of handles) port.engine.release(handle);
      port.engine.trim();
      stamps.add(loadWord(a.memory, CONTROL_BASE + HEADER_RETIRED_OFFSET) >>> RETIRED_INDEX_BITS);
      expect(requireBalance(a).pages.provider).toBe(24);
    }
    expect(Math.min(...stamps)).toBeLessThan(8);
  });

  it('the stamp of a spare magazine wraps', () => {
    const [a, b] = open((memory, geometry) => {
      const spare = portOffset(geometry, 0) + PORT_SPARE_OFFSET;
      const { nodeBits } = geometry.ring;
      put(memory, spare, (0xffffffff << (nodeBits + 1)) | loadWord(memory, spare));
    });
    const spare = portOffset(a.geometry, a.id) + PORT_SPARE_OFFSET;
    const stamp = () => loadWord(a.memory, spare) >>> (a.geometry.ring.nodeBits + 1);
    expect(stamp()).toBe(0xffffffff >>> (a.geometry.ring.nodeBits + 1));
    for (let i = 0; i < 4; i++) {
      const handles = Array.from({ length: 24 }, () => a.engine.alloc());
      expect(handles).not.toContain(0);
      for (const handle of handles) a.engine.release(handle);
      requireBalance(a);
      // Another port takes the spare of this one.
      const taken = Array.from({ length: 24 }, () => b.engine.alloc()).filter((handle) => handle !== 0);
      for (const handle of taken) b.engine.release(handle);
      b.engine.park();
      b.engine.unpark();
      requireBalance(a);
    }
    expect(stamp()).toBeLessThan(1000);
  });

  it('the number of claims of a port wraps, and the port is claimed and freed as before', () => {
    const ports = open((memory, geometry) => put(memory, portOffset(geometry, 1) + PORT_CLAIM_OFFSET, 0xfffff800));
    const [a] = ports;
    let [, b] = ports;
    for (let i = 0; i < 5; i++) {
      const handle = b.engine.alloc();
      expect(pageOf(b, handle)).toBeGreaterThan(0);
      b.engine.release(handle);
      b.engine.park();
      freePort(b);
      b = openPort(b.memory, b.geometry, kinds[i % 2] as EngineKind);
      expect(b.id).toBe(1);
      requireBalance(a);
    }
    expect(loadWord(a.memory, portOffset(a.geometry, 1) + PORT_CLAIM_OFFSET)).toBeLessThan(0x8000);
  });
});
