// Mutants: puts one fault at a time into the sources, in a copy of the tree, and asks whether the tests near it fail.
//
//   npm run mutants -- --sample 60 --seed 7 [--under src/recovery]
//
// A fault is one that happens: a condition turned, a comparison off by one, a statement or a store left out, an early
// return left out, one condition of two ignored. The sources of the core are among them, which is why this is a tool of
// the package: Stryker knows no AssemblyScript. The same seed chooses the same faults of the same sources. What
// survives is printed with its line: either a test is missing, or the change means nothing.

import { spawn } from 'node:child_process';
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { filesBelow, isMain, Refusal, root, runScript } from './support.mjs';

/** The tests near a folder of sources, the longest prefix counts; a fault that hangs is one that is seen. */
const NEAR = [
  [
    'assembly',
    ['unit/conformance', 'unit/core-wasm', 'unit/tiers', 'unit/pins', 'unit/pool', 'property', 'kernel/bugs'],
  ],
  [
    'src/engine',
    ['unit/conformance', 'unit/guarded', 'unit/tiers', 'unit/pins', 'unit/pool', 'property', 'kernel/bugs'],
  ],
  ['src/recovery', ['unit/reaping', 'unit/locks', 'unit/audit', 'unit/refusals', 'fault']],
  ['src/control', ['unit/ports', 'unit/closing', 'unit/audit', 'unit/reaping', 'unit/geometry', 'unit/modes', 'fault']],
  [
    'src/pool',
    [
      'unit/pool',
      'unit/channel',
      'unit/fragment',
      'unit/closing',
      'unit/share',
      'unit/options',
      'unit/refusals',
      'fuzz/arguments',
    ],
  ],
  [
    'src/port',
    ['unit/ports', 'unit/partial', 'unit/tiers', 'unit/waiting', 'unit/waits-end', 'unit/bells', 'unit/channel'],
  ],
  ['src/reports', ['unit/audit', 'unit/closing', 'unit/pool']],
  ['src/supply', ['unit/providers', 'unit/provider-owners', 'unit/slabs', 'fault']],
  ['src/provider', ['unit/slabs', 'unit/providers', 'user/user-area', 'unit/options']],
  ['src/leaks', ['unit/leaks', 'unit/leaks-dropped', 'packet/leaks']],
  ['src/packet', ['packet', 'unit/refusals', 'fuzz/arguments']],
  ['src/node', ['node']],
  ['src/user', ['user']],
  ['src/border', ['unit/border']],
  ['src/web', ['unit/web', 'fuzz/arguments']],
  ['src/worklet', ['unit/worklet', 'unit/tiers']],
  ['src/webgpu', ['webgpu/node']],
  ['src/platform', ['unit/modes', 'unit/leftovers', 'unit/pool']],
  ['src', ['unit/errors', 'unit/pool', 'unit/options', 'fuzz/arguments']],
];
/** What a run may take before it counts as hung, which is a fault that is seen. */
const HUNG_MS = 240_000;

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
    else if (
      /^(store<|astore\(|this\.astore\(|Atomics\.|[iu](16|32)\[.*\] = |f64\[.*\] = )/.test(bare) &&
      bare.endsWith(';')
    )
      drop('a store is left out');
    else if (/^(this|[a-zA-Z_.#?]+)(\.[#a-zA-Z_?.]+)* [+-]?= .*;$/.test(bare) && !bare.startsWith('const'))
      drop('an assignment is left out');
    else if (/^(?:void )?[#a-zA-Z_][#\w.?]*\(.*\);$/.test(bare) && !/^(super|describe|expect|throw)/.test(bare))
      drop('a call is left out');
    offset += line.length + 1;
  }
  return found;
}

/** The text with comments and strings blanked, as long as it was. */
function blank(text) {
  return text.replace(
    /\/\*[\s\S]*?\*\/|\/\/[^\n]*|'(?:\\.|[^'\\\n])*'|"(?:\\.|[^"\\\n])*"|`(?:\\.|[^`\\])*`|^import [\s\S]*?;$/gm,
    (part) => part.replace(/[^\n]/g, ' '),
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
    .filter((file) => file.endsWith('.ts') && !/(types|report|layout)\.ts$/.test(file))
    .flatMap((file) => {
      const text = readFileSync(file, 'utf8');
      return faultsOf(text).map((fault) => ({
        ...fault,
        file: relative(root, file),
        line: text.slice(0, fault.offset).split('\n').length,
      }));
    });
}

function testsNear(file) {
  const [, near] = NEAR.find(([prefix]) => file.startsWith(`${prefix}/`)) ?? NEAR[NEAR.length - 1];
  return near.map((each) => `test/${each}`);
}

function groupOf(file) {
  const [group] = NEAR.find(([prefix]) => file.startsWith(`${prefix}/`)) ?? ['src'];
  return group;
}

/** Runs a program in the copy: whether it ended well in time. */
function run(folder, args) {
  return new Promise((done) => {
    const child = spawn(process.execPath, args, { cwd: folder, stdio: 'ignore', detached: true });
    const hung = setTimeout(() => process.kill(-child.pid, 'SIGKILL'), HUNG_MS);
    child.on('exit', (code) => {
      clearTimeout(hung);
      done(code === 0);
    });
  });
}

async function isCaught(folder, file) {
  if (!(await run(folder, ['scripts/build.mjs']))) return 'the build';
  const tests = testsNear(file);
  const isWell = await run(folder, ['node_modules/vitest/vitest.mjs', 'run', '--bail', '1', ...tests]);
  return isWell ? undefined : 'a test';
}

function option(name) {
  const at = process.argv.indexOf(`--${name}`);
  return at < 0 ? undefined : process.argv[at + 1];
}

async function main() {
  const sample = Number(option('sample') ?? 20);
  const seed = Number(option('seed') ?? Date.now() % 2 ** 31);
  if (!Number.isInteger(sample) || sample < 1 || !Number.isInteger(seed)) {
    throw new Refusal('mutants failed: --sample and --seed must be integers');
  }
  const all = faultsBelow(option('under'));
  const chosen = choose(all, sample, seed);
  console.log(`mutants: ${chosen.length} of ${all.length} faults, --seed ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-mutants-'));
  const skipped = new Set(['node_modules', '.git'].map((name) => join(root, name)));
  cpSync(root, folder, { recursive: true, filter: (path) => !skipped.has(path) });
  symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'));
  const groups = new Map();
  const survivors = [];
  try {
    for (const group of new Set(chosen.map(({ file }) => groupOf(file)))) {
      const by = await isCaught(folder, `${group}/x.ts`);
      if (by !== undefined) throw new Refusal(`mutants failed: without a fault, ${by} of ${group} fails`);
    }
    for (const { file, line, offset, length, instead, what } of chosen) {
      const path = join(folder, file);
      const text = readFileSync(path, 'utf8');
      writeFileSync(path, text.slice(0, offset) + instead + text.slice(offset + length));
      const by = await isCaught(folder, file);
      writeFileSync(path, text);
      const group = groups.get(groupOf(file)) ?? { caught: 0, all: 0 };
      group.all++;
      if (by !== undefined) group.caught++;
      groups.set(groupOf(file), group);
      const told = `${file}:${line}: ${what}: ${text
        .slice(offset, offset + length)
        .replace(/\s+/g, ' ')
        .slice(0, 80)}`;
      console.log(`${by === undefined ? 'SURVIVES' : `caught by ${by}`}  ${told}`);
      if (by === undefined) survivors.push(told);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  for (const [group, { caught, all: count }] of [...groups].sort()) {
    console.log(`${group}: ${caught} of ${count} caught, ${Math.round((100 * caught) / count)} %`);
  }
  if (survivors.length > 0) console.log(`survivors:\n${survivors.join('\n')}`);
}

if (isMain(import.meta.url)) await runScript(main);
