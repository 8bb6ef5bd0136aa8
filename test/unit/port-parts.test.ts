// What a thread's waits are made of, step by step: the bits of an event, what is owed there, timers, and who probes.

import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CONTROL_BASE,
  EVENT_KNOWN_OFFSET,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  HEADER_TAKER_OFFSET,
} from '../../assembly/layout.js';
import { seatWord } from '../../src/control/claims.js';
import { loadWord } from '../../src/control/nodes.js';
import {
  type Awaited,
  arm,
  beginTaking,
  bellIndex,
  disarm,
  endTaking,
  FREED,
  hasCompany,
  isTakerFree,
  readBell,
  settle,
} from '../../src/port/bell.js';
import { park, unpark } from '../../src/port/port.js';
import { Waits } from '../../src/port/waits.js';
import { type EngineKind, KINDS, openPorts } from '../support/ports.js';
import { turns, until } from '../support/waiting.js';

/** Engine calls of one event, and what they return. */
function bits(...results: number[]) {
  const calls: [name: string, ...args: number[]][] = [];
  const call =
    (name: string) =>
    (...args: number[]): number => {
      calls.push([name, ...args]);
      return results.shift() ?? 1;
    };
  return { calls, engine: { arm: call('arm'), disarm: call('disarm'), pass: call('pass') } as never };
}

const eventOf = (more: Partial<Awaited> = {}): Awaited => ({
  ...{ offset: 64, isArmed: false, isArmedForSeveral: false, owes: false, isLeft: () => false },
  ...more,
});

