// Module workers of the page, and what they answer.

/** Starts a module worker that lies beside this file. */
export function startWorker(file) {
  return new Worker(new URL(file, import.meta.url), { type: 'module' });
}

/** Posts a message and resolves with the worker's next one. */
export function ask(worker, message) {
  return new Promise((resolve, reject) => {
    worker.onmessage = ({ data }) => resolve(data);
    worker.onmessageerror = () => reject(new Error('a message could not be read'));
    worker.onerror = ({ message: text, filename, lineno }) => reject(new Error(`${text} at ${filename}:${lineno}`));
    worker.postMessage(message);
  });
}

/** Starts a worker, asks it once, and ends it. */
export async function runWorker(file, message) {
  const worker = startWorker(file);
  try {
    return await ask(worker, message);
  } finally {
    worker.terminate();
  }
}
