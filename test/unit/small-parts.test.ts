// Small parts of platform, control and port, each by itself: what each call does at its bounds, and what it leaves.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { getEventListeners } from 'node:events';
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { PORT_CLAIM_OFFSET, PORT_THREAD_OFFSET } from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import { filledNodes } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { OVERWRITTEN, withSoundWords } from '../../src/control/sound.js';
import { noteWatched, threadsMarked, watchedBy } from '../../src/control/watched.js';
import { PagePoolError } from '../../src/errors.js';
import { blockUntil } from '../../src/platform/blocking.js';
import { isHeard, publish, warn, warnOf } from '../../src/platform/console.js';
import { shown, unclonable } from '../../src/platform/shown.js';
import { hold, letGo, startTimer } from '../../src/platform/timers.js';
import type { Port } from '../../src/port/port.js';
import { idleScratch, Scratch } from '../../src/port/scratch.js';
import { Signals } from '../../src/port/signals.js';
import { LifeWatch } from '../../src/recovery/lives.js';
import { hasQuarantine, quarantine } from '../../src/recovery/quarantine.js';
import { openPorts } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { turns } from '../support/waiting.js';

afterEach(() => {
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

describe('signals', () => {
  const count = (signal: AbortSignal): number => getEventListeners(signal, 'abort').length;

  test('have one listener for all waits, which goes with the last', () => {
    const signals = new Signals();
    const { signal } = new AbortController();
    const [one, other] = [vi.fn(), vi.fn()];
    signals.remove(signal, one); // never added
    expect(count(signal)).toBe(0);
    signals.add(signal, one);
    signals.add(signal, other);
    expect(count(signal)).toBe(1);
    signals.remove(signal, () => {}); // another one
    signals.remove(signal, one);
    signals.remove(signal, one); // again
    expect(count(signal)).toBe(1);
    signals.remove(signal, other);
    expect(count(signal)).toBe(0);
    signals.add(signal, one);
    expect(count(signal)).toBe(1);
    signals.remove(signal, one);
    expect([count(signal), one.mock.calls, other.mock.calls]).toEqual([0, [], []]);
  });

  test('call all of their own waits once, and forget them', () => {
    const signals = new Signals();
    const [control, another] = [new AbortController(), new AbortController()];
    const [one, other, third] = [vi.fn(), vi.fn(), vi.fn()];
    signals.add(control.signal, one);
    signals.add(control.signal, other);
    signals.add(another.signal, third);
    control.abort();
    expect([one, other, third].map(({ mock }) => mock.calls.length)).toEqual([1, 1, 0]);
    signals.remove(control.signal, one);
    expect([count(control.signal), count(another.signal)]).toEqual([0, 1]);
    // Added behind the abort it listens anew, and is taken back.
    signals.add(control.signal, one);
    signals.remove(control.signal, one);
    expect(count(control.signal)).toBe(0);
  });

  test('keep nothing of a signal that throws', () => {
    const signals = new Signals();
    const abort = vi.fn();
    let isBroken = true;
    const added: unknown[] = [];
    const signal = {
      addEventListener: (_: string, listener: unknown) => {
        if (isBroken) throw new Error('not this one');
        added.push(listener);
      },
      removeEventListener: (_: string, listener: unknown) => void added.splice(added.indexOf(listener), 1),
    } as never;
    expect(() => signals.add(signal, abort)).toThrow('not this one');
    isBroken = false;
    signals.add(signal, abort);
    expect(added.length).toBe(1);
    signals.remove(signal, abort);
    expect(added.length).toBe(0);
  });
});

describe('timers', () => {
  test('that hold the process are one, until the last lets go', () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] });
    for (let round = 0; round < 2; round++) {
      hold();
      expect(vi.getTimerCount()).toBe(1);
      hold();
      expect(vi.getTimerCount()).toBe(1);
      letGo();
      expect(vi.getTimerCount()).toBe(1);
      letGo();
      expect(vi.getTimerCount()).toBe(0);
    }
  });

  test('that are started do not hold it, where the platform knows that', () => {
    const timer = startTimer(() => {}, 1000) as unknown as NodeJS.Timeout;
    expect(timer.hasRef()).toBe(false);
    clearTimeout(timer);
    vi.stubGlobal('setTimeout', () => 7); // a browser's is a number
    expect(startTimer(() => {}, 1)).toBe(7);
  });
});

