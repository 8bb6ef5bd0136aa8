// The other thread of threads-main.js.

import { parentPort } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import 'pagepool/typescript';
import { follow, messageQueue } from './exchange.js';

const { push, next } = messageQueue();
parentPort.on('message', push);
await follow(PagePool, { post: (message) => parentPort.postMessage(message), next });
parentPort.off('message', push);
