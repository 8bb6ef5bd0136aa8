// What a timed function leaves for the garbage collector, in a bare loop: nothing of the timing is in it.
//
// Collections are counted over a longer loop. Growth is read from the heap's own figures over the longest stretch
// without a collection; reading them makes a few hundred bytes of garbage itself, which the empty loop's row shows.

import type { Garbage } from '../harness/results.js';
import type { Timed } from './row.js';

/** Operations after which a stretch is long enough. */
const STRETCH_OPERATIONS = 1_000_000;

const v8 = typeof process === 'object' ? process.getBuiltinModule?.('node:v8') : undefined;

let collections = 0;
if (v8 !== undefined) {
  new PerformanceObserver((list) => {
    collections += list.getEntries().length;
  }).observe({ entryTypes: ['gc'] });
}

/** A full collection, where the flags allow it. */
export function collect(): void {
  (globalThis as { gc?: () => void }).gc?.();
}

/** The observer hears of a collection from the event loop, a moment later. */
function settle(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 5));
}

/** `limit`: calls of the function that the collections are counted over; as many as fit into the time if not given. */
export async function measureGarbage(run: Timed, repeat: number, timeMs: number, limit?: number): Promise<Garbage> {
  const growth = limit === undefined || limit > 1000 ? await measureGrowth(run, repeat, timeMs / 2) : {};
  collect();
  await settle();
  const before = collections;
  const end = performance.now() + timeMs;
  let calls = 0;
  do {
    run();
    calls++;
  } while (limit === undefined ? performance.now() < end : calls < limit);
  await settle();
  return {
    operations: calls * repeat,
    collections: collections - before,
    heapBytesPerOperation: null,
    externalBytesPerOperation: null,
    ...growth,
  };
}

/** Ever longer stretches until one is long enough or is cut by a collection. */
async function measureGrowth(run: Timed, repeat: number, stretchMs: number): Promise<Partial<Garbage>> {
  if (v8 === undefined) return {};
  let growth: Partial<Garbage> = {};
  for (let calls = 1; ; calls *= 4) {
    collect();
    await settle();
    const seen = collections;
    const started = performance.now();
    const before = v8.getHeapStatistics();
    for (let i = 0; i < calls; i++) run();
    const after = v8.getHeapStatistics();
    const elapsed = performance.now() - started;
    await settle();
    if (collections !== seen) return growth;
    const operations = calls * repeat;
    growth = {
      heapBytesPerOperation: (after.used_heap_size - before.used_heap_size) / operations,
      externalBytesPerOperation: (after.external_memory - before.external_memory) / operations,
    };
    if (operations >= STRETCH_OPERATIONS || elapsed > stretchMs) return growth;
  }
}
