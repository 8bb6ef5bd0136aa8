// The installed package in every runtime: threads hand fragments on with both engines, and it loads in every way it
// should.

import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { runtimes, toolchainDir } from '../../scripts/toolchain.mjs';
import { borderColumn } from '../support/border-table.js';
import { casesOfRun } from '../support/lane.js';
import { until } from '../support/waiting.js';
import { consumer } from './support/consumer.js';
import { type ExchangeResult, expectedExchange, type Features } from './support/expected.js';
import { record } from './support/record.js';
import { type Run, run } from './support/run.js';

const own = { name: `Node ${process.versions.node.split('.')[0]}`, program: process.execPath };

/** The version that the toolchain pins, from its package.json; of the own Node, its own. */
function pinnedVersion(program: string): string {
  if (program === process.execPath) return process.versions.node;
  const manifest = JSON.parse(readFileSync(join(toolchainDir, 'package.json'), 'utf8')) as {
    optionalDependencies: Record<string, string>;
  };
  const entry = Object.entries(manifest.optionalDependencies).find(([name]) => program.includes(`/${name}/`));
  return entry?.[1].replace(/^.*@/, '') ?? 'not pinned';
}

/** What the doctor prints for programs. */
interface Doctor {
  readonly memory: string;
  readonly locks: boolean;
  readonly advice: string[];
  readonly views: Record<string, { verdict: string }>;
}

/** Versions of Node between this one and the newest. */
const between = runtimes.filter(({ name }) => /^Node 2[24]$/.test(name));
const all = [own, ...runtimes];
const some = casesOfRun({ short: all.filter((one) => !between.includes(one)), long: between });

