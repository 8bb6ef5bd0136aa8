// The example of a user area runs, and ends with 1 where a page or a byte is missing.

import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Runs the example; `preload` is a module that runs first in each of its threads. */
function run(preload = ''): Promise<{ code: unknown; output: string }> {
  const url = `data:text/javascript,${encodeURIComponent(preload)}`;
  const env = { ...process.env, NODE_OPTIONS: preload === '' ? '' : `--import=${url}` };
  const args = ['scripts/run-ts.mjs', 'examples/user-area/main.ts'];
  return new Promise((resolve) => {
    execFile(process.execPath, args, { cwd: root, env }, (error, stdout, stderr) => {
      resolve({ code: error?.code ?? 0, output: stdout + stderr });
    });
  });
}

test('every piece reaches a thread that has the area and two rings alone', async () => {
  expect(await run()).toEqual({
    code: 0,
    output:
      '2000 pieces, 3771920 bytes, each as it was given\ntaken back by the scrub: 0; audit balanced; pool closed\n',
  });
});

test('a consumer that spoils what it is given is seen', async () => {
  const preload = `
    import { isMainThread } from 'node:worker_threads';
    const get = Uint8Array.prototype[Symbol.iterator];
    if (!isMainThread) Uint8Array.prototype[Symbol.iterator] = function () { this[0]++; return get.call(this); };`;
  const { code, output } = await run(preload);
  expect(output).toContain('NOT as they were given');
  expect(output).toContain('audit balanced; pool closed');
  expect(code).toBe(1);
});
