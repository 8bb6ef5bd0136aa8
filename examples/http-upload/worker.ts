// Hashes uploads: many at a time, fragment by fragment, straight out of the shared pages.

import { createHash, type Hash } from 'node:crypto';
import { parentPort, workerData } from 'node:worker_threads';
import { attach, type PoolShare } from 'pagepool/attach';

const { share, channel } = workerData as { share: PoolShare; channel: string };
const pool = attach(share, { label: 'hash' });
const uploads = new Map<number, { hash: Hash; bytes: number }>();

const work = pool.channel(channel);
for (let fragment = await work.next(); fragment !== null; fragment = await work.next()) {
  const { tag: upload, length } = fragment;
  const state = uploads.get(upload) ?? { hash: createHash('sha256'), bytes: 0 };
  uploads.set(upload, state);
  if (length > 0) state.hash.update(fragment.bytes);
  fragment.release();
  state.bytes += length;
  if (length > 0) continue;
  uploads.delete(upload);
  parentPort?.postMessage({ upload, sha256: state.hash.digest('hex'), bytes: state.bytes });
}
pool.detach();
