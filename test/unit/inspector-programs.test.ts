// The inspector in programs of their own: what keeps a process alive, a thread that hangs, a process that dies; and the
// commands demo and top.

import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import { describe, expect, it, onTestFinished } from 'vitest';
import { ABI_VERSION } from '../../assembly/layout.js';
import { orHung, until } from '../support/waiting.js';

const built = (file: string): string => fileURLToPath(new URL(`../../build/${file}`, import.meta.url));

interface Program {
  readonly child: ChildProcessByStdio<Writable, Readable, Readable>;
  /** What it printed so far. */
  printed(): string;
  errors(): string;
  /** Its exit code, or the signal that ended it. */
  readonly end: Promise<number | string>;
  /** The address that it printed. */
  address(): Promise<URL>;
}

const start = (...args: string[]): Program => startWith('ignore', ...args);

function startWith(stdin: 'ignore' | 'pipe', ...args: string[]): Program {
  const child = spawn(process.execPath, args, { stdio: [stdin, 'pipe', 'pipe'] }) as ChildProcessByStdio<
    Writable,
    Readable,
    Readable
  >;
  onTestFinished(() => void child.kill('SIGKILL'));
  let [stdout, stderr] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const end = once(child, 'close').then(([code, signal]) => (code ?? signal) as number | string);
  const found = (): string | undefined => /http:\/\/\S+/.exec(stdout)?.[0];
  return {
    child,
    printed: () => stdout,
    errors: () => stderr,
    end,
    address: async () => {
      await until(
        () => found() !== undefined || child.exitCode !== null,
        () => stdout,
      );
      return new URL(found() ?? `nothing was printed: ${stderr}`);
    },
  };
}

/** A program that serves a pool, prints the address, and goes on with `rest`. */
function serving(options: string, rest = ''): Program {
  const text = `
    import { PagePool } from ${JSON.stringify(built('index.js'))};
    import { serveInspector } from ${JSON.stringify(built('inspector.js'))};
    const pool = await PagePool.create({ name: 'program', pageCount: 16 });
    const inspector = await serveInspector(pool, ${options});
    await new Promise((resolve) => process.stdout.write(inspector.url + '\\n', resolve));
    ${rest}`;
  return start('--input-type=module', '-e', text);
}

const ask = (address: URL, path: string): Promise<Response> =>
  fetch(new URL(path, address), { headers: { Authorization: `Bearer ${address.searchParams.get('token')}` } });

describe('a program with an inspector', () => {
  it('ends when it has nothing else to do', async () => {
    const { end, errors } = serving('{}');
    expect([await orHung(end, 'the program'), errors()]).toEqual([0, '']);
  });

  it('goes on with ref: true, until close()', async () => {
    const program = serving(
      '{ ref: true }',
      "process.on('SIGUSR2', () => inspector.close().then(() => pool.close()));",
    );
    const address = await program.address();
    for (let i = 0; i < 5; i++) expect((await ask(address, '/snapshot.json')).status).toBe(200);
    expect(program.child.exitCode).toBe(null);
    program.child.kill('SIGUSR2');
    expect([await orHung(program.end, 'the program'), program.errors()]).toEqual([0, '']);
  });

  it('is looked into while its first thread hangs; when it dies the stream ends', async () => {
    const program = serving('{}', 'const held = pool.alloc(); for (;;);');
    const address = await program.address();
    const used = async (): Promise<number> =>
      ((await (await ask(address, '/snapshot.json')).json()) as { places: { used: number } }).places.used;
    await until(async () => (await used()) === 1);
    const { body } = await ask(address, '/events');
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    for (let looks = 0; looks < 2; looks = text.split('data: ').length - 1) {
      const { value } = await orHung(reader.read(), 'a look');
      text += new TextDecoder().decode(value);
    }
    expect(text).toContain('"state":"active"');
    program.child.kill('SIGKILL');
    const rest = async (): Promise<void> => {
      while (!(await reader.read()).done);
    };
    await orHung(
      rest().catch(() => {}),
      'the end of the stream',
    );
    await expect(ask(address, '/snapshot.json')).rejects.toThrow();
  });
});

