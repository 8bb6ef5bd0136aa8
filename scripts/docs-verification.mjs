// Writes the tables of docs/verification.md from what the interleaving tests left in build/test-reports/interleaving;
// run those before.
//
// --check compares only; --print shows the tables of this run as text. Numbers of schedules and states are the same on
// every machine. Between <!-- explored GROUP --> and <!-- /explored --> stands one row a scenario, between <!-- faults
// --> and <!-- /faults --> one a seeded fault: what is written there by hand is replaced. A group that was not run is
// left alone.

import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildDir, isMain, Refusal, root, runScript } from './support.mjs';

const DOCUMENT = 'docs/verification.md';
const REPORTS = join(buildDir, 'test-reports/interleaving');
const GROUP = /(<!-- explored ([^>]+?) -->\n)[\s\S]*?(<!-- \/explored -->)/g;
const FAULTS = /(<!-- faults -->\n)[\s\S]*?(<!-- \/faults -->)/;
const ENGINES = ['wasm', 'typescript', 'mixed'];

/**
 * What the test files left, by group; `faults` apart.
 * @returns {{ groups: Map<string, Exploration[]>, faults: Fault[] }}
 * @typedef {{ name: string, engine: string, threads: number, bound?: number, kills: number, schedules: number, states:
 *   number, longest: number, outcomes: number, seconds: number }} Exploration
 * @typedef {{ name: string, file: string, scenario: string, engine: string, message: string }} Fault
 */
export function readReports(folder = REPORTS) {
  if (!existsSync(folder)) throw new Refusal('nothing was explored: run the interleaving tests first');
  const groups = new Map();
  const faults = [];
  for (const file of readdirSync(folder).sort()) {
    const report = JSON.parse(readFileSync(join(folder, file), 'utf8'));
    faults.push(...report.faults);
    if (report.explorations.length === 0) continue;
    groups.set(report.group, [...(groups.get(report.group) ?? []), ...report.explorations]);
  }
  return { groups, faults };
}

/** Exact below a billion. */
function numberOf(schedules) {
  return schedules < 1e9 ? String(schedules) : schedules.toExponential(1);
}

const boundOf = ({ bound }) => (bound === undefined ? 'all' : String(bound));

/** One value where the engines agree, else one for each. */
function merged(explorations, tell) {
  const values = explorations.map(tell);
  if (values.every((value) => value === values[0])) return values[0];
  return explorations.map(({ engine }, i) => `${engine} ${values[i]}`).join(', ');
}

/**
 * The rows of a group, a scenario each, with its title.
 * @param {Exploration[]} explorations
 */
export function tableOf(explorations) {
  const engines = ENGINES.filter((engine) => explorations.some((exploration) => exploration.engine === engine));
  const names = [...new Set(explorations.map(({ name }) => name))];
  const rows = names.map((name) => {
    const own = engines.flatMap((engine) =>
      explorations.filter((each) => each.name === name && each.engine === engine),
    );
    const schedules = engines.map((engine) => {
      const found = own.find((exploration) => exploration.engine === engine);
      return found === undefined ? '-' : numberOf(found.schedules);
    });
    return [
      name,
      merged(own, ({ threads }) => String(threads)),
      merged(own, boundOf),
      merged(own, ({ kills }) => String(kills)),
      ...schedules,
      merged(own, ({ outcomes }) => String(outcomes)),
    ];
  });
  const states = engines.map((engine) => {
    const own = explorations.filter((exploration) => exploration.engine === engine);
    return `${own.reduce((sum, exploration) => sum + exploration.states, 0)} states`;
  });
  const head = ['scenario', 'threads', 'preemptions', 'kills', ...engines, 'outcomes'];
  return { head, rows: [...rows, [`all ${names.length}`, '', '', '', ...states, '']] };
}

/** @param {Fault[]} faults */
export function faultTable(faults) {
  const rows = faults.map(({ name, file, scenario, engine }) => [name, `\`${file}\``, scenario, engine]);
  return { head: ['fault', 'in', 'caught by', 'engine'], rows };
}

function markdown({ head, rows }) {
  const lineOf = (cells) => `| ${cells.map((words) => words.replaceAll('|', '\\|')).join(' | ')} |`;
  return `\n${[lineOf(head), `|${head.map(() => '---|').join('')}`, ...rows.map(lineOf)].join('\n')}\n\n`;
}

function text({ head, rows }) {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i].length)));
  return [head, ...rows]
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]) : cell.padStart(widths[i]))).join('  '))
    .join('\n');
}

/**
 * The document with its tables made anew.
 * @param {string} document
 */
export function fillVerification(document, { groups, faults }) {
  const named = new Set([...document.matchAll(GROUP)].map(([, , name]) => name));
  const missing = [...groups.keys()].filter((name) => !named.has(name));
  if (missing.length > 0 || !FAULTS.test(document)) throw new Refusal(`${DOCUMENT}: no region for ${missing}`);
  const filled = document.replace(GROUP, (whole, open, name, close) =>
    groups.has(name) ? `${open}${markdown(tableOf(groups.get(name)))}${close}` : whole,
  );
  if (faults.length === 0) return filled;
  return filled.replace(FAULTS, (_, open, close) => `${open}${markdown(faultTable(faults))}${close}`);
}

function print({ groups, faults }) {
  for (const [group, explorations] of groups) {
    const seconds = explorations.reduce((sum, exploration) => sum + exploration.seconds, 0);
    console.log(`\nexplored, ${group}: ${seconds.toFixed(0)} s; schedules by engine\n${text(tableOf(explorations))}`);
  }
  if (faults.length > 0) console.log(`\nseeded faults caught: ${faults.length}`);
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const reports = readReports();
    if (process.argv.includes('--print')) print(reports);
    const file = join(root, DOCUMENT);
    if (!existsSync(file)) throw new Refusal(`${DOCUMENT} is missing`);
    const document = readFileSync(file, 'utf8');
    const filled = fillVerification(document, reports);
    if (filled === document) return;
    if (process.argv.includes('--check')) {
      throw new Refusal(`${DOCUMENT} is out of date: node scripts/docs-verification.mjs, after this run`);
    }
    writeFileSync(file, filled);
  });
}
