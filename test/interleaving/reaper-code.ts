// The shipped recovery, rewritten: what reaps in scenarios, as it is or with faults.

import type { Patch } from './build-model.js';
import type * as Real from './real-reaper.js';
import { loadSuspendable } from './suspend/bundle.js';

const ENTRY = 'test/interleaving/real-reaper.ts';

let code = await load([]);

function load(faults: readonly Patch[]): Promise<typeof Real> {
  return loadSuspendable<typeof Real>(ENTRY, faults);
}

/** What reaps now. */
export function reaperCode(): typeof Real {
  return code;
}

/** Breaks what reaps in places of src/recovery, until the function that it returns is called. */
export async function breakReaper(faults: readonly Patch[]): Promise<() => void> {
  const whole = code;
  code = await load(faults);
  return () => {
    code = whole;
  };
}
