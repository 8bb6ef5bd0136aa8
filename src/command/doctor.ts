// `pagepool doctor`: what the runtime that runs it allows, what each API does with pages, and what to do.

import { advice } from '../border/advice.js';
import { type Capabilities, capabilities } from '../border/capabilities.js';

/** What each verdict means for the reader. */
const MEANINGS: Record<string, string> = {
  taken: 'takes pages',
  later: 'takes pages, and reads them until it is done',
  refused: 'refuses pages',
  corrupted: 'takes pages and sees WRONG bytes',
  untried: 'not tried',
};

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

/** Prints it, as text or as JSON. The exit code: 0 where pools are shared, 1 where they are not. */
export async function doctor(isJson: boolean): Promise<number> {
  const found = await capabilities();
  if (isJson) console.log(JSON.stringify({ ...found, advice: advice(found) }, null, 2));
  else print(found);
  return found.memory === 'local' ? 1 : 0;
}
