// Whether everything is home: what tests of whatever takes pages end with.

import type { PagePool } from 'pagepool';
import { expect } from 'vitest';

/** Whether nothing of the pool is used by anybody, and everything is accounted for. */
export function expectAllHome(pool: PagePool): void {
  pool.trim();
  const { balanced, errors, exact, pages, references } = pool.audit();
  expect({ errors, exact, balanced, used: pages.used, pinned: pages.pinned, ...references }).toEqual({
    errors: [],
    exact: true,
    balanced: true,
    used: 0,
    pinned: 0,
    ledgers: 0,
    channels: 0,
    tokens: 0,
    replies: 0,
  });
}
