// The demo itself, on a small file: it ends well, says what it measured, and fails when a byte or a page goes astray.
//
// The faults come from outside: a module preloaded into all its processes and threads spoils one call.

import { spawn } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(root, 'build/tools/demo-test');
const file = join(folder, 'file.bin');

mkdirSync(folder, { recursive: true });
writeFileSync(
  file,
  Uint8Array.from({ length: 1_000_001 }, (_, i) => (i * 7 + (i >>> 9)) & 255),
);

/** Runs the demo with the arguments; `preload` is a module that runs first in each of its processes and threads. */
function demo(args: string[], preload?: string): Promise<{ code: number | null; output: string }> {
  const env = { ...process.env };
  if (preload !== undefined) {
    const path = join(folder, 'preload.mjs');
    writeFileSync(path, preload);
    env.NODE_OPTIONS = `--import=${pathToFileURL(path)}`;
  }
  const command = ['scripts/run-ts.mjs', 'examples/socket-to-workers/main.ts', ...args];
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, command, { cwd: root, env });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, output }));
  });
}

const small = ['--file', file, '--workers', '2', '--rounds', '1'];

describe('the demo', () => {
  test('gets the digest of the file from all four variants, and every page back, in records of any size', async () => {
    // A size that does not divide a page.
    const { code, output } = await demo([...small, '--record', '1001']);
    expect(output).toContain('no page is missing');
    expect(code).toBe(0);
    expect(output.match(/digest ok/g)).toHaveLength(8);
    for (const name of ['pagepool', 'copy', 'transfer', 'shared buffer']) expect(output).toContain(`│ ${name}`);
    for (const head of ['records/s', 'GB/s', 'CPU s', 'GCs', 'GC ms', 'peak MB', 'recycled', 'x copy'])
      expect(output).toContain(head);
  });

  // Two faults in one run: the sender spoils a byte, and the receiver of pages keeps one.
  test('ends with exit code 1 when one byte is wrong on the way, and when a page is not released', async () => {
    const { code, output } = await demo(
      small,
      `import { Socket } from 'node:net';
      import { isMainThread } from 'node:worker_threads';
      const { end } = Socket.prototype;
      Socket.prototype.end = function (bytes, ...rest) {
        if (bytes?.length === 1000001) bytes[434567] ^= 1;
        return end.call(this, bytes, ...rest);
      };
      let calls = 0;
      WebAssembly.Instance = class extends WebAssembly.Instance {
        get exports() {
          const core = super.exports;
          if (!isMainThread || !core.release) return core;
          return { ...core, release: (handle) => (calls++ === 0 ? 0 : core.release(handle)) };
        }
      };`,
    );
    expect(output).toContain('FAILED pagepool, records of 2048 bytes: pass 0: the digest is');
    expect(output).toContain('FAILED copy, records of 65536 bytes: pass 0: the digest is');
    expect(output).not.toContain('digest ok');
    expect(output).toContain('pages missing at the end: 1');
    expect(code).toBe(1);
  });

  test('ends with exit code 1 when a worker leaves early', async () => {
    const { code, output } = await demo(
      small,
      `import { isMainThread, parentPort } from 'node:worker_threads';
      let said = 0;
      const post = parentPort?.postMessage;
      // It has said that it is ready, and leaves with the next thing that it has to say.
      if (!isMainThread) parentPort.postMessage = (...args) => (said++ === 0 ? post.apply(parentPort, args) : process.exit(0));`,
    );
    expect(output).toContain('FAILED the run of pagepool ended without a result');
    expect(code).toBe(1);
  });

  test('refuses a wrong argument in one line, with exit code 2', async () => {
    const { code, output } = await demo(['--record', '5']);
    expect(output.trim()).toBe(
      "error: option '--record <bytes>' argument '5' is invalid. Expected an integer from 64 to 65536.",
    );
    expect(code).toBe(2);
  });
});