describe('words that were overwritten', () => {
  const named = vi.fn();
  beforeEach(() => void named.mockReset());
  const run = (cause: unknown): unknown => {
    try {
      return withSoundWords(
        'audit',
        () => {
          throw cause;
        },
        named,
      );
    } catch (error) {
      return error;
    }
  };

  test('are what the language or the platform throws over them', () => {
    expect(withSoundWords('audit', () => 5, named)).toBe(5);
    for (const cause of [new RangeError('r'), new TypeError('t'), { name: 'RuntimeError' }]) {
      const error = run(cause) as PagePoolError;
      expect([error.code, error.cause, error.message]).toEqual([
        'POOL_ERR_CORRUPT',
        cause,
        `audit failed: word=unknown (expected a control region that nobody else writes); ${OVERWRITTEN}`,
      ]);
    }
    expect(named).toHaveBeenCalledTimes(3);
  });

  test('are not what anything else throws', () => {
    for (const cause of [new Error('e'), { name: 'Error' }, null, undefined, 'text']) expect(run(cause)).toBe(cause);
    expect(named).toHaveBeenCalledTimes(5);
    const known = new PagePoolError('POOL_ERR_CLOSING', 'it closes');
    expect(run(known)).toBe(known);
    expect(named).toHaveBeenCalledTimes(5); // it says what it is
    named.mockImplementation((cause: Error) => {
      throw new Error(`named ${cause.message}`);
    });
    expect(run(new RangeError('r'))).toMatchObject({ message: 'named r' });
  });
});

describe('what is shown', () => {
  test.each([
    [2, inspect, 'Pool { pages: [ [ [Array] ] ] }'],
    [0, inspect, 'Pool { pages: [Array] }'],
    [null, inspect, 'Pool {\n  pages: [ [ [ 3 ] ] ]\n}'],
    [-1, inspect, '[Pool]'],
    [2, undefined, '[Pool]'],
  ])('at depth %s', (depth, by, text) => expect(shown('Pool', { pages: [[[3]]] }, depth, {}, by as never)).toBe(text));

  test('cannot be cloned, and says what to post', () => {
    const value = { guard: unclonable('a pool', 'its share', 'post share()') };
    const clone = () => structuredClone(value);
    expect(clone).toThrow('postMessage failed: value=a pool (expected its share); post share()');
    expect(clone).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
    expect(JSON.stringify(value)).toBe('{}');
    expect(inspect(value)).toBe('{ guard: undefined }');
    expect(Object.keys(value.guard)).toEqual(['error']);
    vi.stubGlobal('DOMException', undefined);
    expect(() => value.guard.error).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
  });
});

test('warnings go to the process where there is one that takes them, and to the console else', () => {
  const printed = vi.spyOn(console, 'warn').mockImplementation(() => {});
  const emitted = vi.fn();
  warn('a "pool"', 'it stands still');
  expect(printed.mock.calls).toEqual([['pagepool "a \\"pool\\"": it stands still']]);
  vi.stubGlobal('process', { emitWarning: emitted });
  warnOf('PAGEPOOL_X', 'text');
  expect(emitted.mock.calls).toEqual([['text', { type: 'PagePoolWarning', code: 'PAGEPOOL_X' }]]);
  expect(printed).toHaveBeenCalledTimes(1);
  for (const process of [undefined, {}]) {
    vi.stubGlobal('process', process);
    warnOf('PAGEPOOL_X', 'text');
  }
  expect(printed.mock.calls.slice(1)).toEqual([['PAGEPOOL_X: text'], ['PAGEPOOL_X: text']]);
  vi.stubGlobal('console', undefined);
  warn('pool', 'nowhere to go');
});

