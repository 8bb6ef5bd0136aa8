// Each check of the conformance suite by itself: a pool, or a provider, that breaks one promise is found by the check
// that is about it, with its words.

import { afterEach, describe, expect, it, vi } from 'vitest';
import { region } from '../../examples/providers/region.js';
import { AttachedPool } from '../../src/pool/attached-pool.js';
import { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import type { MemoryProvider } from '../../src/provider/provider.js';
import { churn } from '../../src/testing/churn.js';
import { testProvider } from '../../src/testing/test-provider.js';

afterEach(() => {
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

/** What waits in the suite looks again at once: nothing that these checks wait for comes later. */
function hurry(): void {
  const { setImmediate } = globalThis;
  vi.stubGlobal('setTimeout', (call: () => void) => setImmediate(call));
}

/** The checks of a provider, by their titles, with the Wasm core. */
async function checksOf(make: () => MemoryProvider, pageCount = 16): Promise<Map<string, () => Promise<void>>> {
  const checks = new Map<string, () => Promise<void>>();
  const host = {
    describe: (_: string, body: () => void) => body(),
    it: (title: string, run: () => Promise<void>) => void (checks.has(title) || checks.set(title, run)),
  };
  await testProvider(make, { host, pageCount });
  return checks;
}

const proto = AttachedPool.prototype;
/** Lets a call of every pool return something else, made of what it returns. */
function change<Name extends 'alloc' | 'offset' | 'bytes' | 'area' | 'trim' | 'isReadable' | 'pin'>(
  name: Name,
  how: (result: ReturnType<AttachedPool[Name]>, pool: AttachedPool) => unknown,
): void {
  const call = proto[name] as (...args: unknown[]) => ReturnType<AttachedPool[Name]>;
  const spy = vi.spyOn(proto, name as 'alloc') as unknown as { mockImplementation(run: unknown): void };
  spy.mockImplementation(function (this: AttachedPool, ...args: unknown[]) {
    return how(call.apply(this, args), this);
  });
}

const unbalanced = (): unknown =>
  vi.spyOn(PagePool.prototype, 'audit').mockReturnValue({ balanced: false, errors: ['a page is lost'] } as never);

/** What a pool of 16 pages gives after its first 17 calls goes straight back: nothing keeps it from closing. */
function onlyOnce(): void {
  let count = 0;
  change('alloc', (handle, pool) => {
    if (++count <= 17 || handle === 0) return handle;
    pool.release(handle as number);
    return 0;
  });
}

const TITLES = {
  bytes: 'every page has bytes of its own, and an empty pool gives 0',
  again: 'pages that were returned can be had again',
  held: 'pages that were returned can be had again though others of their areas are held',
  fragments: 'fragments of one page do not touch',
  random: 'random use tears nothing and loses nothing',
  pinned: 'a pinned page outlasts its users and the pool, where the provider allows it',
  two: 'two pools on it at one time have nothing in common',
  next: 'one pool after the other starts as the first did',
  fails: 'a context call that fails, whichever it is, is passed on and leaves nothing behind',
  leaves: 'the owner may leave: pages in circulation stay good, and the provider lets the pool go',
  going: 'the owner may leave while areas are on their way out: their pages stay good',
  describes: 'describes itself in plain values',
} as const;

describe('a pool that breaks a promise is found', () => {
  it.each<[keyof typeof TITLES, string, () => void, RegExp]>([
    ['bytes', 'has no page', () => change('alloc', () => 0), /^a pool has no page at all$/],
    [
      'bytes',
      'gives a handle twice',
      () => {
        let first = 0;
        change('alloc', (handle) => {
          first ||= handle;
          return handle === 0 ? 0 : first;
        });
      },
      /^a handle came twice$/,
    ],
    [
      'bytes',
      'has short pages',
      () => change('bytes', (view) => (view as Uint8Array).subarray(1)),
      /^a page has 4095 bytes$/,
    ],
    [
      'bytes',
      'has the bytes of all pages in one place',
      () => {
        const all = new Uint8Array(4096);
        change('bytes', () => all);
      },
      /^page 0 was overwritten by another one$/,
    ],
    [
      'bytes',
      'has pages beside where they are',
      () => change('offset', (at) => (at as number) + 16),
      /^page \d+ is not where/,
    ],
    ['bytes', 'does not balance', () => void unbalanced(), /^a page is lost$/],
    [
      'again',
      'keeps pages in flight',
      () => void vi.spyOn(proto, 'inflight', 'get').mockReturnValue(3),
      /^after trim\(\) 3 pages are in flight$/,
    ],
    ['again', 'gives pages once', onlyOnce, /^16 pages at first, 0 after trim\(\)$/],
    ['held', 'gives pages once', onlyOnce, /^14 pages at first, 0 beside 2 that are held$/],
    [
      'fragments',
      'has the bytes of all fragments in one place',
      () => {
        const all = new Uint8Array(4096);
        vi.spyOn(Fragment.prototype, 'bytes', 'get').mockImplementation(function (this: Fragment) {
          return all.subarray(0, this.length);
        });
      },
      /^fragment 0 was overwritten$/,
    ],
    ['random', 'does not balance', () => void unbalanced(), /^a page is lost$/],
    [
      'two',
      'has pages of another one',
      () => {
        const all = new Uint8Array(4096);
        change('bytes', () => all);
      },
      /^one pool's pages are the other's$/,
    ],
    [
      'next',
      'has a page less than the one before',
      () => {
        const pools = new Set<AttachedPool>();
        let last: AttachedPool | undefined;
        change('alloc', (handle, pool) => {
          pools.add(pool);
          if (handle === 0 || pools.size < 2 || last === pool) return handle;
          last = pool;
          pool.release(handle);
          return 0;
        });
      },
      /^the pools had 16, 0, 0 pages$/,
    ],
    ['leaves', 'does not balance behind its owner', () => void unbalanced(), /^a page is lost$/],
    ['going', 'does not balance behind its owner', () => void unbalanced(), /^a page is lost$/],
    [
      'leaves',
      'has short pages behind its owner',
      () => change('bytes', (view) => (view as Uint8Array).subarray(1)),
      /^a page has 4095 bytes$/,
    ],
    ['fails', 'does not balance', () => void unbalanced(), /^a page is lost$/],
  ])('by "%s" where it %s', async (check, _, breaks, text) => {
    const checks = await checksOf(() => region());
    hurry();
    breaks();
    await expect((checks.get(TITLES[check]) as () => Promise<void>)()).rejects.toThrow(text);
  });
});

describe('a provider that breaks a promise is found', () => {
  const broken = (more: (provider: MemoryProvider) => Partial<MemoryProvider>) => () => {
    const provider = region();
    return { ...provider, ...more(provider) };
  };
  it.each<[keyof typeof TITLES, string, () => MemoryProvider, RegExp]>([
    ['describes', 'is described by a text', broken(() => ({ describe: () => 'me' as never })), /^describe\(\) returns/],
    [
      'describes',
      'is described by nothing',
      broken(() => ({ describe: () => undefined as never })),
      /^describe\(\) returns/,
    ],
    ['leaves', 'has no page', broken(() => ({ grow: () => {} })), /^a pool has no page at all$/],
    ['pinned', 'has no page', broken(() => ({ grow: () => {} })), /^a pool has no page at all$/],
  ])('by "%s" where it %s', async (check, _, make, text) => {
    const checks = await checksOf(make);
    hurry();
    await expect((checks.get(TITLES[check]) as () => Promise<void>)()).rejects.toThrow(text);
  });

  it('by what it makes of a failure, also where the first one was passed on', async () => {
    let failures = 0;
    const hiding = broken((provider) => ({
      grow: (...args) => {
        try {
          return provider.grow(...args);
        } catch (error) {
          if (++failures === 1) throw error;
          throw new Error('something failed');
        }
      },
    }));
    const checks = await checksOf(hiding);
    hurry();
    await expect((checks.get(TITLES.fails) as () => Promise<void>)()).rejects.toThrow(
      /^the failure is not the cause of/,
    );
  });

  it('and the rule of what must not be pinned is one of the pool', async () => {
    const checks = await checksOf(broken(() => ({ detachable: false })));
    const check = checks.get(TITLES.pinned) as () => Promise<void>;
    await check();
    vi.spyOn(proto, 'pin').mockReturnValue(1 as never);
    await expect(check()).rejects.toThrow(/^a page was pinned$/);
  });

  it('by its name, the engine and the check, where nobody registers checks', async () => {
    const run = (name?: string) =>
      testProvider(
        broken(() => ({ grow: () => {} })),
        { name, pageCount: 8 },
      );
    await expect(run()).rejects.toThrow(
      `provider region, wasm engine: "${TITLES.bytes}" fails: a pool has no page at all`,
    );
    await expect(run('mine')).rejects.toThrow('provider mine, wasm engine: ');
  });
});

describe('random work', () => {
  const make = (pageCount = 8) =>
    PagePool.createSync({ pageBytes: 4096, pageCount, maxPorts: 2, channels: { work: { capacity: 4 } } });

  it('follows from its seed, counts what it did, and gives everything back', async () => {
    const [one, other] = [make(), make()];
    const reports = [one, other].map((pool) => churn(pool, { seed: 5, rounds: 1000, hold: 4, channel: 'work' }));
    expect(reports[0]).toEqual(reports[1]);
    const { taken, empty, sent, received, released, torn } = reports[0] as (typeof reports)[0];
    expect(Math.min(taken, sent, received, released)).toBeGreaterThan(0);
    expect([torn, taken + received - sent]).toEqual([0, released]);
    expect(empty).toBe(0);
    for (const pool of [one, other]) {
      for (let left = pool.channel('work').receive(); left !== null; left = pool.channel('work').receive())
        left.release();
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    }
  });

  it('counts what it found empty, holds no more than it is told, and sends nothing without a channel', async () => {
    const pool = make(1);
    const report = churn(pool, { seed: 1, rounds: 500 });
    expect(report).toMatchObject({ sent: 0, received: 0, torn: 0 });
    expect(report.empty).toBeGreaterThan(0);
    const take = vi.spyOn(pool, 'take');
    const release = vi.spyOn(pool, 'poll');
    expect(churn(pool, { seed: 1, rounds: 129, hold: 0 })).toMatchObject({ taken: 0, empty: 0, released: 0 });
    expect([take.mock.calls.length, release.mock.calls.length]).toEqual([0, 3]);
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
  });

  it.each([0, 1365, 2730, 4095])('finds a byte that another one wrote at %i', async (at) => {
    const pool = make();
    const { take } = pool;
    vi.spyOn(pool, 'take').mockImplementation(() => take.call(pool));
    const { torn } = churn(pool, { seed: 3, rounds: 8, hold: 1 });
    expect(torn).toBe(0);
    const { poll } = pool;
    let seen: Uint8Array | undefined;
    vi.spyOn(pool, 'take').mockImplementation(() => {
      const fragment = take.call(pool);
      seen = fragment?.bytes;
      return fragment;
    });
    vi.spyOn(pool, 'poll').mockImplementation(() => {
      if (seen !== undefined) seen[at] = (seen[at] as number) ^ 0xff;
      poll.call(pool);
    });
    // The first look comes before anything is held; the next with what is held then.
    expect(churn(pool, { seed: 3, rounds: 65, hold: 1 }).torn).toBe(1);
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
  });

  it('leaves bytes alone that cannot be read', async () => {
    const pool = make();
    vi.spyOn(pool, 'isReadable').mockReturnValue(false);
    const { take } = pool;
    vi.spyOn(pool, 'take').mockImplementation((bytes) => {
      const fragment = take.call(pool, bytes);
      fragment?.bytes.fill(0x5a);
      return fragment;
    });
    expect(churn(pool, { seed: 3, rounds: 100 }).torn).toBe(0);
    const fragment = take.call(pool);
    expect(fragment?.bytes.every((byte) => byte === 0x5a || byte === 0)).toBe(true);
    fragment?.release();
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
  });
});