describe('the commands', () => {
  it('say their versions, which a report of a fault names', async () => {
    const program = start(built('command.js'), '--version');
    expect([await orHung(program.end, '--version'), program.errors()]).toEqual([0, '']);
    const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8'));
    expect(program.printed().trim()).toBe(
      `pagepool ${version}, ABI ${ABI_VERSION}, Node ${process.versions.node}, V8 ${process.versions.v8}`,
    );
  });

  it('demo shows four threads at work, kills one and starts it anew, and ends in order; top shows it', async () => {
    const demo = start(built('command.js'), 'demo', '--kill', '1');
    const address = await demo.address();
    const labels = async (): Promise<string[]> => {
      const { ports } = (await (await ask(address, '/snapshot.json')).json()) as { ports: { label: string }[] };
      return ports.map(({ label }) => label).filter((label) => label !== '');
    };
    await until(async () => (await labels()).length >= 3);
    const top = start(built('command.js'), 'top', address.href, '--once');
    expect([await orHung(top.end, 'top'), top.errors()]).toEqual([0, '']);
    expect(top.printed()).toMatch(/^demo {2}active {2}\| {2}1024 pages of 4096 B/);
    expect(top.printed()).toMatch(/\nchannel +entries +of +sent\/s +received\/s +dropped\nlines +\d+ +192 /);
    expect(top.printed()).toMatch(/\ncreator +0 +attached /);
    await until(() => demo.printed().includes('is killed'));
    demo.child.kill('SIGTERM');
    expect([await orHung(demo.end, 'demo'), demo.errors()]).toEqual([0, '']);
  });

  it.each(['q', '\u0003'])('demo does what its keys say, and ends by %j', async (last) => {
    const demo = startWith('pipe', built('command.js'), 'demo');
    const address = await demo.address();
    const press = (keys: string): void => void demo.child.stdin.write(keys);
    const look = async (): Promise<{
      ports: { label: string; held: number }[];
      channels: { pending: number; capacity: number }[];
    }> => (await ask(address, '/snapshot.json')).json() as never;
    const held = async (label: string): Promise<number> =>
      (await look()).ports.find((port) => port.label === label)?.held ?? -1;
    const rows = async (): Promise<number> => (await look()).channels[1]?.pending ?? -1;
    await until(async () => (await rows()) >= 0 && (await held('parser-1')) > 0);
    press('xl');
    await until(async () => (await held('parser-1')) > 49); // more than it keeps by itself
    press('s');
    await until(async () => (await rows()) === 192);
    press('s');
    await until(async () => (await rows()) < 96);
    press('kk');
    await until(async () => (await held('parser-1')) < 0 && (await held('parser-2')) < 0);
    press(last);
    expect([await orHung(demo.end, 'demo'), demo.errors()]).toEqual([0, '']);
    const said = demo.printed().trim().split('\n').slice(-5);
    expect(said).toEqual([
      'parser-1 keeps 64 pages',
      'the store is slow',
      'the store is fast',
      'parser-1 is killed',
      'parser-2 is killed',
    ]);
  });

  it('demo that is ended while its threads begin ends in order, too', async () => {
    const demo = start(built('command.js'), 'demo');
    await demo.address();
    await until(() => demo.printed().includes('Ctrl-C ends it'));
    demo.child.kill('SIGTERM');
    expect([await orHung(demo.end, 'demo'), demo.errors()]).toEqual([0, '']);
  });

  it('top prints each fourth look where there is no screen, and says when the inspector has ended', async () => {
    const program = serving('{ ref: true }');
    const { body } = await ask(await program.address(), '/events');
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    let text = '';
    for (let looks = 0; looks < 2; looks = text.split('\n\n').length - 1) {
      const { value } = await orHung(reader.read(), 'a look');
      text += new TextDecoder().decode(value);
    }
    const look = (text.split('\n\n')[1] as string).replace(/^data: /, '');
    const looks = Array.from({ length: 19 }, (_, i) => ({ ...JSON.parse(look), name: `look ${i + 1}` }));
    for (const [i, allocated] of [
      [3, 2_345_678],
      [7, 12_345],
      [11, 9_999.6],
      [15, 1.25],
    ] as const)
      looks[i].rates = { ...looks[i].rates, allocated };
    const stream = looks.map((each) => `data: ${JSON.stringify(each)}\n\n`).join('');
    const server = createServer((_, response) => response.end(stream)).listen(0, '127.0.0.1');
    onTestFinished(() => void server.close());
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    const top = start(built('command.js'), 'top', `http://127.0.0.1:${port}/?token=x`);
    expect(await orHung(top.end, 'top')).toBe(1);
    expect(top.errors()).toContain('the inspector was closed');
    expect(top.printed().match(/^look \d+|[^ ]+(?: [kM])? allocations/gm)).toEqual([
      ...['look 4', '2.35 M allocations', 'look 8', '12.3 k allocations'],
      ...['look 12', '10000 allocations', 'look 16', '1.3 allocations'],
    ]);
  });

  it('top says what is wrong with an address', async () => {
    const end = async (...args: string[]): Promise<[number | string, string]> => {
      const top = start(built('command.js'), 'top', ...args);
      return [await orHung(top.end, 'top'), top.errors()];
    };
    expect(await end('nothing')).toEqual([2, expect.stringContaining('expected the address that serveInspector')]);
    expect(await end('http://127.0.0.1:1/?token=x')).toEqual([1, expect.stringContaining('does not answer')]);
    const program = serving('{ ref: true }');
    const { origin } = await program.address();
    expect(await end(origin)).toEqual([2, expect.stringContaining('pass the whole address, with ?token=')]);
    expect(await end(`${origin}/?token=wrong`)).toEqual([1, expect.stringContaining('refuses: 401')]);
    expect(await end()).toEqual([2, expect.stringContaining('Usage: pagepool doctor')]);
  });
});
