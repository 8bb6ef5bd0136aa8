// The consumer's thread: attaches to the pool and takes what comes. The same file whatever memory the pages lie in.

import { parentPort, workerData } from 'node:worker_threads';
import { attach } from 'pagepool/attach';
import 'pagepool/areas'; // for pools whose pages a provider has
import { consume } from './consumer.js';

const pool = attach(workerData);
const { sum } = consume(pool.channel('work'));
pool.detach();
parentPort?.postMessage(sum);
