// Scenarios on the Wasm core with a death before any of its plain stores, too: one thread after the other, and whoever
// dies is reaped when all others are done.
//
// What a thread writes between two atomics is seen half done by its reaper alone, so other threads need not step in
// between: their orders are explored with deaths at atomics.

import { expect, test } from 'vitest';
import { buildEngines } from './engines.js';
import { explore, trace } from './explorer.js';
import { shortWithDeath } from './lanes.js';
import { reapedAfterwards } from './reaping.js';

test.each(shortWithDeath('wasm').map((scenario) => [scenario.name, scenario] as const))(
  '%s, with a death before any store of the wasm engine, is balanced',
  async (_, scenario) => {
    const engines = await buildEngines('wasm', { deaths: true, isPlain: true });
    const mortal = reapedAfterwards(scenario, 0);
    const { failure, outcomes } = explore(mortal, engines);
    // No line to see it again by: the schedules that are played again are of the binary without these points.
    if (failure !== undefined)
      throw new Error([failure.message, ...trace(mortal, engines, failure.schedule)].join('\n'));
    expect(outcomes.get('balanced')).toBeGreaterThan(0);
  },
);
