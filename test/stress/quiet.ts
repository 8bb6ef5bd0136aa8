// The end of a stress of deaths: nobody but the calling thread lives, and what is under way is taken in before the
// audit.
//
// Knows no platform; what must come out stands in the tests.

import type { AuditReport, PagePool } from 'pagepool';
import { CHANNELS } from './churn.js';

/** What was found when everything was still. */
export interface Quiet {
  /** Fragments that were checked so far, by whomever; of them torn; calls that failed. */
  readonly checked: number;
  readonly torn: number;
  readonly failed: number;
  /** Pins that had outlived their threads. */
  readonly unpinned: number;
  /** The first audit, which settles suspects, and one of the trimmed pool. */
  readonly audit: AuditReport;
  readonly trimmed: AuditReport;
}

/** Takes in entries, tokens and pins that nobody will come for, and audits the pool. */
export function settleAll(pool: PagePool, counts: Int32Array): Quiet {
  for (const name of Object.keys(CHANNELS)) {
    const channel = pool.channel(name);
    for (let fragment = channel.receive(); fragment !== null; fragment = channel.receive()) {
      const [word] = new Uint32Array(fragment.bytes.buffer, fragment.bytes.byteOffset, 1);
      if (word !== fragment.tag) Atomics.add(counts, 1, 1);
      fragment.release();
    }
  }
  pool.reclaimTokens(0);
  let unpinned = 0;
  for (let page = 1; page <= pool.pageCount; page++) {
    for (;;) {
      try {
        pool.unpin(page);
        unpinned++;
      } catch {
        break; // no pin is left on it
      }
    }
  }
  const audit = pool.audit();
  pool.trim();
  const [checked = 0, torn = 0, failed = 0] = counts;
  return { checked, torn, failed, unpinned, audit, trimmed: pool.audit() };
}

/** What both audits must say; `audit.suspects` are pages that were settled. */
export const QUIET = {
  torn: 0,
  failed: 0,
  audit: { errors: [], exact: true, balanced: true, references: { ledgers: 0, channels: 0, tokens: 0 } },
  trimmed: { errors: [], suspects: [], inflight: 0, pages: { used: 0, cached: 0, ring: 0, pinned: 0 } },
};
