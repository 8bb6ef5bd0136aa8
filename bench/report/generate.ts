// Makes docs/performance.md, its tables and its plots from results and the templates beside this file. The same results
// give the same text.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { besideName, FULL } from '../harness/command.js';
import { readResults, resultsPath } from '../harness/files.js';
import { type HistoryEntry, readHistory } from '../harness/history.js';
import { NODES } from '../harness/other-node.js';
import type { GroupId, Results } from '../harness/results.js';
import { judgedRun } from './budgets.js';
import { engineLossesOf, lossesOf } from './losses.js';
import { plotsOf } from './plots.js';
import {
  browserTables,
  budgetTable,
  controlTable,
  explanationList,
  lockedTable,
  lossTable,
  machineList,
  missedBudgets,
  rowTable,
} from './tables.js';
import { growthTable, handoffTables } from './tables-by-size.js';

const SOURCES = 'bench/report';
export const BROWSERS = ['chromium', 'firefox'] as const;

/** The page that a reader finishes, and the one where all tables are. */
const PAGES = ['performance', 'performance-tables'] as const;

/** The documents and their plots, by their paths below the folder of documents. */
export function generate(
  node: Results,
  others: readonly Results[],
  browsers: readonly Results[],
  history: readonly HistoryEntry[],
): Map<string, string> {
  const plots = plotsOf(node, history);
  const documents = new Map(plots.map(([name, svg]) => [`plots/${name}.svg`, `${svg}\n`]));
  const parts = partsOf(node, others, browsers, new Set(plots.map(([name]) => name)));
  const used = new Set<string>();
  for (const page of PAGES) {
    const template = readFileSync(join(SOURCES, `${page}.template.md`), 'utf8');
    const text = template.replace(/^\{\{(.+?)\}\}$/gm, (_, name: string) => {
      const part = parts.get(name);
      if (part === undefined) throw new Error(`{{${name}}} (expected one of: ${[...parts.keys()].join(', ')})`);
      used.add(name);
      return part;
    });
    documents.set(`${page}.md`, text);
  }
  const unused = [...parts.keys()].filter((name) => !used.has(name));
  if (unused.length > 0) throw new Error(`the templates leave out ${unused.join(', ')}`);
  return documents;
}

/** Everything that the template may name. */
function partsOf(
  node: Results,
  others: readonly Results[],
  browsers: readonly Results[],
  plots: ReadonlySet<string>,
): Map<string, string> {
  const [run, beside] = [judgedRun(node), others.map(judgedRun)];
  const { facts } = node;
  const plot = (name: string, text: string) =>
    plots.has(name) ? `![${text}](plots/${name}.svg)` : 'Not measured in this run.';
  const tables = (groups: readonly GroupId[], make: (results: Results, group: GroupId) => string) =>
    groups.map((group): [string, string] => [`table ${group}`, make(node, group)]);
  return new Map([
    ['provisional', provisional(node)],
    ['machine', machineList(node, others)],
    ['budgets', budgetTable(run, beside)],
    ['explanations', explanationList([run, ...beside], readExplanations())],
    ['locked', facts === undefined ? 'Not counted in this run.' : lockedTable(facts)],
    ['control', facts === undefined ? 'Not counted in this run.' : controlTable(facts)],
    ['losses', lossTable(lossesOf(node))],
    ['losses of the engine', lossTable(engineLossesOf(node))],
    ...tables(['baseline', 'memory', 'fast', 'ring', 'channel', 'slow', 'fragment', 'provider', 'garbage'], rowTable),
    ...tables(['handoff-rate', 'handoff-latency'], handoffTables),
    ...tables(['contention', 'pages', 'ports', 'page-bytes'], growthTable),
    ['plot history', plot('history', 'How far each reference run was from the bars')],
    ['plot operations', plot('operations', 'Nanoseconds of the operations of one thread')],
    ['plot handoff-rate', plot('handoff-rate', 'Nanoseconds a message against its size')],
    ['plot handoff-latency', plot('handoff-latency', 'Nanoseconds of a round trip against its size')],
    ['plot contention', plot('contention', 'Nanoseconds against the number of threads')],
    ['plot pages', plot('pages', 'Nanoseconds against the number of pages')],
    ['plot page-bytes', plot('page-bytes', 'Nanoseconds against the size of pages')],
    ['browsers', browserTables(node, browsers)],
  ]);
}

function provisional({ settings: { profile, rounds, roundMs } }: Results): string {
  if (profile === 'full' && rounds >= FULL.rounds && roundMs >= FULL.roundMs) return '';
  return `> **Provisional:** these are the figures of a short run (${rounds} × ${roundMs} ms a variant). They show what is measured, not how fast it is.`;
}

/** The sections of explanations.md, by budget. */
export function readExplanations(): Map<string, string> {
  const text = readFileSync(join(SOURCES, 'explanations.md'), 'utf8');
  const sections = text.split(/^## /m).slice(1);
  return new Map(
    sections.map((section) => {
      const [id = '', ...lines] = section.split('\n');
      return [id.replaceAll('`', '').trim(), lines.join('\n').trim()];
    }),
  );
}

/**
 * Reads `name.json`, `name-node-MAJOR.json` and `name-BROWSER.json`, writes the documents, and says what is still to be
 * explained.
 */
export function writeReport(options: { resultsFolder: string; docsFolder: string; name: string }): void {
  const { resultsFolder, docsFolder, name } = options;
  const node = readResults(resultsPath(resultsFolder, name));
  const beside = (names: readonly string[]) =>
    names
      .map((each) => resultsPath(resultsFolder, each))
      .filter((path) => existsSync(path))
      .map(readResults);
  const others = beside(NODES.map((major) => besideName(name, major)));
  const browsers = beside(BROWSERS.map((browser) => `${name}-${browser}`));
  for (const [path, text] of generate(node, others, browsers, readHistory(resultsFolder))) {
    mkdirSync(join(docsFolder, 'plots'), { recursive: true });
    writeFileSync(join(docsFolder, path), text);
  }
  console.log(`written: ${PAGES.map((page) => join(docsFolder, `${page}.md`)).join(', ')}`);
  const explained = readExplanations();
  const missed = missedBudgets([node, ...others].map(judgedRun)).filter(({ id }) => !explained.has(id));
  if (missed.length > 0) console.log(`missed and not explained: ${missed.map(({ id }) => id).join(', ')}`);
}
