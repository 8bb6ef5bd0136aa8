// The lanes of records and of lines: a process for each variant, since most of the work is in other threads.

import type { Family, LanePlan } from '../harness/lanes.js';
import { openProcess } from '../harness/processes.js';
import { CASES } from './plan.js';

/** Records, or lines, of a round. */
const ROUND = { full: 1_000_000, quick: 10_000 };

/** A family for each case: its variants take their rounds in turn. */
export function planRecords(): Family[] {
  return CASES.map(({ id, name, note, per, variants }) =>
    variants.map((variant): LanePlan => {
      const open: LanePlan['open'] = (settings) =>
        openProcess('./records/record.worker.js', [id, variant], ROUND, settings);
      return { row: { id, group: 'record', name, per, note, touches: 'every byte' }, variant, open };
    }),
  );
}
