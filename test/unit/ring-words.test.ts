// Words of rings, and of who exchanges nodes with them: what working ports leave is sound, however late its hints are,
// and a word that would let a search go on for ever is found. No order of steps in one thread tells of a record that
// was written over too early, so this looks at the records themselves.

import { describe, expect, it } from 'vitest';
import {
  EXCHANGE_ADDRESS_OFFSET,
  EXCHANGE_BYTES,
  OK,
  PORT_EXCHANGES_OFFSET,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
} from '../../assembly/layout.js';
import type { RingGeometry } from '../../src/control/geometry.js';
import { loadWord } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { findUnsound } from '../../src/control/unsound.js';
import { KINDS, openPorts } from '../support/ports.js';

/** A word of a ring. */
function put({ u32 }: { u32: Uint32Array }, address: number, value: number): void {
  u32[address >>> 2] = value;
}

/** One step of a slot: from empty to filled, or from filled to empty in the next lap. */
const stepOf = (ring: RingGeometry): number => 2 ** ring.nodeBits;

describe.each(KINDS)('with the %s engine', (kind) => {
  const open = (capacity: number, whenFull: 'refuse' | 'drop-oldest') => {
    const [port] = openPorts({ pageCount: 24, channels: { a: { capacity, whenFull } } }, [kind], 1);
    const { engine, geometry, id, memory, scratch } = port!;
    const send = (tag: number) => expect(engine.send(0, engine.alloc(), 0, 0, tag)).toBe(OK);
    const receive = () => {
      expect(engine.receiveBurst(0, scratch.ownAddress, 1)).toBe(1);
      expect(engine.release(scratch.own[0]!)).toBe(OK);
    };
    const portBlock = portOffset(geometry, id);
    const find = () => findUnsound({ memory, geometry });
    return { memory, portBlock, ring: geometry.channels[0]!.ring, send, receive, find };
  };

  it('the records of the last two exchanges stay, whatever was exchanged before', () => {
    const { memory, portBlock, ring, send } = open(8, 'refuse');
    const records = () =>
      [0, EXCHANGE_BYTES].map((turn) =>
        loadWord(memory, portBlock + PORT_EXCHANGES_OFFSET + turn + EXCHANGE_ADDRESS_OFFSET),
      );
    for (let sent = 0; sent < 8; sent++) {
      send(sent);
      const slots = sent === 0 ? [0] : [sent - 1, sent];
      expect(records()).toEqual(expect.arrayContaining(slots.map((slot) => ring.slotsOffset + 4 * slot)));
    }
  });

  it.each([1, 2, 3, 11])('every state of a channel of %d slots is sound', (capacity) => {
    const { send, receive, find } = open(capacity, 'drop-oldest');
    for (let inside = 0; inside <= capacity; inside++) {
      for (let i = 0; i < 3 * capacity + 1; i++) {
        for (let sent = 0; sent < inside; sent++) send(sent);
        expect(find()).toBeUndefined();
        for (let sent = 0; sent < inside; sent++) receive();
        expect(find()).toBeUndefined();
      }
      for (let i = 0; i < 2 * capacity + inside; i++) send(i);
      expect(find()).toBeUndefined();
      for (let i = 0; i < capacity; i++) receive();
    }
  });

  it.each([0, 1, 2])('slot %d is found where it is steps before its place, or behind it', (slot) => {
    const { memory, ring, send, receive, find } = open(3, 'refuse');
    for (let i = 0; i < 5; i++) {
      send(i);
      if (i < 3) receive();
    }
    // Positions 3 and 4 of slots 0 and 1 are filled, slot 2 is empty.
    expect(find()).toBeUndefined();
    const address = ring.slotsOffset + 4 * slot;
    const word = loadWord(memory, address);
    for (const steps of [-8, -4, -3, 3, 4, 8]) {
      put(memory, address, word + steps * stepOf(ring));
      expect(find()?.name).toBe('channel slot');
    }
    put(memory, address, word);
    expect(find()).toBeUndefined();
  });

  it.each([
    ['head', RING_HEAD_OFFSET],
    ['tail', RING_TAIL_OFFSET],
  ] as const)(
    'a %s hint is found where it is ahead of the slots, or further behind than ports leave it',
    (name, at) => {
      const { memory, ring, send, receive, find } = open(3, 'refuse');
      for (let i = 0; i < 30; i++) {
        send(i);
        receive();
      }
      const address = ring.offset + at;
      const truth = loadWord(memory, address);
      const lap = 2 ** ring.indexBits;
      put(memory, address, truth - lap);
      expect(find()).toBeUndefined();
      for (const wrong of [truth + 1, truth + lap, truth - 8 * lap, 3]) {
        put(memory, address, wrong);
        expect(find()?.name).toMatch(`channel ${name}`);
      }
      put(memory, address, truth);
      expect(find()).toBeUndefined();
    },
  );
});
