// In a frame: a pool, and a worker that blocks and is terminated. Workers of an opaque origin are made of blob: URLs.

import { advice, capabilities } from '../pagepool/border.js';
import { PagePool } from '../pagepool/index.js';
import { until } from '../support/waiting.js';
import { endPool } from './ending.js';

const entry = new URL('../pagepool/index.js', import.meta.url).href;
const PROGRAM = `self.onmessage = async ({ data: share }) => {
  const { PagePool } = await import(${JSON.stringify(entry)});
  const pool = PagePool.attach(share);
  pool.take(100);
  self.postMessage('held');
  while (pool.channel('never').waitSync());
};`;

async function find() {
  const { isIsolated, locks, locksReason, sandbox, ...found } = await capabilities();
  const told = advice({ isIsolated, locks, locksReason, sandbox, ...found });
  const warnings = [];
  console.warn = (text) => warnings.push(text);
  const pool = await PagePool.create({ pageCount: 16, channels: { never: {} } });
  const facts = { isIsolated, locks, locksReason, sandbox, isTold: told.some((text) => text.includes('sandbox')) };
  if (pool.mode !== 'shared') return { ...facts, mode: pool.mode, end: await endPool(pool) };
  const worker = new Worker(URL.createObjectURL(new Blob([PROGRAM], { type: 'text/javascript' })));
  const failures = [];
  let isHeld = false;
  worker.onmessage = () => {
    isHeld = true;
  };
  worker.onerror = ({ message }) => failures.push(message ?? 'error');
  await pool.watch(worker);
  worker.postMessage(pool.share());
  await until(() => isHeld || failures.length > 0);
  // Not pages.used: the worker puts its other pages back while it goes to sleep.
  const { ledgers: held } = pool.audit().references;
  worker.terminate();
  await until(() => pool.stats().ports.filter(({ isClaimed }) => isClaimed).length === 1);
  return { ...facts, mode: pool.mode, failures, held, warnings, end: await endPool(pool) };
}

parent.postMessage(await find().catch((error) => ({ error: `${error}\n${error.stack}` })), '*');
