// Programs of the device entry as a user runs them, in Node: the document's examples, the example, and a short bench.

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { run } from '../package/support/run.js';
import { missingDevice } from '../support/webgpu.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const missing = await missingDevice();
if (missing !== undefined) console.log(`no WebGPU in Node: ${missing}`);

describe.skipIf(missing !== undefined)('programs on a device', () => {
  it('docs/device-memory.md runs as printed', async () => {
    const text = readFileSync(join(root, 'docs/device-memory.md'), 'utf8');
    const examples = [...text.matchAll(/^```js device\n([\s\S]*?)^```$/gm)].map((match) => match[1] as string);
    expect(examples.length).toBeGreaterThan(0);
    const folder = join(root, 'build/tools/documents');
    mkdirSync(folder, { recursive: true });
    for (const [i, source] of examples.entries()) {
      const file = join(folder, `device-memory-${i}.mjs`);
      writeFileSync(file, source);
      const { stdout, end } = await run(process.execPath, [file], root);
      expect(end).toBe(0);
      const promised = [...source.matchAll(/console\.log\(.*\); \/\/ (.*)$/gm)].map((match) => match[1]);
      expect(stdout.trimEnd().split('\n')).toEqual(promised);
    }
  });

  it('a signal that arrives in shared pages is filtered as the processor does it, and no buffer is created after warm-up', async () => {
    const { stdout, end } = await run(process.execPath, ['scripts/run-ts.mjs', 'examples/device-filter/main.ts'], root);
    expect(stdout).toMatch(/samples that differ from the processor's: 0\n/);
    expect(stdout).toMatch(/GPUBuffers created: \d+ in the first 8 blocks, 0 after\n/);
    expect(stdout).toContain('every page is home: true\n');
    expect(end).toBe(0);
  });

  it('the bench prints a row for each size, work and variant', async () => {
    const args = ['scripts/run-ts.mjs', 'bench/device/main.ts', '--rounds', '1'];
    const { stdout, end } = await run(process.execPath, args, root);
    expect(stdout.match(/^\| \d+ \| there/gm)?.length).toBe(18);
    expect(stdout.match(/\| pool \| \d+ \| \d+ \| 0\.00 \|/g)?.length).toBe(6);
    expect(end).toBe(0);
  });
});
