// Wants of other threads, and what comes home while the owner serves: a page that was home when it was wanted reaches
// the thread that wants it.

import { type MemoryProvider, PagePool } from 'pagepool';
import { expect, it } from 'vitest';
import { loadAnotherRealm } from '../../support/realm.js';

const PAGES = 5;

it('feeds a page that came home behind the look for such pages, and was wanted then', async () => {
  const kept = new Set<number>();
  let firstPage = 0;
  let meanwhile = (): void => {};
  const provider: MemoryProvider = {
    kind: 'one page',
    readable: true,
    detachable: true,
    init: (context) => {
      const byteLength = context.pool.pageBytes * PAGES;
      const area = context.addArea({ buffer: new SharedArrayBuffer(byteLength), byteLength }, PAGES);
      firstPage = area.firstPage;
      context.feed(Uint32Array.from({ length: PAGES }, (_, i) => firstPage + i));
    },
    // Of all pages it feeds the last one alone, when it has that.
    grow: (context) => {
      if (kept.delete(firstPage + PAGES - 1)) context.feed(Uint32Array.of(firstPage + PAGES - 1));
    },
    retire: (_, pages) => {
      for (const page of pages) kept.add(page);
      meanwhile();
    },
    describe: () => ({}),
    destroy: () => {},
  };
  const pool = PagePool.createSync({ provider, pageBytes: 4096, pageCount: PAGES, maxPorts: 2 });
  const realm = await loadAnotherRealm();
  const other = realm.PagePool.attach(pool.share());
  const handles = Array.from({ length: PAGES }, () => other.alloc());
  // With its last unpin a page goes back to its provider.
  const giveBack = (): void => {
    const handle = handles.shift() as number;
    const token = other.pin(handle);
    other.release(handle);
    other.unpin(token);
  };
  giveBack();
  // One look of the owner takes what came home, again and again. The last page comes home, and is wanted, behind that.
  meanwhile = () => {
    giveBack();
    if (handles.length === 0) {
      meanwhile = () => {};
      expect(other.alloc()).toBe(0);
    }
  };
  pool.poll();
  expect(kept.size).toBe(PAGES - 1);
  pool.poll();
  const handle = other.alloc();
  expect(handle).not.toBe(0);
  other.release(handle);
  other.detach();
  await pool.close();
});