describe('the bits of an event', () => {
  it.each([
    ['were not set before, and are not now', false, 0, false],
    ['were set, and are gone: the thread was chosen', true, 0, true],
    ['were set, and still are', true, 1, false],
    ['were not set, and are', false, 1, false],
  ])('that %s', (_, wasArmed, result, owes) => {
    const event = eventOf({ isArmed: wasArmed });
    const { calls, engine } = bits(result);
    arm(engine, event, false);
    expect([calls, event.isArmed, event.isArmedForSeveral, event.owes]).toEqual([[['arm', 64, 0]], true, false, owes]);
  });

  it('for several are others, and nothing is owed for them', () => {
    const event = eventOf({ isArmed: true });
    const { calls, engine } = bits(0, 0, 0);
    arm(engine, event, true);
    expect([calls, event.isArmed, event.isArmedForSeveral, event.owes]).toEqual([[['arm', 64, 1]], true, true, false]);
    disarm(engine, event);
    expect(calls.slice(1)).toEqual([
      ['disarm', 64, 0],
      ['disarm', 64, 1],
    ]);
    expect([event.isArmed, event.isArmedForSeveral, event.owes]).toEqual([false, false, true]);
    disarm(engine, event);
    expect(calls.length).toBe(3);
  });

  it('that are taken off in time owe nothing, and those for several never do', () => {
    const event = eventOf({ isArmed: true });
    disarm(bits(1).engine, event);
    expect(event.owes).toBe(false);
    const other = eventOf({ isArmedForSeveral: true });
    const { calls, engine } = bits(0);
    disarm(engine, other);
    expect([calls, other.owes]).toEqual([[['disarm', 64, 1]], false]);
  });

  it.each([
    [false, true, [], 0],
    [true, false, [], 1],
    [true, true, [['pass', 64]], 1],
  ])('where owes=%s and left=%s pass on what was not taken, once', (owes, left, expected, asked) => {
    let asks = 0;
    const event = eventOf({ owes, isLeft: () => ++asks > 0 && left });
    const { calls, engine } = bits();
    settle(engine, event);
    settle(engine, event);
    expect([calls, asks, event.owes]).toEqual([expected, asked, false]);
  });
});

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  let port: ReturnType<typeof openPorts>[0];
  let other: typeof port;
  let channelEvent: number;
  const ended: Waits[] = [];
  beforeEach(() => {
    const ports = openPorts({ pageCount: 64, maxPorts: 64, channels: { work: { capacity: 4 } } }, [kind], 2);
    [port, other] = ports as [typeof port, typeof port];
    channelEvent = (port.geometry.channels[0]?.offset as number) + CHANNEL_NOT_EMPTY_OFFSET;
  });
  afterEach(() => {
    for (const waits of ended.splice(0)) waits.end();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });

  const store = (address: number, word: number): void => void Atomics.store(port.memory.i32, address >>> 2, word | 0);
  const isOne = (event: number): boolean => loadWord(port.memory, event + EVENT_ONE_OFFSET) !== 0;
  const isSeveral = (event: number): boolean => loadWord(port.memory, event + EVENT_SEVERAL_OFFSET) !== 0;

  it.each([0, 31, 32, 63])('port %i has company where any other one waited, and not by its own bit', (id) => {
    const seat = { memory: port.memory, id };
    const at = { offset: channelEvent };
    const set = (bit: number): void => {
      store(channelEvent + EVENT_KNOWN_OFFSET, bit < 32 ? 1 << bit : 0);
      store(channelEvent + EVENT_KNOWN_OFFSET + 4, bit < 32 ? 0 : 1 << (bit & 31));
    };
    store(channelEvent + EVENT_KNOWN_OFFSET, 0);
    store(channelEvent + EVENT_KNOWN_OFFSET + 4, 0);
    expect(hasCompany(seat, at)).toBe(false);
    for (const bit of [0, 1, 30, 31, 32, 33, 62, 63]) {
      set(bit);
      expect([bit, hasCompany(seat, at)]).toEqual([bit, bit !== id]);
    }
  });

  it('one port at a time takes several pages, and names nobody else when it is done', () => {
    const taker = CONTROL_BASE + HEADER_TAKER_OFFSET;
    expect([isTakerFree(port.memory), beginTaking(port), isTakerFree(port.memory)]).toEqual([true, true, false]);
    expect(loadWord(port.memory, taker)).toBe(seatWord(port) >>> 0);
    expect(beginTaking(other)).toBe(false);
    endTaking(other.engine, other); // taken for dead meanwhile: the word is another one's
    expect(isTakerFree(port.memory)).toBe(false);
    endTaking(port.engine, port);
    expect([isTakerFree(port.memory), beginTaking(other)]).toEqual([true, true]);
    endTaking(other.engine, other);
  });

  it('a port is parked as long as any of its waits is under way', () => {
    const calls: string[] = [];
    const seat = Object.assign(port, {
      engine: { ...port.engine, park: () => void calls.push('park'), unpark: () => void calls.push('unpark') },
    });
    park(seat);
    park(seat);
    unpark(seat);
    expect([calls.splice(0), port.waits]).toEqual([['park', 'park', 'park'], 1]);
    unpark(seat);
    expect([calls, port.waits]).toEqual([['unpark'], 0]);
  });

  /** Waits of the port whose bell was never answered yet, on a clock that stands. */
  function waitsOf(onRung = (): boolean => false) {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const waits = new Waits(port, onRung);
    ended.push(waits);
    return waits;
  }

  describe('an event of the pool', () => {
    it('is awaited by waits for units, and its bits go with the last of them', () => {
      const waits = waitsOf();
      const event = waits.event(channelEvent, () => false);
      const [one, several, none] = [() => {}, () => {}, () => {}];
      event.begin(none, 'none');
      event.arm('none');
      expect([event.isAwaited, isOne(channelEvent), isSeveral(channelEvent)]).toEqual([false, false, false]);
      event.begin(one, 'one');
      expect(event.arm('one')).toBe(readBell(port));
      expect([event.isAwaited, isOne(channelEvent), isSeveral(channelEvent)]).toEqual([true, true, false]);
      event.begin(several, 'several');
      event.arm('several');
      expect([isOne(channelEvent), isSeveral(channelEvent)]).toEqual([true, true]);
      event.end(one, 'one');
      expect([event.isAwaited, isOne(channelEvent), isSeveral(channelEvent)]).toEqual([true, true, true]);
      event.end(several, 'several');
      expect([event.isAwaited, isOne(channelEvent), isSeveral(channelEvent)]).toEqual([false, false, false]);
      event.end(none, 'none');
    });

    it('leaves the bits of a port that was lost to who has them now', () => {
      const event = waitsOf().event(channelEvent, () => false);
      const check = (): void => {};
      event.begin(check, 'one');
      event.arm('one');
      Object.assign(port, { isLost: true });
      event.end(check, 'one');
      expect(isOne(channelEvent)).toBe(true);
    });

    it('calls its waits in their order, those for one unit first', () => {
      const order: string[] = [];
      const event = waitsOf().event(channelEvent, () => true);
      for (const [name, units] of [
        ['n', 'none'],
        ['s', 'several'],
        ['a', 'one'],
        ['b', 'one'],
      ] as const)
        event.begin(() => order.push(name), units);
      event.checkAll();
      expect(order.splice(0)).toEqual(['a', 'b', 's', 'n']);
      // One that stays has found nothing: no other one is called for a unit.
      event.check();
      expect(order.splice(0)).toEqual(['a', 's']);
    });

    it('goes on to the next wait where one has taken its unit, while there is one', () => {
      let left = 2;
      const taken: string[] = [];
      const event = waitsOf().event(channelEvent, () => left > 0);
      for (const name of ['a', 'b', 'c']) {
        const check = (): void => {
          left--;
          taken.push(name);
          event.end(check, 'one');
        };
        event.begin(check, 'one');
      }
      event.owes = true;
      event.check();
      expect([taken, event.isAwaited, event.owes]).toEqual([['a', 'b'], true, false]);
      event.check();
      expect(taken.length).toBe(2);
    });

    it('owes nothing where a probe for one unit found nothing', () => {
      const event = waitsOf().event(channelEvent, () => true);
      const [one, several] = [() => {}, () => {}];
      event.begin(one, 'one');
      event.begin(several, 'several');
      event.owes = true;
      expect([event.listen(event.arm('several'), several), event.owes]).toEqual([true, true]);
      expect([event.listen(event.arm('one'), one), event.owes]).toEqual([true, false]);
    });

    it('pays at once, or a turn later where a wait has only looked', async () => {
      const pass = vi.fn(() => 1);
      Object.assign(port, { engine: { ...port.engine, pass } });
      const event = waitsOf().event(channelEvent, () => true);
      vi.useRealTimers();
      event.owes = true;
      event.settle(false);
      expect([pass.mock.calls, event.owes]).toEqual([[[channelEvent]], false]);
      event.settle(true); // nothing is owed
      event.owes = true;
      event.settle(true);
      event.settle(true);
      expect([pass.mock.calls.length, event.owes]).toEqual([1, true]);
      await turns(2);
      expect([pass.mock.calls.length, event.owes]).toEqual([2, false]);
      event.owes = true;
      event.settle(true);
      await turns(2);
      expect(pass.mock.calls.length).toBe(3);
    });
  });

  describe('the timer of waits in company', () => {
    const listening = (event: ReturnType<Waits['event']>, units: 'one' | 'none' = 'one') => {
      const check = vi.fn();
      event.begin(check, units);
      expect(event.listen(event.arm(units), check)).toBe(true);
      return check;
    };

    it('is one, where pages are waited for or other ports wait as well, and goes with the last wait', () => {
      const waits = waitsOf();
      const [pages, entries] = [waits.event(FREED, () => false), waits.event(channelEvent, () => false)];
      const alone = listening(entries);
      expect(vi.getTimerCount()).toBe(0);
      listening(entries, 'none');
      listening(pages, 'none');
      expect(vi.getTimerCount()).toBe(0);
      const freed = listening(pages);
      expect(vi.getTimerCount()).toBe(1);
      other.engine.arm(channelEvent, 0);
      const again = listening(entries);
      expect(vi.getTimerCount()).toBe(1);
      pages.end(freed, 'one');
      entries.end(alone, 'one');
      expect(vi.getTimerCount()).toBe(1);
      entries.end(again, 'one');
      expect(vi.getTimerCount()).toBe(0);
    });

    it('probes for pages whatever is known of them, and for units of other events where there are some', () => {
      let hasEntry = false;
      const onRung = vi.fn(() => false);
      const waits = waitsOf(onRung);
      const [pages, entries] = [waits.event(FREED, () => false), waits.event(channelEvent, () => hasEntry)];
      const [freed, entry] = [listening(pages), listening(entries)];
      vi.advanceTimersByTime(19);
      expect([onRung.mock.calls.length, freed.mock.calls.length]).toEqual([0, 0]);
      vi.advanceTimersByTime(1);
      expect([onRung.mock.calls.length, freed.mock.calls.length, entry.mock.calls.length]).toEqual([1, 1, 0]);
      expect(vi.getTimerCount()).toBe(1); // and again
      hasEntry = true;
      vi.advanceTimersByTime(20);
      expect([onRung.mock.calls.length, freed.mock.calls.length, entry.mock.calls.length]).toEqual([2, 2, 1]);
      waits.end();
      expect(vi.getTimerCount()).toBe(0);
      waits.tick();
      expect(vi.getTimerCount()).toBe(0);
    });
  });

  describe('the waits of a port', () => {
    const awaited = (waits: Waits, isLeft = false) => {
      const check = vi.fn();
      const event = waits.event(channelEvent, () => isLeft);
      event.begin(check, 'one');
      event.listen(event.arm('one'), check);
      return { event, check };
    };
    const ring = (): void => {
      Atomics.add(port.memory.i32, bellIndex(port), 1);
      Atomics.notify(port.memory.i32, bellIndex(port));
    };

    it.each([
      ['news', true, false, 1],
      ['no news, and no unit', false, false, 0],
      ['no news, and a unit', false, true, 1],
    ])('probe when their bell is raised, with %s', async (_, isNews, isLeft, probes) => {
      const onRung = vi.fn(() => isNews);
      const waits = waitsOf(onRung);
      vi.useRealTimers();
      const { check } = awaited(waits, isLeft);
      ring();
      await until(() => onRung.mock.calls.length > 0);
      expect(check.mock.calls.length).toBe(probes);
      ring(); // it listens again
      await until(() => onRung.mock.calls.length > 1);
      expect(check.mock.calls.length).toBe(2 * probes);
    });

    it('end once: bits go, all probe once more, and the bell is heard no more', async () => {
      const onRung = vi.fn(() => true);
      const waits = waitsOf(onRung);
      vi.useRealTimers();
      const { check, event } = awaited(waits);
      expect([waits.isOver, isOne(channelEvent)]).toEqual([false, true]);
      waits.end();
      expect([waits.isOver, isOne(channelEvent), check.mock.calls.length]).toEqual([true, false, 0]);
      await turns(1);
      expect(check.mock.calls.length).toBe(1);
      waits.end();
      ring();
      await turns(2);
      expect([check.mock.calls.length, onRung.mock.calls.length]).toEqual([1, 0]);
      event.end(check, 'one');
    });

    it('withdraw while the thread stands still, but for what it waits for, and go on', async () => {
      const onRung = vi.fn(() => true);
      const waits = waitsOf(onRung);
      vi.useRealTimers();
      const { check, event } = awaited(waits);
      const pages = waits.event(FREED, () => false);
      pages.begin(check, 'one');
      pages.arm('one');
      waits.withdraw(pages);
      expect([isOne(channelEvent), isOne(FREED)]).toEqual([false, true]);
      waits.resume();
      await turns(1);
      expect(onRung).toHaveBeenCalledTimes(1);
      for (const each of [event, pages]) each.end(check, 'one');
      waits.resume(); // nobody waits: nothing to do
      await turns(1);
      expect(onRung).toHaveBeenCalledTimes(1);
    });

    it('block until a probe is true or the time is over, with a bit meanwhile and none behind', () => {
      const waits = waitsOf();
      const event = waits.event(channelEvent, () => false);
      const slept: unknown[] = [];
      vi.spyOn(Atomics, 'wait').mockImplementation((_, index, bell, ms) => {
        slept.push([index === bellIndex(port), Number(bell) === readBell(port), ms, isOne(channelEvent)]);
        return 'timed-out';
      });
      let left = 50;
      const probes = vi.fn(() => undefined);
      expect(event.block(probes, () => (left -= 20))).toBe(false);
      expect(slept).toEqual([
        [true, true, 30, true],
        [true, true, 10, true],
      ]);
      expect([probes.mock.calls.length, isOne(channelEvent)]).toEqual([3, false]);
      other.engine.arm(channelEvent, 0); // company: it looks again before long
      let looks = 0;
      expect(
        event.block(
          () => (++looks === 2 ? true : undefined),
          () => Infinity,
        ),
      ).toBe(true);
      expect(slept[2]).toEqual([true, true, 20, true]);
      other.engine.disarm(channelEvent, 0);
      expect(() =>
        event.block(
          () => {
            throw new Error('no more');
          },
          () => 1,
        ),
      ).toThrow('no more');
      expect(isOne(channelEvent)).toBe(false);
    });
  });
});
