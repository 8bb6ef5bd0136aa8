// What the browser scenario of deaths returns, and what it must be.

import { expect } from 'vitest';
import { QUIET, type Quiet } from '../stress/quiet.js';
import { HOME } from './pages.js';

export interface Deaths {
  readonly failures: readonly string[];
  readonly ends: { readonly terminate: number; readonly endless: number; readonly close: number };
  /** One after each batch of deaths. */
  readonly batches: readonly Quiet[];
  readonly repaired: number;
  /** Ports that are claimed at the end. */
  readonly attached: number;
  readonly end: object;
}

export function expectNothingLost({ failures, ends, batches, attached, end }: Deaths, count: number): void {
  expect(failures).toEqual([]);
  for (const batch of batches) expect(batch).toMatchObject(QUIET);
  expect(ends.terminate + ends.endless + ends.close).toBe(count);
  expect(ends.endless).toBeGreaterThan(0);
  expect(batches.at(-1)?.checked).toBeGreaterThan(count);
  expect(attached).toBe(1);
  expect(end).toMatchObject(HOME);
}

/** One line for the log. */
export function summaryOfDeaths(browser: string, engine: string, { ends, batches, repaired }: Deaths): string {
  const sum = (of: (batch: Quiet) => number) => batches.reduce((total, batch) => total + of(batch), 0);
  const figures = {
    ...ends,
    checked: batches.at(-1)?.checked,
    repaired,
    unpinned: sum((batch) => batch.unpinned),
    suspects: sum(({ audit }) => audit.suspects.length),
    settled: sum(({ audit }) => audit.settled.length),
  };
  return `${browser}, ${engine}: ${JSON.stringify(figures)}`;
}
