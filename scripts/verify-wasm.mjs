// The gate of the Wasm binaries: parses each by hand and prints one line for it.
//
// Every instance shares one memory, so a binary must not write to it when it is instantiated and must keep no state of
// its own that another instance would not see: no start function, no data, no table or element section, no mutable
// global exported, nothing imported but env.memory and env.touchStack (the model build: env.yieldPoint instead). The
// release binary has a size budget. The debug binary is exempt: asc gives it a table.

import { existsSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { buildDir, isMain, kilobytes, Refusal, root, runScript } from './support.mjs';

const RELEASE_BUDGET_BYTES = 16 * 1024;
const BANNED_SECTIONS = { 4: 'table', 8: 'start', 9: 'element', 11: 'data', 12: 'data count' };
const EXPORT_KINDS = ['func', 'table', 'memory', 'global', 'tag'];

/** What the gate wants to know of a binary: its sections, imports, exports and the mutability of its globals. */
export function parseWasm(bytes) {
  let pos = 0;
  const byte = () => {
    if (pos >= bytes.length) throw new Refusal('truncated binary');
    return bytes[pos++];
  };
  const u32 = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const next = byte();
      value += (next & 0x7f) * 2 ** shift;
      if (next < 0x80) return value;
    }
  };
  const name = () => {
    const length = u32();
    pos += length;
    return Buffer.from(bytes.subarray(pos - length, pos)).toString('utf8');
  };
  const limits = () => {
    const flags = byte();
    const initial = u32();
    const maximum = flags & 1 ? u32() : null;
    return { initial, maximum, isShared: (flags & 2) !== 0 };
  };
  if (Buffer.from(bytes.subarray(0, 8)).toString('hex') !== '0061736d01000000')
    throw new Refusal('not a Wasm 1 binary');
  pos = 8;
  const module = { sections: [], imports: [], exports: [], globals: [], size: bytes.length };
  while (pos < bytes.length) {
    const id = byte();
    const size = u32();
    const end = pos + size;
    module.sections.push(id);
    if (id === 2) {
      for (let count = u32(); count > 0; count--) {
        const entry = { module: name(), name: name(), kind: EXPORT_KINDS[byte()] };
        if (entry.kind === 'func') u32();
        else if (entry.kind === 'memory') entry.limits = limits();
        else if (entry.kind === 'global') {
          byte();
          module.globals.push({ isMutable: byte() === 1 });
        } else if (entry.kind === 'table') {
          byte();
          limits();
        }
        module.imports.push(entry);
      }
    } else if (id === 6) {
      for (let count = u32(); count > 0; count--) {
        byte();
        module.globals.push({ isMutable: byte() === 1 });
        skipConstant();
      }
    } else if (id === 7) {
      for (let count = u32(); count > 0; count--) {
        module.exports.push({ name: name(), kind: EXPORT_KINDS[byte()], index: u32() });
      }
    }
    pos = end;
  }
  return module;

  /** An initialiser: numbers, and globals that are imported. */
  function skipConstant() {
    for (let op = byte(); op !== 0x0b; op = byte()) {
      if (op === 0x41 || op === 0x42) while (byte() >= 0x80);
      else if (op === 0x43) pos += 4;
      else if (op === 0x44) pos += 8;
      else if (op === 0x23) u32();
      else throw new Refusal(`initialiser of a global with opcode 0x${op.toString(16)} (expected a constant)`);
    }
  }
}

/**
 * What is wrong with a binary: a list of sentences.
 * @param {ReturnType<typeof parseWasm>} module
 * @param {string} target
 */
export function problemsOf(module, target) {
  const problems = [];
  if (target !== 'debug') {
    for (const id of module.sections) {
      if (id in BANNED_SECTIONS) problems.push(`${BANNED_SECTIONS[id]} section (expected none)`);
    }
  }
  const allowed = ['env.memory', target === 'model' ? 'env.yieldPoint' : 'env.touchStack'];
  for (const entry of module.imports) {
    const path = `${entry.module}.${entry.name}`;
    if (!allowed.includes(path)) problems.push(`imports ${path} (expected only ${allowed.join(', ')})`);
  }
  const memory = module.imports.find((entry) => entry.kind === 'memory');
  if (memory === undefined) problems.push('imports no memory (expected env.memory)');
  else if (!memory.limits.isShared) problems.push('env.memory is not shared');
  for (const entry of module.exports) {
    if (entry.kind === 'memory') problems.push(`exports the memory as ${entry.name}`);
    if (entry.kind === 'global' && module.globals[entry.index]?.isMutable) {
      problems.push(`exports the mutable global ${entry.name}`);
    }
  }
  if (target === 'release' && module.size > RELEASE_BUDGET_BYTES) {
    problems.push(`has ${module.size} bytes (expected at most ${RELEASE_BUDGET_BYTES})`);
  }
  return problems;
}

/** Checks every target that was built; throws when one is missing or wrong. */
export function verifyWasm() {
  const failures = [];
  for (const target of ['release', 'checked', 'model', 'debug']) {
    const file = join(buildDir, `wasm/core.${target}.wasm`);
    if (!existsSync(file)) throw new Refusal(`${relative(root, file)} is missing: run npm run build`);
    const module = parseWasm(readFileSync(file));
    const problems = problemsOf(module, target);
    const functions = module.exports.filter((entry) => entry.kind === 'func').length;
    const imports = module.imports.map((entry) => `${entry.module}.${entry.name}`).join(', ');
    const verdict = problems.length === 0 ? 'ok' : 'FAILED';
    console.log(
      `wasm ${target.padEnd(7)} ${kilobytes(module.size).padStart(8)}  ${functions} exports, imports ${imports}: ${verdict}`,
    );
    failures.push(...problems.map((problem) => `${relative(root, file)}: ${problem}`));
  }
  if (failures.length > 0) throw new Refusal(failures.join('\n'));
}

if (isMain(import.meta.url)) await runScript(verifyWasm);
