// Creates and closes many pools one after the other, all pages touched, and prints the resident memory after each.
//
//   node --expose-gc close-many.mjs <entry> <engine> <count> <what is kept: nothing | objects | memory> <MiB of each>
//
// `objects` keeps every closed PagePool, which must hold no pages any more; `memory` keeps the memories themselves: the
// control.

const [, , entry, engine, count, kept, mib] = process.argv;
const { PagePool } = await import(entry);
const PAGES = Number(mib);
const keepers = [];
const residentBytes = [];

for (let i = 0; i < Number(count); i++) {
  let pool = await PagePool.create({ engine, pageBytes: 2 ** 20, pageCount: PAGES, maxPorts: 2, channels: { a: {} } });
  const handles = [];
  for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) {
    const bytes = pool.bytes(handle);
    for (let at = 0; at < bytes.length; at += 4096) bytes[at] = i;
    handles.push(handle);
  }
  if (handles.length !== PAGES) throw new Error(`${handles.length} pages`);
  if (kept === 'memory') keepers.push(pool.share().memory);
  // Waits of every kind are under way when it closes.
  const waits = [pool.channel('a').next(), pool.takeAsync().catch(() => {})];
  const pin = pool.pin(handles[0]);
  const closed = pool.close();
  for (const handle of handles) pool.release(handle);
  pool.unpin(pin);
  const { isDestroyed } = await closed;
  if (!isDestroyed) throw new Error('not destroyed');
  await Promise.all(waits);
  if (kept === 'objects') keepers.push(pool);
  pool = undefined;
  handles.length = 0;
  await new Promise((resolve) => setTimeout(resolve, 1));
  globalThis.gc();
  await new Promise((resolve) => setImmediate(resolve));
  residentBytes.push(process.memoryUsage.rss());
}
if (kept !== 'nothing' && keepers.length !== Number(count)) throw new Error('nothing was kept');
console.log(JSON.stringify(residentBytes));
