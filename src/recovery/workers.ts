// Workers, and what worker pools hold them in: found by what they can do, since each package has its own wrappers.
//
// piscina gives `threads` of Workers, and wrappers of one worker to its listeners; tinypool `threads` of wrappers;
// workerpool keeps `workers` of handlers. No package is named here, and none is loaded.

/** What is used of a worker of node:worker_threads. */
export interface ExitingWorker {
  readonly threadId: number;
  on(event: 'exit', listener: () => void): unknown;
  off(event: 'exit', listener: () => void): unknown;
}

/** The names under which one worker is held, and several. */
const ONE = ['worker', 'thread'];
const SEVERAL = ['threads', 'workers'];
/** A pool holds wrappers, a wrapper holds another one, and that one the worker. */
const DEPTH_MAX = 3;

/** Whether it is a worker of node:worker_threads, which notifies its listeners of its end. */
export function isExitingWorker(value: unknown): value is ExitingWorker {
  const worker = value as Partial<ExitingWorker> | null;
  return (
    typeof worker === 'object' &&
    typeof worker?.on === 'function' &&
    typeof worker.off === 'function' &&
    Number.isInteger(worker.threadId)
  );
}

/** Whether it is a Worker of the web, by what it can do. */
function isWebWorker(value: unknown): boolean {
  const worker = value as { postMessage?: unknown; terminate?: unknown } | null;
  return (
    typeof worker === 'object' && typeof worker?.postMessage === 'function' && typeof worker.terminate === 'function'
  );
}

/** The workers that the value is, or holds; undefined where it is and holds none. A pool may hold none yet. */
export function workersIn(value: unknown, depth = DEPTH_MAX): readonly unknown[] | undefined {
  if (isExitingWorker(value)) return [value];
  if (typeof value !== 'object' || value === null) return undefined;
  // Wrappers first: some can post and terminate as well.
  const held = depth > 0 ? heldIn(value as Record<PropertyKey, unknown>, depth - 1) : undefined;
  return held ?? (isWebWorker(value) ? [value] : undefined);
}

function heldIn(holder: Record<PropertyKey, unknown>, depth: number): readonly unknown[] | undefined {
  for (const name of ONE) {
    const workers = workersIn(holder[name], depth);
    if (workers !== undefined) return workers;
  }
  for (const name of SEVERAL) {
    const list = holder[name];
    if (!Array.isArray(list)) continue;
    const found = list.map((each) => workersIn(each, depth));
    if (found.every((workers) => workers !== undefined)) return found.flat();
  }
  // The wrapper that piscina passes to its listeners has what holds its worker under a symbol of its own.
  for (const symbol of Object.getOwnPropertySymbols(holder)) {
    const { worker } = (holder[symbol] ?? {}) as { worker?: unknown };
    if (isExitingWorker(worker)) return [worker];
  }
  return undefined;
}
