// The lanes of sources: a process for each variant, so that its processor time and its collections are its own.

import type { Family, LanePlan } from '../harness/lanes.js';
import { openProcess } from '../harness/processes.js';
import type { RowInfo } from '../harness/results.js';
import { CASES } from './plan.js';

/** Bytes of a round; few where it only shows that it works. */
const ROUND_BYTES = { full: 128 * 1024 * 1024, quick: 1024 * 1024 };

/** A family for each case: its variants take their rounds in turn. */
export function planSources(): Family[] {
  return CASES.map(({ id, name, note, recordBytes, variants }) => {
    const per = recordBytes === 0 ? '64 KiB' : 'record';
    const row: RowInfo = { id, group: 'source', name, per, touches: 'one byte', note };
    return variants.map((variant): LanePlan => {
      const open: LanePlan['open'] = (settings) =>
        openProcess('./sources/source.worker.js', [id, variant], ROUND_BYTES, settings);
      return { row, variant, open };
    });
  });
}
