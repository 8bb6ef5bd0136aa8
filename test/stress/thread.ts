// One thread of the stress test: stamps pages and fragments, hands them on, checks and releases what it gets, until
// told to stop.
//
// Runs in a worker, from the bundle: the public interface alone. Everything it takes and gives is counted, so that the
// main thread can explain each reference at the end.

import { parentPort, workerData } from 'node:worker_threads';
import type { Channel, FragmentToken, PagePool as Pool, PoolShare } from 'pagepool';
import { WORD } from './words.js';

interface Setup {
  readonly entry: string;
  readonly share: PoolShare;
  readonly engine: 'wasm' | 'typescript';
  readonly index: number;
  readonly threads: number;
  readonly seed: number;
  readonly words: Int32Array;
}

const { entry, share, engine, index, threads, seed, words: shared } = workerData as Setup;
const { PagePool } = (await import(entry)) as { PagePool: typeof Pool };
const pool = PagePool.attach({ ...share, engine } as PoolShare, { label: `thread ${index}` });
const inbox = pool.channel(`to${index}`);
const outboxes = Array.from({ length: threads }, (_, i) => pool.channel(`to${i}`));

const total = { allocated: 0, sent: 0, received: 0, lent: 0, adopted: 0, released: 0, retained: 0, torn: 0, empty: 0 };
const words = pool.words(4 * 32);
const arrived = pool.words(4 * 32);
let state = seed >>> 0;
let sequence = 0;

function random(below: number): number {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

function view(handle: number): Uint32Array {
  const bytes = pool.bytes(handle);
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
}

/** Every word of the fragment says who wrote it, and when. */
function stamp(handle: number): void {
  sequence = (sequence + 1) & 0xffffff;
  view(handle).fill(((index + 1) << 24) | sequence);
}

function verify(handle: number): void {
  const content = view(handle);
  const [first = 0] = content;
  let isTorn = first >>> 24 === 0 || first >>> 24 > threads;
  for (let i = 1; i < content.length; i++) isTorn ||= content[i] !== first;
  if (isTorn) total.torn++;
}

function release(handle: number): void {
  verify(handle);
  pool.release(handle);
  total.released++;
}

function allocate(): number {
  const handle = random(2) === 0 ? pool.alloc() : pool.allocFragment(1 + random(pool.pageBytes / 2));
  if (handle === 0) total.empty++;
  else {
    total.allocated++;
    stamp(handle);
  }
  return handle;
}

function sendOne(channel: Channel, handle: number): void {
  if (channel.send(handle, 0, 4, sequence)) total.sent++;
  else release(handle);
}

function sendMany(channel: Channel): void {
  const count = 1 + random(32);
  let filled = 0;
  while (filled < count) {
    const handle = allocate();
    if (handle === 0) break;
    const times = random(4) === 0 ? Math.min(3, count - filled) : 1;
    if (times > 1) {
      pool.retain(handle, times - 1);
      total.retained += times - 1;
    }
    for (let i = 0; i < times; i++) words.set([handle, 0, 4, filled], 4 * filled++);
  }
  const sent = channel.sendBurst(words, filled);
  total.sent += sent;
  for (let i = sent; i < filled; i++) release(words[4 * i] as number);
}

function receive(most: number): number {
  const came = inbox.receiveBurst(arrived, most);
  total.received += came;
  for (let i = 0; i < came; i++) {
    const handle = arrived[4 * i] as number;
    verify(handle);
    // Some go on to another thread before they are released.
    if (random(8) === 0) sendOne(outboxes[random(threads)] as Channel, handle);
    else release(handle);
  }
  return came;
}

let isLast = false;
parentPort?.on('message', (message: { token: FragmentToken } | { isLast: true }) => {
  if ('isLast' in message) {
    isLast = true;
    return;
  }
  const { token } = message;
  const fragment = pool.adopt(token);
  total.adopted++;
  verify(fragment.handle);
  fragment.release();
  total.released++;
});

function lend(): void {
  const handle = allocate();
  if (handle === 0) return;
  let token: FragmentToken;
  try {
    token = pool.fragment(handle).lend();
  } catch (error) {
    if ((error as { code?: string }).code !== 'POOL_ERR_REF_OVERFLOW') throw error;
    release(handle); // 256 are on their way already
    return;
  }
  total.lent++;
  parentPort?.postMessage({ token, to: random(threads) });
}

function step(): void {
  const kind = random(16);
  if (kind < 5) receive(1 + random(32));
  else if (kind < 9) sendMany(outboxes[random(threads)] as Channel);
  else if (kind < 13) {
    const handle = allocate();
    if (handle !== 0) sendOne(outboxes[random(threads)] as Channel, handle);
  } else if (kind === 13 && random(20) === 0) lend();
  else if (kind === 14 && random(200) === 0) pool.trim();
  else {
    // Pinned for the while of its last release: the page leaves the pool and comes back.
    const handle = random(10) === 0 ? pool.alloc() : 0;
    if (handle === 0) return;
    total.allocated++;
    stamp(handle);
    const pin = pool.pin(handle);
    release(handle);
    pool.unpin(pin);
  }
}

const breathe = () => new Promise((resolve) => setImmediate(resolve));

while (Atomics.load(shared, WORD.stop) === 0) {
  const before = total.released;
  for (let i = 0; i < 500; i++) step();
  Atomics.add(shared, WORD.released, total.released - before);
  await breathe();
}
// First everybody stops sending; then everybody takes what is left, until the main thread has passed on the last token.
parentPort?.postMessage({ hasStopped: true });
while (!isLast) {
  while (inbox.receiveBurst(arrived, 1) === 1) {
    total.received++;
    release(arrived[0] as number);
  }
  await breathe();
}
while (inbox.receiveBurst(arrived, 1) === 1) {
  total.received++;
  release(arrived[0] as number);
}
pool.detach();
parentPort?.postMessage({ total });
parentPort?.close();
