// How long a worker takes to import the package and to attach: with the whole package, and with pagepool/attach.
// `npm run bench:start`; -- --rounds N.
//
// Each worker is a new one, and the two kinds take turns, so whatever else the machine does meets both. The time is the
// worker's own, from before the import to behind attach: what it takes beyond a worker that does nothing. The fastest
// quarter of the rounds counts: others had to wait for a processor. Only the ratio says something on a machine that
// others use.

import { once } from 'node:events';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { Worker } from 'node:worker_threads';
import { PagePool } from '../build/index.js';

const { rounds } = parseArgs({ options: { rounds: { type: 'string', default: '40' } } }).values;
const url = (name) => JSON.stringify(new URL(`../build/${name}.js`, import.meta.url).href);
const program = (name, attach) => `
const { parentPort, workerData } = require('node:worker_threads');
const started = performance.now();
import(${url(name)}).then((pagepool) => {
  const pool = ${attach}(workerData);
  parentPort.postMessage(performance.now() - started);
  pool.detach();
});`;
const programs = {
  whole: program('index', 'pagepool.PagePool.attach'),
  attach: program('attach', 'pagepool.attach'),
};

const pool = await PagePool.create({ channels: { work: {} } });

/** Milliseconds that a worker of that kind needed. */
async function measure(text) {
  const worker = new Worker(text, { eval: true, workerData: pool.share() });
  const exited = once(worker, 'exit');
  const [ms] = await once(worker, 'message');
  await exited;
  return ms;
}

const times = { whole: [], attach: [] };
for (const text of Object.values(programs)) await measure(text); // the files are in the machine's cache from here on
for (let round = 0; round < Number(rounds); round++) {
  for (const [kind, text] of Object.entries(programs)) times[kind].push(await measure(text));
}
await pool.close();

const quarter = (values) => [...values].sort((one, other) => one - other)[values.length >> 2];
const [whole, attach] = [quarter(times.whole), quarter(times.attach)];
console.log(`${cpus()[0]?.model}, Node ${process.version}, ${rounds} rounds of both`);
console.log(`import and attach: pagepool ${whole.toFixed(1)} ms, pagepool/attach ${attach.toFixed(1)} ms`);
console.log(`ratio: ${(attach / whole).toFixed(2)} (expected at most 0.6)`);
