// Mutants: puts one fault at a time into the sources, in a copy of the tree, and asks whether the tests near it fail.
//
//   npm run mutants -- --sample 60 --seed 7 [--under src/recovery]
//
// A fault is one that happens: a condition turned, a comparison off by one, a statement or a store left out, an early
// return left out, one condition of two ignored. The sources of the core are among them, which is why this is a tool of
// the package: Stryker knows no AssemblyScript. The same seed chooses the same faults of the same sources. A fault that
// does not build is no fault: another one is drawn. The tests of a file run in stages until one fails: those that
// import it, then the quick ones near it, then the others, one at a time. A run that says nothing for a while hangs: it
// is killed, and counts as seen. What survives is printed with its line: a test is missing, or the change means
// nothing, and which of both is for the reader to find.

import { spawn } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, relative } from 'node:path';
import { filesBelow, isMain, Refusal, root, runScript } from './support.mjs';

/**
 * The tests near a folder of sources, in the stages in which they run, the quick ones first; the first prefix that fits
 * counts. Explored schedules come last: some faults show only where a thread dies, or another one steps in between.
 * Tests that start browsers take longest: they are among them, last, for sources that run in browsers alone.
 */
const NEAR = {
  assembly: [
    ['unit/{core-wasm,tiers,fragment,sending,calls,partial,poison,reaping,channel,pool}', 'property/steps'],
    [
      'interleaving/deaths.plain',
      'unit/{windows,room,pins,bells,wraps,providers/areas}',
      'property/engines',
      'kernel/bugs',
    ],
    ['interleaving/{scenarios.wasm,deaths.wasm}'],
    ['fault/overflow'],
  ],
  'src/engine': [
    ['unit/{guarded,unfinished,tiers,fragment,sending,calls,partial,poison,reaping,channel,pool}', 'property/steps'],
    ['unit/{windows,room,pins,bells,wraps,providers/areas}', 'property/engines', 'kernel/bugs'],
    ['interleaving/{scenarios.typescript,deaths.typescript}'],
    ['fault/overflow'],
  ],
  'src/recovery': [
    ['unit/{reaping,settling,small-parts,locks,audit,refusals,closing,afterwards}'],
    ['unit/{lifelines,lifelines-without,locks}', 'fault/{calls,who-ends,watching}'],
    ['interleaving/{deaths.wasm,reaper}'],
  ],
  'src/control': [
    [
      'unit/{small-parts,ports,closing,audit,reaping,settling,geometry,modes,attacks,calls,channel,share,slabs}',
      'unit/{areas-table,owner-words,report-parts,observer}',
      'unit/providers/{areas,ending,failing,reserve,serving,wants}',
    ],
    [
      'unit/{waits-end,afterwards,sending,stalls,lifelines,locks,without-typescript}',
      'fuzz/share',
      'fault/{calls,areas}',
    ],
    ['interleaving/{scenarios.wasm,deaths.wasm}'],
  ],
  'src/pool': [
    ['unit/{pool,channel,fragment,closing,share,options,ports,calls,sending,refusals,posting,leaks,provider-owners}'],
    [
      'unit/{debts,waits-end,afterwards,local,waiting,stalls,metrics,attach,bells,lifelines,locks,providers/*}',
      'fuzz/{arguments,share}',
    ],
    ['fault/overflow'],
  ],
  'src/port': [
    ['unit/{port-parts,small-parts,ports,partial,tiers,channel,fragment,pool,closing,afterwards,leaks,providers/*}'],
    ['unit/{debts,waits-end,bells,waiting,lifelines}', 'packet/waits', 'fault/overflow'],
    ['interleaving/scenarios.wasm'],
  ],
  'src/reports': [['unit/{report-parts,audit,closing,pool,stalls,attacks,providers/*,calls}']],
  'src/supply': [
    ['unit/{carrier,owner-words,areas-table,supply-parts,providers/*,provider-owners,slabs,afterwards,closing}'],
    ['fault/{areas,provider-steps}', 'unit/leftovers'],
    ['interleaving/scenarios.wasm'],
  ],
  'src/provider': [['unit/{provider-parts,slabs,providers/*,options}', 'user/user-area'], ['unit/address-limit']],
  'src/leaks': [['unit/leaks', 'packet/leaks'], ['unit/leaks-dropped']],
  'src/packet': [
    ['packet/{channel,framing,text-lines,record-writer,refusals,parts,kernel-bugs,waits,leaks}'],
    ['packet/{property,records.property}', 'unit/{debts,waits-end,calls}', 'fuzz/arguments'],
    ['unit/{every-wait,refusals}', 'fault/overflow'],
  ],
  'src/node': [
    ['unit/timers', 'node/{kinds,steps,intake,targets,streams,files,sockets,requests}'],
    ['fuzz/arguments', 'node/programs'],
  ],
  'src/user': [['user/{rings,queue,waits,user-area}'], ['user/{conformance,kernel-bugs,hostile}']],
  'src/user-area': [['user/{queue,rings,waits,user-area}'], ['user/{conformance,kernel-bugs,hostile}']],
  'src/border': [['unit/{border,brands,web}'], ['browser/web']],
  'src/web': [['unit/{web,web-header}'], ['fuzz/arguments'], ['browser/web']],
  'src/worklet': [['unit/{worklet,tiers}'], ['browser/web']],
  'src/webgpu': [['webgpu/parts'], ['webgpu/node'], ['webgpu/chromium']],
  'src/testing': [['unit/{provider-parts,suite-checks,providers/*,slabs}'], ['unit/conformance']],
  'src/platform': [['unit/{small-parts,timers,modes,pool,copy,errors,options,border,calls}'], ['unit/leftovers']],
  'src/inspect': [['unit/{report-parts,observer,lints,metrics}']],
  'src/inspector/page': [['unit/inspector-page', 'browser/inspector-looks'], ['browser/inspector']],
  'src/inspector': [
    ['unit/{inspector-parts,inspector,inspector-stalls,inspector-page,metrics}'],
    ['unit/inspector-programs', 'browser/inspector'],
  ],
  'src/command': [['unit/{border,demo}'], ['unit/inspector-programs']],
  src: [['unit/{errors,pool,options,refusals,border,without-typescript}'], ['fuzz/arguments']],
};
/** What a run may be silent before it counts as hung: ticks of one second in which this program ran, too. */
const SILENT_TICKS_MAX = 90;
/** What those tests load of the core; the model and the debug build take as long again. */
const WASM_TARGETS = ['release', 'checked'];
/** Parts of the tree that the copy needs not. */
const SKIPPED = ['node_modules', '.git', 'build/tools', 'build/test-reports', 'build/release', 'bench'];
/** Declarations, constants, assertions of the checked build, texts: nothing in them runs in the package. */
const WORDS_ONLY = /(([/-])(types|report|layout)|\.d|assembly\/debug|border\/advice)\.ts$/;

