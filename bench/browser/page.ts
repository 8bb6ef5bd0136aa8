// The bench in a page: runs the rows that the address names and posts what came of it to the server that the page came
// from.
//
// Rows, variants and the way rounds are taken are those of the bench in Node; each row is a family of its own, so that
// a page never has more than a few threads.

import { planHandoff } from '../handoff/lane.js';
import { type Family, runFamily, selectRows } from '../harness/lanes.js';
import type { RowResult, Settings } from '../harness/results.js';
import { operationFamilies } from '../rows/all.js';
import { planRows } from '../rows/lane.js';

/** What the address says behind `#`. */
export interface PageJob {
  readonly settings: Settings;
  readonly text: string;
}

/** What the page posts. */
export type PageMessage =
  | { readonly type: 'family'; readonly label: string; readonly share: number }
  | { readonly type: 'rows'; readonly rows: readonly RowResult[] }
  | { readonly type: 'error'; readonly text: string };

async function say(message: PageMessage): Promise<void> {
  await fetch('/message', { method: 'POST', body: JSON.stringify(message) });
}

function plan(isQuick: boolean): Family[] {
  const where = { isNode: false, isQuick, native: undefined };
  return [...operationFamilies.flat().map((row) => planRows([row], where)), ...planHandoff(isQuick)];
}

async function run({ settings, text }: PageJob): Promise<void> {
  if (!crossOriginIsolated) throw new Error('crossOriginIsolated=false (expected true: the page may not share memory)');
  const families = selectRows(plan(settings.profile === 'quick'), text);
  const rows: RowResult[] = [];
  for (const [i, family] of families.entries()) {
    await say({ type: 'family', label: family[0]?.row.name ?? '', share: i / families.length });
    rows.push(...(await runFamily(family, settings, { step: () => {} })));
  }
  await say({ type: 'rows', rows });
}

run(JSON.parse(decodeURIComponent(location.hash.slice(1))) as PageJob).catch((error) =>
  say({ type: 'error', text: error instanceof Error ? (error.stack ?? error.message) : String(error) }),
);
