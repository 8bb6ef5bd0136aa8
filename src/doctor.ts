#!/usr/bin/env node
// `npx pagepool doctor`: what the runtime that runs it allows, what each API does with pages, and what to do.
//
// The command of the package, not a module to import. Ends with 0 where pools are shared, with 1 where they are not,
// with 2 when it was called wrongly.

import { parseArgs } from 'node:util';
import { advice } from './border/advice.js';
import { type Capabilities, capabilities } from './border/capabilities.js';

const USAGE = `Usage: pagepool doctor [--json]

Tries what this runtime allows, and what its APIs do with views on shared pages.

  --json   the same as one JSON object, for programs
  --help   this text`;

/** What each verdict means for the reader. */
const MEANINGS: Record<string, string> = {
  taken: 'takes pages',
  later: 'takes pages, and reads them until it is done',
  refused: 'refuses pages',
  corrupted: 'takes pages and sees WRONG bytes',
  untried: 'not tried',
};

function request(): { json: boolean } {
  try {
    const { values, positionals } = parseArgs({
      options: { json: { type: 'boolean', default: false }, help: { type: 'boolean', short: 'h', default: false } },
      allowPositionals: true,
    });
    if (values.help) {
      console.log(USAGE);
      process.exit(0);
    }
    const [command, ...others] = positionals;
    if (command === 'doctor' && others.length === 0) return { json: values.json };
    console.error(`${command === undefined ? 'no command' : `unknown: ${positionals.join(' ')}`}\n\n${USAGE}`);
  } catch (error) {
    console.error(`${(error as Error).message}\n\n${USAGE}`);
  }
  process.exit(2);
}

const yes = (fact: boolean): string => (fact ? 'yes' : 'no');

function print(found: Capabilities): void {
  const { runtime, memory, reason } = found;
  const facts: [string, string][] = [
    ['memory of a pool', reason === '' ? memory : `${memory}: ${reason}`],
    ['Wasm compiles', yes(found.wasm)],
    ['Atomics.waitAsync', yes(found.waitAsync)],
    ['this thread may block', yes(found.canBlock)],
    ['Web Locks', found.locks ? 'yes' : `no: ${found.locksReason}`],
    ['sandbox', found.sandbox === '' ? 'no' : `yes: ${found.sandbox}`],
    ["objects of this realm's classes", yes(!found.isForeignRealm)],
    ['64-bit Wasm memory', yes(found.memory64)],
  ];
  const views = Object.entries(found.views)
    .filter(([, { verdict }]) => verdict !== 'absent')
    .map(([api, { verdict, copies }]): [string, string] => [
      api,
      `${MEANINGS[verdict]}${copies ? '; sendable() copies' : ''}`,
    ]);
  const width = Math.max(...[...facts, ...views].map(([name]) => name.length));
  const table = (rows: [string, string][]): string =>
    rows.map(([name, value]) => `  ${name.padEnd(width)}  ${value}`).join('\n');
  const sentences = advice(found);
  console.log(`pagepool on ${runtime.name} ${runtime.version}\n\n${table(facts)}\n\n${table(views)}`);
  console.log(`\n${sentences.length === 0 ? 'Nothing to do.' : 'What to do:'}`);
  for (const sentence of sentences) console.log(`- ${sentence}`);
}

const { json } = request();
const found = await capabilities();
if (json) console.log(JSON.stringify({ ...found, advice: advice(found) }, null, 2));
else print(found);
process.exitCode = found.memory === 'local' ? 1 : 0;
