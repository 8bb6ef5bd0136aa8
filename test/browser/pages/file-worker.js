// Writes a page of the pool to a file of the origin's private file system, and reads it into another page.

import { PagePool } from './both.js';
import { Stamper } from './stamp.js';

self.onmessage = async ({ data: share }) => {
  const pool = PagePool.attach(share);
  const stamper = new Stamper(pool, 1);
  const [from, to] = [pool.alloc(), pool.alloc()];
  stamper.write(from, pool.pageBytes, 7);
  const folder = await navigator.storage.getDirectory();
  const handle = await folder.getFileHandle('page', { create: true });
  const file = await handle.createSyncAccessHandle();
  const written = file.write(pool.bytes(from), { at: 0 });
  const read = file.read(pool.bytes(to), { at: 0 });
  file.close();
  const isWhole = stamper.isWhole(to, pool.pageBytes, 7);
  pool.release(from);
  pool.release(to);
  pool.detach();
  self.postMessage({ written, read, isWhole });
};
