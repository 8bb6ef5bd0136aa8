// The consumer of user-area-main.js: it loads `pagepool/user` alone.

import { parentPort, workerData } from 'node:worker_threads';
import { Receiver } from 'pagepool/user';

const receiver = new Receiver(workerData);
let sum = 0;
for (let delivery; ; delivery.release()) {
  delivery = await receiver.next({ ref: true });
  if (delivery === null) break;
  for (const byte of delivery.bytes) sum += byte;
  sum += delivery.tag;
}
parentPort.postMessage(sum);
