// What is left when a wait is over, however it ended: no listener, no timer, no bit of any event, no place in a line,
// the process not held, and a port that caches as before. By address, for every kind of wait and every kind of end.

import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  CONTROL_BASE,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  HEADER_FREED_OFFSET,
  PORT_LIMIT_OFFSET,
  PORT_PARKED_OFFSET,
} from '../../assembly/layout.js';
import { channelEvents, loadWord } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { nextPacket, Packet, sendPacketAsync, waitPacketRoom } from '../../src/packet.js';
import { portOf } from '../../src/pool/enrolled.js';
import type { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import '../../src/calls.js';
import '../../src/typescript.js';
import type { Port } from '../../src/port/port.js';
import type { WaitOptions } from '../../src/port/waiting.js';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

/** A pool whose channel `full` is full, whose channel `empty` is empty, and of whose tokens none is left. */
function createPool(engine: 'wasm' | 'typescript'): PagePool {
  return PagePool.createSync({
    engine,
    pageCount: 16,
    maxPorts: 40,
    tokens: 1,
    channels: { full: { capacity: 1, batch: 1 }, empty: { capacity: 2, batch: 2 } },
    calls: { ask: { capacity: 2 } },
  });
}

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  let port: Port;
  let held: Fragment[];
  /** Timers under way, and what holds the process: the platform lists no timer that holds nothing. */
  const timers = new Set<unknown>();
  const holds = new Set<unknown>();

  beforeEach(() => {
    const { setTimeout: start, clearTimeout: end, setInterval: hold, clearInterval: letGo } = globalThis;
    vi.stubGlobal('setTimeout', (callback: () => void, delayMs: number) => {
      const timer = start(() => {
        timers.delete(timer);
        callback();
      }, delayMs);
      timers.add(timer);
      return timer;
    });
    vi.stubGlobal('clearTimeout', (timer: never) => {
      timers.delete(timer);
      end(timer);
    });
    vi.stubGlobal('setInterval', (callback: () => void, delayMs: number) => {
      const timer = hold(callback, delayMs);
      holds.add(timer);
      return timer;
    });
    vi.stubGlobal('clearInterval', (timer: never) => {
      holds.delete(timer);
      letGo(timer);
    });
    pool = createPool(engine);
    port = portOf('test', pool);
    pool.channel('full').sendFragment(pool.take(8) as Fragment);
    (pool.take(8) as Fragment).lend();
    held = [];
    for (let page = pool.take(); page !== null; page = pool.take()) held.push(page);
  });
  afterEach(async () => {
    vi.unstubAllGlobals();
    timers.clear();
    holds.clear();
    pool.detach({ release: true }); // its last page goes with it, and no look of a closing pool is left
    await turns(2);
  });

  const take = (): Fragment => held.pop() as Fragment;
  const packet = (): Packet => new Packet().append(take());

  /** Every wait of a pool, none of which can succeed, and what makes it succeed. */
  const WAITS: Record<
    string,
    { begin(options: WaitOptions): Promise<unknown>; fulfil(): void; undo?(result: unknown): void }
  > = {
    next: {
      begin: (options) => pool.channel('empty').next(options),
      fulfil: () => pool.channel('empty').sendFragment(take()),
    },
    nextPacket: {
      begin: (options) => nextPacket(pool.channel('empty'), options),
      fulfil: () => pool.channel('empty').sendFragment(take()),
    },
    waitRoom: {
      begin: (options) => pool.channel('full').waitRoom(options),
      fulfil: () => pool.channel('full').receive()?.release(),
    },
    waitPacketRoom: {
      begin: (options) => waitPacketRoom(pool.channel('full'), packet(), options),
      fulfil: () => pool.channel('full').receive()?.release(),
    },
    sendAsync: {
      begin: (options) => pool.channel('full').sendAsync(take(), 0, options),
      fulfil: () => pool.channel('full').receive()?.release(),
    },
    sendPacketAsync: {
      begin: (options) => sendPacketAsync(pool.channel('full'), packet(), 0, options),
      fulfil: () => pool.channel('full').receive()?.release(),
    },
    takeAsync: {
      begin: (options) => pool.takeAsync(pool.pageBytes, options),
      fulfil: () => take().release(),
    },
    lendAsync: {
      begin: (options) => pool.lendAsync(take(), options),
      fulfil: () => void pool.reclaimTokens(0),
    },
    'calls.take': {
      begin: (options) => pool.calls('ask').take(pool.pageBytes, pool.pageBytes, options),
      fulfil: () => {
        take().release();
        take().release();
      },
    },
    'calls.call': {
      begin: (options) => pool.calls('ask').call(take(), options),
      fulfil: () => {
        const end = new AbortController();
        const serving = pool.calls('ask').serve(
          () => {
            end.abort();
            return 1;
          },
          { signal: end.signal },
        );
        void serving;
      },
    },
  };
  const NAMES = Object.keys(WAITS);

  /** Which words of events say that somebody waits. */
  function bits(): number[] {
    const { geometry, memory } = port;
    return [CONTROL_BASE + HEADER_FREED_OFFSET, ...channelEvents(geometry)].flatMap((event) =>
      [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET]
        .flatMap((kind) => [event + kind, event + kind + 4])
        .filter((address) => loadWord(memory, address) !== 0),
    );
  }

  /** Nothing is left of any wait, and the port is as it was before the first one. */
  async function expectNothingLeft(signal?: AbortSignal): Promise<void> {
    await turns(2);
    const { geometry, id, memory, waits } = port;
    expect({ waits, bits: bits(), timers: timers.size, holds: holds.size }).toEqual({
      waits: 0,
      bits: [],
      timers: 0,
      holds: 0,
    });
    if (signal !== undefined) expect(getEventListeners(signal, 'abort')).toEqual([]);
    const block = portOffset(geometry, id);
    expect(loadWord(memory, block + PORT_PARKED_OFFSET)).toBe(0);
    expect(loadWord(memory, block + PORT_LIMIT_OFFSET)).toBe(geometry.magazineCapacity);
  }

  /** The wait sleeps: it is parked, and the process is held. */
  async function asleep(
    promise: Promise<unknown>,
    isHeld = true,
  ): Promise<{ end: Promise<PromiseSettledResult<unknown>> }> {
    const settled = Promise.allSettled([promise]).then(([end]) => end as PromiseSettledResult<unknown>);
    let isOver = false;
    void settled.then(() => {
      isOver = true;
    });
    await until(() => port.waits > 0 || isOver);
    expect(isOver).toBe(false);
    expect(loadWord(port.memory, portOffset(port.geometry, port.id) + PORT_PARKED_OFFSET)).toBe(1);
    // A timeout holds the process as well as an interval does, and a wait needs one of both.
    const holding = [...timers].filter((timer) => (timer as NodeJS.Timeout).hasRef());
    expect(holds.size + holding.length).toBe(isHeld ? 1 : 0);
    return { end: settled };
  }

  it.each(NAMES)('%s that succeeds leaves nothing', async (name) => {
    const { signal } = new AbortController();
    const wait = WAITS[name] as (typeof WAITS)[string];
    const { end } = await asleep(wait.begin({ signal, timeoutMs: 2 ** 40 }));
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    wait.fulfil();
    expect(await end).toMatchObject({ status: 'fulfilled' });
    await expectNothingLeft(signal);
  });

  it.each(NAMES)('%s whose time is over leaves nothing', async (name) => {
    const { signal } = new AbortController();
    const [end] = await Promise.allSettled([(WAITS[name] as (typeof WAITS)[string]).begin({ signal, timeoutMs: 5 })]);
    expect(end).toMatchObject({ status: 'rejected', reason: { code: 'POOL_ERR_TIMEOUT' } });
    await expectNothingLeft(signal);
  });

  it.each(NAMES)('%s whose signal is aborted leaves nothing', async (name) => {
    const controller = new AbortController();
    const { signal } = controller;
    const { end } = await asleep((WAITS[name] as (typeof WAITS)[string]).begin({ signal, timeoutMs: 2 ** 40 }));
    controller.abort(new Error('enough'));
    expect(await end).toEqual({ status: 'rejected', reason: signal.reason });
    await expectNothingLeft(signal);
  });

  it.each(NAMES)('%s that must not hold the process does not, and leaves nothing', async (name) => {
    const controller = new AbortController();
    const { signal } = controller;
    const { end } = await asleep((WAITS[name] as (typeof WAITS)[string]).begin({ signal, ref: false }), false);
    controller.abort();
    expect(await end).toMatchObject({ status: 'rejected' });
    await expectNothingLeft(signal);
  });

  it.each(NAMES)('%s that ends with the attachment leaves no listener, no timer, and no hold', async (name) => {
    const { signal } = new AbortController();
    const { end } = await asleep((WAITS[name] as (typeof WAITS)[string]).begin({ signal, timeoutMs: 2 ** 40 }));
    const words = port.memory;
    pool.detach({ release: true });
    expect(await end).toMatchObject({ status: 'rejected', reason: { code: 'POOL_ERR_DESTROYED' } });
    await turns(2);
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    expect({ waits: port.waits, timers: timers.size, holds: holds.size }).toEqual({
      waits: 0,
      timers: 0,
      holds: 0,
    });
    expect(bits()).toEqual([]);
    expect(words).toBe(port.memory);
  });

  it('one of two waits leaves the thread parked, and the other’s bits and listener where they are', async () => {
    const [one, other] = [new AbortController(), new AbortController()];
    const first = pool.channel('empty').next({ signal: one.signal });
    const { end: second } = await asleep(pool.channel('empty').next({ signal: other.signal }));
    const failed = expect(first).rejects.toBe(await aborted(one));
    await failed;
    await turns(2);
    expect(port.waits).toBe(1);
    expect(loadWord(port.memory, portOffset(port.geometry, port.id) + PORT_PARKED_OFFSET)).toBe(1);
    expect(bits()).toHaveLength(1);
    expect(getEventListeners(one.signal, 'abort')).toEqual([]);
    expect(getEventListeners(other.signal, 'abort')).toHaveLength(1);
    other.abort();
    expect(await second).toMatchObject({ status: 'rejected' });
    await expectNothingLeft(other.signal);
  });

  async function aborted(controller: AbortController): Promise<unknown> {
    await until(() => port.waits === 2);
    controller.abort(new Error('the first one'));
    return controller.signal.reason;
  }

  it('waits on one signal share its listener, and the last one takes it along', async () => {
    const { signal } = new AbortController();
    const waits = ['a', 'b', 'c'].map(() => pool.takeAsync(pool.pageBytes, { signal }));
    await until(() => port.waits === 3);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    for (const [i, wait] of waits.entries()) {
      expect(getEventListeners(signal, 'abort')).toHaveLength(1);
      held[i]?.release();
      held[i] = await wait;
    }
    await expectNothingLeft(signal);
  });

  it('a signal that was aborted can be waited with no more, and one that was heard is forgotten', async () => {
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [pool.takeAsync(pool.pageBytes, { signal }), pool.channel('empty').next({ signal })];
    const ends = Promise.allSettled(waits);
    await until(() => port.waits === 2);
    controller.abort(new Error('both'));
    expect((await ends).map((end) => end.status === 'rejected' && end.reason === signal.reason)).toEqual([true, true]);
    await expect(pool.takeAsync(pool.pageBytes, { signal })).rejects.toBe(signal.reason);
    await expectNothingLeft(signal);
  });

  it('a blocking wait leaves no bit, and the thread caches again', async () => {
    expect(pool.channel('empty').waitSync(5)).toBe(false);
    await expectNothingLeft();
    const load = vi.spyOn(Atomics, 'wait').mockImplementation(() => {
      throw new TypeError('Atomics.wait cannot be called in this context');
    });
    expect(() => pool.channel('empty').waitSync(HUNG_MS)).toThrow(/may block/);
    load.mockRestore();
    await expectNothingLeft();
    // The second time is no other than the first.
    expect(pool.channel('empty').waitSync(5)).toBe(false);
    await expectNothingLeft();
  });

  it('a wait that is woken and takes nothing, or whose look throws, leaves nothing', async () => {
    const { end } = await asleep(pool.channel('full').waitRoom());
    pool.channel('full').close();
    expect(await end).toMatchObject({ reason: { code: 'POOL_ERR_CHANNEL_CLOSED' } });
    await expectNothingLeft();
  });

  it('a line goes on behind one that gives up in the middle, and in front', async () => {
    const sends = [1, 2, 3].map((tag) => {
      const controller = new AbortController();
      return { tag, controller, end: pool.channel('full').sendAsync(take(), tag, { signal: controller.signal }) };
    });
    const [first, second, third] = sends as [(typeof sends)[0], (typeof sends)[0], (typeof sends)[0]];
    await until(() => port.waits === 3);
    const ends = Promise.allSettled([first.end, second.end]);
    second.controller.abort();
    first.controller.abort();
    expect((await ends).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    pool.channel('full').receive()?.release();
    await third.end;
    expect(pool.channel('full').receive()?.tag).toBe(3);
    for (const { controller } of sends) expect(getEventListeners(controller.signal, 'abort')).toEqual([]);
    await expectNothingLeft();
  });

  it('a handler’s signal is let go of when the call is answered, failed, or cancelled', async () => {
    const asked = (options?: WaitOptions) => Promise.allSettled([pool.calls('ask').call(take(), options)]);
    const stop = new AbortController();
    const signals: AbortSignal[] = [];
    let turn = 0;
    const serving = pool.calls('ask').serve(
      async (call) => {
        signals.push(call.signal as unknown as AbortSignal);
        if (++turn === 2) throw new Error('no');
        if (turn === 3) await new Promise<void>((resolve) => call.signal.addEventListener('abort', () => resolve()));
        return 1;
      },
      { signal: stop.signal },
    );
    const [[answered], [failed]] = [await asked(), await asked()] as const;
    expect([answered.status, failed.status]).toEqual(['fulfilled', 'rejected']);
    if (answered.status === 'fulfilled') answered.value.release();
    const cancel = new AbortController();
    const cancelled = asked({ signal: cancel.signal });
    await until(() => signals.length === 3);
    cancel.abort();
    expect((await cancelled)[0].status).toBe('rejected');
    await until(() => signals[2]?.aborted);
    expect(signals.map(({ aborted }) => aborted)).toEqual([false, false, true]);
    stop.abort();
    await serving;
    await expectNothingLeft(stop.signal);
  });

  it('everything is home when all of it is given back', () => {
    pool.channel('full').receive()?.release();
    pool.reclaimTokens(0);
    for (const fragment of held.splice(0)) fragment.release();
    expectAllHome(pool as never);
  });
});
