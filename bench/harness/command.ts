// The command lines of `npm run bench` and `npm run bench:browser`.

import { Command, InvalidArgumentError, Option } from 'commander';
import { ENGINES, type EngineName } from '../rows/row.js';
import { NODES } from './other-node.js';
import type { Settings } from './results.js';

/** What both take. */
export interface Options {
  readonly settings: Settings;
  /** Only rows whose id, group or name contains this. */
  readonly text: string;
  /** The file's name in the folder of results, without `.json`. */
  readonly name: string;
  readonly resultsFolder: string;
  readonly docsFolder: string;
  /** Whether docs/performance.md is made anew. */
  readonly isWriting: boolean;
}

/** What is measured of flow: a run of its own. */
export interface Flow {
  /** The folder of another build of pagepool, to be compared with. */
  readonly other: string | null;
}

/** One case of one engine in the main thread, instead of a run. */
export interface Isolation {
  readonly engine: EngineName;
  readonly seconds: number;
}

/** The run that the documents stand on. */
export const REFERENCE = 'reference';

/** The name of a run on another Node, beside the one of that name. */
export function besideName(name: string, major: string): string {
  return `${name}-node-${major}`;
}

export const FULL = { profile: 'full', rounds: 7, roundMs: 80, warmUpMs: 120 } as const;
const QUICK = { profile: 'quick', rounds: 1, roundMs: 2, warmUpMs: 2 } as const;

/** An option's whole number from 1. */
export function positive(text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new InvalidArgumentError('Expected a whole number from 1.');
  return value;
}

function shortName(text: string): string {
  if (!/^[a-z0-9-]+$/.test(text)) throw new InvalidArgumentError('Expected small letters, digits and hyphens.');
  return text;
}

function engineName(text: string): EngineName {
  if (!(ENGINES as readonly string[]).includes(text)) {
    throw new InvalidArgumentError(`Expected one of: ${ENGINES.join(', ')}.`);
  }
  return text as EngineName;
}

export function benchCommand(name: string, description: string): Command {
  return new Command(name)
    .description(description)
    .option('--case <text>', 'only rows whose id, group or name contains this', '')
    .option('--rounds <count>', `rounds of each variant (${FULL.rounds})`, positive)
    .option('--time <ms>', `how long one round of one variant lasts (${FULL.roundMs})`, positive)
    .option('--quick', 'one short round of everything: shows that it works, its figures mean little', false)
    .option('--write', `make docs/performance.md from this run; its name is ${REFERENCE} then`, false)
    .option('--name <name>', 'of the JSON file', shortName)
    .option('--results <folder>', 'where the JSON file goes', 'bench/results')
    .option('--docs <folder>', 'where performance.md and plots/ go', 'docs');
}

/** `sampleUs`: how long a sample lasts at least, for the clock's sake. */
export function optionsOf(command: Command, sampleUs: number): Options {
  const options = command.opts();
  const profile = options.quick ? QUICK : FULL;
  return {
    settings: {
      ...profile,
      rounds: options.rounds ?? profile.rounds,
      roundMs: options.time ?? profile.roundMs,
      sampleUs,
    },
    text: options.case,
    name: options.name ?? (options.write ? REFERENCE : 'local'),
    resultsFolder: options.results,
    docsFolder: options.docs,
    isWriting: options.write,
  };
}

export function parseCommand(
  argv: readonly string[],
): Options & { readonly isolation: Isolation | null; readonly flow: Flow | null; readonly node: string | null } {
  const command = benchCommand(
    'bench',
    'Measures every operation of pagepool against what else there is, and writes a table and a JSON file.',
  )
    .option('--isolate', 'run exactly one case of one engine in the main thread, in a bare loop, for a profiler', false)
    .option('--engine <engine>', 'with --isolate: wasm or typescript', engineName, 'wasm')
    .option('--seconds <count>', 'with --isolate: how long', positive, 5)
    .addOption(
      new Option('--group <name>', 'flow: records, calls, waiting and the demo, and their budgets').choices(['flow']),
    )
    .addOption(
      new Option(
        '--node <major>',
        'on that Node, which is installed first; --write puts it beside the reference run',
      ).choices(NODES),
    )
    .option('--other <folder>', 'with --group flow: another build of pagepool, for the threads that are blocked')
    .parse([...argv], { from: 'user' });
  const { isolate, engine, seconds, group, other = null, node = null } = command.opts();
  return {
    ...optionsOf(command, 0),
    isolation: isolate ? { engine, seconds } : null,
    flow: group === 'flow' ? { other } : null,
    node,
  };
}