describe.each(some)('$name', ({ name, program }) => {
  const isHere = existsSync(program);
  const isNode = name.startsWith('Node');
  const prefix = name === 'Deno' ? ['run', '--allow-all', '--no-prompt'] : [];
  const start = (file: string, args: string[] = [], killed?: Parameters<typeof run>[3]): Promise<Run> =>
    run(program, [...prefix, `src/${file}`, ...args], consumer, killed);
  const found: { version?: string; threads: string[]; features?: Features; alone?: string } = { threads: [] };

  test.skipIf(!isHere)('is the version that the toolchain pins', async () => {
    const { stdout, end } = await run(program, ['--version'], consumer);
    expect(end).toBe(0);
    found.version = /\d+\.\d+\.\d+/.exec(stdout)?.[0] ?? stdout;
    expect(found.version).toBe(pinnedVersion(program));
  });

  test.skipIf(!isHere)('hands fragments both ways between threads of node:worker_threads', async () => {
    const { stdout, stderr, end } = await start('threads-main.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const { exchange, features } = JSON.parse(stdout) as ExchangeResult;
    expect(exchange).toEqual(expectedExchange);
    found.features = features;
    found.threads.push('`node:worker_threads`');
  });

  test.skipIf(!isHere)('reaps threads that die, by their exit and by their locks', async () => {
    const { stdout, stderr, end } = await start('deaths-main.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const reaped = { held: 3, isReaped: true, heldAfter: 0 };
    const hasLocks = isNode && Number(found.version?.split('.')[0]) >= 24;
    const unwatched = hasLocks ? reaped : null;
    const blocked = unwatched;
    expect(JSON.parse(stdout)).toEqual({ watched: reaped, unwatched, blocked, waiting: 0, isDestroyed: true });
  });

  test.skipIf(!isHere)('brings new memory to a thread that only blocks', async () => {
    const { stdout, stderr, end } = await start('growth-main.js', ['node']);
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const all = { received: 300, isRight: true, isNamed: true, stray: [], isDestroyed: true };
    expect(JSON.parse(stdout)).toEqual({ ...all, refused: [] });
  });

  test.skipIf(!isHere)(
    'opens a pool with areas where the last was just closed, and ends where one is open',
    async () => {
      const { stdout, stderr, end } = await start('areas-again.js');
      expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
      const all = { hears: 'attached', sent: 16, received: 16, isDestroyed: true, left: true };
      expect(JSON.parse(stdout)).toEqual(all);
    },
  );

  // Node has no web Worker.
  if (!isNode) {
    test.skipIf(!isHere)('refuses to block a web Worker that lacks memory for ever, and names it', async () => {
      const { stdout, stderr, end } = await start('growth-main.js', ['web']);
      expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
      const all = { received: 300, isRight: true, isNamed: true, stray: [], isDestroyed: true };
      expect(JSON.parse(stdout)).toEqual({ ...all, refused: ['POOL_ERR_PROVIDER'] });
    });

    test.skipIf(!isHere)('hands fragments both ways to a web Worker', async () => {
      const { stdout, stderr, end } = await start('web-main.js');
      expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
      const { exchange, error } = JSON.parse(stdout) as ExchangeResult;
      expect(error).toBeUndefined();
      expect(exchange).toEqual(expectedExchange);
      found.threads.push('web `Worker`');
    });
  }

  test.skipIf(!isHere)('gives pages of a user area to a thread that loads pagepool/user alone', async () => {
    const { stdout, stderr, end } = await start('user-area-main.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    expect(JSON.parse(stdout)).toEqual({ isRight: true, scrubbed: 0, balanced: true, isDestroyed: true });
  });

  test.skipIf(!isHere)('cuts, sends and searches packets', async () => {
    const { stdout, stderr, end } = await start('packets.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const report = (engine: string) => ({
      engine,
      word: 0x0261620a,
      found: 3,
      lines: [
        [[1, 2, 97], [98]],
        [[99], [100]],
      ],
      areRecords: true,
      isText: true,
      isHome: true,
    });
    expect(JSON.parse(stdout)).toEqual([report('wasm'), report('typescript')]);
  });

  test.skipIf(!isHere)('copies at the border where the platform refuses or corrupts, and nowhere else', async () => {
    const { stdout, stderr, end } = await start('border.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const both = [true, true];
    const round = { text: both, digest: both, copies: both, body: true, blob: true, clone: true, isRight: true };
    const body = { Bun: 'taken', Deno: 'refused', 'Node 20': 'refused', 'Node 22': 'refused' }[name] ?? 'corrupted';
    const rest = { digest: 'refused', isHome: true, isDestroyed: true };
    expect(JSON.parse(stdout)).toEqual({ rounds: [round, round], body, ...rest });
  });

  test.skipIf(!isHere)('is told by the doctor what to do', async () => {
    const args = ['node_modules/pagepool/build/command.js', 'doctor'];
    const table = await run(program, [...prefix, ...args], consumer);
    expect(table).toMatchObject({ stderr: '', end: 0 });
    expect(table.stdout).toContain(`pagepool on ${name.split(' ')[0]?.toLowerCase()} ${found.version}`);
    const { stdout } = await run(program, [...prefix, ...args, '--json'], consumer);
    const { memory, locks, advice, views } = JSON.parse(stdout) as Doctor;
    const verdicts = Object.entries(views).map(([api, { verdict }]) => [api, verdict]);
    expect(Object.fromEntries(verdicts)).toEqual(borderColumn(/Node 2[46]/.test(name) ? 'Node 24, 26' : name));
    expect({ memory, locks }).toEqual({ memory: 'wasm', locks: found.features?.locks });
    for (const sentence of advice) expect(table.stdout).toContain(`- ${sentence}\n`);
  });

  test.skipIf(!isHere)('reads sockets, files and streams into pages, and writes packets', async () => {
    const key = join(consumer, 'key.pem');
    const cert = join(consumer, 'cert.pem');
    makeCertificate(key, cert);
    const { stdout, stderr, end } = await start('node-adapters.js', [key, cert]);
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    const direct = (isSo: boolean): string => (isSo ? 'no copy' : 'one copy');
    const adapters = {
      connectInto: 'no copy',
      'connectInto, TLS': direct(name !== 'Deno'),
      serveInto: direct(name !== 'Bun'),
      readFileInto: 'no copy',
      'readStreamInto, HTTP': 'one copy',
      receiveInto: 'one copy',
      writePacket: 'no copy',
    };
    expect(JSON.parse(stdout)).toEqual({
      ...adapters,
      'connectInto, reads of 500 bytes': 'no copy',
      'connectInto, TLS, reads of 500 bytes': direct(name !== 'Deno'),
      'a connection that is cut': 'yes',
      'pipeline, and lines': 'yes',
    });
    const place = [own, ...runtimes].findIndex((runtime) => runtime.name === name);
    record('adapters', place, { name, adapters });
  });

  // The inspector is for Node.
  if (isNode) {
    test.skipIf(!isHere)(
      'shows a pool in the inspector, in the terminal and in metrics, and tells what happens',
      async () => {
        const { stdout, stderr, end } = await start('inspector.js');
        expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
        expect(JSON.parse(stdout)).toEqual({
          used: 2,
          page: true,
          metrics: true,
          top: true,
          limit: 16,
          lints: 0,
          told: ['channel "work" dropped 1 entry', 'the pool is closing', 'the pool is destroyed'],
          isDestroyed: true,
        });
      },
    );
  }

  test.skipIf(!isHere)('loads by require() from CommonJS, without a warning', async () => {
    const { stdout, stderr, end } = await start('require.cjs');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    expect(JSON.parse(stdout)).toEqual({ engine: 'wasm', sum: 7 * 4096, isRefused: true, isDestroyed: true });
  });

  test.skipIf(!isHere)('takes the core that import.meta.resolve finds', async () => {
    const { stdout, stderr, end } = await start('core-wasm.js');
    expect({ stderr, end }).toEqual({ stderr: '', end: 0 });
    expect(JSON.parse(stdout)).toEqual({ engine: 'wasm', isGiven: true, isDestroyed: true });
  });

  test.skipIf(!isHere)('waits to the end of the timeout, and with `ref: false` as the runtime does', async () => {
    const held = await start('await-alone.js', ['held']);
    expect(held).toEqual({ stdout: 'waits\nPOOL_ERR_TIMEOUT\n', stderr: '', end: 0 });
    const startInner = () => start('await-alone.js', ['inner']);
    expect(await startInner()).toEqual({ stdout: 'waits\n', stderr: '', end: 0 });
    // A module's own await that never ends: each runtime has its way, which stands in docs/compatibility.md.
    const goesOn = async (printed: () => string): Promise<void> => {
      await until(() => printed() !== '');
      await startInner(); // as long as another program takes from its start to its end
    };
    const { stdout, end } = await start('await-alone.js', ['top'], name === 'Bun' ? goesOn : undefined);
    expect({ stdout, end }).toEqual({ stdout: 'waits\n', end: topLevelEnd(name) });
    found.alone = end === 'killed' ? 'goes on for ever' : `ends, exit code ${end}`;
  });

  test.skipIf(!isHere)('is recorded', () => {
    expect(found).toMatchObject({ version: expect.any(String), alone: expect.any(String) });
    expect(found.threads).toHaveLength(isNode ? 1 : 2);
    record(
      'runtimes',
      [own, ...runtimes].findIndex((runtime) => runtime.name === name),
      { name, ...found },
    );
  });
});

/** A key and a certificate of its own, for `localhost`. */
function makeCertificate(key: string, cert: string): void {
  if (existsSync(cert)) return;
  const request = 'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 2 -subj /CN=localhost';
  const files = ['-addext', 'subjectAltName=DNS:localhost', '-keyout', key, '-out', cert];
  execFileSync('openssl', [...request.split(' '), ...files], { stdio: 'ignore' });
}

/** How a process ends whose module awaits what never comes. */
function topLevelEnd(name: string): number | string {
  if (name === 'Bun') return 'killed';
  return name === 'Deno' ? 1 : 13;
}
