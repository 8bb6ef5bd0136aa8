// Counts the garbage collections of one thread.

import { PerformanceObserver } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';

export interface Collections {
  count: number;
  ms: number;
}

/** Watches this thread from now on; each call of the result says what came since the last one. */
export function watchCollections(): () => Promise<Collections> {
  let seen: Collections = { count: 0, ms: 0 };
  const observer = new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) {
      seen.count += 1;
      seen.ms += entry.duration;
    }
  });
  observer.observe({ entryTypes: ['gc'] });
  return async () => {
    await sleep(5); // the observer hears of a collection from the event loop, a moment later
    const result = seen;
    seen = { count: 0, ms: 0 };
    return result;
  };
}

export function addCollections(a: Collections, b: Collections): Collections {
  return { count: a.count + b.count, ms: a.ms + b.ms };
}
