// The program of a variant's process, and of the threads that serve.
//
//   call.worker.js VARIANT     answers each number of calls that its parent sends with a Run

import { isMainThread, Worker, workerData } from 'node:worker_threads';
import { type Fragment, PagePool, type PoolShare } from 'pagepool';
import 'pagepool/calls';
import { Piscina } from 'piscina';
import { answerRuns, countCollections } from '../harness/processes.js';
import { handle } from './handler.js';
import { CALL_BYTES, CALL_CASE, COLLECTED, IN_FLIGHT, SERVERS } from './plan.js';

interface Setup {
  readonly benchServer: { readonly share: PoolShare; readonly counters: Int32Array };
}

async function serve({ share, counters }: Setup['benchServer']): Promise<void> {
  countCollections(counters, COLLECTED);
  const pool = PagePool.attach(share);
  await pool.calls('work').serve(({ request, reply }) => handle(request.bytes, reply.bytes));
}

/** Reads all of a reply. */
function read(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i++) sum += bytes[i] as number;
  return sum;
}

async function pooled(counters: Int32Array, isInPlace: boolean): Promise<(turn: number) => Promise<number>> {
  const pool = await PagePool.create({ pageBytes: CALL_BYTES, pageCount: 64, calls: { work: {} } });
  const benchServer = { share: pool.share(), counters };
  for (let i = 0; i < SERVERS; i++) {
    new Worker(new URL(import.meta.url), { workerData: { benchServer } satisfies Setup });
  }
  const calls = pool.calls('work');
  const use = (reply: Fragment): number => {
    const sum = read(reply.bytes);
    reply.release();
    return sum;
  };
  if (isInPlace) {
    return async (turn) => {
      const request = await pool.takeAsync(CALL_BYTES);
      request.bytes.fill(turn);
      return use(await calls.call(request));
    };
  }
  return async (turn) => {
    const room = await calls.take(CALL_BYTES, CALL_BYTES);
    room.request.bytes.fill(turn);
    return use(await room.send());
  };
}

function posted(isMoved: boolean): (turn: number) => Promise<number> {
  const filename = new URL('./piscina.worker.js', import.meta.url).href;
  const piscina = new Piscina({ filename, minThreads: SERVERS, maxThreads: SERVERS, concurrentTasksPerWorker: 4 });
  const buffers = Array.from({ length: 256 }, () => new Uint8Array(CALL_BYTES));
  return async (turn) => {
    const request = isMoved ? new Uint8Array(CALL_BYTES) : (buffers[turn & 0xff] as Uint8Array);
    request.fill(turn);
    const transferList = isMoved ? [request.buffer as ArrayBuffer] : [];
    return read((await piscina.run({ request, isMoved }, { transferList })) as Uint8Array);
  };
}

async function measure(variant: string): Promise<void> {
  if (!CALL_CASE.variants.includes(variant as never)) throw new Error(`${variant} (expected a variant of the plan)`);
  const counters = new Int32Array(new SharedArrayBuffer(4));
  countCollections(counters, COLLECTED);
  const once = variant.startsWith('wasm')
    ? await pooled(counters, variant.endsWith('in place'))
    : posted(variant.endsWith('transferred'));
  process.on('disconnect', () => process.exit());
  answerRuns(counters, COLLECTED, async (count) => {
    let turn = 0;
    const ask = async (): Promise<void> => {
      while (turn < count) await once(turn++);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, ask));
    return count;
  });
}

const server = (workerData as Partial<Setup> | null)?.benchServer;
if (isMainThread) await measure(process.argv[2] as string);
else if (server !== undefined) await serve(server);
