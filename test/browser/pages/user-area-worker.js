// One consumer of a user area, honest or hostile, until it is told to stop or ended.

import { Receiver } from '../pagepool/user.js';
import { createHonest, STOP } from '../user/honest.js';
import { createHostile } from '../user/hostile.js';

self.onmessage = ({ data: { kind, share, seed, writesArea, counts } }) => {
  const isOver = () => Atomics.load(counts, STOP) !== 0;
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
  self.postMessage('over');
};
