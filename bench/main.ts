// npm run bench: where the project's numbers come from. Measures, prints tables, writes a JSON file, and with --write
// the documents made from it. With --group flow: what is measured of flow, and its budgets.

import { cpus, loadavg } from 'node:os';
import { Command } from 'commander';
import { planCalls } from './calls/lane.js';
import { planContention } from './contention/lane.js';
import { watched } from './contention/watched.js';
import { runDemoRows } from './flow/demo.js';
import { planFlow } from './flow/lane.js';
import { planHandoff } from './handoff/lane.js';
import { besideName, type Flow, type Options, parseCommand } from './harness/command.js';
import { resultsPath, writeResults } from './harness/files.js';
import { appendHistory } from './harness/history.js';
import { isolate } from './harness/isolate.js';
import { type Family, selectRows } from './harness/lanes.js';
import { describeMachine, headerLines, loadRefusal } from './harness/machine.js';
import { isNode, runOnNode } from './harness/other-node.js';
import { runFamilies } from './harness/progress.js';
import type { Machine, Results } from './harness/results.js';
import { legend, tablesOf } from './harness/table.js';
import { startNative } from './native/native.js';
import { planRecords } from './records/lane.js';
import { historyEntry, judge } from './report/budgets.js';
import { gatherFacts } from './report/facts.js';
import { flowBudgets, linesOf } from './report/flow-budgets.js';
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
    watched,
    ...planHandoff(where.isQuick),
    ...planned(sizeFamilies),
  ];
}

/** What a run says of itself, and prints first. */
function headOf({ settings }: Options, machine: Machine): Omit<Results, 'rows' | 'seconds'> {
  const head = { format: 1 as const, date: new Date().toISOString().slice(0, 10), machine, settings };
  for (const line of headerLines(head)) console.log(line);
  return head;
}

/** The documents stand on what a reference run says: it wants the machine for itself. */
function requireQuiet({ isWriting, settings }: Options): void {
  const refusal = isWriting && settings.profile === 'full' ? loadRefusal(loadavg()[0] as number) : null;
  if (refusal !== null) new Command().error(refusal);
}

function refuseText(text: string): never {
  return new Command().error(`--case=${text} (expected part of a row's id, group or name)`);
}

/** Records, calls, waiting and the demo, and the budgets that are for them. */
async function measureFlow(options: Options, { other }: Flow): Promise<void> {
  const { settings } = options;
  const families = selectRows([...planRecords(), ...planCalls(), ...planFlow(other)], options.text);
  const isDemo = ['demo.2048', 'demo.65536'].some((id) => id.includes(options.text));
  if (families.length === 0 && !isDemo) refuseText(options.text);
  const head = headOf(
    options,
    describeMachine(other === null ? 'no other build: --other FOLDER' : `other build: ${other}`),
  );
  const started = performance.now();
  const rows = await runFamilies(families, settings);
  if (isDemo) rows.push(...(await runDemoRows(settings)));
  const results: Results = { ...head, seconds: Math.round((performance.now() - started) / 1000), rows };
  const path = resultsPath(options.resultsFolder, options.name);
  writeResults(path, results);
  console.log(`${tablesOf(rows)}\n${legend}\n`);
  console.log(linesOf(judge(results, flowBudgets)));
  console.log(`${results.seconds} s; ${path}`);
}

async function main(): Promise<void> {
  const options = parseCommand(process.argv.slice(2));
  const { node } = options;
  if (node !== null && !isNode(node)) {
    process.exitCode = runOnNode(node);
    return;
  }
  if (options.isolation !== null) return isolate(options.text, options.isolation);
  const { flow, settings } = options;
  if (flow !== null) return measureFlow(options, flow);
  requireQuiet(options);
  const native = await startNative(cpus().length);
  const where: Where = { isNode: true, isQuick: settings.profile === 'quick', native: native.lane };
  const families = selectRows(planAll(where), options.text);
  if (families.length === 0) refuseText(options.text);
  const head = headOf(options, describeMachine(native.description));
  const started = performance.now();
  const rows = await runFamilies(families, settings);
  native.stop();

  const results: Results = {
    ...head,
    seconds: Math.round((performance.now() - started) / 1000),
    rows,
    facts: gatherFacts(),
  };
  const name = node === null ? options.name : besideName(options.name, node);
  const path = resultsPath(options.resultsFolder, name);
  writeResults(path, results);
  console.log(tablesOf(rows));
  console.log(`\n${legend}\n${results.seconds} s; ${path}`);
  if (!options.isWriting) return;
  if (settings.profile === 'full') appendHistory(options.resultsFolder, historyEntry(results));
  writeReport(options);
}

await main();
