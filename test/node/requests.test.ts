// examples/requests, as a program: more connections than pages, clients that go away, bodies that are too large, and a
// worker that is killed in the middle of a call.

import { execFile, spawn } from 'node:child_process';
import { Agent, request } from 'node:http';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { brotliDecompressSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { HUNG_MS, orHung, until } from '../support/waiting.js';

const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

interface Answer {
  readonly status: number;
  readonly body: Buffer;
}

test('requests: each is answered, whoever else asks, leaves, or dies', async () => {
  const bundled = spawn(process.execPath, ['scripts/run-ts.mjs', 'examples/requests/main.ts'], {
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
  const agent = new Agent({ keepAlive: true, maxSockets: 64 });
  try {
    await until(
      () => output.includes('ends a worker'),
      () => output,
    );
    const url = /http:\S+/.exec(output)?.[0] as string;
    const pid = Number(/kill -USR2 (\d+)/.exec(output)?.[1]);
    const post = (body: Buffer, headers: object = {}): Promise<Answer> =>
      new Promise((resolve, reject) => {
        const options = { method: 'POST', agent, headers: { 'content-length': body.length, ...headers } };
        request(url, options, (response) => {
          const chunks: Buffer[] = [];
          response.on('data', (chunk: Buffer) => chunks.push(chunk));
          response.on('end', () => resolve({ status: response.statusCode ?? 0, body: Buffer.concat(chunks) }));
        })
          .on('error', reject)
          .end(body);
      });
    const stats = async () => JSON.parse((await run('curl', ['-sS', `${url}stats`])).stdout);
    const text = (i: number): Buffer => Buffer.from(`request ${i}: ${'lorem ipsum '.repeat(500 + 20 * i)}`);

    // 100 requests over 64 connections, on 8 pages.
    const answers = await Promise.all(Array.from({ length: 100 }, (_, i) => post(text(i))));
    for (const [i, { status, body }] of answers.entries()) {
      expect(status).toBe(200);
      expect(brotliDecompressSync(body).equals(text(i))).toBe(true);
    }
    // A client that is not ours.
    const curl = ['-sS', '--compressed', '--max-time', String(HUNG_MS / 1000), '--data-binary'];
    const curled = Array.from({ length: 5 }, () => run('curl', [...curl, text(7).toString(), url]));
    for (const { stdout } of await Promise.all(curled)) expect(stdout).toBe(text(7).toString());

    // What is no request.
    expect((await post(Buffer.alloc(65_537))).status).toBe(413);
    expect((await post(Buffer.alloc(65_536))).status).toBe(200);
    expect((await post(Buffer.alloc(0))).status).toBe(400);
    const status = ['-sS', '-o', '/dev/null', '-w', '%{http_code}'];
    expect((await run('curl', [...status, url])).stdout).toBe('405');
    const chunked = ['-H', 'Transfer-Encoding: chunked', '--data-binary', 'of no length'];
    expect((await run('curl', [...status, ...chunked, url])).stdout).toBe('411');

    // A client that goes away in the middle of its body, with all pages' worth of others behind it.
    const leaving = Array.from({ length: 10 }, () => {
      const half = request(url, { method: 'POST', headers: { 'content-length': 60_000 } });
      half.on('error', () => {});
      half.write(Buffer.alloc(1000));
      return half;
    });
    await until(async () => (await stats()).pages.used > 0);
    for (const half of leaving) half.destroy();
    expect((await post(text(1))).status).toBe(200);
    await until(
      async () => (await stats()).left === 10,
      async () => JSON.stringify(await stats()),
    );

    // A worker is killed in the middle of a call: the call is asked again, and answered.
    for (let i = 0; !output.includes('asked again'); i++) {
      const asked = Array.from({ length: 16 }, () => post(Buffer.from(`${i}`.repeat(60_000 / `${i}`.length))));
      await until(async () => (await stats()).calls[0].serving > 0 || Promise.race([...asked, undefined]));
      process.kill(pid, 'SIGUSR2');
      for (const { status } of await Promise.all(asked)) expect([200, 503]).toContain(status);
    }
    expect((await post(text(2))).status).toBe(200);
  } finally {
    agent.destroy();
    process.kill(-(bundled.pid as number), 'SIGTERM');
  }
  await orHung(ended, 'the server goes on');
  expect(output).toContain('pages missing: 0');
});
