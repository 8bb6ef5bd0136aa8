// What an object is, is told by its brand: of this realm or of another.

import { readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { createContext, runInContext } from 'node:vm';
import { expect, test } from 'vitest';
import { filesBelow, root } from '../../scripts/support.mjs';
import { isBytes, isKind, isPlainBuffer, isSharedBuffer, isWasmMemory, isWords } from '../../src/platform/buffers.js';

const other = createContext({});
const made = (code: string): unknown => runInContext(code, other);

test('views, buffers and memories of another realm are what they are here', () => {
  expect(made('new Uint8Array(2)') instanceof Uint8Array).toBe(false);
  expect([isBytes(made('new Uint8Array(2)')), isBytes(Buffer.alloc(2)), isBytes(new Uint8Array(2))]).toEqual([
    true,
    true,
    true,
  ]);
  expect([isWords(made('new Uint32Array(2)')), isWords(new Uint32Array(2))]).toEqual([true, true]);
  expect(isPlainBuffer(made('new ArrayBuffer(2)'))).toBe(true);
  expect(isSharedBuffer(made('new SharedArrayBuffer(2)'))).toBe(true);
  expect(isWasmMemory(made('new WebAssembly.Memory({ initial: 1 })'))).toBe(true);
  const bytes = '0, 0x61, 0x73, 0x6d, 1, 0, 0, 0';
  expect(isKind(made(`new WebAssembly.Module(new Uint8Array([${bytes}]))`), 'WebAssembly.Module')).toBe(true);
});

test('others are not: arrays of another kind, what only has the name, and heirs of a prototype', () => {
  const named = { [Symbol.toStringTag]: 'Uint8Array', length: 2 };
  const values = [new Int8Array(2), new Uint8ClampedArray(2), new DataView(new ArrayBuffer(2)), [1, 2], 'ab', null, 7];
  for (const value of [...values, named, Object.create(Uint8Array.prototype), undefined]) {
    expect([isBytes(value), isWords(value)]).toEqual([false, false]);
  }
});

test("no source copies what a caller or the platform may have made by slice(): a Buffer's is a view", () => {
  // Views that are made here, of pages and of words; arrays; what is no bytes.
  const ours = [
    ...['border/sample', 'inspector/wire', 'packet/records', 'packet/text', 'pool/calls', 'port/detaching'],
    ...['web/media', 'web/pictures'],
  ].map((name) => join(root, 'src', `${name}.ts`));
  const asked = filesBelow(join(root, 'src')).filter((path) => readFileSync(path, 'utf8').includes('.slice()'));
  expect(asked.filter((path) => !ours.includes(path))).toEqual([]);
});

test('no source asks for a class of the platform, or of Node, by instanceof', () => {
  const ours = /instanceof (PagePool|PagePoolError|Packet|Fragment|Channel|Error|TypeError|Promise|InjectedFailure)\b/;
  const asked: string[] = [];
  for (const path of filesBelow(join(root, 'src'))) {
    const lines = readFileSync(path, 'utf8').split('\n');
    for (const [i, line] of lines.entries()) {
      if (/\binstanceof \w/.test(line) && !ours.test(line))
        asked.push(`${relative(root, path)}:${i + 1}: ${line.trim()}`);
    }
  }
  // The shorter way for what is of this realm, beside the brand.
  expect(asked.filter((line) => !line.startsWith('src/platform/buffers.ts'))).toEqual([]);
});
