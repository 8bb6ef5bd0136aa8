// The sound card: writes blocks of samples into shared pages and sends them; the tag is the block's number.

import { workerData } from 'node:worker_threads';
import { attach, type PoolShare } from 'pagepool/attach';
import { HISTORY } from './filter.js';
import { loadSound } from './sound.js';

const { share, file } = workerData as { share: PoolShare; file?: string };
const pool = attach(share, { label: 'sound' });
const channel = pool.channel('sound');
const samples = loadSound(file);
const perPage = pool.pageBytes / 2 - HISTORY;
for (let block = 0; block * perPage < samples.length; block++) {
  const fragment = await pool.takeAsync(undefined);
  const page = new Int16Array(fragment.bytes.buffer, fragment.bytes.byteOffset, pool.pageBytes / 2);
  const start = block * perPage - HISTORY;
  page.fill(0);
  page.set(samples.subarray(Math.max(0, start), start + page.length), Math.max(0, -start));
  await channel.sendAsync(fragment, block);
}
channel.close();
pool.detach();
