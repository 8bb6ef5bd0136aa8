// The exchange between threads of node:worker_threads: prints what it found as one line of JSON.

import * as threads from 'node:worker_threads';
import { PagePool } from 'pagepool';
import 'pagepool/typescript';
import { features, leadAll, messageQueue } from './exchange.js';

function startWorker() {
  const worker = new threads.Worker(new URL('./threads-worker.js', import.meta.url));
  const { push, next } = messageQueue();
  worker.on('message', push);
  const ended = new Promise((resolve, reject) => {
    worker.on('error', reject);
    worker.on('exit', (code) =>
      code === 0 ? resolve() : reject(new Error(`the worker ended with exit code ${code}`)),
    );
  });
  return {
    post: (message) => worker.postMessage(message),
    next,
    ended,
    failed: ended.then(() => new Promise(() => {})),
  };
}

const exchange = await leadAll(PagePool, startWorker);
console.log(JSON.stringify({ exchange, features: features(threads.locks ?? globalThis.navigator?.locks) }));
