// The program of a variant's process, and of the thread that reads RecordWriter's pages.
//
//   record.worker.js CASE VARIANT     answers each number of records that its parent sends with a Run

import { openSync, writeSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Fragment, PagePool, type PoolShare } from 'pagepool';
import { packets, RecordWriter, records, textLines } from 'pagepool/packet';
import { answerRuns, countCollections } from '../harness/processes.js';
import { CASES, COLLECTED, DONE, LINE_BYTES, PIECE_BYTES, RECORD_BYTES, TURNS_ALONE } from './plan.js';

/** Sends that many records, or reads that many lines, to the end. */
type Round = (count: number) => Promise<unknown>;

interface Setup {
  readonly benchReader: { readonly share: PoolShare; readonly counters: Int32Array; readonly isEach: boolean };
}

// ---------------------------------------------------------------------------------- records

/** The reader of RecordWriter's pages. */
async function read({ share, counters, isEach }: Setup['benchReader']): Promise<void> {
  countCollections(counters, COLLECTED);
  const file = openSync('/dev/null', 'w');
  const pool = PagePool.attach(share);
  let seen = 0;
  for await (const message of packets(pool.channel('log'))) {
    const { length } = message;
    if (isEach) for (const record of records(message)) seen += record[0] as number;
    for (const view of message) writeSync(file, view);
    message.release();
    Atomics.add(counters, DONE, length);
    Atomics.notify(counters, DONE);
  }
  if (seen < 0) throw new Error('a record has no byte');
}

/** Texts that are not all the same string: nothing is encoded once for all of them. */
function texts(): readonly string[] {
  return Array.from({ length: 64 }, (_, i) => `${String(i).padEnd(RECORD_BYTES - 1, 'abcdefgh')}\n`);
}

/** Writes that many texts, some a turn of the event loop or all in one; `write` waits where there is no room. */
async function writeAll(count: number, perTurn: number, write: (text: string) => Promise<void> | void): Promise<void> {
  const all = texts();
  for (let i = 0; i < count; i++) {
    if (perTurn > 0 && i % perTurn === 0) await new Promise((resolve) => setImmediate(resolve));
    const waiting = write(all[i & 63] as string);
    if (waiting !== undefined) await waiting;
  }
}

async function pooled(counters: Int32Array, isEach: boolean, perTurn: number): Promise<Round> {
  const pool = await PagePool.create({ pageBytes: 65_536, pageCount: 64, channels: { log: {} } });
  const benchReader = { share: pool.share(), counters, isEach };
  new Worker(new URL(import.meta.url), { workerData: { benchReader } satisfies Setup });
  const writer = new RecordWriter(pool.channel('log'));
  const later = async (text: string): Promise<void> => {
    while (!writer.write(text)) await writer.flush();
  };
  return async (count) => {
    await writeAll(count, perTurn, (text) => (writer.write(text) ? undefined : later(text)));
    await writer.flush();
    await drained(counters, count);
  };
}

/** Resolves when the sink has written that many records. */
async function drained(counters: Int32Array, count: number): Promise<void> {
  for (;;) {
    const done = Atomics.load(counters, DONE);
    if (done >= count * RECORD_BYTES) return;
    await Promise.race([
      Atomics.waitAsync(counters, DONE, done).value,
      new Promise((resolve) => setTimeout(resolve, 20)),
    ]);
  }
}

/** A stream that takes texts: thread-stream's, pino's, sonic-boom's. */
interface Target {
  write(data: string): boolean;
  once(event: 'drain' | 'ready', listener: () => void): unknown;
  flush(done: (error?: Error | null) => void): void;
}

async function streamed(target: Target, perTurn: number, end: (count: number) => Promise<void>): Promise<Round> {
  await new Promise<void>((resolve) => target.once('ready', resolve));
  const drain = () => new Promise<void>((resolve) => target.once('drain', resolve));
  return async (count) => {
    await writeAll(count, perTurn, (text) => (target.write(text) ? undefined : drain()));
    await new Promise<void>((resolve, reject) => target.flush((error) => (error ? reject(error) : resolve())));
    await end(count);
  };
}

async function startRecords(variant: string, perTurn: number, counters: Int32Array): Promise<Round> {
  if (variant === TURNS_ALONE) return (count) => writeAll(count, perTurn, () => undefined);
  if (variant.startsWith('wasm')) return pooled(counters, variant !== 'wasm', perTurn);
  if (variant === 'thread-stream') {
    const { default: ThreadStream } = await import('thread-stream');
    const filename = new URL('./record-sink.worker.js', import.meta.url).href;
    const target = new ThreadStream({ filename, workerData: { counters } });
    return streamed(target, perTurn, (count) => drained(counters, count));
  }
  if (variant === 'sonic-boom') {
    const { default: SonicBoom } = await import('sonic-boom');
    return streamed(new SonicBoom({ dest: '/dev/null', minLength: 4096, sync: false }), perTurn, async () => {});
  }
  const { transport } = await import('pino');
  return streamed(transport({ target: 'pino/file', options: { destination: '/dev/null' } }), perTurn, async () => {});
}

// ---------------------------------------------------------------------------------- lines

/** One piece: whole lines, and the start of one that goes on in the next. */
function piece(): Buffer {
  const bytes = Buffer.alloc(PIECE_BYTES, 120);
  for (let i = LINE_BYTES - 1; i < PIECE_BYTES; i += LINE_BYTES) bytes[i] = 10;
  return bytes;
}

async function startLines(variant: string): Promise<Round> {
  const bytes = piece();
  const linesOf = Math.floor(PIECE_BYTES / LINE_BYTES);
  const pieces = (count: number) => Math.ceil(count / linesOf);
  let length = 0;
  const use = (line: string): void => {
    length += line.length;
  };
  const stream = (count: number) => Readable.from(Array(pieces(count)).fill(bytes), { objectMode: false });
  if (variant === 'readline, iterated') {
    return async (count) => {
      for await (const line of createInterface({ input: stream(count) })) use(line);
    };
  }
  if (variant.startsWith('readline')) {
    return (count) =>
      new Promise<void>((resolve) =>
        createInterface({ input: stream(count) })
          .on('line', use)
          .on('close', resolve),
      );
  }
  let source: (count: number) => Parameters<typeof textLines>[0] = stream;
  if (variant === 'wasm') {
    const pool = await PagePool.create({ pageBytes: PIECE_BYTES, pageCount: 4 });
    const page = pool.take() as Fragment;
    page.bytes.set(bytes);
    source = async function* (count) {
      for (let i = 0; i < pieces(count); i++) yield page.retain();
    };
  }
  return async (count) => {
    for await (const lines of textLines(source(count))) for (const line of lines) use(line);
    if (length < 0) throw new Error('a line has no length');
  };
}

// ---------------------------------------------------------------------------------- the process

async function measure(id: string, variant: string): Promise<void> {
  const found = CASES.find((each) => each.id === id && each.variants.includes(variant));
  if (found === undefined) throw new Error(`${id}, ${variant} (expected a case of the plan)`);
  const counters = new Int32Array(new SharedArrayBuffer(8));
  countCollections(counters, COLLECTED);
  const round = await (id === 'record.lines' ? startLines(variant) : startRecords(variant, found.perTurn, counters));
  process.on('disconnect', () => process.exit());
  answerRuns(counters, COLLECTED, async (count) => {
    Atomics.store(counters, DONE, 0);
    await round(count);
    return count;
  });
}

if (isMainThread) await measure(process.argv[2] as string, process.argv[3] as string);
else if ((workerData as Partial<Setup> | null)?.benchReader !== undefined)
  await read((workerData as Setup).benchReader);
