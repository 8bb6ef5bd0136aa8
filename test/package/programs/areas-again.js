// Pools with areas that open in the turn in which the thread's last one closed, in the creator and in a worker that
// attaches. Prints how many pages each got, and ends although the last pool is open.

import { once } from 'node:events';
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { slabs } from 'pagepool/providers';

const PAGES = 16;
const options = () => ({
  provider: slabs({ slabBytes: 65536, keepBytes: 0 }), // each page is a slab of its own
  pageBytes: 65536,
  pageCount: PAGES,
  maxPorts: 3,
  channels: { work: {} },
});
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));

if (isMainThread) {
  PagePool.createSync(options()).destroy();
  const pool = PagePool.createSync(options());
  for (let i = 0; i < 20; i++) await turn(); // whatever the platform does with what was closed
  const worker = new Worker(new URL(import.meta.url), { workerData: pool.share() });
  worker.on('error', (error) => console.error(error));
  pool.watch(worker);
  const exited = once(worker, 'exit');
  const [hears] = await once(worker, 'message');
  const work = pool.channel('work');
  let sent = 0;
  for (; sent < PAGES; sent++) await work.sendAsync(await pool.takeAsync(), sent);
  work.close();
  const [received] = await once(worker, 'message');
  await exited;
  const { isDestroyed } = await pool.close({ ref: true });
  const left = PagePool.createSync(options()); // and nobody closes it
  console.log(JSON.stringify({ hears, sent, received, isDestroyed, left: left.alloc() !== 0 }));
} else {
  PagePool.attach(workerData, { label: 'first' }).detach();
  const pool = PagePool.attach(workerData, { label: 'second' });
  parentPort.postMessage('attached');
  let received = 0;
  for await (const fragment of pool.channel('work')) {
    if (fragment.bytes.length === 65536) received++;
    fragment.release();
  }
  pool.detach();
  parentPort.postMessage(received);
}