test('what is published reaches who has subscribed, once', () => {
  const heard: unknown[] = [];
  const listener = (message: unknown) => void heard.push(message);
  publish('pagepool:small-parts', { pool: 'p', text: 'nobody hears' });
  expect(isHeard('pagepool:small-parts')).toBe(false);
  subscribe('pagepool:small-parts', listener);
  expect(isHeard('pagepool:small-parts')).toBe(true);
  publish('pagepool:small-parts', { pool: 'p', text: 'heard' });
  unsubscribe('pagepool:small-parts', listener);
  publish('pagepool:small-parts', { pool: 'p', text: 'nobody hears any more' });
  expect(heard).toEqual([{ pool: 'p', text: 'heard' }]);
});

test('a thread that blocks looks until it is so, a thousand times at most, and not where it may not', () => {
  const waits = vi.spyOn(Atomics, 'wait').mockImplementation(() => 'timed-out');
  let looks = 0;
  expect([blockUntil(() => ++looks === 3), looks, waits.mock.calls.length]).toEqual([true, 3, 3]);
  looks = 0;
  expect([blockUntil(() => ++looks > 1000), looks]).toEqual([false, 1000]);
  waits.mockImplementation(() => {
    throw new TypeError('may not block');
  });
  looks = 0;
  expect([blockUntil(() => ++looks > 0), looks]).toEqual([false, 0]);
});

describe('turns of the event loop', () => {
  const load = async () => {
    vi.resetModules();
    return import('../../src/platform/turns.js');
  };

  test('are taken by setImmediate, by a channel in a page, or by a timer', async () => {
    const order: string[] = [];
    const { isTurnCheap, nextTurn } = await load();
    expect(isTurnCheap).toBe(true);
    nextTurn(() => order.push('immediate'));
    vi.stubGlobal('setImmediate', undefined);
    vi.stubGlobal('navigator', {});
    const posted = vi.spyOn(MessagePort.prototype, 'postMessage');
    const ofPage = await load();
    expect(ofPage.isTurnCheap).toBe(false);
    ofPage.nextTurn(() => order.push('one'));
    ofPage.nextTurn(() => order.push('two'));
    expect(posted.mock.calls).toEqual([[0], [0]]);
    const { setTimeout } = globalThis;
    const timers = vi.fn((call: () => void) => setTimeout(call, 0));
    vi.stubGlobal('setTimeout', timers);
    vi.stubGlobal('Deno', {});
    (await load()).nextTurn(() => order.push('timer in Deno'));
    expect(timers.mock.calls.map(([, ms]: unknown[]) => ms)).toEqual([0]);
    vi.stubGlobal('MessageChannel', undefined);
    vi.stubGlobal('setTimeout', undefined);
    (await load()).nextTurn(() => order.push('microtask'));
    await Promise.resolve();
    expect(order).toEqual(['microtask']);
    vi.unstubAllGlobals();
    await turns(2);
    expect([...order].sort()).toEqual(['immediate', 'microtask', 'one', 'timer in Deno', 'two']);
    expect(order.indexOf('one')).toBeLessThan(order.indexOf('two'));
  });

  test('are due when one has lasted two milliseconds, and no longer behind the next', async () => {
    let nowMs = 100;
    vi.resetModules();
    vi.doMock('../../src/platform/clock.js', () => ({ monotonicMs: () => nowMs }));
    const { markTurn, turnDue } = await import('../../src/platform/turns.js');
    vi.doUnmock('../../src/platform/clock.js');
    expect([turnDue(), markTurn()]).toEqual([undefined, undefined]);
    nowMs = 101.9;
    expect([turnDue(), markTurn()]).toEqual([undefined, undefined]);
    nowMs = 102;
    const due = turnDue();
    expect(due).toBeInstanceOf(Promise);
    expect([turnDue(), markTurn()]).toEqual([due, due]);
    await due;
    // Whoever only asks marks nothing.
    expect(turnDue()).toBe(undefined);
    nowMs = 150;
    expect([turnDue(), markTurn()]).toEqual([undefined, undefined]);
    nowMs = 151.9;
    expect(turnDue()).toBe(undefined);
    await turns(1);
  });
});

