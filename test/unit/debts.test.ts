// A thread that was chosen and takes: each call that receives pays what the thread owes, once, and only where something
// is left.

import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { EVENT_ONE_OFFSET, PORT_BELL_OFFSET } from '../../assembly/layout.js';
import { channelEvents } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { receivePacket } from '../../src/packet/travel.js';
import { endOfChannel } from '../../src/pool/channel.js';
import type { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import '../../src/typescript.js';

const OTHER = 3;

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  const make = () =>
    PagePool.createSync({ engine, pageCount: 8, maxPorts: 4, channels: { work: { capacity: 8, batch: 1 } } });
  let pool: ReturnType<typeof make>;
  beforeEach(() => {
    pool = make();
  });
  afterEach(() => pool.destroy());

  const calls: Record<string, () => number> = {
    receive: () => release(pool.channel('work').receive()),
    receiveBurst: () => {
      const entries = pool.words(4);
      const received = pool.channel('work').receiveBurst(entries, 1);
      if (received > 0) pool.release(entries[0] as number);
      return received;
    },
    'receiveBurst into an array of its own': () => {
      const entries = new Uint32Array(4);
      const received = pool.channel('work').receiveBurst(entries, 1);
      if (received > 0) pool.release(entries[0] as number);
      return received;
    },
    receivePacket: () => {
      const packet = receivePacket(pool.channel('work'));
      packet?.release();
      return packet === null ? 0 : 1;
    },
  };

  function release(fragment: Fragment | null): number {
    fragment?.release();
    return fragment === null ? 0 : 1;
  }

  it.each(Object.keys(calls))('%s', (name) => {
    const receive = calls[name] as () => number;
    const channel = pool.channel('work');
    const { notEmpty, port } = endOfChannel(channel);
    const { geometry, memory } = port;
    const [event = 0] = channelEvents(geometry);
    const bits = (event + EVENT_ONE_OFFSET) >>> 2;
    const bell = () => memory.u32[(portOffset(geometry, OTHER) + PORT_BELL_OFFSET) >>> 2] as number;
    expect(notEmpty.offset).toBe(event);
    const before = bell();
    for (const { pending, owes, rung } of [
      { pending: 2, owes: false, rung: 0 },
      { pending: 2, owes: true, rung: 1 },
      { pending: 1, owes: true, rung: 0 },
      { pending: 0, owes: true, rung: 0 },
    ]) {
      for (let i = 0; i < pending; i++) channel.sendFragment(pool.take(16) as Fragment);
      // Another port waits there, and this one was chosen before it.
      memory.u32[bits] = 1 << OTHER;
      notEmpty.owes = owes;
      expect(receive()).toBe(Math.min(pending, 1));
      expect([pending, owes, notEmpty.owes, bell() - before]).toEqual([pending, owes, false, rung]);
      memory.u32[bits] = 0;
      for (let left = channel.receive(); left !== null; left = channel.receive()) left.release();
      memory.u32[(portOffset(geometry, OTHER) + PORT_BELL_OFFSET) >>> 2] = before;
    }
  });
});
