// The core inside the package: the text that carries it is ASCII, and gives back every byte.

import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { bytesFunction } from '../../scripts/inline-core.mjs';

const path = (relative: string): string => fileURLToPath(new URL(`../../${relative}`, import.meta.url));

async function decode(source: string): Promise<Uint8Array> {
  const url = `data:text/javascript;base64,${Buffer.from(source, 'latin1').toString('base64')}`;
  const { wasmBytes } = (await import(url)) as { wasmBytes: () => Uint8Array };
  return wasmBytes();
}

test('every pair of bytes survives', async () => {
  const bytes = Uint8Array.from({ length: 2 * 65536 }, (_, i) => (i & 1 ? i >>> 1 : i >>> 9) & 255);
  expect(Buffer.compare(await decode(bytesFunction(bytes)), bytes)).toBe(0);
});

test('the generated module has the bytes of the release core', async () => {
  const source = readFileSync(path('build/generated/core-wasm.js'), 'latin1');
  expect(Buffer.compare(await decode(source), readFileSync(path('build/wasm/core.release.wasm')))).toBe(0);
});

test('what is built is ASCII, so that a page without a charset reads it right', () => {
  // The printable characters and the line feed.
  expect(readFileSync(path('build/index.js'), 'latin1').match(/[^\n -~].{0,40}/g)).toBeNull();
});
