// The inspector, its metrics, the terminal's look and what is told, in one Node.

import { execFile } from 'node:child_process';
import { subscribe } from 'node:diagnostics_channel';
import { promisify } from 'node:util';
import { PagePool } from 'pagepool';
import { observe, registerMetrics } from 'pagepool/inspect';
import { serveInspector } from 'pagepool/inspector';

const told = [];
for (const kind of ['drop', 'close']) subscribe(`pagepool:${kind}`, ({ text }) => told.push(text));

const channels = { work: { capacity: 2, whenFull: 'drop-newest' } };
const pool = await PagePool.create({ name: 'shown', pageCount: 16, channels });
const held = [pool.alloc(), pool.alloc()];
const inspector = await serveInspector(pool);

const ask = async (path) => {
  const headers = { Authorization: `Bearer ${inspector.token}` };
  return (await fetch(new URL(path, inspector.url), { headers })).text();
};
const { places } = JSON.parse(await ask('/snapshot.json'));
const page = await ask('/');
const script = await ask('/page.js');
const metrics = await ask('/metrics');
const top = ['node_modules/pagepool/build/command.js', 'top', inspector.url, '--once'];
const { stdout } = await promisify(execFile)(process.execPath, top);
for (let i = 0; i < 3; i++) pool.channel('work').send(pool.alloc(), 0, 1);

const observed = [];
const make = (name) => name;
const unregister = registerMetrics(
  {
    createObservableCounter: make,
    createObservableUpDownCounter: make,
    addBatchObservableCallback: (callback) => callback({ observe: (name, value) => observed.push([name, value]) }),
    removeBatchObservableCallback: () => {},
  },
  pool,
);
unregister();
const lints = observe(pool).lints().length;

for (const handle of held) pool.release(handle);
for (let fragment = pool.channel('work').receive(); fragment !== null; fragment = pool.channel('work').receive()) {
  fragment.release();
}
await inspector.close();
const { isDestroyed } = await pool.close();
console.log(
  JSON.stringify({
    used: places.used,
    page: page.includes('/page.js') && script.includes('startServed'),
    metrics: metrics.includes('pagepool_pages{pool="shown",place="used"} 2') && metrics.endsWith('# EOF\n'),
    top: stdout.startsWith('shown  active  |  16 pages'),
    limit: observed.find(([name]) => name === 'pagepool.page.limit')?.[1],
    lints,
    told,
    isDestroyed,
  }),
);