/** Every fault that can be put into a text: [offset, length, instead, what it is]. */
export function faultsOf(text) {
  const found = [];
  const code = blank(text);
  const put = (offset, length, instead, what) => found.push({ offset, length, instead, what });
  for (const match of code.matchAll(/\b(if|while) \(/g)) {
    const open = match.index + match[0].length - 1;
    const close = closing(code, open);
    if (close > 0) put(open + 1, close - open - 1, `!(${text.slice(open + 1, close)})`, 'a condition is turned');
  }
  const swaps = {
    ' && ': ' || ',
    ' || ': ' && ',
    ' < ': ' <= ',
    ' <= ': ' < ',
    ' > ': ' >= ',
    ' >= ': ' > ',
    ' === ': ' !== ',
    ' !== ': ' === ',
    ' == ': ' != ',
    ' != ': ' == ',
  };
  for (const [from, to] of Object.entries(swaps)) {
    for (let at = code.indexOf(from); at >= 0; at = code.indexOf(from, at + from.length)) {
      put(at, from.length, to, `${from.trim()} becomes ${to.trim()}`);
    }
  }
  let offset = 0;
  for (const line of text.split('\n')) {
    const bare = code.slice(offset, offset + line.length).trim();
    const indent = line.length - line.trimStart().length;
    const drop = (what) => put(offset + indent, line.length - indent, '', what);
    if (/^return;$|^if \(.*\) (return|continue|break)\b.*;$/.test(bare)) drop('an early return is left out');
    else if (/^(store<|astore\(|this\.astore\(|Atomics\.|[iu](16|32)\[.*\] = )/.test(bare) && bare.endsWith(';'))
      drop('a store is left out');
    else if (/^(this|[a-zA-Z_.#?]+)(\.[#a-zA-Z_?.]+)* [+-]?= .*;$/.test(bare) && !isField(text, offset, bare))
      drop('an assignment is left out');
    else if (/^(?:void )?[#a-zA-Z_][#\w.?]*\(.*\);$/.test(bare) && !/^(super|describe|expect|throw)/.test(bare))
      drop('a call is left out');
    offset += line.length + 1;
  }
  return found;
}

/** Whether a line gives a field of a class its first value: a name at the class's own level. */
function isField(text, offset, bare) {
  const [, around = ''] = text.slice(0, offset).match(/\n(?=\S)([^\n]*)\n(?:(?!\S)[^\n]*\n)*$/) ?? [];
  return /^(export )?(abstract )?class /.test(around) && /^ {2}\S/.test(text.slice(offset)) && !bare.startsWith('this');
}

/**
 * The text with comments blanked, and strings struck out, as long as it was. A string that was blank would leave an
 * operator of types with space around it: `Pick<Look, 'at'> & Frame`.
 */
function blank(text) {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|^import [\s\S]*?;$/gm,
    (part) => part.replace(/[^\n]/g, /^['"`]/.test(part) ? '_' : ' '),
  );
}

function closing(code, open) {
  let depth = 0;
  for (let at = open; at < code.length; at++) {
    if (code[at] === '(') depth++;
    else if (code[at] === ')' && --depth === 0) return at;
  }
  return -1;
}

/** Which of these are chosen, by a seed. */
export function choose(all, count, seed) {
  let state = seed >>> 0;
  const random = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  const left = [...all];
  const chosen = [];
  while (chosen.length < count && left.length > 0) chosen.push(...left.splice(Math.floor(random() * left.length), 1));
  return chosen;
}

/** Every fault of the sources below a folder, with its file and line. */
export function faultsBelow(folder) {
  const folders = folder === undefined ? ['assembly', 'src'] : [folder];
  return folders
    .flatMap((each) => filesBelow(join(root, each)))
    .filter((file) => file.endsWith('.ts') && !WORDS_ONLY.test(relative(root, file)))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      return faultsOf(text).map((fault) => ({
        ...fault,
        file: relative(root, file),
        line: text.slice(0, fault.offset).split('\n').length,
      }));
    });
}

/** The group of a file. */
function groupOf(file) {
  return Object.keys(NEAR).find((prefix) => file.startsWith(`${prefix}/`));
}

/** The files of tests that a pattern names: `unit/{pool,providers/*}`. */
function testsOf(pattern) {
  const [, before, list, after] = /^(.*)\{(.*)\}(.*)$/.exec(pattern) ?? [undefined, pattern, '', ''];
  return list.split(',').flatMap((each) => {
    const path = join(root, 'test', `${before}${each}${after}`);
    const files = path.endsWith('*') ? filesBelow(dirname(path)) : [`${path}.test.ts`];
    return files.filter((file) => existsSync(file)).map((file) => relative(root, file));
  });
}

/** The files of tests that import a source by its path: they ask that one, so they come first. */
function importersOf(file) {
  return filesBelow(join(root, 'test'))
    .filter((path) => /\.test\.ts$/.test(path) && !/\.(long|trial)\.|\/toolchain\//.test(path))
    .filter((path) => {
      const imports = readFileSync(path, 'utf8').matchAll(/(?:from|import\() ?'(\.[^']+)\.js'/g);
      return [...imports].some(([, name]) => join(dirname(path), `${name}.ts`) === join(root, file));
    })
    .map((path) => relative(root, path));
}

/** The stages of a source's tests: those that import it, then those near its folder. */
function stagesOf(file) {
  const asked = new Set();
  return [importersOf(file), ...NEAR[groupOf(file)].map((patterns) => patterns.flatMap(testsOf))].map((files) =>
    files.filter((each) => !asked.has(each) && asked.add(each)),
  );
}

/** Runs a program in the copy, and tells how it ended: 'well', 'failed', 'hung'. */
function run(folder, args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], detached: true });
    let [silent, isHung, output] = [0, false, ''];
    const hear = (chunk) => {
      silent = 0;
      output = (output + chunk).slice(-4000);
    };
    child.stdout.on('data', hear);
    child.stderr.on('data', hear);
    // Counted and not measured: a machine that stood still meanwhile has hung nobody.
    const watch = setInterval(() => {
      if (++silent <= SILENT_TICKS_MAX || isHung) return;
      isHung = true;
      process.kill(-child.pid, 'SIGKILL');
    }, 1000);
    child.on('exit', (code) => {
      clearInterval(watch);
      // What a test started and did not end would hold the machine.
      try {
        process.kill(-child.pid, 'SIGKILL');
      } catch {
        // nothing of it is left
      }
      done({ end: isHung ? 'hung' : code === 0 ? 'well' : 'failed', output });
    });
  });
}

/** Builds the copy with the fault in a file, quickly: names stay long, and the page is made again for its own alone. */
function build(folder, file) {
  const hasPage = file === undefined || file.startsWith('src/inspector/');
  const parts = { targets: WASM_TARGETS, isTyped: false, isShort: false, hasPage };
  const text = `import { buildAll } from './scripts/build.mjs'; await buildAll(${JSON.stringify(parts)});`;
  return run(folder, ['--input-type=module', '-e', text]);
}

/** Runs the tests, those files alone, and one file at a time. */
function test(folder, files) {
  const how = ['--bail', '1', '--no-file-parallelism', '--reporter', 'verbose'];
  return run(folder, ['node_modules/vitest/vitest.mjs', 'run', ...how, ...files]);
}

/** Files of tests that pass without a fault, and those that do not: nothing is told by these. */
const sound = new Set();
const unsound = new Set();

/** Who saw the fault: 'no build', 'hung', the name of a failed test and its error; undefined: nobody. */
async function seenBy(folder, file) {
  if ((await build(folder, file)).end !== 'well') return 'no build';
  for (const stage of stagesOf(file)) {
    const files = stage.filter((each) => !unsound.has(each));
    if (files.length === 0) continue; // without a name all tests would run
    const { end, output } = await test(folder, files);
    if (end === 'hung') return 'hung';
    if (end === 'failed') {
      const [, name, why] = / FAIL {2}(.*)\n(.*)/.exec(stripColours(output)) ?? [];
      return name === undefined ? 'a file of tests' : `${name.trim()}\n      ${why.trim()}`;
    }
  }
  return undefined;
}

/** Whether the test that saw a fault passes without one. */
async function isSound(folder, by, source) {
  const [file] = /test\/\S+\.test\.ts/.exec(by) ?? [];
  if (file === undefined || sound.has(file)) return true;
  await build(folder, source);
  let output = '';
  // Twice: a test that needs some haste fails now and then on a busy machine.
  for (let time = 0; time < 2; time++) {
    const ran = await test(folder, [file]);
    if (ran.end === 'well') {
      sound.add(file);
      return true;
    }
    output = ran.output;
  }
  unsound.add(file);
  console.log(`left out: without a fault, ${file} fails:\n${stripColours(output)}`);
  return false;
}

// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is taken out
const stripColours = (text) => text.replace(/\u001b\[\d*m/g, '');

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

/** A copy of the tree, built. */
async function copyTree() {
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-mutants-'));
  const skipped = new Set(SKIPPED.map((name) => join(root, name)));
  const isCopied = (path) => !skipped.has(path) && !path.endsWith('/node_modules');
  cpSync(root, folder, { recursive: true, filter: isCopied });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const { end, output } = await build(folder);
  if (end !== 'well') throw new Refusal(`mutants failed: without a fault, the build fails:\n${output}`);
  cpSync(join(folder, 'build'), join(folder, 'build.clean'), { recursive: true });
  return folder;
}

/** Puts the fault in, asks who sees it, and takes it out again. */
async function tryFault(folder, { file, offset, length, instead }) {
  const path = join(folder, file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, offset) + instead + text.slice(offset + length));
  try {
    return await seenBy(folder, file);
  } finally {
    writeFileSync(path, text);
    // The core takes longest to build, so it is put back as it was; the page is not made again for others.
    if (/^(assembly|src\/inspector)\//.test(file)) {
      rmSync(join(folder, 'build'), { recursive: true, force: true });
      cpSync(join(folder, 'build.clean'), join(folder, 'build'), { recursive: true });
    }
  }
}

async function main() {
  const sample = Number(option('sample') ?? 20);
  const seed = Number(option('seed') ?? Date.now() % 2 ** 31);
  if (!Number.isInteger(sample) || sample < 1 || !Number.isInteger(seed)) {
    throw new Refusal('mutants failed: --sample and --seed must be integers');
  }
  const all = faultsBelow(option('under'));
  const drawn = choose(all, all.length, seed);
  console.log(`mutants: ${Math.min(sample, all.length)} of ${all.length} faults, --seed ${seed}`);
  const folder = await copyTree();
  const groups = new Map();
  const survivors = [];
  try {
    let tried = 0;
    for (const fault of drawn) {
      if (tried === sample) break;
      const { file, line, what } = fault;
      let by = await tryFault(folder, fault);
      while (by !== undefined && !(await isSound(folder, by, file))) by = await tryFault(folder, fault);
      const text = readFileSync(join(root, file), 'utf8').split('\n')[line - 1].trim();
      const told = `${file}:${line}: ${what}: ${text.slice(0, 100)}`;
      if (by === 'no build') {
        console.log(`NO FAULT  ${told} (does not build)`);
        continue;
      }
      tried++;
      const name = groupOf(file);
      const group = groups.get(name) ?? { caught: 0, hung: 0, all: 0 };
      group.all++;
      if (by !== undefined) group.caught++;
      if (by === 'hung') group.hung++;
      groups.set(name, group);
      console.log(by === undefined ? `${tried} SURVIVES  ${told}` : `${tried} caught    ${told}\n    by ${by}`);
      if (by === undefined) survivors.push(told);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [group, { caught, hung, all: count }] of [...groups].sort()) {
    const hangs = hung > 0 ? ` (${hung} hung)` : '';
    console.log(`${group}: ${caught} of ${count} caught${hangs}, ${Math.round((100 * caught) / count)} %`);
  }
  if (survivors.length > 0) console.log(`survivors:\n${survivors.join('\n')}`);
}

if (isMain(import.meta.url)) await runScript(main);
