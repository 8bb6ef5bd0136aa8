// A worker that attaches, takes and holds this and that, says so, and ends in the way it is told.
//
// workerData: { entry, share, engine, how, attachLater }. It answers messages: 'attach', 'detach', 'end'.

import { parentPort, workerData } from 'node:worker_threads';

const { entry, share, engine, how, attachLater = false, label } = workerData;
const { PagePool } = await import(entry);
let pool;

function attach() {
  pool = PagePool.attach({ ...share, engine }, label === undefined ? {} : { label });
  const handles = Array.from({ length: 3 }, () => pool.alloc());
  const fragment = pool.allocFragment(100);
  pool.retain(fragment, 2);
  pool.release(handles.pop());
  pool.channel('work').send(pool.alloc(), 0, 1, 7);
  parentPort.postMessage({ portId: pool.portId, references: handles.length + 3 });
}

const ends = {
  terminate: () => {},
  exit: () => process.exit(3),
  throw: () => {
    setTimeout(() => {
      throw new Error('uncaught on purpose');
    });
  },
  reject: () => void Promise.reject(new Error('unhandled on purpose')),
  fall: () => parentPort.close(),
  spin: () => {
    parentPort.postMessage('spinning');
    for (;;) pool.release(pool.alloc());
  },
  block: () => {
    parentPort.postMessage('blocking');
    pool.channel('silent').waitSync();
  },
};

parentPort.on('message', (message) => {
  if (message === 'attach') attach();
  else if (message === 'detach') {
    pool.detach({ release: true });
    parentPort.postMessage('detached');
  } else if (message === 'end') ends[how]();
});
if (!attachLater) attach();
else parentPort.postMessage('ready');
