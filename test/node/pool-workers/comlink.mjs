// A worker that comlink reaches: fragments come and go by the transfer handler.

import { parentPort, workerData } from 'node:worker_threads';
import * as Comlink from 'comlink';
import nodeEndpoint from 'comlink/dist/esm/node-adapter.mjs';
import { PagePool } from 'pagepool';
import { fragmentHandler } from 'pagepool/comlink';

const pool = PagePool.attach(workerData);
Comlink.transferHandlers.set('pagepool', fragmentHandler(pool));

const kept = [];
const work = {
  sum(fragment) {
    const total = fragment.bytes.reduce((one, other) => one + other, 0);
    fragment.release();
    return total;
  },
  raise(fragment) {
    fragment.bytes[0]++;
    return fragment;
  },
  keep: (fragment) => void kept.push(fragment),
};
Comlink.expose(work, nodeEndpoint(parentPort));
