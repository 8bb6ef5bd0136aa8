// A decoder's memory as an area of pages, given to a thread that is not trusted; ends with 1 when a byte or a page is
// missing.
//
// npm run build && node scripts/run-ts.mjs examples/user-area/main.ts

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { UserQueue, userArea } from 'pagepool/user-area';
import { addPiece, type Total } from '../providers/consumer.js';

const PAGE_BYTES = 4096;
const PAGES = 32;
const PIECES = 2000;

// Somebody else's memory: 64 KiB that are not ours, and then a heap that we may cut pages from.
const decoder = new WebAssembly.Memory({ initial: 4, maximum: 8, shared: true });
const provider = userArea(decoder, { byteOffset: 65536, byteLength: PAGES * PAGE_BYTES });
const pool = await PagePool.create({ pageBytes: PAGE_BYTES, pageCount: PAGES, provider });

const queue = new UserQueue(pool, { completions: 64 });
const worker = new Worker(new URL('./worker.js', import.meta.url), { workerData: queue.share() });
worker.once('exit', () => queue.scrub()); // whatever it did, and however it ended
const answer = once(worker, 'message') as Promise<[Total]>;

const sent: Total = { pieces: 0, bytes: 0, sum: 0 };
while (sent.pieces < PIECES) {
  await queue.waitRoom();
  const tag = sent.pieces + 1;
  if (sent.pieces % 10 === 0) {
    // Bytes that lie elsewhere are copied into pages of the area.
    const elsewhere = new Uint8Array(500).fill(tag);
    if (queue.giveCopy(elsewhere, tag) === elsewhere.length) addPiece(sent, elsewhere);
    continue;
  }
  const fragment = await pool.takeAsync(1 + ((tag * 37) % PAGE_BYTES));
  fragment.bytes.fill(tag);
  const before = { ...sent };
  addPiece(sent, fragment.bytes); // now: what it is given the consumer may change
  if (queue.give(fragment.handle, 0, fragment.length, tag)) continue;
  Object.assign(sent, before);
  fragment.release(); // no room: the reference is still ours
}

queue.end(); // nothing more is given; what is inside can still be received
const [came] = await answer;
const missing = await queue.close({ timeoutMs: 60_000 });
const { balanced } = pool.audit();
const { isDestroyed } = await pool.close({ timeoutMs: 60_000 });
const isWhole = came.pieces === sent.pieces && came.bytes === sent.bytes && came.sum === sent.sum;
console.log(
  `${came.pieces} pieces, ${came.bytes} bytes, ${isWhole ? 'each as it was given' : 'NOT as they were given'}`,
);
console.log(
  `taken back by the scrub: ${missing}; audit ${balanced ? 'balanced' : 'NOT balanced'}; pool ${isDestroyed ? 'closed' : 'NOT closed'}`,
);
process.exitCode = isWhole && missing === 0 && balanced && isDestroyed ? 0 : 1;
