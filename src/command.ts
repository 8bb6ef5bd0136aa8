#!/usr/bin/env node
// `npx pagepool doctor | demo | top | --version`: the command of the package, not a module to import.
//
// Ends with 2 when it was called wrongly. Each part is loaded when it is wanted: doctor runs where Node's threads and
// servers are not to be had.

import { readFileSync, realpathSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { parseArgs } from 'node:util';
import { ABI_VERSION } from '../assembly/layout.js';

const USAGE = `Usage: pagepool doctor [--json]
       pagepool demo [--port N] [--kill SECONDS]
       pagepool top URL [--once]

doctor   tries what this runtime allows, and what its APIs do with views on shared pages
demo     a pool at work in four threads, and a page in the browser that shows it
top      the same as that page, in the terminal; URL is what serveInspector, or the demo, printed

  --json      doctor: the same as one JSON object, for programs
  --port      demo: the page's port; a free one if not given
  --kill      demo: kill a thread whenever all have been at work for so many seconds
  --once      top: print one look and end
  --help      this text
  --version   of pagepool, of its pools' layout (threads of one pool have the same), and of the runtime`;

const OPTIONS = {
  json: { type: 'boolean' },
  port: { type: 'string' },
  kill: { type: 'string' },
  once: { type: 'boolean' },
  help: { type: 'boolean', short: 'h' },
  version: { type: 'boolean' },
} as const;

function refuse(text: string): never {
  console.error(`${text}\n\n${USAGE}`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({ options: OPTIONS, allowPositionals: true });
  } catch (error) {
    return refuse((error as Error).message);
  }
}

/** What a report of a fault has to name. */
function versions(): string {
  const folder = dirname(realpathSync(process.argv[1] as string));
  const { version } = JSON.parse(readFileSync(join(folder, '../package.json'), 'utf8'));
  return `pagepool ${version}, ABI ${ABI_VERSION}, Node ${process.versions.node}, V8 ${process.versions.v8}`;
}

/** A number of the command line. */
function requireNumber(name: string, text: string | undefined, max: number): number {
  const value = text === undefined ? 0 : Number(text);
  if (!Number.isInteger(value) || value < 0 || value > max)
    refuse(`--${name}=${text} (expected an integer, 0..${max})`);
  return value;
}

async function main(): Promise<number> {
  const { positionals, values } = parse();
  if (values.help === true) {
    console.log(USAGE);
    return 0;
  }
  if (values.version === true) {
    console.log(versions());
    return 0;
  }
  const [command, ...others] = positionals;
  const { help: _, version: __, ...given } = values;
  const wrong = (...taken: string[]): string | undefined => Object.keys(given).find((name) => !taken.includes(name));
  const requireOptions = (...taken: string[]): void => {
    const name = wrong(...taken);
    if (name !== undefined) refuse(`${command} takes no --${name}`);
  };
  if (command === 'doctor' && others.length === 0) {
    requireOptions('json');
    return (await import('./command/doctor.js')).doctor(given.json === true);
  }
  if (command === 'demo' && others.length === 0) {
    requireOptions('kill', 'port');
    const port = requireNumber('port', given.port, 65_535);
    const killS = requireNumber('kill', given.kill, 86_400);
    return (await import('./command/demo.js')).demo({ port, killS });
  }
  if (command === 'top' && others.length === 1) {
    requireOptions('once');
    return (await import('./command/top.js')).top(others[0] as string, given.once === true);
  }
  return refuse(command === undefined ? 'no command' : `unknown: ${positionals.join(' ')}`);
}

// The demo's threads are started from this file, too.
const role = process.env.PAGEPOOL_DEMO_ROLE;
if (role === undefined) process.exitCode = await main();
else await (await import('./command/demo-thread.js')).work(role);
