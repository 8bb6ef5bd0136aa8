// Every row of one thread, by id and in families. The rows of a family take their rounds in turn, so that ratios
// between them are taken within seconds; families follow one another.

import { baselineRows } from './baselines.js';
import { channelRows } from './channels.js';
import { fastRows } from './fast.js';
import { fragmentRows } from './fragments.js';
import { garbageRows } from './garbage.js';
import { memoryRows } from './memory.js';
import { packetRows } from './packets.js';
import { pageSizeRows } from './page-sizes.js';
import { pageRows } from './pages.js';
import { portRows } from './ports.js';
import { providerRows } from './providers.js';
import { ringRows } from './ring.js';
import type { Row } from './row.js';
import { slowRows } from './slow.js';

/** Rows of one series together: they differ in size alone. */
function bySeries(rows: readonly Row[]): Row[][] {
  const names = new Set(rows.map((row) => row.place?.series));
  return [...names].map((name) => rows.filter((row) => row.place?.series === name));
}

/** The operations: what browsers run as well. */
export const operationFamilies: readonly (readonly Row[])[] = [
  [...baselineRows, ...memoryRows],
  [...fastRows, ...ringRows, ...slowRows, ...fragmentRows, ...channelRows, ...garbageRows],
  providerRows,
];

/** What is compared with packages and modules that Node alone has. */
export const nodeFamilies: readonly (readonly Row[])[] = [packetRows];

/** Cost against size. */
export const sizeFamilies: readonly (readonly Row[])[] = [
  ...bySeries(pageRows),
  ...bySeries(portRows),
  ...bySeries(pageSizeRows),
];

const byId = new Map([...operationFamilies, ...nodeFamilies, ...sizeFamilies].flat().map((row) => [row.id, row]));

export function rowOf(id: string): Row {
  const row = byId.get(id);
  if (row === undefined) throw new Error(`id=${id} (expected a row's)`);
  return row;
}
