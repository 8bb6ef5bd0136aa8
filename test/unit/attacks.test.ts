// What an attack on the public interface once found: each stays refused, counted, or served.

import { PagePool, type PagePoolError } from 'pagepool';
import { describe, expect, it, vi } from 'vitest';

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  it('an open fragment page that nobody uses serves whole pages when the pool is empty', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 1 });
    pool.release(pool.allocFragment(100));
    const handle = pool.alloc();
    expect(handle).not.toBe(0);
    pool.release(handle);
    pool.release(pool.allocFragment(100));
    expect(pool.allocBulk(pool.words(1), 1)).toBe(true);
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true });
    await pool.close({ timeoutMs: 0 });
  });

  it('an open fragment page with users stays open when the pool is empty', () => {
    const pool = PagePool.createSync({ engine, pageCount: 1 });
    const first = pool.allocFragment(100);
    expect(pool.alloc()).toBe(0);
    const second = pool.allocFragment(100);
    expect(second).not.toBe(0);
    pool.release(first);
    pool.release(second);
    expect(pool.audit()).toMatchObject({ balanced: true, exact: true });
  });

  it('entries that a closed channel does not take back at detach are dropped and counted', async () => {
    const pool = PagePool.createSync({ engine, pageCount: 16, channels: { c: { capacity: 8, batch: 4 } } });
    const channel = pool.channel('c');
    const entries = Array.from({ length: 4 }, (_, tag) => [pool.alloc(), 0, 1, tag]).flat();
    expect(channel.sendBurst(Uint32Array.from(entries), 4)).toBe(4);
    channel.receive()?.release();
    channel.close();
    pool.detach();
    expect([channel.pending, channel.dropped]).toEqual([0, 3]);
  });

  it('a token is not reclaimed before its age, at any place in a second', () => {
    const pool = PagePool.createSync({ engine, pageCount: 1 });
    vi.useFakeTimers();
    for (let lentMs = 0; lentMs < 1000; lentMs += 37) {
      for (const ageMs of [1, 95, 500, 999]) {
        vi.setSystemTime(1_000_000_000_000 + lentMs);
        const token = pool.take()?.lend();
        vi.advanceTimersByTime(ageMs);
        expect(pool.reclaimTokens(1000)).toBe(0);
        pool.adopt(token as NonNullable<typeof token>).release();
      }
      pool.take()?.lend();
      vi.advanceTimersByTime(2000);
      expect(pool.reclaimTokens(1000)).toBe(1);
    }
    vi.useRealTimers();
  });

  it.each([
    1n,
    Symbol('handle'),
    Object.create(null),
    {
      valueOf: () => {
        throw new Error('valueOf');
      },
    },
  ])('what is no number is refused as an invalid argument (%#)', (value) => {
    const pool = PagePool.createSync({ engine, pageCount: 2 });
    const odd = value as number;
    const calls = [
      () => pool.release(odd),
      () => pool.retain(odd),
      () => pool.retain(pool.alloc(), odd),
      () => pool.allocFragment(odd),
      () => pool.area(odd),
      () => pool.offset(odd),
      () => pool.extent(odd),
      () => pool.refCount(odd),
      () => pool.isReadable(odd),
      () => pool.pin(odd),
      () => pool.unpin(odd),
      () => pool.bytes(odd),
      () => pool.fragment(odd),
    ];
    for (const call of calls) {
      const code = ((): unknown => {
        try {
          return call();
        } catch (error) {
          return (error as PagePoolError).code;
        }
      })();
      expect(code, call.toString()).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
  });
});
