// A worker that creates a pool; or attaches to one, and starts and watches a worker of its own.

import { once } from 'node:events';
import { parentPort, Worker, workerData } from 'node:worker_threads';

const { entry, role, options, share, program } = workerData;
const { PagePool } = await import(entry);

if (role === 'create') {
  const pool = PagePool.createSync(options);
  pool.alloc();
  parentPort.postMessage({ share: pool.share() });
} else if (role === 'hold') {
  const pool = PagePool.attach(share);
  pool.alloc();
  parentPort.postMessage({ portId: pool.portId });
} else {
  const pool = PagePool.attach(share);
  pool.alloc();
  const inner = new Worker(new URL(program), { workerData: { entry, role: 'hold', share } });
  pool.watch(inner);
  const [{ portId }] = await once(inner, 'message');
  const outer = pool.portId;
  if (role === 'watch and leave') pool.detach({ release: true });
  parentPort.postMessage({ outer, inner: portId });
}
parentPort.on('message', () => {}); // stays
