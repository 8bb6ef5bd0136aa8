// Log lines of many threads to one shipper, which sends them to a collector over TCP, as many as there are in one
// write: RecordWriter in the producers, textLines in the collector.
//
//   npm run build && node scripts/run-ts.mjs examples/log-shipper/main.ts [PRODUCERS] [LINES]
//
// Producers write lines into pages, many to a page; nothing is copied until the kernel takes it, and a page is free
// again when that is done. The collector here counts the lines and checks that each producer's are all there, in order.

import { once } from 'node:events';
import { type AddressInfo, connect, createServer } from 'node:net';
import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { fragments, serveInto, writePacket } from 'pagepool/node';
import { Packet, textLines } from 'pagepool/packet';

const [producers = 4, count = 5000] = process.argv.slice(2).map(Number);
const PARTS_MAX = 64;

const pool = await PagePool.create({
  name: 'log',
  pageBytes: 16_384,
  pageCount: 256,
  channels: { log: { capacity: 128 } },
});
const log = pool.channel('log');

// The collector: it has a pool of its own, as a program elsewhere would.
const inbox = await PagePool.create({ name: 'collector', pageBytes: 65_536, pageCount: 16 });
const next = new Map<string, number>();
let collected = 0;
let misplaced = 0;
const server = createServer();
server.listen(0, '127.0.0.1');
await once(server, 'listening');
const collecting = once(server, 'connection').then(async ([socket]) => {
  const source = fragments((onFragment, signal) => serveInto(inbox, socket, onFragment, { signal }).finished);
  for await (const lines of textLines(source)) {
    for (const line of lines) {
      const [producer = '', number] = line.split(' ', 2);
      if (Number(number) !== (next.get(producer) ?? 0)) misplaced++;
      next.set(producer, Number(number) + 1);
    }
    collected += lines.length;
  }
});

const workers = Array.from({ length: producers }, (_, producer) => {
  const worker = new Worker(new URL('./worker.js', import.meta.url), {
    workerData: { share: pool.share(), producer, count },
  });
  pool.watch(worker);
  return once(worker, 'exit');
});
void Promise.all(workers).then(() => log.close());

// The shipper: what is there goes into one packet, and one write. A page's window has the lines' bytes and no more.
const socket = connect((server.address() as AddressInfo).port, '127.0.0.1');
let writes = 0;
for (let first = await log.next(); first !== null; first = await log.next()) {
  const packet = new Packet().append(first);
  while (packet.parts < PARTS_MAX) {
    const more = log.receive();
    if (more === null) break;
    packet.append(more);
  }
  await writePacket(socket, packet);
  writes++;
}
socket.end();
await collecting;
server.close();

const audits = [pool.audit(), inbox.audit()];
const isHome = audits.every(({ balanced, references }) => balanced && references.ledgers === 0);
console.log(`${collected} lines of ${producers} producers in ${writes} writes; out of order: ${misplaced}`);
console.log(isHome ? 'no page is missing' : 'PAGES ARE MISSING');
await Promise.all([pool.close({ timeoutMs: 60_000 }), inbox.close({ timeoutMs: 2000 })]);
process.exitCode = isHome && misplaced === 0 && collected === producers * count ? 0 : 1;
