// Garbage collection on demand: of processes that run with --expose-gc, as all tests do.

import { turns, until } from './waiting.js';

const { gc } = globalThis as { gc?: () => void };

/**
 * Collects garbage until everything that was dropped before is gone, and whoever asked to hear of that has heard of it.
 */
export async function collectGarbage(): Promise<void> {
  // More than once: what was young may survive the first collection, and what a report kept goes with the next.
  for (let round = 0; round < 3; round++) {
    let isGone = false;
    const registry = new FinalizationRegistry(() => {
      isGone = true;
    });
    (() => registry.register({}, undefined))();
    await untilCollected(() => isGone);
    await turns(2);
  }
}

/**
 * Collects garbage until it is so. What the condition asks of a WeakRef is asked in a job of its own, behind a
 * collection.
 */
export async function untilCollected(isSo: () => boolean): Promise<void> {
  if (gc === undefined) throw new Error('gc=undefined (expected node --expose-gc)');
  await until(() => {
    gc();
    return isSo();
  });
}
