// The consumer's thread, which is not trusted: it has the area and two rings, and loads neither the pool nor its Wasm.

import { parentPort, workerData } from 'node:worker_threads';
import { Receiver, type UserShare } from 'pagepool/user';
import { consume } from '../providers/consumer.js';

parentPort?.postMessage(consume(new Receiver(workerData as UserShare)));