describe('scratch', () => {
  const bytes = 4 * 1024 + 64;
  const memory = { u32: new Uint32Array(new ArrayBuffer(256 + 3 * bytes)) };
  const make = (portId: number) => new Scratch(memory, { scratchOffset: 256, scratchBytes: bytes }, portId);

  test('is a stretch of its own for each port', () => {
    const [one, other] = [make(0), make(2)];
    expect([one.ownAddress, other.ownAddress, one.own.length]).toEqual([256, 256 + 2 * bytes, 1024]);
    expect([other.own.byteOffset, other.take(1).byteOffset]).toEqual([256 + 2 * bytes, 256 + 2 * bytes + 4096]);
    expect(idleScratch().own.length).toBe(1024);
  });

  test('is taken once, to the last word', () => {
    const scratch = make(1);
    const take = (count: number) => messageOf(() => scratch.take(count));
    expect(take(0)).toBe('words failed: count=0 (expected an integer, 1..16); pass what the message expects');
    expect(take(17)).toBe('words failed: count=17 (expected an integer, 1..16); pass what the message expects');
    expect(scratch.take(10).byteOffset - scratch.ownAddress).toBe(4096);
    expect(take(7)).toBe(
      "words failed: count=7 (expected at most 6, what this thread's scratch has left); " +
        'keep the arrays and use them again',
    );
    expect(scratch.take(6).byteOffset - scratch.ownAddress).toBe(4096 + 40);
    expect(codeOf(() => scratch.take(1))).toBe('POOL_ERR_INVALID_ARGUMENT');
  });

  test('knows its own arrays by their address, and no other', () => {
    expect(make(1).addressOf('send', 'entries', make(1).own, 1, 1)).toBe(256 + bytes);
    const fresh = make(1);
    expect(fresh.addressOf('send', 'entries', fresh.own, 1, 1)).toBe(256 + bytes);
    const scratch = make(1);
    const words = scratch.take(8);
    const at = (array: Uint32Array, count: number, each = 1) =>
      scratch.addressOf('send', 'entries', array, count, each);
    for (let again = 0; again < 2; again++) {
      expect([at(words, 8), at(words, 2, 4), at(scratch.own, 1)]).toEqual([
        words.byteOffset,
        words.byteOffset,
        scratch.ownAddress,
      ]);
    }
    const own = scratch.ownAddress;
    const within = (offset: number) => at(new Uint32Array(memory.u32.buffer, offset, 1), 1);
    expect([within(own - 4), within(own), within(own + bytes - 4), within(own + bytes)]).toEqual([
      0,
      own,
      own + bytes - 4,
      0,
    ]);
    expect(at(new Uint32Array(4), 4)).toBe(0);
    for (const [array, count, each] of [
      [words, 9, 1],
      [words, 3, 4],
      [words, -1, 1],
      [words, 0.5, 1],
      [[1], 1, 1],
      [new Int32Array(4), 1, 1],
    ] as never[][]) {
      expect(codeOf(() => at(array as never, count as never, each as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(at(words, 8)).toBe(words.byteOffset); // the last one stays known
      expect(codeOf(() => at(array as never, count as never, each as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
  });
});

describe('the nodes of a ring', () => {
  test('are those of its filled slots, and none of the word behind the last one', () => {
    const [port] = openPorts({ pageCount: 4, channels: { work: { capacity: 2 } } }, ['typescript'], 1) as [Port];
    const { engine, geometry, memory } = port;
    const ring = geometry.channels[0]!.ring;
    expect([...filledNodes(memory, ring)]).toEqual([]);
    expect(engine.send(0, engine.alloc(), 0, 8, 0)).toBe(0);
    const slots = ring.slotsOffset >>> 2;
    const first = memory.u32[slots]!;
    memory.u32[slots + ring.slotCount] = first;
    expect([...filledNodes(memory, ring)]).toEqual([first & (2 ** ring.nodeBits - 1)]);
  });
});

describe('the marks of workers that a thread watches', () => {
  const opened = () => {
    const ports = openPorts({ pageCount: 4 }, ['release'], 3);
    for (const { id, memory, geometry } of ports) {
      memory.u32[(portOffset(geometry, id) + PORT_THREAD_OFFSET) >>> 2] = id + 5 + 1; // thread 5 + id, counted from 1
    }
    return ports;
  };
  test('name the threads that have a port, once each, and no others', () => {
    const [port] = opened() as [Port];
    for (const thread of [6, 7, 7, 99]) expect(noteWatched(port, thread)).toBe(true);
    const marks = watchedBy(port, 0);
    expect(marks.length).toBe(3);
    expect(threadsMarked(port, marks)).toEqual([6, 7]);
    // As far as the pool has ports, and not as far as there are words.
    expect(threadsMarked({ ...port, geometry: { ...port.geometry, maxPorts: 2 } }, marks)).toEqual([6]);
    expect(threadsMarked({ ...port, geometry: { ...port.geometry, maxPorts: 1 } }, marks)).toEqual([]);
  });
});

describe('threads that no lock covers', () => {
  /** Four ports: one's own, one that is covered, one that is not, and one that is free. */
  const opened = (covered: readonly number[]) => {
    vi.useFakeTimers();
    const ports = openPorts({ pageCount: 4 }, ['release'], 4);
    freePort(ports[3] as Port);
    const asked = vi.fn((id: number) => covered.includes(id));
    const died = vi.fn();
    return { lives: new LifeWatch(ports[0] as Port, asked, died), asked, died };
  };
  test('are asked again by one timer, and those that have none of their port are not', () => {
    const { lives, asked, died } = opened([1]);
    lives.follow();
    lives.follow(); // follows already
    expect([asked.mock.calls.map(([id]) => id), vi.getTimerCount()]).toEqual([[1, 2], 1]);
    vi.advanceTimersToNextTimer();
    expect([asked.mock.calls.map(([id]) => id), vi.getTimerCount()]).toEqual([[1, 2, 1, 2], 1]);
    lives.stop();
    lives.follow(); // is over
    expect([asked.mock.calls.length, vi.getTimerCount(), died.mock.calls]).toEqual([4, 0, []]);
  });

  test('are those of ports, and no words behind the last one', () => {
    const [own, other, last] = openPorts({ pageCount: 4 }, ['release'], 3) as [Port, Port, Port];
    const asked = vi.fn(() => true);
    new LifeWatch({ ...own, geometry: { ...own.geometry, maxPorts: last.id } }, asked, () => {}).follow();
    expect(asked.mock.calls.map(([id]: unknown[]) => id)).toEqual([other.id]);
  });

  test('where locks cover all, nobody is asked, and no timer waits', () => {
    const { lives, asked } = opened([1, 2]);
    lives.follow();
    expect([asked.mock.calls.map(([id]) => id), vi.getTimerCount()]).toEqual([[1, 2], 0]);
  });
});

test('a port that is set aside is one of the pool', () => {
  const [port, , last] = openPorts({ pageCount: 4 }, ['release'], 3) as [Port, Port, Port];
  const place = (portOffset(last.geometry, last.id) + PORT_CLAIM_OFFSET) >>> 2;
  expect(hasQuarantine(port)).toBe(false);
  expect(quarantine(port, last.id, port.memory.u32[place] as number)).toBe(true);
  expect(hasQuarantine(port)).toBe(true);
  // What looks like one behind the last port is none.
  expect(hasQuarantine({ ...port, geometry: { ...port.geometry, maxPorts: 2 } } as Port)).toBe(false);
});
