// Slabs and the system's memory: more than 4 GiB of pages. LONG=1 makes the burst of memory.test.ts 2 GiB.

import { PagePool } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { describe, expect, it } from 'vitest';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

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
