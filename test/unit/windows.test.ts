// Windows at the end of what a fragment has: every call that takes an offset and a length takes one to the last byte,
// and an empty one behind it, and refuses what reaches further.

import { describe, expect, it } from 'vitest';
import { ERR_RANGE, OK } from '../../assembly/layout.js';
import { loanParts } from '../../src/control/nodes.js';
import type { Port } from '../../src/port/port.js';
import { KINDS, openPorts, requireBalance } from '../support/ports.js';

const PAGE_BYTES = 1024;
const UNIT_BYTES = 64;
const LAST = 2 ** 32 - 1;
const FRAMES = 0;
const CALLS = 1;

/** Windows of a fragment of so many bytes: offset, length, and whether it has them. */
const windowsOf = (bytes: number): readonly (readonly [offset: number, length: number, fits: boolean])[] => [
  [0, bytes, true],
  [bytes, 0, true],
  [bytes - 1, 1, true],
  [bytes + 1, 0, false],
  [bytes, 1, false],
  [1, bytes, false],
  [0, bytes + 1, false],
  [LAST, 0, false],
  [LAST, 1, false],
  [0, LAST, false],
];

/** The calls that take a window: each returns its code, and brings the reference back where it went. */
const CALLING: Record<string, (ports: readonly Port[], handle: number, offset: number, length: number) => number> = {
  send: ([port], handle, offset, length) => {
    const { engine, scratch } = port as Port;
    const code = engine.send(FRAMES, handle, offset, length, 7);
    if (code === OK) expect(engine.receiveBurst(FRAMES, scratch.ownAddress, 1)).toBe(1);
    return code;
  },
  sendBurst: ([port], handle, offset, length) => burst(port as Port, handle, offset, length, 0),
  'sendBurst of a message': ([port], handle, offset, length) => burst(port as Port, handle, offset, length, 1),
  lend: ([port], handle, offset, length) => {
    const { engine, scratch } = port as Port;
    const loan = engine.lend(handle, offset, length, 0);
    if (loan < 0) return loan;
    const { index, sequence } = loanParts(loan);
    return engine.adopt(index, sequence, scratch.ownAddress);
  },
  ask: ([port, other], handle, offset, length) => {
    const { engine } = port as Port;
    const call = ask(port as Port, handle, offset, length);
    if (call < 0) return call;
    const there = other as Port;
    expect(there.engine.accept(CALLS, there.scratch.ownAddress)).toBe(1);
    // The same reference comes back with the answer.
    expect(there.engine.reply(call, handle, offset, length, 1)).toBe(OK);
    return engine.collect(call, (port as Port).scratch.ownAddress);
  },
  reply: ([port, other], handle, offset, length) => {
    const there = other as Port;
    const asked = there.engine.alloc();
    const call = ask(there, asked, 0, 1);
    const { engine, scratch } = port as Port;
    expect(engine.accept(CALLS, scratch.ownAddress)).toBe(1);
    expect(engine.release(asked)).toBe(OK);
    const code = engine.reply(call, handle, offset, length, 1);
    if (code !== OK) expect(engine.reply(call, 0, 0, 0, 0)).toBe(OK);
    expect(there.engine.collect(call, there.scratch.ownAddress)).toBe(OK);
    if (code === OK) {
      // Back by a channel.
      expect(there.engine.send(FRAMES, handle, 0, 0, 0)).toBe(OK);
      expect(engine.receiveBurst(FRAMES, scratch.ownAddress, 1)).toBe(1);
    }
    return code;
  },
};

function write({ memory, scratch }: Port, handle: number, offset: number, length: number): number {
  memory.u32.set([handle, offset, length, 0], scratch.ownAddress >>> 2);
  return scratch.ownAddress;
}

function ask(port: Port, handle: number, offset: number, length: number): number {
  return port.engine.ask(CALLS, write(port, handle, offset, length), 1);
}

function burst(port: Port, handle: number, offset: number, length: number, more: number): number {
  const { engine, memory } = port;
  const at = write(port, handle, offset, length);
  if (more !== 0) {
    expect(engine.retain(handle, 1)).toBe(OK);
    memory.u32.set([handle, 0, 0, 0], (at + 16) >>> 2);
  }
  const count = more === 0 ? 1 : 2;
  const sent = engine.sendBurst(FRAMES, at, count, more);
  const code = sent === count ? OK : engine.lastError();
  if (sent > 0) expect(engine.receiveBurst(FRAMES, at, count)).toBe(count);
  if (more !== 0) expect(engine.release(handle)).toBe(OK);
  return code;
}

const kinds = [
  ['page', PAGE_BYTES],
  ['fragment', UNIT_BYTES],
] as const;

describe.each(KINDS)('with the %s engine', (kind) => {
  describe.each(kinds)('of a %s', (what, bytes) => {
    it.each(Object.entries(CALLING))('%s takes what it has, and nothing behind it', (_, call) => {
      const names = { channels: { frames: { capacity: 2, batch: 2 } }, calls: { ask: { capacity: 2 } } };
      const ports = openPorts({ pageBytes: PAGE_BYTES, unitBytes: UNIT_BYTES, pageCount: 4, ...names }, [kind], 2);
      const { engine } = ports[0] as Port;
      const handle = what === 'page' ? engine.alloc() : engine.allocFragment(UNIT_BYTES);
      for (const [offset, length, fits] of windowsOf(bytes)) {
        expect([offset, length, call(ports, handle, offset, length)]).toEqual([offset, length, fits ? OK : ERR_RANGE]);
      }
      expect(engine.release(handle)).toBe(OK);
      expect(requireBalance(ports[0] as Port).pages.used).toBe(what === 'page' ? 0 : 1);
    });
  });
});
