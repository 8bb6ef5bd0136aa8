// A program that ends while records are pending: which way is its argument, what arrived is in the file of the second.
//
// The reader is a thread of its own, and writes what it has read by fs.writeSync before it releases the page. The test
// (record-exit.test.ts) compares the file with what was written.

import { openSync, writeSync } from 'node:fs';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { PagePool } from '../../../build/index.js';
import { packets, RecordWriter, records } from '../../../build/packet.js';

const RECORDS = 1000;
/** A word that says that the reader may begin. */
const GATE = 0;

async function read({ share, path, gate }) {
  const pool = PagePool.attach(share);
  const file = openSync(path, 'a');
  parentPort.postMessage('ready');
  Atomics.wait(gate, GATE, 0);
  for await (const message of packets(pool.channel('log'))) {
    for (const record of records(message)) writeSync(file, record);
    message.release();
  }
  pool.detach();
}

/** Writes records into the channel and ends this thread without a word. */
function writeAndEnd({ share }) {
  const writer = new RecordWriter(PagePool.attach(share).channel('log'), { flushMs: 60_000 });
  process.on('exit', () => parentPort.postMessage({ isWhole: writer.flushSync() }));
  writeAll(writer);
  process.exit(0);
}

function writeAll(writer, count = RECORDS) {
  for (let i = 0; i < count; i++) {
    while (!writer.write(`record ${i}\n`)) if (!writer.flushSync()) throw new Error('nobody reads');
  }
}

/** Writes as many as go without room for more. */
function fill(writer) {
  let written = 0;
  while (writer.write(`record ${written}\n`)) written++;
  return written;
}

const [way, path] = process.argv.slice(2);

/** What each way does when the reader is ready; it returns what it printed at the end beside the file. */
const ways = {
  'the program is over': ({ writer }) => writeAll(writer),
  'process.exit': ({ writer }) => {
    writeAll(writer);
    process.exit(0);
  },
  'an error that nobody caught': ({ writer }) => {
    writeAll(writer);
    setImmediate(() => {
      throw new Error('as it was meant');
    });
  },
  'a full channel, and a full page': ({ writer, report }) => {
    report.written = fill(writer);
    process.exit(0);
  },
  'a wait under way': async ({ writer, report }) => {
    report.written = fill(writer);
    await Promise.race([
      writer.flush({ timeoutMs: 1 }).catch(() => {}),
      new Promise((resolve) => setTimeout(resolve, 5)),
    ]);
    void writer.flush();
    setImmediate(() => process.exit(0));
  },
  'a record of several pages': ({ writer, report }) => {
    report.written = 1;
    const text = 'x'.repeat(700);
    writer.write(`${text}\n`);
    process.exit(0);
  },
  'a reader that is dead': async ({ writer, worker, report }) => {
    writeAll(writer, 5);
    await worker.terminate();
    report.timeoutMs = 20;
    process.exit(0);
  },
  'a pool that closes': ({ writer, pool, report }) => {
    writeAll(writer, 5);
    pool.destroy();
    report.written = 0;
    process.exit(0);
  },
  // No listener sends: the program lives until its timer has.
  flushMs: ({ writer, report, gate }) => {
    report.sends = false;
    open(gate);
    writer.write('record 0\n');
    report.written = 1;
  },
  'flushMs without ref': ({ pool, report }) => {
    report.sends = false;
    report.other = new RecordWriter(pool.channel('log'), { flushMs: 60_000, ref: false });
    report.other.write('record 0\n');
    report.written = 0;
  },
};

function open(gate) {
  Atomics.store(gate, GATE, 1);
  Atomics.notify(gate, GATE);
}

if (!isMainThread) {
  if (workerData.isWriter) writeAndEnd(workerData);
  else await read(workerData);
} else if (way === 'a thread that ends') {
  const pool = await PagePool.create({ pageBytes: 256, pageCount: 8, channels: { log: { capacity: 2 } } });
  const worker = new Worker(new URL(import.meta.url), { workerData: { isWriter: true, share: pool.share() } });
  worker.on('message', ({ isWhole }) =>
    console.log(JSON.stringify({ isWhole, pending: 0, dropped: 0, written: RECORDS })),
  );
  worker.on('exit', () => pool.channel('log').close());
  const file = openSync(path, 'a');
  for await (const message of packets(pool.channel('log'))) {
    for (const record of records(message)) writeSync(file, record);
    message.release();
  }
} else {
  const pool = await PagePool.create({ pageBytes: 256, pageCount: 8, channels: { log: { capacity: 3, batch: 3 } } });
  const gate = new Int32Array(new SharedArrayBuffer(4));
  const worker = new Worker(new URL(import.meta.url), { workerData: { share: pool.share(), path, gate } });
  worker.unref();
  pool.watch(worker);
  // As a logger does: the records go out with the process, whoever ends it.
  const options = way === 'flushMs' ? { flushMs: 1 } : { flushMs: 60_000, ref: false };
  const writer = new RecordWriter(pool.channel('log'), options);
  const report = { written: RECORDS, sends: true };
  process.on('exit', () => {
    open(gate);
    const isWhole = report.sends ? writer.flushSync(report.timeoutMs) : null;
    const { pending, dropped } = report.other ?? writer;
    console.log(JSON.stringify({ isWhole, pending, dropped, written: report.written }));
  });
  worker.ref();
  await new Promise((resolve) => worker.once('message', resolve));
  worker.unref();
  // Ways that fill the channel begin with a reader that stands still.
  if (['the program is over', 'process.exit', 'an error that nobody caught'].includes(way)) open(gate);
  await ways[way]({ writer, pool, worker, report, gate });
}
