// Watching by locks: when they are taken, what they tell, and that none is left. With locks of this realm, in one
// thread.

import { EventEmitter } from 'node:events';
import { PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { RealmLocks } from '../support/locks.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { PATIENCE, turns } from '../support/waiting.js';

const soon = (check: () => void) => vi.waitFor(check, PATIENCE);
/** As the web's workers are: no exit event, no thread number. */
const ofTheWeb = { postMessage: () => {}, terminate: () => {} };

describe('a pool that watches by locks', () => {
  let locks: RealmLocks;
  let pool: PagePool;
  const attach = async (): Promise<PagePool> => {
    const realm = await loadAnotherRealm();
    return realm.PagePool.attach(pool.share() as never) as never;
  };
  const isClaimed = (portId: number) => pool.stats().ports[portId]?.isClaimed;
  const lockOf = (portId: number) => locks.held.find((name) => name.includes(` port ${portId} `));
  /** What a thread is after its end: nothing runs in it any more. */
  const kill = (other: PagePool): void => {
    vi.spyOn(other, 'poll').mockImplementation(() => {});
    locks.endHolder(lockOf(other.portId) as string);
  };

  /** From here on the realm is one of Node: threads have numbers, and who watches asks for locks at intervals. */
  function beNode() {
    const thread = { threadId: 0, locks };
    const intervals = new Map<object, () => void>();
    vi.spyOn(globalThis, 'setInterval').mockImplementation(((callback: () => void) => {
      const timer = { unref: () => timer };
      intervals.set(timer, callback);
      return timer;
    }) as never);
    vi.spyOn(globalThis, 'clearInterval').mockImplementation(((timer: object) => intervals.delete(timer)) as never);
    vi.spyOn(process, 'getBuiltinModule').mockImplementation(((module: string) =>
      module === 'node:worker_threads' ? thread : undefined) as never);
    const askAgain = async (): Promise<void> => {
      for (const ask of intervals.values()) ask();
      await turns();
      expect(locks.pending).toEqual([]);
    };
    return { thread, intervals, askAgain };
  }

  beforeEach(() => {
    locks = new RealmLocks();
    vi.stubGlobal('navigator', { locks });
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    pool = PagePool.createSync({ pageCount: 16, maxPorts: 4, channels: { work: {} } });
  });
  afterEach(() => {
    pool.destroy();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('takes none before somebody watches, then one for each port, also for those that come later', async () => {
    const early = await attach();
    await turns();
    expect(locks.held).toEqual([]);
    pool.watch(ofTheWeb);
    const late = await attach();
    await soon(() => {
      expect(locks.held.length).toBe(3);
      expect(locks.pending.length).toBe(2); // the watcher asks for those of the others
    });
    for (const { portId } of [pool, early, late]) expect(lockOf(portId)).toMatch(/^pagepool [\d.]+ port \d claim 1$/);
    early.detach();
    late.detach();
    await soon(() => {
      expect(locks.held.length).toBe(1);
    });
  });

  it('reaps a port when its lock is given away', async () => {
    const other = await attach();
    pool.watch(ofTheWeb);
    pool.watch(ofTheWeb);
    other.alloc();
    await soon(() => expect(lockOf(other.portId)).toBeDefined());
    kill(other);
    await soon(() => {
      expect(isClaimed(other.portId)).toBe(false);
      expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0 } });
    });
  });

  it('does not take a thread for dead that detached, nor the one that has the port then', async () => {
    const other = await attach();
    pool.watch(ofTheWeb);
    await soon(() => expect(lockOf(other.portId)).toBeDefined());
    other.detach();
    const next = await attach();
    expect(next.portId).toBe(other.portId);
    const page = next.alloc();
    await soon(() => expect(lockOf(next.portId)).toBeDefined());
    await turns();
    expect(isClaimed(next.portId)).toBe(true);
    expect(next.refCount(page)).toBe(1);
    expect(lockOf(next.portId)).toMatch(/claim 2$/);
    kill(next);
    await soon(() => {
      expect(isClaimed(next.portId)).toBe(false);
    });
  });

  it('is reaped once where several watch, and by another when the watcher is gone, too', async () => {
    const [second, third] = [await attach(), await attach()];
    for (const each of [pool, second]) each.watch(ofTheWeb);
    third.alloc();
    await soon(() => expect(locks.held.length).toBe(3));
    kill(third);
    await soon(() => {
      expect(isClaimed(third.portId)).toBe(false);
    });
    second.alloc();
    kill(second);
    await soon(() => {
      expect(isClaimed(second.portId)).toBe(false);
      expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0 } });
    });
  });

  it('waits for no lock in Node, but asks again, until it stops watching', async () => {
    const { intervals, askAgain } = beNode();
    const [second, third] = [await attach(), await attach()];
    for (const each of [pool, second]) each.watch(ofTheWeb);
    third.alloc();
    await soon(() => expect(locks.held.length).toBe(3));
    expect(intervals.size).toBe(2);
    await askAgain();
    expect([isClaimed(second.portId), isClaimed(third.portId)]).toEqual([true, true]);
    kill(third);
    await turns();
    expect(isClaimed(third.portId)).toBe(true); // nobody has asked since
    await askAgain();
    expect(isClaimed(third.portId)).toBe(false);
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0 } });
    second.detach();
    expect(intervals.size).toBe(1);
    await askAgain();
    pool.destroy();
    expect(intervals.size).toBe(0);
    await turns();
    expect([locks.held, locks.pending]).toEqual([[], []]);
  });

  describe('and a thread whose own worker ended with it, before the lock of that one was granted', () => {
    const workerOf = (threadId: number) => Object.assign(new EventEmitter(), { threadId });
    /** A thread that watches one of its own; both hold a page. */
    async function family() {
      const { thread, askAgain } = beNode();
      const request = locks.request.bind(locks);
      vi.spyOn(locks, 'request').mockImplementation((name, options, callback) =>
        name.includes(' port 2 ') ? new Promise(() => {}) : request(name, options, callback),
      );
      pool.watch(ofTheWeb);
      thread.threadId = 5;
      const outer = await attach();
      outer.watch(workerOf(6));
      thread.threadId = 6;
      const inner = await attach();
      thread.threadId = 0;
      for (const each of [outer, inner]) each.alloc();
      expect(inner.portId).toBe(2);
      await soon(() => expect(lockOf(outer.portId)).toBeDefined());
      await askAgain();
      return { outer, inner, askAgain };
    }

    it('reaps both when the lock of the outer one is given away', async () => {
      const { outer, inner, askAgain } = await family();
      kill(outer);
      await askAgain();
      expect([isClaimed(outer.portId), isClaimed(inner.portId)]).toEqual([false, false]);
      expect(pool.audit()).toMatchObject({ balanced: true, exact: true, pages: { used: 0 } });
    });

    it('leaves the inner one alone when the outer one was only set aside', async () => {
      const { outer, inner } = await family();
      pool.reap(outer.portId, { force: true });
      expect(pool.audit().reaped).toEqual([outer.portId]);
      expect([isClaimed(outer.portId), isClaimed(inner.portId)]).toEqual([false, true]);
    });
  });

  it('gives up its waits and its lock when it detaches, and when it is destroyed', async () => {
    const other = await attach();
    pool.watch(ofTheWeb);
    await soon(() => {
      expect(locks.pending.length).toBe(1);
    });
    pool.detach();
    await soon(() => {
      expect(locks.pending).toEqual([]);
      expect(locks.held.length).toBe(1);
    });
    other.detach();
    await soon(() => {
      expect(locks.held).toEqual([]);
    });
    const next = PagePool.createSync();
    next.watch(ofTheWeb);
    await soon(() => {
      expect(locks.held.length).toBe(1);
    });
    await next.close();
    await soon(() => {
      expect([locks.held, locks.pending]).toEqual([[], []]);
    });
  });

  it('goes on without locks where they are refused', async () => {
    vi.spyOn(locks, 'request').mockRejectedValue(new DOMException('an opaque origin', 'SecurityError'));
    const other = await attach();
    expect(codeOf(() => pool.watch(ofTheWeb))).toBe(undefined);
    await turns();
    other.release(other.alloc());
    other.detach();
  });

  it('does not ask for a lock that its thread does not hold yet', async () => {
    // The first to ask for the other's lock is the other itself; it is granted late, as it may be.
    const request = locks.request.bind(locks);
    let grant: (() => void) | undefined;
    vi.spyOn(locks, 'request').mockImplementation(async (name, options, callback) => {
      if (name.includes(' port 1 ') && grant === undefined) {
        await new Promise<void>((resolve) => {
          grant = resolve;
        });
      }
      return request(name, options, callback);
    });
    pool.watch(ofTheWeb);
    const other = await attach();
    await turns();
    expect(lockOf(other.portId)).toBe(undefined);
    expect(isClaimed(other.portId)).toBe(true);
    grant?.();
    await soon(() => {
      expect(lockOf(other.portId)).toBeDefined();
    });
    kill(other);
    await soon(() => {
      expect(isClaimed(other.portId)).toBe(false);
    });
  });
});
