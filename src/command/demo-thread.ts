// One thread of the demo: reads, parses or stores, at a pace that goes up and down.
//
// Paced by timers, so that two processors are enough for all of it with a browser beside it.

import { setTimeout as sleep } from 'node:timers/promises';
import { parentPort, workerData } from 'node:worker_threads';
import type { Fragment } from '../pool/fragment.js';
import { PagePool } from '../pool/page-pool.js';
import type { PoolShare } from '../pool/share.js';

/** What the demo's threads do. */
export type Role = 'reader' | 'parser' | 'store';

/** What a thread is started with. */
export interface DemoStart {
  readonly share: PoolShare<{ channels: 'lines' | 'rows' }>;
  readonly label: string;
}

/** What the demo says to a thread. */
export type ToThread = { readonly isSlow: boolean } | { readonly keeps: number } | { readonly isEnding: true };

type Pool = PagePool<{ channels: 'lines' | 'rows' }>;

/** How often a thread does something, ms. */
const BEAT_MS = 8;
/** One wave of the reader. */
const WAVE_MS = 9000;
/** Pages that a parser, and the store, keep for a while. */
const PARSER_WINDOW = 48;
const STORE_WINDOW = 96;
const SLOW_MS = 40;

let isSlow = false;
let isEnding = false;
/** What the thread was told to keep, and never gives back. */
let toKeep = 0;
const kept: Fragment[] = [];

/** Does the work of a thread until it is told to end. */
export async function work(role: string): Promise<void> {
  const { label, share } = workerData as DemoStart;
  const pool = PagePool.attach(share, { label, stallMs: 5000 });
  parentPort?.on('message', (message: ToThread) => {
    if ('isSlow' in message) isSlow = message.isSlow;
    if ('keeps' in message) toKeep += message.keeps;
    if ('isEnding' in message) isEnding = true;
  });
  try {
    if (role === 'reader') await read(pool);
    else await passOn(pool, role === 'parser' ? PARSER_WINDOW : STORE_WINDOW, role === 'parser');
  } catch (error) {
    // The demo ends: channels are closed while somebody waits for room.
    if (!isEnding) throw error;
  }
  pool.detach({ release: true });
  parentPort?.close();
}

async function read(pool: Pool): Promise<void> {
  const lines = pool.channel('lines');
  for (let message = 0; !isEnding; ) {
    const wave = 0.5 + 0.5 * Math.sin((2 * Math.PI * performance.now()) / WAVE_MS);
    for (let burst = 4 + Math.round(44 * wave); burst > 0 && !isEnding; burst--) {
      const bytes = 400 + ((message * 769) % 3600);
      const fragment = pool.take(bytes) ?? (await pool.takeAsync(bytes));
      fragment.bytes[0] = message++ & 0xff;
      if (!lines.sendFragment(fragment)) await lines.sendAsync(fragment);
    }
    await sleep(BEAT_MS);
  }
}

/** Receives, keeps what came for a while, and hands it on, or releases it. */
async function passOn(pool: Pool, window: number, isParser: boolean): Promise<void> {
  const source = pool.channel(isParser ? 'lines' : 'rows');
  const rows = pool.channel('rows');
  const queue: Fragment[] = [];
  while (!isEnding) {
    const fragment = source.receive() ?? (await source.next({ timeoutMs: 200 }).catch(() => null));
    if (fragment === null) continue;
    if (toKeep > 0) {
      toKeep--;
      kept.push(fragment);
      continue;
    }
    queue.push(fragment);
    if (isSlow) await sleep(SLOW_MS);
    if (queue.length <= window) continue;
    const oldest = queue.shift() as Fragment;
    if (!isParser) oldest.release();
    else if (!rows.sendFragment(oldest)) await rows.sendAsync(oldest);
  }
}
