// The program of a variant's process, of its workers, and of the process that sends.
//
//   source.worker.js CASE VARIANT     answers each number of bytes that its parent sends with a Run
//   source.worker.js send             tells its parent a port, and serves as many bytes as a client asks for

import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createReadStream, mkdtempSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { type Channel, type Fragment, PagePool, type PoolShare } from 'pagepool';
import { connectInto, readFileInto } from 'pagepool/node';
import { answerRuns, countCollections } from '../harness/processes.js';
import { CASES, READ_BYTES, SCAN_PAGE_BYTES, type SourceCase, WINDOW_BYTES, WORKERS } from './plan.js';

/** Shared counters: bytes that workers are done with, bytes of the pass, microseconds of collections. */
const DONE = 0;
const EXPECTED = 1;
const COLLECTED = 2;

interface Setup {
  readonly counters: Int32Array;
  readonly share: PoolShare | null;
}

/** Receives a pass of so many bytes, and hands them to the workers. */
type Pass = (bytes: number) => Promise<void>;

// ---------------------------------------------------------------------------------- the workers

function runWorker({ counters, share }: Setup): void {
  countCollections(counters, COLLECTED);
  if (share !== null) void runPoolWorker(PagePool.attach(share), counters);
  else runPostWorker(counters);
}

/** A record was looked at. Whoever is done with the last one of a pass says so. */
function finish(counters: Int32Array, bytes: number): void {
  if (Atomics.add(counters, DONE, bytes) + bytes === Atomics.load(counters, EXPECTED)) Atomics.notify(counters, DONE);
}

async function runPoolWorker(pool: PagePool, counters: Int32Array): Promise<void> {
  const work = pool.channel('work');
  const entries = pool.words(4 * 32);
  const handles = pool.words(32);
  let sum = 0;
  for (;;) {
    const count = work.receiveBurst(entries, 32);
    if (count === 0) {
      const fragment = await work.next();
      if (fragment === null) return;
      sum = (sum + (fragment.bytes[0] as number)) | 0;
      fragment.release();
      finish(counters, fragment.length);
      continue;
    }
    let bytes = 0;
    for (let i = 0; i < count; i++) {
      const handle = entries[4 * i] as number;
      sum = (sum + (pool.area(handle)[pool.offset(handle) + (entries[4 * i + 1] as number)] as number)) | 0;
      bytes += entries[4 * i + 2] as number;
      handles[i] = handle;
    }
    pool.releaseBulk(handles, count);
    finish(counters, bytes);
  }
}

function runPostWorker(counters: Int32Array): void {
  let sum = 0;
  let unacked = 0;
  parentPort?.on('message', (record: Uint8Array) => {
    sum = (sum + (record[0] as number)) | 0;
    finish(counters, record.length);
    unacked += record.length;
    if (unacked >= WINDOW_BYTES / 8 / WORKERS || Atomics.load(counters, DONE) === Atomics.load(counters, EXPECTED)) {
      parentPort?.postMessage(unacked);
      unacked = 0;
    }
  });
}

function startWorkers(setup: Setup): Worker[] {
  const file = new URL(import.meta.url);
  return Array.from({ length: WORKERS }, () => new Worker(file, { workerData: setup }));
}

// ---------------------------------------------------------------------------------- pagepool

async function pooled({ recordBytes }: SourceCase, counters: Int32Array, port: number): Promise<Pass> {
  const capacity = Math.floor(WINDOW_BYTES / (recordBytes || READ_BYTES));
  const pool = await PagePool.create({
    pageBytes: READ_BYTES,
    pageCount: WINDOW_BYTES / READ_BYTES + 32,
    channels: { work: { capacity, batch: recordBytes === 0 ? 1 : 32 } },
  });
  startWorkers({ counters, share: pool.share() });
  const work = pool.channel('work');
  const cutter = recordBytes === 0 ? null : new Cutter(pool, work, recordBytes);
  const whole = (fragment: Fragment) => (work.sendFragment(fragment) ? undefined : sendLater(work, fragment));
  return async (bytes) => {
    const { socket, finished } = connectInto(
      pool,
      { port, host: '127.0.0.1' },
      cutter === null ? whole : (fragment) => cutter.came(fragment),
      cutter === null ? {} : { minRoomBytes: 1 },
    );
    ask(socket, bytes);
    await finished;
    await cutter?.end();
  };
}

