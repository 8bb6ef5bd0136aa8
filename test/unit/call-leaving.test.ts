// The calls of a port that leaves, word by word: what becomes of each slot, who is rung, and that others' stay as they
// are.

import { expect, it } from 'vitest';
import {
  PORT_BELL_OFFSET,
  REPLY_ANSWERED,
  REPLY_CANCELLED,
  REPLY_FAILED,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SEQ_SHIFT,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
} from '../../assembly/layout.js';
import { giveUpAll, letGoOfAll, replyOffset, takeCall, unmarkCall } from '../../src/control/calls.js';
import { portOffset } from '../../src/control/places.js';
import { runSteps, type Steps } from '../../src/control/steps.js';
import type { Port } from '../../src/port/port.js';
import { openPorts } from '../support/ports.js';

const PORTS = 3;
const SEQUENCE = 5 << REPLY_SEQ_SHIFT;
const SERVED_BY = (id: number): number => (id + 1) << REPLY_SERVER_SHIFT;
const NEXT = (6 << REPLY_SEQ_SHIFT) & REPLY_SEQ_MASK;

/** The slots of all ports, one word for each, and their bells. */
function scene(words: (asker: number, slot: number) => number) {
  const ports = openPorts({ pageCount: 8, calls: { ask: {} }, maxPorts: PORTS }, ['typescript'], PORTS);
  const [{ geometry, memory }] = ports as [Port];
  const slots = Array.from({ length: PORTS * geometry.replyCount }, (_, i) => {
    const [asker, slot] = [Math.floor(i / geometry.replyCount), i % geometry.replyCount];
    return { asker, slot, at: replyOffset(geometry, asker, slot) >>> 2 };
  });
  for (const { asker, slot, at } of slots) memory.u32[at] = words(asker, slot);
  const bells = () => ports.map(({ id }) => memory.u32[(portOffset(geometry, id) + PORT_BELL_OFFSET) >>> 2] as number);
  const before = bells();
  const run = <T>(steps: Steps<T>, id: number): T => runSteps(steps, () => (ports[id] as Port).engine);
  return {
    leaver: (id: number) => ({ geometry, memory, id }),
    run,
    count: geometry.replyCount,
    rung: () => bells().map((bell, id) => bell - (before[id] as number)),
    word: (asker: number, slot: number) => memory.u32[replyOffset(geometry, asker, slot) >>> 2],
    slots,
  };
}

it('whatever a server that leaves was serving fails, or is free where it was cancelled, and its asker is rung', () => {
  const SERVER = 2;
  // In turn: served by it, cancelled and in its hands, served by another one, still in an inbox, free.
  const words = [
    SEQUENCE | SERVED_BY(SERVER) | REPLY_SERVING,
    SEQUENCE | SERVED_BY(SERVER) | REPLY_CANCELLED,
    SEQUENCE | SERVED_BY(1) | REPLY_SERVING,
    SEQUENCE | REPLY_OUT,
    SEQUENCE | REPLY_FREE,
    SEQUENCE | SERVED_BY(SERVER) | REPLY_ANSWERED,
  ] as const;
  const after = [SEQUENCE | SERVED_BY(SERVER) | REPLY_FAILED, NEXT | REPLY_FREE, ...words.slice(2)];
  const of = (asker: number, slot: number): number => (asker + slot) % words.length;
  const { leaver, run, rung, slots, word } = scene((asker, slot) => words[of(asker, slot)] as number);
  run(letGoOfAll(leaver(SERVER)), SERVER);
  for (const { asker, slot } of slots) expect(word(asker, slot), `${asker}/${slot}`).toBe(after[of(asker, slot)]);
  const touched = (id: number): number => slots.filter(({ asker, slot }) => asker === id && of(asker, slot) < 2).length;
  expect(rung()).toEqual([touched(0), touched(1), touched(2)]);
});

it('whatever a port that leaves has asked for is given up, and nobody else is touched', () => {
  const ASKER = 1;
  const words = [
    [SEQUENCE | REPLY_OUT, NEXT | REPLY_FREE],
    [SEQUENCE | SERVED_BY(2) | REPLY_SERVING, SEQUENCE | SERVED_BY(2) | REPLY_CANCELLED],
    [SEQUENCE | SERVED_BY(2) | REPLY_CANCELLED, SEQUENCE | SERVED_BY(2) | REPLY_CANCELLED],
    [SEQUENCE | REPLY_CANCELLED, NEXT | REPLY_FREE],
    [SEQUENCE | REPLY_FREE, SEQUENCE | REPLY_FREE],
    [SEQUENCE | SERVED_BY(2) | REPLY_FAILED, NEXT | REPLY_FREE],
  ] as const;
  const of = (slot: number) => words[slot % words.length] as (typeof words)[number];
  const { leaver, run, rung, slots, word } = scene((_, slot) => of(slot)[0]);
  run(giveUpAll(leaver(ASKER), 0), ASKER);
  for (const { asker, slot } of slots) {
    expect(word(asker, slot), `${asker}/${slot}`).toBe(of(slot)[asker === ASKER ? 1 : 0]);
  }
  // Whoever serves one hears that it is cancelled.
  expect(rung()).toEqual([
    0,
    0,
    slots.filter(({ asker, slot }) => asker === ASKER && slot % words.length === 1).length,
  ]);
});

it('a call is taken by whoever has its entries while it is wanted, and of its own sequence alone', () => {
  const [ASKER, SERVER] = [0, 2];
  const call = SEQUENCE | 0; // the first slot of port 0
  const taken = (word: number) => {
    const { leaver, run, rung, word: now } = scene(() => word);
    return [run(takeCall(leaver(SERVER), call), SERVER), now(ASKER, 0), rung()[ASKER]];
  };
  const serving = SEQUENCE | SERVED_BY(SERVER) | REPLY_SERVING;
  expect(taken(SEQUENCE | REPLY_OUT)).toEqual([true, serving, 0]);
  expect(taken(SEQUENCE | SERVED_BY(1) | REPLY_SERVING)).toEqual([true, serving, 0]);
  expect(taken(SEQUENCE | REPLY_CANCELLED)).toEqual([false, NEXT | REPLY_FREE, 1]);
  for (const state of [REPLY_FREE, REPLY_ANSWERED, REPLY_FAILED]) {
    expect(taken(SEQUENCE | state)).toEqual([false, SEQUENCE | state, 0]);
  }
  expect(taken(NEXT | REPLY_OUT)).toEqual([false, NEXT | REPLY_OUT, 0]);
});

it('a call that goes on to another server is out again, where the port still had it', () => {
  const SERVER = 2;
  const out = (word: number) => {
    const { leaver, run, word: now } = scene(() => word);
    run(unmarkCall(leaver(SERVER), SEQUENCE), SERVER);
    return now(0, 0);
  };
  expect(out(SEQUENCE | SERVED_BY(SERVER) | REPLY_SERVING)).toBe(SEQUENCE | REPLY_OUT);
  for (const other of [
    SEQUENCE | SERVED_BY(1) | REPLY_SERVING,
    SEQUENCE | SERVED_BY(SERVER) | REPLY_CANCELLED,
    NEXT | SERVED_BY(SERVER) | REPLY_SERVING,
  ]) {
    expect(out(other)).toBe(other);
  }
});
