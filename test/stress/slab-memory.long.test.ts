// Slabs and the system's memory: more than 4 GiB of pages, and RSS that falls after a burst. In npm run test:long.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PagePool, slabs } from 'pagepool';
import { describe, expect, it } from 'vitest';

const program = fileURLToPath(new URL('../support/burst.mjs', import.meta.url));
const entry = new URL('../../build/index.js', import.meta.url).href;
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

describe('after a burst to 2 GiB', () => {
  it('RSS falls back to the low-water mark plus 10 % by idling alone', async () => {
    const keepBytes = 256 * MIB;
    const args = ['--expose-gc', program, entry, String(2 * GIB), String(keepBytes)];
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    const { highBytes, lowBytes, keptBytes, isDestroyed } = JSON.parse(stdout);
    console.log(
      `RSS above the start: ${Math.round(highBytes / MIB)} MiB at its highest, ${Math.round(lowBytes / MIB)} MiB after idling`,
    );
    expect(highBytes).toBeGreaterThan(2 * GIB);
    expect(keptBytes).toBe(keepBytes);
    expect(lowBytes).toBeLessThan(keepBytes * 1.1);
    expect(isDestroyed).toBe(true);
  });
});
