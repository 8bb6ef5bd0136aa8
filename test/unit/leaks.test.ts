// Leak reports: what a thread holds, how it came by it, how references leave the list; and that without `leaks` nothing
// is kept.

import { type Fragment, type LeakReport, PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Port } from '../../src/port/port.js';
import { chooseSeed, openPorts, randomFrom, track, unitOf } from '../support/ports.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { turns } from '../support/waiting.js';

const ENGINES = ['wasm', 'typescript'] as const;
const CHANNELS = {
  a: { capacity: 8, batch: 4 },
  dropping: { capacity: 1, batch: 1, whenFull: 'drop-newest' },
} as const;

/** The function that a stack begins with. */
const callerOf = ({ stack }: LeakReport): string | undefined => /^ +at (?:async )?(\w+) /.exec(stack)?.[1];

describe.each(ENGINES)('with the %s engine', (engine) => {
  let pool: PagePool;

  beforeEach(() => {
    pool = PagePool.createSync({
      engine,
      pageCount: 64,
      maxPorts: 3,
      leaks: 'all',
      channels: CHANNELS,
      calls: { ask: {} },
      name: 'tracked',
    });
  });
  afterEach(() => {
    vi.useRealTimers();
    expect(pool.audit()).toMatchObject({ balanced: true });
    pool.detach({ release: true });
    expect(pool.leaks()).toEqual([]);
  });

  it('a report says what the fragment is, who has it, how it came, for how long, and where', () => {
    vi.useFakeTimers();
    const handle = pool.allocFragment(100);
    vi.advanceTimersByTime(20);
    const [report, ...others] = pool.leaks() as [LeakReport];
    expect(others).toEqual([]);
    expect(report).toEqual({
      pool: 'tracked',
      handle,
      page: pool.pin(handle),
      bytes: pool.extent(handle),
      ageMs: 20,
      portId: pool.portId,
      label: 'creator',
      origin: 'allocated',
      references: 1,
      left: {},
      isDropped: false,
      stack: report.stack,
    });
    pool.unpin(report.page);
    expect(report.bytes).toBeGreaterThanOrEqual(100);
    expect(report.bytes).toBeLessThan(pool.pageBytes);
    expect(pool.leaks({ olderThanMs: 20 })).toHaveLength(1);
    expect(pool.leaks({ olderThanMs: 21 })).toEqual([]);
  });

  it('the oldest comes first, and again at the end when it left and came back', () => {
    const handles = Array.from({ length: 5 }, () => pool.alloc());
    expect(pool.leaks().map(({ handle }) => handle)).toEqual(handles);
    const channel = pool.channel('a');
    channel.send(handles[0] as number, 0, 1);
    expect(pool.leaks().map(({ handle }) => handle)).toEqual(handles.slice(1));
    expect(channel.receive()?.handle).toBe(handles[0]);
    const reports = pool.leaks();
    expect(reports.map(({ handle }) => handle)).toEqual([...handles.slice(1), handles[0]]);
    expect(reports.at(-1)).toMatchObject({ origin: 'received from channel "a"', left: {} });
  });

  describe('the stack begins with the caller of', () => {
    const entry = new Uint32Array(4 * 4);
    const filled = () => {
      pool.channel('a').send(pool.alloc(), 0, 1);
      return pool.channel('a');
    };
    const cases: [string, string, () => unknown][] = [
      ['alloc', 'allocated', () => pool.alloc()],
      ['allocFragment', 'allocated', () => pool.allocFragment(10)],
      ['allocBurst', 'allocated', () => pool.allocBurst(entry, 1)],
      ['allocBurst on words', 'allocated', () => pool.allocBurst(pool.words(1), 1)],
      ['allocBulk', 'allocated', () => pool.allocBulk(entry, 1)],
      ['take', 'allocated', () => pool.take()],
      ['take of a part', 'allocated', () => pool.take(10)],
      ['takeAsync', 'allocated', () => pool.takeAsync(10)],
      ['adopt', 'adopted', () => pool.adopt((pool.take() as Fragment).lend())],
      ['receive', 'received from channel "a"', () => filled().receive()],
      ['receiveBurst', 'received from channel "a"', () => filled().receiveBurst(entry, 4)],
      ['next', 'received from channel "a"', () => filled().next()],
    ];
    it.each(cases)('%s', async (_name, origin, act) => {
      function caller() {
        return act();
      }
      await caller();
      const [report, ...others] = pool.leaks() as [LeakReport];
      expect(others).toEqual([]);
      expect(report.origin).toBe(origin);
      expect(report.stack).not.toContain('build/index.js');
      expect(report.stack).toMatch(/^.*\n +at caller \(/);
      expect(report.stack.split('\n').length).toBeLessThanOrEqual(10);
    });

    it('takeAsync, when it has to wait', async () => {
      const handles = Array.from({ length: 64 }, () => pool.alloc());
      expect(handles).not.toContain(0);
      async function caller() {
        return pool.takeAsync();
      }
      const waiting = caller();
      await turns(1);
      pool.release(handles[7] as number);
      const { handle } = await waiting;
      const report = pool.leaks().find((one) => one.handle === handle) as LeakReport;
      expect(callerOf(report)).toBe('caller');
      // What comes by other calls afterwards has its own.
      pool.release(handle);
      (function later() {
        pool.alloc();
      })();
      expect(callerOf(pool.leaks().at(-1) as LeakReport)).toBe('later');
    });

    it('next and for await, when they have to wait', async () => {
      const handles = [pool.alloc(), pool.alloc()] as const;
      const channel = pool.channel('a');
      async function caller() {
        return channel.next();
      }
      async function loop(): Promise<number> {
        for await (const { handle } of channel) return handle;
        return 0;
      }
      for (const [i, receive] of [caller, loop].entries()) {
        const waiting = receive();
        await turns(1);
        channel.send(handles[i] as number, 0, 1);
        await waiting;
      }
      const stacks = pool.leaks().map(({ stack }) => stack.split('\n'));
      expect(stacks[0]?.[0]).toContain('at caller (');
      // The language's own frame of the iterator stays.
      expect(stacks[1]?.slice(0, 2).join()).toContain('at loop (');
      expect(stacks.flat().join()).not.toContain('build/index.js');
    });

    it('slice, retain and Fragment.retain, when they take a reference on what this thread has none of by its handle', () => {
      const [first, second] = [pool.allocFragment(100), pool.allocFragment(100)];
      const object = pool.fragment(second);
      pool.channel('a').send(first, 0, 1);
      pool.channel('a').send(second, 0, 1);
      pool.retain(pool.allocFragment(100)); // keeps a reference on the page, which is what the pool counts
      function caller(act: () => unknown) {
        act();
      }
      caller(() => pool.retain(first, 3));
      caller(() => object.slice(0, 1));
      const reports = pool.leaks().slice(1);
      expect(reports.map(({ handle, origin, references }) => [handle, origin, references])).toEqual([
        [first, 'retained', 3],
        [second, 'retained', 1],
      ]);
      for (const { stack } of reports) expect(stack).toMatch(/^.*\n +at caller \(/);
    });
  });

  it('asks no program to write its stacks, and keeps at most ten frames of them', () => {
    const { prepareStackTrace, stackTraceLimit } = Error;
    try {
      Error.prepareStackTrace = () => {
        throw new Error('no');
      };
      const { prepareStackTrace: own } = Error;
      expect(pool.alloc()).toBeGreaterThan(0);
      expect(Error.prepareStackTrace).toBe(own);
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = 100;
      (function deep(depth: number): void {
        if (depth === 0) pool.alloc();
        else deep(depth - 1);
      })(50);
      Error.stackTraceLimit = 0;
      expect(pool.alloc()).toBeGreaterThan(0);
    } finally {
      Error.prepareStackTrace = prepareStackTrace;
      Error.stackTraceLimit = stackTraceLimit;
    }
    expect(pool.leaks().map(({ stack }) => (stack === '' ? 0 : stack.split('\n').length))).toEqual([
      expect.toSatisfy((frames: number) => frames > 0),
      10,
      0,
    ]);
  });

  it('goes on where Error is frozen', () => {
    const freeze = vi.spyOn(Error, 'captureStackTrace').mockImplementation(() => {
      throw new TypeError('frozen');
    });
    expect(pool.alloc()).toBeGreaterThan(0);
    freeze.mockRestore();
    expect(pool.leaks()).toMatchObject([{ stack: '' }]);
  });

  describe('a reference leaves the list when it is', () => {
    const cases: [string, string, (handle: number) => unknown][] = [
      ['released', 'released', (handle) => pool.release(handle)],
      ['released in bulk', 'released', (handle) => pool.releaseBulk(Uint32Array.of(handle))],
      ['released as a Fragment', 'released', (handle) => pool.fragment(handle).release()],
      ['disposed of', 'released', (handle) => pool.fragment(handle)[Symbol.dispose]()],
      ['lent', 'lent', (handle) => pool.fragment(handle).lend()],
      ['sent', 'sent to channel "a"', (handle) => pool.channel('a').send(handle, 0, 1)],
      ['sent as a Fragment', 'sent to channel "a"', (handle) => pool.channel('a').sendFragment(pool.fragment(handle))],
      [
        'sent in a burst',
        'sent to channel "a"',
        (handle) => pool.channel('a').sendBurst(Uint32Array.of(handle, 0, 1, 0), 1),
      ],
      [
        'dropped by the channel',
        'sent to channel "dropping"',
        (handle) => {
          pool.channel('dropping').send(pool.alloc(), 0, 1);
          pool.channel('dropping').send(handle, 0, 1);
          expect(pool.channel('dropping').dropped).toBe(1);
        },
      ],
    ];
    it.each(cases)('%s', (_name, how, act) => {
      const handle = pool.alloc();
      pool.retain(handle, 2);
      act(handle);
      expect(pool.leaks()).toMatchObject([{ handle, references: 2, left: { [how]: 1 } }]);
      pool.release(handle);
      pool.release(handle);
      expect(pool.leaks()).toEqual([]);
    });
  });

  it('a burst that stops in the middle counts what went', () => {
    const handles = Array.from({ length: 6 }, () => pool.alloc());
    const [one, two, three, four, five, six] = handles as [number, number, number, number, number, number];
    pool.release(three);
    expect(codeOf(() => pool.releaseBulk(Uint32Array.of(one, two, three, four)))).toBe('POOL_ERR_STALE_HANDLE');
    expect(pool.leaks().map(({ handle }) => handle)).toEqual([four, five, six]);
    const entries = Uint32Array.from([four, 0, 1, 0, three, 0, 1, 0, five, 0, 1, 0]);
    expect(codeOf(() => pool.channel('a').sendBurst(entries, 3))).toBe('POOL_ERR_STALE_HANDLE');
    expect(pool.leaks().map(({ handle }) => handle)).toEqual([five, six]);
    expect(pool.channel('a').receiveBurst(entries, 3)).toBe(1);
    expect(pool.leaks().map(({ handle }) => handle)).toEqual([five, six, four]);
  });

  it('a call that is refused changes nothing in the list', () => {
    const [handle, other] = [pool.alloc(), pool.alloc()];
    const small = PagePool.createSync({
      engine,
      pageCount: 4,
      leaks: 'all',
      channels: { one: { capacity: 1, batch: 1 } },
    });
    const [sent, kept] = [small.alloc(), small.alloc()];
    expect(small.channel('one').send(sent, 0, 1)).toBe(true);
    expect(small.channel('one').send(kept, 0, 1)).toBe(false);
    expect(small.channel('one').sendFragment(small.fragment(kept))).toBe(false);
    expect(codeOf(() => small.channel('one').send(kept, 0, 5000))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(small.leaks()).toMatchObject([{ handle: kept, references: 1, left: {} }]);
    small.channel('one').receive();
    small.detach({ release: true });

    pool.channel('a').send(other, 0, 1);
    for (const call of [
      () => pool.retain(handle, 65_535),
      () => pool.retain(other),
      () => pool.release(other),
      () => pool.fragment(handle).slice(4096, 1),
      () => pool.adopt({ ...pool.fragment(pool.alloc()).lend(), sequence: 1000 }),
    ]) {
      expect(codeOf(call)).toMatch(/^POOL_ERR_/);
    }
    expect(pool.leaks()).toMatchObject([{ handle, references: 1, left: {} }]);
    pool.reclaimTokens(0);
  });

  it('a bulk that gets nothing leaves nothing behind', () => {
    const out = new Uint32Array(65);
    expect(pool.allocBulk(out, 65)).toBe(false);
    expect(pool.allocBurst(out, 65)).toBe(64);
    expect(pool.alloc()).toBe(0);
    expect(pool.take()).toBe(null);
    expect(pool.channel('a').receive()).toBe(null);
    expect(pool.leaks()).toHaveLength(64);
    pool.releaseBulk(out, 64);
  });

  it('is of this thread alone, and each thread chooses for itself', async () => {
    const { PagePool: Other } = await loadAnotherRealm();
    const tracked = Other.attach(pool.share() as never, { label: 'worker', leaks: 'all' });
    const { PagePool: Third } = await loadAnotherRealm();
    const untracked = Third.attach(pool.share() as never, { label: 'other' });
    pool.channel('a').send(pool.alloc(), 0, 1);
    const { handle } = tracked.channel('a').receive() as Fragment;
    untracked.alloc();
    expect(pool.leaks()).toEqual([]);
    expect(untracked.leaks()).toEqual([]);
    expect(tracked.leaks()).toMatchObject([{ handle, portId: tracked.portId, label: 'worker' }]);
    const token = tracked.fragment(handle).lend();
    expect(tracked.leaks()).toEqual([]);
    expect(pool.adopt(token).handle).toBe(handle);
    expect(pool.leaks()).toMatchObject([{ handle, label: 'creator', origin: 'adopted' }]);
    tracked.detach();
    untracked.detach({ release: true });
    expect([tracked.leaks(), untracked.leaks()]).toEqual([[], []]);
  });

  it('follows a call: who asks has not what it sent, the server what it took, and the asker the answer', async () => {
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(pool.share() as never, { label: 'server', leaks: 'all' });
    const of = (list: readonly LeakReport[]) => list.map(({ handle, origin, left }) => [handle, origin, left]);
    const [asked, kept] = [pool.alloc(), pool.alloc()];
    const answers = other.calls('ask' as never);
    const served: unknown[] = [];
    void answers.serve(() => {
      served.push(of(other.leaks()));
      if (served.length === 1) return 3; // in place
      const given = other.take(16) as Fragment;
      served.push(of(other.leaks()).length);
      return given as never;
    });
    const inPlace = await pool.calls('ask').call(pool.fragment(asked));
    expect([served, of(other.leaks())]).toEqual([[[[asked, 'received from calls "ask"', {}]]], []]);
    expect([inPlace.handle, inPlace.length]).toEqual([asked, 3]);
    expect(of(pool.leaks())).toEqual([
      [kept, 'allocated', {}],
      [asked, 'answered', {}],
    ]);
    const given = await pool.calls('ask').call(inPlace);
    expect([served.slice(1), of(other.leaks())]).toEqual([[[[asked, 'received from calls "ask"', {}]], 2], []]);
    expect(of(pool.leaks())).toEqual([
      [kept, 'allocated', {}],
      [given.handle, 'answered', {}],
    ]);
    given.release();
    expect(of(pool.leaks())).toEqual([[kept, 'allocated', {}]]);
    pool.release(kept);
    other.detach();
  });

  it('keeps what a reply that is refused did not take along', () => {
    const [port] = openPorts({ pageCount: 8, calls: { ask: {} } }, [engine === 'wasm' ? 'release' : engine]);
    const tracked = track(port as Port, 'all');
    const { engine: calls, leaks, scratch } = tracked;
    const [asked, answer] = [calls.alloc(), calls.alloc()];
    scratch.own.set([asked, 0, 1, 0]);
    const call = calls.ask(0, scratch.ownAddress, 1);
    expect([call >= 0, calls.accept(0, scratch.ownAddress)]).toEqual([true, 1]);
    expect(calls.reply(call + 1, answer, 0, 1, 0)).toBeLessThan(0);
    const handles = () => leaks?.reports(0).map(({ handle }) => handle);
    expect(handles()).toEqual([answer, asked]);
    expect(calls.reply(call, answer, 0, 1, 0)).toBe(0);
    expect(handles()).toEqual([asked]);
  });

  it('is empty for a thread whose port was reaped', async () => {
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(pool.share() as never, { leaks: 'all' });
    const handle = other.alloc();
    pool.reap(other.portId, { force: true });
    expect(other.leaks()).toMatchObject([{ handle, references: 1 }]);
    expect(pool.audit()).toMatchObject({ reaped: [other.portId], pages: { used: 0 } });
    expect(other.leaks()).toEqual([]);
    other.poll(); // it hears of it
    expect(codeOf(() => other.alloc())).toBe('POOL_ERR_DESTROYED');
    expect(other.leaks()).toEqual([]);
  });

  it('believes the pool: what went by another handle of the same page is not listed', () => {
    const [first, second] = [pool.allocFragment(100), pool.allocFragment(100)];
    pool.channel('a').send(first, 0, 1);
    pool.release(first); // allowed: references are counted by page
    expect(codeOf(() => pool.release(second))).toBe('POOL_ERR_NOT_HELD');
    expect(pool.leaks()).toEqual([]);
    // It comes back, with a handle that is worth nothing; the other one is good again.
    expect(pool.channel('a').receive()?.handle).toBe(first);
    expect(codeOf(() => pool.release(first))).toBe('POOL_ERR_STALE_HANDLE');
    expect(pool.leaks()).toEqual([]);
    pool.release(second);
  });

  it('takes no reclaimed token for its own', () => {
    (pool.take() as Fragment).lend();
    expect(pool.reclaimTokens(0)).toBe(1);
    expect(pool.leaks()).toEqual([]);
  });

  it('without `leaks`, or with "off", lists nothing', () => {
    for (const options of [{}, { leaks: 'off' }] as const) {
      // More than the distance at which a sample would be taken.
      const plain = PagePool.createSync({ engine, pageCount: 300, ...options });
      for (let i = 0; i < 299; i++) plain.alloc();
      plain.take();
      expect(plain.leaks()).toEqual([]);
      plain.detach({ release: true });
    }
  });

  it('"sampled" tracks one of 128, at random distances of at most 255, and follows what it tracks', () => {
    const random = randomFrom(chooseSeed('sampled'));
    const original = Math.random;
    Math.random = () => random() / 2 ** 32;
    try {
      const sampled = PagePool.createSync({ engine, pageBytes: 256, pageCount: 8192, leaks: 'sampled' });
      const handles = Array.from({ length: 8192 }, () => sampled.alloc());
      const places = sampled.leaks().map(({ handle }) => handles.indexOf(handle));
      const distances = places.map((place, i) => place - (places[i - 1] ?? -1));
      expect(Math.max(...distances)).toBeLessThanOrEqual(255);
      expect(new Set(distances).size).toBeGreaterThan(places.length / 2);
      // 64 are expected; the standard deviation is under 5.
      expect(places.length).toBeGreaterThan(34);
      expect(places.length).toBeLessThan(94);
      for (const handle of handles) sampled.release(handle);
      expect(sampled.leaks()).toEqual([]);
      sampled.destroy();
    } finally {
      Math.random = original;
    }
  });
});

it.each(['release', 'typescript'] as const)('a number that comes again is a new fragment (%s engine)', (kind) => {
  const [port] = openPorts({ pageCount: 4, maxPorts: 1 }, [kind]) as [Port];
  const untracked = port.engine;
  const { engine, leaks } = track(port, 'all');
  const handle = engine.alloc();
  const other = engine.alloc();
  const word = (port.geometry.fragmentWordsOffset >>> 2) + unitOf(port, handle);
  const generation = (port.memory.u32[word] as number) & 0xffff0000;
  // It goes unseen, as by another handle of its page, and its generation comes round.
  untracked.release(handle);
  port.memory.u32[word] = generation;
  expect(engine.alloc()).toBe(handle);
  expect(leaks?.reports(0)).toMatchObject([{ handle: other }, { handle, references: 1 }]);
});

describe('the options of leaks', () => {
  it('are checked, in create, attach and leaks', async () => {
    for (const options of [{ leaks: 'some' }, { leaks: true }, { leaks: null }, { onLeak: 'warn' }, { onLeak: null }]) {
      expect(codeOf(() => PagePool.createSync(options as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    const pool = PagePool.createSync({ pageCount: 4, maxPorts: 2 });
    const { PagePool: Other } = await loadAnotherRealm();
    for (const options of [{ leaks: 'some' }, { onLeak: 1 }, { label: 1 }, { leak: 'all' }, 7, []]) {
      expect(codeOf(() => Other.attach(pool.share() as never, options as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    for (const options of [{ olderThanMs: -1 }, { olderThanMs: '1' }, { olderThanMs: Number.NaN }, { older: 1 }, 7]) {
      expect(codeOf(() => pool.leaks(options as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    Other.attach(pool.share() as never, { leaks: 'sampled', onLeak() {} }).detach();
    pool.destroy();
  });

  it('do not travel with the share', () => {
    const pool = PagePool.createSync({ pageCount: 4, leaks: 'all', onLeak() {} });
    const share = structuredClone(pool.share());
    expect(JSON.stringify([Object.keys(share), share.options])).not.toContain('eak');
    pool.destroy();
  });
});
