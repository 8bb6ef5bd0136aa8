// This thread's name among the threads of its process: what a watcher knows of a worker that has ended.
//
// Node, Bun and Deno number their threads; the module that has the number is asked for at run time, so that nothing is
// imported where there is none. Web workers have no such number.

/** What is used of node:worker_threads. */
export interface WorkerThreads {
  readonly threadId: number;
  readonly locks?: unknown;
}

/** A module of the runtime, where there is one of that name. */
export function builtinModule(name: string): unknown {
  const host = (globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }).process;
  return host?.getBuiltinModule?.(name);
}

/** The runtime's node:worker_threads, where there is one. */
export function workerThreads(): WorkerThreads | undefined {
  return builtinModule('node:worker_threads') as WorkerThreads | undefined;
}

/** This thread's number + 1; 0 where threads have none. */
export function threadWord(): number {
  return (workerThreads()?.threadId ?? -1) + 1;
}
