// The gates on the binaries fail where they should: on hand-made modules and text.

import { expect, test } from 'vitest';
import { countLocked, parseWat } from '../../scripts/count-locked.mjs';
import { parseWasm, problemsOf } from '../../scripts/verify-wasm.mjs';

const ascii = (text: string) => [text.length, ...new TextEncoder().encode(text)];
const section = (id: number, body: number[]) => [id, body.length, ...body];
const module = (...sections: number[][]) => {
  return parseWasm(Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]));
};
const memory = [...ascii('env'), ...ascii('memory'), 2, 3, 1, 0x80, 0x80, 4];
const imports = section(2, [1, ...memory]);

test('a binary that imports nothing but the shared memory passes', () => {
  const parsed = module(imports);
  expect(parsed.imports[0]).toMatchObject({ kind: 'memory', limits: { initial: 1, maximum: 65536, isShared: true } });
  expect(problemsOf(parsed, 'release')).toEqual([]);
});

test('start, data, table and element sections are refused, and a table only in debug allowed', () => {
  for (const id of [4, 8, 9, 11]) {
    expect(problemsOf(module(imports, section(id, [0])), 'release')).toHaveLength(1);
    expect(problemsOf(module(imports, section(id, [0])), 'model')).toHaveLength(1);
  }
  expect(problemsOf(module(imports, section(4, [0])), 'debug')).toEqual([]);
});

test('a second import is refused, but for the yield point of the model', () => {
  const types = section(1, [1, 0x60, 0, 0]);
  const two = section(2, [2, ...memory, ...ascii('env'), ...ascii('yieldPoint'), 0, 0]);
  expect(problemsOf(module(types, two), 'release')).toEqual([expect.stringContaining('imports env.yieldPoint')]);
  expect(problemsOf(module(types, two), 'model')).toEqual([]);
});

test('a mutable global that is exported is refused, a constant one is not', () => {
  const globals = section(6, [2, 0x7f, 1, 0x41, 0, 0x0b, 0x7f, 0, 0x41, 0x80, 1, 0x0b]);
  const exported = (index: number) => section(7, [1, ...ascii('g'), 3, index]);
  expect(problemsOf(module(imports, globals, exported(0)), 'release')).toEqual([expect.stringContaining('mutable')]);
  expect(problemsOf(module(imports, globals, exported(1)), 'release')).toEqual([]);
});

test('a release binary above its budget is refused', () => {
  const custom = [0, 0x80, 0x90, 0x01, ...new Array<number>(0x4800).fill(0)];
  expect(problemsOf(module(imports, custom), 'release')).toEqual([expect.stringContaining('bytes')]);
  expect(problemsOf(module(imports, custom), 'checked')).toEqual([]);
});

const wat = parseWat(`(module
 (export "release" (func $assembly/pool/release))
 (func $assembly/ring/push (param $0 i32)
  local.get $0
  i32.atomic.rmw.cmpxchg
  i32.atomic.load offset=4
  call $assembly/pool/slow
 )
 (func $assembly/pool/slow
  i32.atomic.store offset=8
 )
 (func $assembly/pool/release (param $0 i32) (result i32)
  i32.atomic.rmw.add
  call $assembly/ring/push
  call $assembly/ring/push
  memory.atomic.notify
 )
)
`);

test('locked operations are counted in the body, and followed only into what is listed', () => {
  const [plain, deep] = [
    countLocked(wat, { release: { max: 1 } })[0],
    countLocked(wat, { release: { max: 3, descend: ['assembly/ring/push'] } })[0],
  ];
  expect(plain).toMatchObject({ locked: 1, loads: 0, notifies: 1, calls: ['assembly/ring/push'], problem: null });
  expect(deep).toMatchObject({ locked: 3, loads: 2, calls: ['assembly/pool/slow'], problem: null });
});

test('a function above its budget, or not there, is a problem', () => {
  expect(countLocked(wat, { 'assembly/ring/push': { max: 0 } })[0]?.problem).toContain('expected at most 0');
  expect(countLocked(wat, { vanished: { max: 0 } })[0]?.problem).toContain('not in the .wat');
});
