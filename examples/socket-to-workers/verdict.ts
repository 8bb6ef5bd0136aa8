// Whether the demo may say that it worked: every digest is the file's, and no page is missing.

import { type Digest, formatDigest } from './digest.js';
import type { Run } from './receiver.js';

/** What is wrong with a run, one line each; none: nothing. */
export function faultsOf(run: Run, expected: Digest): string[] {
  const faults: string[] = [];
  if (run.digests.length === 0) faults.push('no pass was finished');
  run.digests.forEach((digest, pass) => {
    const [got, wanted] = [formatDigest(digest), formatDigest(expected)];
    if (got !== wanted) faults.push(`pass ${pass}: the digest is ${got}, the file's is ${wanted}`);
  });
  if (run.pool !== null) {
    const { missing, problems } = run.pool;
    if (missing !== 0) faults.push(`pages missing at the end: ${missing}`);
    faults.push(...problems.map((problem) => `the audit says: ${problem}`));
  } else if (run.variant === 'pagepool') {
    faults.push('the pool was not audited');
  }
  return faults.map((fault) => `${run.variant}, records of ${run.recordBytes} bytes: ${fault}`);
}
