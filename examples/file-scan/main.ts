// Scans a file of any size with workers, in memory that does not grow with it: counts its lines.
//
//   npm run build && node scripts/run-ts.mjs examples/file-scan/main.ts FILE
//
// The kernel reads into pages, the workers look at them, the pages go round. 16 MiB are enough for 10 GB.

import { once } from 'node:events';
import { statSync } from 'node:fs';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { readFileInto } from 'pagepool/node';

/** What a worker saw. */
interface Seen {
  readonly bytes: number;
  readonly lines: number;
}

const WORKERS = 2;
const path = process.argv[2] ?? process.execPath;
const pool = await PagePool.create({
  name: 'scan',
  pageBytes: 262_144,
  pageCount: 64,
  channels: { scan: { capacity: 32, batch: 1 } },
});
const scan = pool.channel('scan');
const workers = Array.from({ length: WORKERS }, () => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: pool.share() });
  pool.watch(worker);
  return worker;
});
const seen = Promise.all(workers.map(async (worker) => (await once(worker, 'message'))[0] as Seen));

// Memory is compared with what it was when a twentieth was read: threads and pages are all there then.
let read = 0;
let early = 0;
let peak = 0;
const { size } = statSync(path);
const sampler = setInterval(() => {
  if (read < size / 20) return;
  early ||= process.memoryUsage.rss();
  peak = Math.max(peak, process.memoryUsage.rss());
}, 10);
const started = performance.now();
const bytes = await readFileInto(pool, path, (fragment) => {
  read += fragment.length;
  return scan.sendFragment(fragment) ? undefined : scan.sendAsync(fragment);
});
clearInterval(sampler);
scan.close();
const parts = await seen;
const seconds = (performance.now() - started) / 1000;
await Promise.all(workers.map((worker) => worker.terminate()));
const sum = (key: keyof Seen) => parts.reduce((total, part) => total + part[key], 0);

const { balanced, references } = pool.audit();
console.log(`${bytes} bytes, ${sum('lines')} lines, ${(bytes / 1e9 / seconds).toFixed(2)} GB/s`);
console.log(`memory grew by ${((peak - early) / 1024 ** 2).toFixed(1)} MiB while it was read`);
console.log(balanced && references.ledgers === 0 ? 'no page is missing' : 'PAGES ARE MISSING');
await pool.close({ timeoutMs: 60_000 });
process.exitCode = balanced && references.ledgers === 0 && sum('bytes') === bytes ? 0 : 1;