async function sendLater(work: Channel, fragment: Fragment): Promise<void> {
  while (!work.sendFragment(fragment)) await work.waitRoom();
}

/** Cuts pages into records as they fill, and sends those in bursts of numbers. */
class Cutter {
  readonly #entries: Uint32Array;
  #page = 0;
  #filled = 0;
  #cut = 0;
  /** References of the page that are left for records. */
  #left = 0;

  constructor(
    readonly pool: PagePool,
    readonly work: Channel,
    readonly recordBytes: number,
  ) {
    this.#entries = pool.words(4 * 32);
  }

  came(fragment: Fragment): void | Promise<void> {
    if (fragment.offset === 0) {
      this.#page = fragment.handle;
      this.#cut = 0;
      this.#left = READ_BYTES / this.recordBytes;
      this.pool.retain(fragment.handle, this.#left);
    }
    this.#filled = fragment.offset + fragment.length;
    fragment.release();
    if (!this.#send()) return this.#later();
  }

  async #later(): Promise<void> {
    while (!this.#send()) await this.work.waitRoom();
  }

  /** After a pass, whose records end with it. */
  async end(): Promise<void> {
    for (; this.#left > 0; this.#left--) this.pool.release(this.#page);
  }

  #send(): boolean {
    const { recordBytes } = this;
    for (;;) {
      const count = Math.min(32, Math.floor((this.#filled - this.#cut) / recordBytes));
      if (count === 0) return true;
      for (let i = 0; i < count; i++) {
        this.#entries[4 * i] = this.#page;
        this.#entries[4 * i + 1] = this.#cut + i * recordBytes;
        this.#entries[4 * i + 2] = recordBytes;
      }
      const sent = this.work.sendBurst(this.#entries, count);
      this.#cut += sent * recordBytes;
      this.#left -= sent;
      if (sent < count) return false;
    }
  }
}

// ---------------------------------------------------------------------------------- postMessage

function posted({ recordBytes }: SourceCase, isTransferred: boolean, counters: Int32Array, port: number): Pass {
  const workers = startWorkers({ counters, share: null });
  const onWay = workers.map(() => 0);
  let goOn = () => {};
  workers.forEach((worker, i) => {
    worker.on('message', (bytes: number) => {
      onWay[i] = (onWay[i] as number) - bytes;
      goOn();
    });
  });
  const post = (record: Uint8Array): void => {
    const i = (onWay[0] as number) <= (onWay[1] as number) ? 0 : 1;
    onWay[i] = (onWay[i] as number) + record.length;
    (workers[i] as Worker).postMessage(record, isTransferred ? [record.buffer as ArrayBuffer] : []);
  };
  return (bytes) =>
    new Promise((resolve, reject) => {
      let rest = new Uint8Array(0);
      const socket = connect({ port, host: '127.0.0.1' });
      ask(socket, bytes);
      const isFull = () => (onWay[0] as number) + (onWay[1] as number) >= WINDOW_BYTES;
      goOn = () => {
        if (!isFull()) socket.resume();
      };
      socket.on('data', (chunk: Buffer<ArrayBuffer>) => {
        if (recordBytes === 0) post(chunk);
        else rest = cut(rest, chunk, recordBytes, post);
        if (isFull()) socket.pause();
      });
      socket.on('end', resolve).on('error', reject);
    });
}

/** Posts each whole record in memory of its own: a view would take all of its buffer along. What is left over. */
function cut(
  rest: Uint8Array,
  chunk: Buffer<ArrayBuffer>,
  recordBytes: number,
  post: (record: Uint8Array) => void,
): Uint8Array<ArrayBuffer> {
  let at = 0;
  if (rest.length > 0) {
    at = Math.min(recordBytes - rest.length, chunk.length);
    const record = new Uint8Array(rest.length + at);
    record.set(rest);
    record.set(chunk.subarray(0, at), rest.length);
    if (record.length < recordBytes) return record;
    post(record);
  }
  for (; at + recordBytes <= chunk.length; at += recordBytes) {
    post(Uint8Array.prototype.slice.call(chunk, at, at + recordBytes));
  }
  return Uint8Array.prototype.slice.call(chunk, at) as Uint8Array<ArrayBuffer>;
}

// ---------------------------------------------------------------------------------- files

async function scanned(isPooled: boolean): Promise<Pass> {
  const path = join(mkdtempSync(join(tmpdir(), 'pagepool-bench-')), 'file');
  process.on('exit', () => rmSync(join(path, '..'), { recursive: true, force: true }));
  process.on('SIGTERM', () => process.exit(0));
  writeFileSync(path, new Uint8Array(0));
  const ready = (bytes: number) => {
    if (statSync(path).size === bytes) return;
    truncateSync(path);
    writeFileSync(path, Buffer.alloc(bytes, 65));
  };
  if (!isPooled) {
    return async (bytes) => {
      ready(bytes);
      await new Promise<void>((resolve, reject) => {
        createReadStream(path)
          .on('data', (chunk) => {
            if (chunk.includes(10 as never)) reject(new Error('found'));
          })
          .on('end', resolve)
          .on('error', reject);
      });
    };
  }
  const pool = await PagePool.create({ pageBytes: SCAN_PAGE_BYTES, pageCount: 16 });
  const { indexOf } = Buffer.prototype; // the platform's own search, as createReadStream's chunks have it
  return async (bytes) => {
    ready(bytes);
    await readFileInto(pool, path, (fragment) => {
      if (indexOf.call(fragment.bytes, 10) !== -1) throw new Error('found');
      fragment.release();
    });
  };
}

// ---------------------------------------------------------------------------------- the process

function ask(socket: Socket, bytes: number): void {
  socket.setNoDelay(true);
  const request = new Uint8Array(4);
  new DataView(request.buffer).setUint32(0, bytes);
  socket.write(request);
}

/** Serves as many bytes as the first word of a connection says. */
function send(): void {
  const block = Buffer.alloc(1024 * 1024, 65);
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (request) => {
      let left = request.readUInt32BE(0);
      const go = (): void => {
        while (left > 0) {
          const bytes = Math.min(left, block.length);
          left -= bytes;
          if (!socket.write(block.subarray(0, bytes))) return void socket.once('drain', go);
        }
        socket.end();
      };
      go();
    });
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}

async function measure(id: string, variant: string): Promise<void> {
  const one = CASES.find((each) => each.id === id) as SourceCase;
  const counters = new Int32Array(new SharedArrayBuffer(16));
  countCollections(counters, COLLECTED);
  const isPooled = variant === 'wasm';
  let sender: ChildProcess | undefined;
  let pass: Pass;
  if (one.kind === 'file') pass = await scanned(isPooled);
  else {
    sender = fork(fileURLToPath(import.meta.url), ['send']);
    const [port] = (await once(sender, 'message')) as [number];
    pass = isPooled
      ? await pooled(one, counters, port)
      : posted(one, variant === 'postMessage, transferred', counters, port);
  }
  process.on('disconnect', () => process.exit());
  answerRuns(counters, COLLECTED, async (bytes) => {
    Atomics.store(counters, DONE, 0);
    Atomics.store(counters, EXPECTED, bytes);
    await pass(bytes);
    while (one.kind === 'tcp' && Atomics.load(counters, DONE) < bytes) {
      await Promise.race([
        Atomics.waitAsync(counters, DONE, Atomics.load(counters, DONE)).value,
        new Promise((resolve) => setTimeout(resolve, 20)),
      ]);
    }
    return bytes / (one.recordBytes || READ_BYTES);
  });
}

if (!isMainThread) runWorker(workerData as Setup);
else if (process.argv[2] === 'send') send();
else await measure(process.argv[2] as string, process.argv[3] as string);
