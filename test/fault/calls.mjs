// A worker that serves calls, and ends in the state that it is told to end in.
//
// workerData: { entry, share, engine, dies }: 'never', 'serving' (inside its first handler), 'waiting' (nothing
// served).

import { parentPort, workerData } from 'node:worker_threads';

const { entry, share, engine, dies } = workerData;
const { PagePool } = await import(entry);
const pool = PagePool.attach({ ...share, engine }, { label: 'server' });

parentPort.on('message', (how) => {
  if (how === 'detach') pool.detach({ release: true });
  else process.exit(0);
});
const serving =
  dies === 'waiting'
    ? new Promise(() => {})
    : pool.calls('work').serve(
        async ({ request, reply }) => {
          const order = request.bytes[0];
          if (dies === 'serving' && order === 1) {
            parentPort.postMessage('serving');
            await new Promise(() => {});
          }
          reply.bytes[0] = order + 1;
          return 1;
        },
        { concurrency: 4 },
      );
parentPort.postMessage('ready');
await serving;
parentPort.close();
