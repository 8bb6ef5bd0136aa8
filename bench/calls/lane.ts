// The lanes of calls: a process for each variant, since half of the work is in other threads.

import type { Family, LanePlan } from '../harness/lanes.js';
import { openProcess } from '../harness/processes.js';
import { CALL_CASE } from './plan.js';

/** Calls of a round. */
const ROUND = { full: 100_000, quick: 2000 };

/** One family: its variants take their rounds in turn. */
export function planCalls(): Family[] {
  const { id, name, note, per, variants } = CALL_CASE;
  return [
    variants.map(
      (variant): LanePlan => ({
        row: { id, group: 'call', name, per, note, touches: 'every byte' },
        variant,
        open: (settings) => openProcess('./calls/call.worker.js', [variant], ROUND, settings),
      }),
    ),
  ];
}
