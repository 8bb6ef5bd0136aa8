// The exchange between a page, or the first thread of a runtime with web Workers, and a worker that it is given.

import { features, leadAll, messageQueue } from './exchange.js';

/** Runs all cases; `makeWorker` starts one Worker. */
export async function runPage(PagePool, makeWorker) {
  const startWorker = () => {
    const worker = makeWorker();
    const { push, next } = messageQueue();
    let end;
    const ended = new Promise((resolve) => {
      end = resolve;
    });
    const failed = new Promise((_, reject) => {
      worker.onerror = (event) => reject(new Error(`the worker failed: ${event.message}`));
      worker.onmessageerror = () => reject(new Error('a message cannot be read'));
    });
    worker.onmessage = ({ data }) => {
      if (data !== 'detached') return push(data);
      worker.terminate();
      end();
    };
    return {
      post: (message) => worker.postMessage(message),
      next: () => Promise.race([next(), failed]),
      ended,
      failed,
    };
  };
  const exchange = await leadAll(PagePool, startWorker);
  return { exchange, features: features(globalThis.navigator?.locks) };
}

/** Leaves the result where whoever opened the page looks for it; without a page it is printed. */
export function publish(result) {
  globalThis.result = result.catch((error) => ({ error: `${error.stack ?? error}` }));
  if (typeof document === 'undefined') globalThis.result.then((found) => console.log(JSON.stringify(found)));
}
