// Slabs and the system's memory: more than 4 GiB of pages, and RSS that falls after a burst. In npm run test:long.

import { PagePool, slabs } from 'pagepool';
import { describe, expect, it } from 'vitest';

const later = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const MIB = 1024 * 1024;
const GIB = 1024 * MIB;
const collect = (globalThis as { gc?: () => void }).gc as () => void;

describe('8 GiB of pages', () => {
  it.each([2 * MIB, 64 * MIB, GIB])(
    'in slabs of %d bytes are touched at both ends, each in its own place',
    async (slabBytes) => {
      const pageBytes = 2 * MIB;
      const pageCount = (8 * GIB) / pageBytes;
      const pool = await PagePool.create({
        provider: slabs({ slabBytes, keepBytes: 0 }),
        pageBytes,
        pageCount,
        maxPorts: 2,
      });
      const handles = Array.from({ length: pageCount }, () => pool.alloc());
      expect(handles.every((handle) => handle !== 0)).toBe(true);
      expect(pool.alloc()).toBe(0);
      for (const [i, handle] of handles.entries()) {
        const bytes = pool.bytes(handle);
        bytes[0] = i & 0xff;
        bytes[pageBytes - 1] = (i >>> 8) | 0x80;
      }
      const wrong = handles.filter((handle, i) => {
        const bytes = pool.bytes(handle);
        const area = pool.area(handle);
        const start = pool.offset(handle);
        return (
          bytes[0] !== (i & 0xff) ||
          bytes[pageBytes - 1] !== ((i >>> 8) | 0x80) ||
          area[start] !== (i & 0xff) ||
          area[start + pageBytes - 1] !== ((i >>> 8) | 0x80)
        );
      });
      expect(wrong).toEqual([]);
      expect(pool.stats().provider.owner?.areas).toBe((8 * GIB) / Math.max(slabBytes, pageBytes));
      for (const handle of handles) pool.release(handle);
      pool.trim();
      expect(pool.audit()).toMatchObject({ errors: [], balanced: true });
      expect(await pool.close()).toMatchObject({ isDestroyed: true });
    },
  );
});

describe('after a burst to 2 GiB', () => {
  it('RSS falls back to the low-water mark plus 10 % by idling alone', async () => {
    const keepBytes = 256 * MIB;
    const pageBytes = 64 * 1024;
    const provider = slabs({ slabBytes: 32 * MIB, keepBytes, idleMs: 200 });
    const pool = await PagePool.create({ provider, pageBytes, pageCount: (2 * GIB) / pageBytes, maxPorts: 4 });
    collect();
    await later(1000); // what other tests left is given back
    collect();
    const before = process.memoryUsage.rss();
    const handles = Array.from({ length: (2 * GIB) / pageBytes }, () => pool.alloc());
    for (const handle of handles) pool.bytes(handle).fill(1);
    const high = process.memoryUsage.rss() - before;
    expect(high).toBeGreaterThan(1.9 * GIB);
    for (const handle of handles) pool.release(handle);
    await later(1500);
    expect(provider.describe()).toMatchObject({ bytes: keepBytes });
    collect(); // dropped buffers are garbage: the collector gives them back when it runs
    await later(500);
    const low = process.memoryUsage.rss() - before;
    console.log(
      `RSS above the start: ${Math.round(high / MIB)} MiB at its highest, ${Math.round(low / MIB)} MiB after idling`,
    );
    expect(low).toBeLessThan(keepBytes * 1.1);
    await pool.close();
  });
});
