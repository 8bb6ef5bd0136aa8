// The lint of atomics refuses what it is there to refuse, and takes what the sources are full of.

import { expect, test } from 'vitest';
import { lintAtomics } from '../../scripts/lint-atomics.mjs';

const lint = (source: string, path = 'assembly/ring.ts', others: Record<string, string> = {}) =>
  lintAtomics([{ path, source }, ...Object.entries(others).map(([path, source]) => ({ path, source }))]);

const pair = `
export function push(p: usize): void {
  // R1 release, pairs with A1 in pop: the entry is written before the position.
  astore(p, 1);
}
export function pop(p: usize): u32 {
  return aload(p); // A1 acquire, pairs with R1 in push: then the entry is visible.
}
`;

test('a pair of labelled calls passes, with labels above and beside', () => {
  expect(lint(pair)).toEqual([]);
});

test('a call without a label is refused with its line', () => {
  const source = `${pair}function peek(p: usize): u32 {\n  // A comment is no label.\n  return aload(p);\n}\n`;
  expect(lint(source)).toEqual([expect.stringMatching(/^assembly\/ring\.ts:11: aload has no label/)]);
});

test('a label covers one call, not two', () => {
  const source = 'function f(p: usize): void {\n  // N1 nobody looks at the order here\n  acas(p, aload(p), 0);\n}\n';
  expect(lint(source)).toEqual([expect.stringContaining('aload has no label')]);
  const both = source.replace('  acas', '  // N2 a guess that the exchange checks\n  acas');
  expect(lint(both)).toEqual([]);
});

test('a label above a statement of several lines covers a call in it', () => {
  const source =
    'function f(p: usize): void {\n  // N1 nobody looks at the order here\n  const was =\n    aadd(p, 1);\n}\n';
  expect(lint(source)).toEqual([]);
  expect(lint(source.replace('const was =', 'was();'))).toHaveLength(2);
});

test('a label twice in a file, or without a call, is refused', () => {
  const again = pair.replaceAll('push', 'pushAgain').replaceAll('pop', 'popAgain');
  expect(lint(pair + again).filter((problem) => problem.includes('twice'))).toHaveLength(2);
  expect(lint(`// N7 belongs to nothing at all\n${pair}`)).toEqual([
    expect.stringContaining('N7 belongs to no atomic call'),
  ]);
});

test('a partner that is missing, of the wrong kind, or in another function is refused', () => {
  expect(lint(pair.replace('with R1 in push', 'with R2 in push'))).toEqual([expect.stringContaining('R2')]);
  expect(lint(pair.replace('with R1 in push', 'with R1 in shove'))).toEqual([
    expect.stringContaining('stands in push'),
  ]);
  expect(lint(pair.replace('with R1 in push', 'with A1 in pop'))).toEqual([
    expect.stringContaining('expected a partner'),
  ]);
  expect(lint(pair.replace(', pairs with R1 in push', ''))).toEqual([expect.stringContaining('names no partner')]);
});

test('a partner in another file is looked for there', () => {
  const other = pair.replaceAll('push', 'send');
  const source =
    'function f(p: usize): u32 {\n  // A1 acquire, pairs with R1 in channel.ts send: the entry.\n  return aload(p);\n}\n';
  expect(lint(source, 'assembly/ring.ts', { 'assembly/channel.ts': other })).toEqual([]);
  expect(lint(source, 'assembly/ring.ts', { 'assembly/other.ts': other })).toEqual([
    expect.stringContaining('channel.ts'),
  ]);
});

test('an N says why, and an X explains itself', () => {
  const source = (label: string) => `function f(p: usize): void {\n  // ${label}\n  acas(p, 0, 1);\n}\n`;
  expect(lint(source('N1'))).toHaveLength(1);
  expect(lint(source('N1 a hint: an old one is helped on'))).toEqual([]);
  expect(lint(source('X1'))).toHaveLength(1);
  expect(lint(source('X1 one exchange takes the whole list'))).toEqual([]);
  expect(lint(source('X1 pairs with X1 in f: the last one wins'))).toEqual([]);
});

test('bare atomics belong in atomic.ts; beyond the engines they take labels', () => {
  const bare = 'export function f(p: usize): u32 {\n  return atomic.load<u32>(p);\n}\n';
  expect(lint(bare)).toEqual([expect.stringContaining('outside atomic.ts')]);
  expect(lint(bare, 'assembly/atomic.ts')).toEqual([]);
  const script = 'function f(words: Int32Array) {\n  Atomics.wait(words, 0, 0);\n  return Atomics.load(words, 0);\n}\n';
  expect(lint(script, 'src/engine/typescript.ts')).toHaveLength(2);
  expect(lint(script, 'src/port/waiting.ts')).toEqual([expect.stringContaining('Atomics.load has no label')]);
});

test('methods are calls too, and their definitions are not', () => {
  const source =
    'class Words {\n  aload(at: number): number {\n    return 1;\n  }\n  read() {\n    return this.aload(0);\n  }\n}\n';
  expect(lint(source, 'src/engine/typescript.ts')).toEqual([expect.stringMatching(/:6: aload has no label/)]);
});

test('calls in comments and strings do not count', () => {
  expect(lint("/* acas(p) */ // aload(p)\nconst text = 'astore(p)';\n")).toEqual([]);
});
