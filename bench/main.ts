// npm run bench: where the project's numbers come from. Measures, prints tables, writes a JSON file, and with --write
// the documents made from it.

import { cpus } from 'node:os';
import { Command } from 'commander';
import { planCalls } from './calls/lane.js';
import { planContention } from './contention/lane.js';
import { planHandoff } from './handoff/lane.js';
import { parseCommand } from './harness/command.js';
import { resultsPath, writeResults } from './harness/files.js';
import { isolate } from './harness/isolate.js';
import { type Family, runFamily, selectRows, stepsOf } from './harness/lanes.js';
import { describeMachine, headerLines } from './harness/machine.js';
import { showProgress } from './harness/progress.js';
import type { Results, RowResult } from './harness/results.js';
import { legend, tablesOf } from './harness/table.js';
import { startNative } from './native/native.js';
import { planRecords } from './records/lane.js';
import { gatherFacts } from './report/facts.js';
import { writeReport } from './report/generate.js';
import { nodeFamilies, operationFamilies, sizeFamilies } from './rows/all.js';
import { planRows, type Where } from './rows/lane.js';
import type { Row } from './rows/row.js';
import { planSources } from './sources/lane.js';

/** Everything that there is to measure, family by family. */
function planAll(where: Where): Family[] {
  const planned = (families: readonly (readonly Row[])[]) => families.map((rows) => planRows(rows, where));
  return [
    ...planned(operationFamilies),
    ...planned(nodeFamilies),
    ...planSources(),
    ...planRecords(),
    ...planCalls(),
    ...planContention(cpus().length, where.isQuick),
    ...planHandoff(where.isQuick),
    ...planned(sizeFamilies),
  ];
}

async function main(): Promise<void> {
  const options = parseCommand(process.argv.slice(2));
  if (options.isolation !== null) return isolate(options.text, options.isolation);
  const { settings } = options;
  const native = await startNative(cpus().length);
  const where: Where = { isNode: true, isQuick: settings.profile === 'quick', native: native.lane };
  const families = selectRows(planAll(where), options.text);
  if (families.length === 0) new Command().error(`--case=${options.text} (expected part of a row's id, group or name)`);
  const head = {
    format: 1 as const,
    date: new Date().toISOString().slice(0, 10),
    machine: describeMachine(native.description),
    settings,
  };
  for (const line of headerLines(head)) console.log(line);

  const started = performance.now();
  const progress = showProgress(families.reduce((sum, family) => sum + stepsOf(family, settings), 0));
  const rows: RowResult[] = [];
  for (const family of families) {
    progress.family(family[0]?.row.name ?? '');
    rows.push(...(await runFamily(family, settings, progress)));
  }
  progress.stop();
  native.stop();

  const results: Results = {
    ...head,
    seconds: Math.round((performance.now() - started) / 1000),
    rows,
    facts: gatherFacts(),
  };
  const path = resultsPath(options.resultsFolder, options.name);
  writeResults(path, results);
  console.log(tablesOf(rows));
  console.log(`\n${legend}\n${results.seconds} s; ${path}`);
  if (options.isWriting) writeReport(options);
}

await main();
