// A worker of Node that is one consumer, honest or hostile, until it is told to stop or ended.

import { workerData } from 'node:worker_threads';
import type { UserShare } from '../../src/user/layout.js';
import { Receiver } from '../../src/user.js';
import { createHonest, STOP } from './honest.js';
import { createHostile } from './hostile.js';

interface Setup {
  readonly kind: 'honest' | 'hostile';
  readonly share: UserShare;
  readonly seed: number;
  readonly writesArea: boolean;
  readonly counts: Int32Array;
}

const { kind, share, seed, writesArea, counts } = workerData as Setup;
const isOver = (): boolean => Atomics.load(counts, STOP) !== 0;

if (kind === 'hostile') {
  const run = createHostile({ share, seed, writesArea, counts });
  while (!isOver()) run(100);
} else {
  const receiver = new Receiver(share);
  const honest = createHonest(receiver, counts, seed);
  while (!isOver() && !receiver.isClosed) if (!honest.step()) receiver.waitSync(5);
  while (honest.step());
  honest.finish();
}
