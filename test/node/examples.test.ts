// The examples of sources, with real clients: each ends well and misses no page.

import { execFile, spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { HUNG_MS, orHung, until } from '../support/waiting.js';
import { inFolder, pattern } from './support.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const run = promisify(execFile);

/** Runs an example to its end; what it printed. */
async function example(name: string, ...args: string[]): Promise<string> {
  const command = ['scripts/run-ts.mjs', `examples/${name}/main.ts`, ...args];
  const { stdout, stderr } = await run(process.execPath, command, { cwd: root });
  expect(stderr).toBe('');
  return stdout;
}

test('http-upload: curl gets the digest of each file, also of many at a time; a client that leaves costs nothing, a worker that dies its own', () =>
  inFolder(async (folder) => {
    // The bundle first, then the program itself, so that the signal reaches it.
    const bundled = spawn(process.execPath, ['scripts/run-ts.mjs', 'examples/http-upload/main.ts'], {
      cwd: root,
      detached: true,
    });
    let output = '';
    for (const stream of [bundled.stdout, bundled.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        output += text;
      });
    }
    const ended = new Promise<void>((resolve) => bundled.on('close', () => resolve()));
    try {
      await until(() => output.includes('ends a worker'));
      const url = /http:\S+/.exec(output)?.[0] as string;
      const files = [0, 1, 65_536, 3_000_001, 12_345_678].map((bytes) => {
        const path = join(folder, `${bytes}.bin`);
        const content = pattern(bytes);
        writeFileSync(path, content);
        return { path, answer: `${createHash('sha256').update(content).digest('hex')} ${bytes}\n` };
      });
      const curl = (...args: string[]) => run('curl', ['-sS', '--max-time', String(HUNG_MS / 1000), ...args, url]);
      const answers = await Promise.all(
        [...files, ...files].map(async ({ path, answer }) => [(await curl('-T', path)).stdout, answer]),
      );
      for (const [got, wanted] of answers) expect(got).toBe(wanted);
      const chunked = await curl('-H', 'Transfer-Encoding: chunked', '-T', files[3]?.path as string);
      expect(chunked.stdout).toBe(files[3]?.answer);

      const leaving = spawn('curl', ['-sS', '-T', '-', url]);
      // More than it keeps: the upload is under way when all of this is taken, and has no end.
      await new Promise((resolve) => leaving.stdin.write(pattern(2_000_000), resolve));
      leaving.kill('SIGKILL');
      await until(() => output.includes('upload failed'));
      expect((await curl('-T', files[2]?.path as string)).stdout).toBe(files[2]?.answer);

      // Uploads 14 and 15, one for each worker, have no end when the worker of the even ones dies.
      // "-T ." reads its input without blocking: curl hears the server meanwhile.
      const open = [0, 1].map(() => spawn('curl', ['-sS', '-o', '-', '-w', '%{http_code}', '-T', '.', url]));
      const said = open.map(async (client) => (await client.stdout.toArray()).join(''));
      for (const client of open) await new Promise((resolve) => client.stdin.write(pattern(2_000_000), resolve));
      process.kill(Number(/kill -USR2 (\d+)/.exec(output)?.[1]), 'SIGUSR2');
      expect(await Promise.race(said)).toBe('500');
      for (const client of open) client.stdin.end();
      const digest = createHash('sha256').update(pattern(2_000_000)).digest('hex');
      expect((await Promise.all(said)).sort()).toEqual(['500', `${digest} 2000000\n200`].sort());
      expect((await curl('-T', files[2]?.path as string)).stdout).toBe(files[2]?.answer);
      expect((await curl('-T', files[2]?.path as string)).stdout).toBe(files[2]?.answer);
    } finally {
      process.kill(-(bundled.pid as number), 'SIGTERM');
    }
    await orHung(ended, 'the server goes on');
    expect(output).toContain('17 uploads; pages missing: 0, audit balanced');
  }));

test('log-shipper: every line of every producer arrives, in order', async () => {
  const output = await example('log-shipper', '4', '3000');
  expect(output).toContain('12000 lines of 4 producers');
  expect(output).toContain('out of order: 0');
  expect(output).toContain('no page is missing');
});

test('file-scan: counts every line in memory that does not grow with the file', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'log');
    const text = Buffer.from(Array.from({ length: 50_000 }, (_, i) => `line ${i}\n`).join(''));
    writeFileSync(path, text);
    truncateSync(path, 400 * 1024 * 1024); // the rest is a hole: bytes of 0, and no disk
    const output = await example('file-scan', path);
    expect(output).toContain(`${400 * 1024 * 1024} bytes, 50000 lines`);
    expect(output).toContain('no page is missing');
    const grown = Number(/grew by (-?[\d.]+) MiB/.exec(output)?.[1]);
    expect(grown).toBeLessThan(40);
  }));
