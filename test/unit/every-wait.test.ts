// Every wait there is, by one table: whatever ends it, it ends with that, and leaves nothing: no listener, no bit, no
// timer, and a port that is not parked.

import { getEventListeners } from 'node:events';
import { type Fragment, type FragmentToken, PagePool, type WaitOptions } from 'pagepool';
import { nextPacket, Packet, packets, sendPacketAsync, takePacketAsync, waitPacketRoom } from 'pagepool/packet';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { layoutHash } from '#layout-hash';
import { EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET } from '../../assembly/layout.js';
import { loadWord, poolEvents } from '../../src/control/nodes.js';
import { openShare } from '../../src/pool/share.js';
import { loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, orHung, turns, until } from '../support/waiting.js';

const PAGE = 4096;

/** A pool in which nothing can be had: no page, no token, no room, no entry, no server. */
interface Bare {
  readonly pool: PagePool;
  readonly lent: FragmentToken;
  readonly pages: readonly Fragment[];
  /** Small fragments for those that have to give one: of a page that is open. */
  part(): Fragment;
}

/** Starts a wait; whatever it was given is released where it rejects. */
type Start = (bare: Bare, options?: WaitOptions) => Promise<unknown>;

/** Each wait, and what it ends with when the pool closes. */
const WAITS: Readonly<Record<string, readonly [start: Start, closing: unknown]>> = {
  takeAsync: [({ pool }, options) => pool.takeAsync(PAGE, options), 'POOL_ERR_CLOSING'],
  takePacketAsync: [({ pool }, options) => takePacketAsync(pool, 2 * PAGE, options), 'POOL_ERR_CLOSING'],
  'calls.take': [({ pool }, options) => pool.calls('asked').take(PAGE, PAGE, options), 'POOL_ERR_CLOSING'],
  lendAsync: [
    async ({ pool, part }, options) => {
      const fragment = part();
      return pool.lendAsync(fragment, options).finally(() => fragment.release());
    },
    'POOL_ERR_CLOSING',
  ],
  sendAsync: [
    async ({ pool, part }, options) => {
      const fragment = part();
      return pool
        .channel('full')
        .sendAsync(fragment, 0, options)
        .finally(() => fragment.release());
    },
    'POOL_ERR_CHANNEL_CLOSED',
  ],
  sendPacketAsync: [
    async ({ pool, part }, options) => {
      const packet = new Packet().append(part());
      return sendPacketAsync(pool.channel('full'), packet, 0, options).finally(() => packet.release());
    },
    'POOL_ERR_CHANNEL_CLOSED',
  ],
  waitRoom: [({ pool }, options) => pool.channel('full').waitRoom(options), 'POOL_ERR_CHANNEL_CLOSED'],
  waitPacketRoom: [
    async ({ pool, part }, options) => {
      const packet = new Packet().append(part());
      return waitPacketRoom(pool.channel('full'), packet, options).finally(() => packet.release());
    },
    'POOL_ERR_CHANNEL_CLOSED',
  ],
  next: [({ pool }, options) => pool.channel('empty').next(options), null],
  nextPacket: [({ pool }, options) => nextPacket(pool.channel('empty'), options), null],
  fragments: [
    async ({ pool }, options) => {
      for await (const fragment of pool.channel('empty').fragments(options)) fragment.release();
      return 'done';
    },
    'done',
  ],
  packets: [
    async ({ pool }, options) => {
      for await (const packet of packets(pool.channel('empty'), options)) packet.release();
      return 'done';
    },
    'done',
  ],
  call: [({ pool, part }, options) => pool.calls('asked').call(part(), options), 'POOL_ERR_CLOSING'],
  'call, no room': [({ pool, part }, options) => pool.calls('full').call(part(), options), 'POOL_ERR_CLOSING'],
};
const NAMES = Object.keys(WAITS);
const codes = (closing: (name: string) => unknown): Record<string, unknown> =>
  Object.fromEntries(NAMES.map((name) => [name, closing(name)]));

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  const pools: PagePool[] = [];

  afterEach(() => {
    vi.restoreAllMocks();
    for (const pool of pools.splice(0)) pool.detach({ release: true });
  });

  function open(): PagePool {
    const pool = PagePool.createSync({
      engine,
      pageCount: 8,
      maxPorts: 2,
      tokens: 1,
      channels: { full: { capacity: 1, batch: 1 }, empty: { capacity: 4, batch: 2 } },
      calls: { asked: {}, full: { capacity: 1 } },
    });
    pools.push(pool);
    return pool;
  }

  /** Takes everything that there is in the pool; `hasCall`: a call of this thread waits in the ring that it fills. */
  function bare(pool = open(), hasCall = true): Bare {
    const fragment = pool.take(16) as Fragment;
    const lent = fragment.retain().lend();
    pool.channel('full').sendFragment(fragment.retain());
    const calls = pool.calls('full');
    if (hasCall) calls.call(fragment.retain()).catch(() => {});
    const pages: Fragment[] = [];
    for (let page = pool.take(PAGE); page !== null; page = pool.take(PAGE)) pages.push(page);
    return { pool, lent, pages, part: () => fragment.retain() };
  }

  /** How each wait ends, by its name. */
  async function ends(of: Bare, options?: WaitOptions, names = NAMES): Promise<() => Promise<Record<string, unknown>>> {
    const waits = names.map((name) => {
      const start = (WAITS[name] as (typeof WAITS)[string])[0];
      const ending = start(of, options).then(
        (value) => value ?? null,
        (error) => error.code ?? error,
      );
      return orHung(ending, name);
    });
    await turns(3);
    return async () => Object.fromEntries((await Promise.all(waits)).map((end, i) => [names[i], end]));
  }

  /** Whether the thread waits anywhere, as others see it. */
  function isArmed(pool: PagePool): boolean {
    const { memory, geometry } = openShare(pool.share(), layoutHash);
    return poolEvents(geometry).some((event) =>
      [EVENT_ONE_OFFSET, EVENT_SEVERAL_OFFSET].some((bits) => loadWord(memory, event + bits) !== 0),
    );
  }

  function timers(): number {
    return process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  }

  it('ends by a signal, before it begins and while it waits, and leaves nothing', async () => {
    const of = bare();
    const reason = new Error('enough');
    // The call that fills its ring waits by itself.
    await turns(2);
    const before = timers();
    expect(await (await ends(of, { signal: AbortSignal.abort(reason) }))()).toEqual(codes(() => reason));
    const aborter = new AbortController();
    const during = await ends(of, { signal: aborter.signal });
    expect([getEventListeners(aborter.signal, 'abort').length, isArmed(of.pool)]).toEqual([1, true]);
    aborter.abort(reason);
    expect(await during()).toEqual(codes(() => reason));
    expect(getEventListeners(aborter.signal, 'abort')).toEqual([]);
    expect(isArmed(of.pool)).toBe(false);
    expect(timers()).toBeLessThanOrEqual(before);
  });

  it('that came to its end by itself hears of no signal afterwards', async () => {
    const { pool, lent, pages, part } = bare();
    const aborter = new AbortController();
    const { signal } = aborter;
    const waits = [pool.takeAsync(PAGE, { signal }), takePacketAsync(pool, 2 * PAGE, { signal })];
    const lending = pool.lendAsync(part(), { signal });
    await turns(2);
    for (const page of pages.slice(0, 3)) page.release();
    pool.adopt(lent).release();
    await orHung(Promise.all([...waits, lending]), 'waits');
    expect(getEventListeners(signal, 'abort')).toEqual([]);
    aborter.abort(new Error('too late'));
    await turns(1);
    pool.adopt(await lending).release();
  });

  it('for a token is woken where another thread adopts one, or takes one back, and by no timer', async () => {
    const { pool, lent, part } = bare();
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(pool.share() as never) as unknown as PagePool;
    await turns(2);
    const before = timers();
    const first = pool.lendAsync(part());
    await turns(2);
    await until(() => timers() <= before, timers); // the runner has timers, too, for a moment
    other.adopt(lent).release();
    await orHung(first, 'lendAsync');
    const second = pool.lendAsync(part());
    await turns(2);
    await until(() => timers() <= before, timers);
    expect(other.reclaimTokens(0)).toBe(1);
    other.adopt(await orHung(second, 'lendAsync')).release();
    other.detach();
  });

  it('for tokens are served in their order, each by one that comes back', async () => {
    const { pool, lent, part } = bare();
    const came: FragmentToken[] = [];
    const waits = [0, 1, 2].map(() => pool.lendAsync(part()).then((token) => came.push(token)));
    await turns(2);
    expect(came).toEqual([]);
    pool.adopt(lent).release();
    for (let i = 0; i < 3; i++) {
      await orHung(waits[i] as Promise<number>, 'lendAsync');
      await turns(1);
      expect(came).toHaveLength(i + 1);
      pool.adopt(came[i] as FragmentToken).release();
    }
  });

  it('ends with what a signal throws, and stays parked nowhere', async () => {
    const of = bare(open(), false);
    const reason = new Error('no listeners here');
    const addEventListener = (): never => {
      throw reason;
    };
    const signal = Object.assign(new EventTarget(), { aborted: false, addEventListener }) as never;
    const names = NAMES.filter((name) => name !== 'call, no room');
    const found = await (await ends(of, { signal }, names))();
    expect(found).toEqual(Object.fromEntries(names.map((name) => [name, reason])));
    expect(isArmed(of.pool)).toBe(false);
    // A thread that is not parked caches what it releases.
    of.pages[0]?.release();
    expect(of.pool.stats().pages.cached).toBe(1);
  });

  it('refuses what is no signal, whatever waits', async () => {
    const of = bare();
    for (const signal of [new EventTarget(), {}, { aborted: false }, 7, null] as never[])
      expect(await (await ends(of, { signal }))()).toEqual(codes(() => 'POOL_ERR_INVALID_ARGUMENT'));
    expect(isArmed(of.pool)).toBe(false);
  });

  it.each([0, 1])('ends with timeoutMs=%d', async (timeoutMs) => {
    const of = bare();
    expect(await (await ends(of, { timeoutMs }))()).toEqual(codes(() => 'POOL_ERR_TIMEOUT'));
    expect(isArmed(of.pool)).toBe(false);
  });

  it.each([Number.NaN, -1, -Infinity, '5', null, 1n])('refuses timeoutMs=%s', async (timeoutMs) => {
    const of = bare();
    const found = await (await ends(of, { timeoutMs } as never))();
    expect(found).toEqual(codes(() => 'POOL_ERR_INVALID_ARGUMENT'));
  });

  it.each([2 ** 31 - 1, 2 ** 31, 2 ** 53, Infinity])('waits on with timeoutMs=%d', async (timeoutMs) => {
    const of = bare();
    const warned = vi.spyOn(process, 'emitWarning');
    const aborter = new AbortController();
    const later = await ends(of, { timeoutMs, signal: aborter.signal });
    const reason = new Error('enough');
    aborter.abort(reason);
    expect(await later()).toEqual(codes(() => reason));
    expect(warned).not.toHaveBeenCalled(); // as a timer would that is too long
  });

  it('is not moved by a clock that is set back and forth', async () => {
    const of = bare();
    const { now } = Date;
    let days = 0;
    const aborter = new AbortController();
    const long = await ends(of, { timeoutMs: 2 * HUNG_MS, signal: aborter.signal });
    vi.spyOn(Date, 'now').mockImplementation(() => now() + (days++ % 2 === 0 ? 1 : -1) * 86_400_000 * days);
    expect(await (await ends(of, { timeoutMs: 2 }))()).toEqual(codes(() => 'POOL_ERR_TIMEOUT'));
    // Those that have time left wait on.
    const reason = new Error('enough');
    aborter.abort(reason);
    expect(await long()).toEqual(codes(() => reason));
  });

  it('ends when the thread detaches, and one that begins afterwards', async () => {
    const of = bare();
    const during = await ends(of);
    of.pool.detach({ release: true });
    expect(await during()).toEqual(codes(() => 'POOL_ERR_DESTROYED'));
    // Whatever has to be given is gone as well: a wait that needs none.
    const names = NAMES.filter((name) => !/^(?:lend|send|call|waitPacket)/.test(name) || name === 'calls.take');
    const after = await (await ends(of, undefined, names))();
    expect(after).toEqual(Object.fromEntries(names.map((name) => [name, 'POOL_ERR_DESTROYED'])));
  });

  it('ends when the pool closes, and the pool with it', async () => {
    const of = bare();
    const during = await ends(of);
    of.pool.destroy();
    expect(await during()).toEqual(codes((name) => WAITS[name]?.[1]));
    expect(await (await ends(of))()).toEqual(codes((name) => WAITS[name]?.[1]));
    of.pool.detach({ release: true });
    expect(await (await ends(of, undefined, ['takeAsync', 'takePacketAsync', 'calls.take']))()).toEqual({
      takeAsync: 'POOL_ERR_DESTROYED',
      takePacketAsync: 'POOL_ERR_DESTROYED',
      'calls.take': 'POOL_ERR_DESTROYED',
    });
  });

  it('ends where the port is lost: another thread took this one for dead', async () => {
    const home = open();
    const { PagePool: Other } = await loadAnotherRealm();
    const other = Other.attach(home.share() as never) as unknown as PagePool;
    const names = ['takeAsync', 'calls.take', 'lendAsync', 'sendAsync', 'waitRoom', 'next', 'fragments', 'call'];
    const during = await ends(bare(other), undefined, names);
    home.reap(other.portId, { force: true });
    expect(home.audit().reaped).toEqual([other.portId]);
    expect(await during()).toEqual(Object.fromEntries(names.map((name) => [name, 'POOL_ERR_DESTROYED'])));
  });

  it('has one listener on a signal, however many wait for whatever, and none afterwards', async () => {
    const of = bare();
    const warned = vi.fn();
    process.on('warning', warned);
    const aborter = new AbortController();
    const { signal } = aborter;
    const reason = new Error('enough');
    const names = ['takeAsync', 'takePacketAsync', 'calls.take', 'lendAsync', 'sendAsync', 'waitRoom', 'next', 'call'];
    const waits = Array.from({ length: 10_000 }, (_, i) =>
      (WAITS[names[i % names.length] as string] as (typeof WAITS)[string])[0](of, { signal }).catch((error) => error),
    );
    await until(() => getEventListeners(signal, 'abort').length > 0);
    await turns(5);
    expect(getEventListeners(signal, 'abort')).toHaveLength(1);
    aborter.abort(reason);
    expect(new Set(await orHung(Promise.all(waits), 'waits'))).toEqual(new Set([reason]));
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(isArmed(of.pool)).toBe(false);
    await turns(2);
    process.off('warning', warned);
    expect(warned).not.toHaveBeenCalled();
  });
});
