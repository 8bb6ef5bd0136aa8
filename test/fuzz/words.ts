// Sets words of the control region, one at a time and each to six values, and then does what must end whatever stands
// there: statistics, audit, reaping, detaching, closing. Run by words.test.ts in a process of its own.
//
//   run-ts words.ts <engine> <seed> <first word> <every how many words>
//
// Prints a line before each word, so that whoever waits knows which one hangs, and at the end what was wrong.

import { CONTROL_BASE } from '../../assembly/layout.js';
import { loadTypeScript } from '../../src/engine/loaded.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { PagePoolError } from '../../src/errors.js';
import { letAttachAgain } from '../../src/pool/attached.js';
import { portOf } from '../../src/pool/enrolled.js';
import { PagePool } from '../../src/pool/page-pool.js';

loadTypeScript(createTypeScriptEngine);

const [engine = 'typescript', seed = '1', first = '0', step = '1'] = process.argv.slice(2);
let state = Number(seed) >>> 0;
function random(): number {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state;
}

const OPTIONS = {
  engine: engine as 'wasm' | 'typescript',
  pageBytes: 256,
  unitBytes: 128,
  pageCount: 12,
  maxPorts: 3,
  channels: { a: { capacity: 2, batch: 2 } },
};

/** The creator, a port whose thread is taken for dead, and one that detaches. */
function setUp() {
  const pool = PagePool.createSync(OPTIONS);
  const share = pool.share();
  const attach = (): PagePool => {
    letAttachAgain(portOf('attach', pool));
    return PagePool.attach(share);
  };
  const [dead, leaver] = [attach(), attach()];
  for (const each of [pool, dead, leaver]) {
    each.alloc();
    each.release(each.alloc());
    each.allocFragment(100);
  }
  pool.channel('a').send(pool.alloc(), 0, 8, 1);
  dead.take(64)?.lend();
  return { pool, dead, leaver };
}

const wrong: string[] = [];
let cases = 0;
let corrupt = 0;
let slowestMs = 0;

async function attempt(what: string, run: () => unknown): Promise<void> {
  const start = performance.now();
  try {
    await run();
  } catch (error) {
    if (!(error instanceof PagePoolError)) wrong.push(`${what}: ${String(error)}`);
    else if (error.code === 'POOL_ERR_CORRUPT') corrupt++;
  }
  slowestMs = Math.max(slowestMs, performance.now() - start);
}

console.warn = () => {};
const { geometry } = portOf('words', PagePool.createSync(OPTIONS));
const words = (geometry.controlBytes - CONTROL_BASE) / 4;
for (let word = Number(first); word < words; word += Number(step)) {
  const address = CONTROL_BASE + 4 * word;
  process.stdout.write(`word ${address}\n`);
  for (const kind of ['0', '1', '2^31', '2^32 - 1', 'random', 'a neighbour'] as const) {
    const { pool, dead, leaver } = setUp();
    const { memory } = portOf('words', pool);
    const at = address >>> 2;
    const value = {
      '0': 0,
      '1': 1,
      '2^31': 2 ** 31,
      '2^32 - 1': 2 ** 32 - 1,
      random: random(),
      'a neighbour': memory.u32[at + 1] ?? 0,
    }[kind];
    memory.u32[at] = value;
    const name = (call: string): string => `${call} with word ${address} = ${value}`;
    await attempt(name('stats'), () => pool.stats());
    await attempt(name('audit'), () => pool.audit());
    await attempt(name('reap'), () => pool.reap(dead.portId, { force: true }));
    await attempt(name('audit behind reap'), () => pool.audit());
    await attempt(name('detach'), () => leaver.detach({ release: true }));
    await attempt(name('close'), () => pool.close({ timeoutMs: 0 }));
    cases++;
    // Whoever failed to detach is not attached any more.
    letAttachAgain(portOf('words', pool));
    for (const each of [pool, dead]) await attempt(name('the last detach'), () => each.detach({ release: true }));
  }
}
console.log(
  JSON.stringify({ cases, corrupt, slowestMs: Math.round(slowestMs), wrong: wrong.slice(0, 40), wrongs: wrong.length }),
);
process.exit(0);
