// Standstills: waits that nobody answers say so, once, with who waits, where the pages are, and what would help.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Calls, type Fragment, PagePool, type PoolOptions, type StallReport } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PORT_AREAS_OFFSET } from '../../assembly/layout.js';
import { freePort } from '../../src/control/claims.js';
import { portOffset } from '../../src/control/places.js';
import { publish, warnOf } from '../../src/platform/console.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

const STALL_MS = 40;

/** A pool that reports to a list. */
function create<Channels extends string = never>(options: PoolOptions<Channels>) {
  const reports: StallReport[] = [];
  const onStall = (report: StallReport): void => void reports.push(report);
  return { pool: PagePool.createSync<Channels>({ stallMs: STALL_MS, onStall, ...options }), reports };
}

/** Another pool stands still, and says so: whatever was to be reported before has been. */
async function laterStandstill(): Promise<void> {
  const { pool, reports } = create({ pageCount: 1, stallMs: 2 * STALL_MS });
  const held = pool.take() as Fragment;
  const waiting = pool.takeAsync();
  await until(() => reports.length > 0);
  held.release();
  (await waiting).release();
  await pool.close();
}

afterEach(() => {
  vi.useRealTimers();
  vi.restoreAllMocks();
  vi.unstubAllGlobals();
});

describe('new memory that waits for a thread', () => {
  it('is said, with the thread that has not learned of it', async () => {
    const { pool, reports } = create({ pageCount: 4, maxPorts: 2, provider: 'slab' });
    const other = portBeside(pool, 'typescript'); // as a thread that hears of areas by its event loop alone
    const areas = (portOffset(other.geometry, other.id) + PORT_AREAS_OFFSET) >>> 2;
    const waiting = pool.takeAsync();
    await until(() => reports.length > 0);
    expect(reports[0]?.text).toMatch(/let port 1.* return to the event loop: new memory waits/);
    Atomics.store(other.memory.i32, areas, 1);
    (await waiting).release();
    other.engine.park();
    freePort(other);
    expect(await pool.close()).toMatchObject({ isDestroyed: true });
  });
});

describe('requests and answers on one pool of 64 pages, with room for all of them in the channel of requests', () => {
  /** Answers each request with a page of its own, and posts the warnings of its process. */
  const code = `
  const { parentPort, workerData } = require('node:worker_threads');
  process.removeAllListeners('warning');
  process.on('warning', ({ name, code, message }) => parentPort.postMessage({ name, code, message }));
  import(workerData.entry).then(async ({ PagePool }) => {
    const pool = PagePool.attach(workerData.share, { label: 'parser' });
    parentPort.postMessage('ready');
    for await (const request of pool.channel('work')) {
      const answer = await pool.takeAsync();
      request.release();
      await pool.channel('results').sendAsync(answer);
    }
  });`;
  const start = (pool: PagePool): Worker => {
    const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
    const worker = new Worker(code, { eval: true, workerData: { share: pool.share(), entry } });
    pool.watch(worker);
    return worker;
  };

  it('stands still, and both threads say who waits, who has the pages, and what would help', async () => {
    const { pool, reports } = create({ pageCount: 64, channels: { work: { capacity: 256 }, results: {} } });
    // Requests take every page before there is an answer, as they do where the worker is slow.
    for (let page = pool.take(); page !== null; page = pool.take()) pool.channel('work').sendFragment(page);
    const worker = start(pool);
    expect(await once(worker, 'message')).toEqual(['ready']);
    const [warning] = await once(worker, 'message'); // it has a request, and has waited
    const waiting = pool.takeAsync().catch((error: { code: string }) => error.code);
    await until(() => reports.length > 0);
    const [report] = reports as [StallReport];
    expect(report).toMatchObject({ pool: 'pool', portId: 0, label: 'creator', leaks: [] });
    expect(report.waits).toEqual([{ call: 'takeAsync', what: 'a page', ms: expect.any(Number) }]);
    expect(report.waits[0]?.ms).toBeGreaterThanOrEqual(STALL_MS);
    const places = report.holders.map(({ channel, kind, label, pageCount }) => ({ channel, kind, label, pageCount }));
    expect(places).toContainEqual({ channel: null, kind: 'references', label: 'parser', pageCount: 1 });
    expect(places).toContainEqual({ channel: 'work', kind: 'channel', label: '', pageCount: 63 });
    const remedy = 'give channel "work" a smaller capacity (256 now; 16 leaves pages to those who work)';
    for (const text of [
      'pool "pool" stands still: takeAsync has waited',
      'port 1 "parser" waits for a page',
      'channel "work" has 63 pages (1, 2,',
      'port 1 "parser" holds 1 page',
      remedy,
    ]) {
      // Which page the worker holds is not said here.
      expect(report.text.replace('(2, 3,', '(1, 2,')).toContain(text);
    }
    expect(warning).toEqual({
      name: 'PagePoolWarning',
      code: 'PAGEPOOL_STALL',
      message: expect.stringContaining(remedy),
    });
    // The message of a timeout says the same, and names the pool.
    await expect(pool.takeAsync(1, { timeoutMs: 10 })).rejects.toThrow(
      /^takeAsync failed: timeoutMs=10 \(expected a page of pool "pool" within that time\); .*"parser" holds 1 page .*capacity \(256 now/,
    );
    await worker.terminate();
    pool.destroy();
    expect(await waiting).toMatch(/CLOSING|CHANNEL_CLOSED|DESTROYED/);
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });

  it('goes on with the capacities that a channel has by default', async () => {
    const { pool, reports } = create({ pageCount: 64, channels: { work: {}, results: {} }, stallMs: 10_000 });
    const worker = start(pool);
    const answers = (async (): Promise<void> => {
      let count = 0;
      for await (const answer of pool.channel('results').fragments({ timeoutMs: HUNG_MS })) {
        answer.release();
        if (++count === 1000) return;
      }
    })();
    for (let i = 0; i < 1000; i++) {
      await pool.channel('work').sendAsync(await pool.takeAsync(4096, { timeoutMs: HUNG_MS }));
    }
    await answers;
    expect(reports).toEqual([]);
    pool.channel('work').close();
    await once(worker, 'exit');
    expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
  });
});

describe('a wait that nobody answers', () => {
  it('is reported once, however many wait, and again after somebody was answered', async () => {
    const { pool, reports } = create({ pageCount: 1 });
    const held = pool.take() as Fragment;
    const waits = [pool.takeAsync(), pool.takeAsync(10), pool.takeAsync()];
    await until(() => reports.length > 0);
    expect(reports[0]?.waits).toHaveLength(3);
    expect(reports[0]?.text).toMatch(/for a page \(and 2 more\)/);
    expect(reports[0]?.text).toMatch(
      /port 0 "creator" holds 1 page \(1\), for \d+\.\d s or longer; release what is held/,
    );
    waits.push(pool.takeAsync());
    await laterStandstill();
    expect(reports).toHaveLength(1);
    held.release();
    const first = await waits.shift();
    await until(() => reports.length > 1);
    first?.release();
    for (const wait of waits) (await wait).release();
    await pool.close();
  });

  it('is not looked into where somebody polls', async () => {
    const { pool } = create({ pageCount: 1 });
    const held = pool.take() as Fragment;
    await expect(pool.takeAsync(1, { timeoutMs: 9 })).rejects.toThrow(
      /a page of pool "pool" within that time\); wait longer/,
    );
    held.release();
    await pool.close();
  });

  it('names calls that nobody serves, and those whose server does not answer, once', async () => {
    const { pool, reports } = create({ pageCount: 8, calls: { hash: { capacity: 2 }, other: {} } });
    const calls = (pool as unknown as PagePool).calls('hash');
    const first = calls.call(pool.take() as Fragment);
    await until(() => reports.length > 0);
    expect(reports[0]?.waits.map(({ call, what }) => `${call}: ${what}`)).toEqual(['call: an answer of calls "hash"']);
    expect(reports[0]?.text).toMatch(/; nobody serves calls "hash": serve\(\) them in a thread, and watch\(\) it/);
    await expect(calls.call(pool.take() as Fragment, { timeoutMs: 10 })).rejects.toThrow(
      /timeoutMs=10 \(expected an answer of calls "hash".*nobody serves calls "hash"/,
    );
    await laterStandstill();
    expect(reports).toHaveLength(1);

    // The first is taken and not answered; the second waits behind it.
    let answer: (bytes: number) => void = () => {};
    const served = calls.serve(() => new Promise<number>((resolve) => (answer = resolve)));
    await until(() => pool.stats().calls[0]?.serving === 1);
    await laterStandstill();
    expect(reports).toHaveLength(1); // it is served: a handler may take long
    const second = calls.call(pool.take() as Fragment);
    await until(() => reports.length > 1);
    expect(reports[1]?.text).toMatch(/port 0 "creator" serves calls "hash" and has not answered/);
    answer(0);
    (await first).release();
    await until(() => pool.stats().calls[0]?.serving === 1);
    answer(0);
    (await second).release();
    await pool.close();
    await served;
  });

  it('names a call that nobody serves also behind calls that were answered, reported or not', async () => {
    const { pool, reports } = create({ pageCount: 8, calls: { hash: {} } });
    const calls = (pool as unknown as PagePool).calls('hash');
    const ask = () => calls.call(pool.take() as Fragment);
    const answerAll = async (asked: readonly Promise<Fragment>[]): Promise<void> => {
      const control = new AbortController();
      const served = calls.serve(() => turns(1).then(() => 0), { signal: control.signal });
      for (const each of asked) (await each).release();
      control.abort();
      await served;
    };
    await answerAll([ask(), ask()]);
    for (let time = 0; time < 2; time++) {
      reports.length = 0; // a slow machine may have had one meanwhile
      const asked = ask();
      await until(() => reports.length > 0);
      expect(reports[0]?.text).toMatch(/nobody serves calls "hash"/);
      await answerAll([asked]);
    }
    await pool.close();
  });

  it('names a call that nobody serves when another one, and another wait, ended meanwhile', async () => {
    const { pool, reports } = create({ pageCount: 2, calls: { hash: {}, other: {} } });
    const [calls, others] = ['hash', 'other'].map((name) => (pool as unknown as PagePool).calls(name)) as [
      Calls,
      Calls,
    ];
    const asked = calls.call(pool.take() as Fragment);
    const answered = others.call(pool.take() as Fragment);
    const page = pool.takeAsync();
    const control = new AbortController();
    const served = others.serve(() => 0, { signal: control.signal });
    (await answered).release();
    (await page).release();
    control.abort();
    await served;
    await until(() => reports.some(({ text }) => text.includes('nobody serves calls "hash"')));
    const last = calls.serve(() => 0);
    (await asked).release();
    await pool.close();
    await last;
  });

  it('says nothing of calls where nothing is to be reported', async () => {
    const { pool, reports } = create({ pageCount: 8, calls: { hash: {} }, stallMs: 0 });
    const calls = (pool as unknown as PagePool).calls('hash');
    const asked = calls.call(pool.take() as Fragment);
    await laterStandstill();
    const served = calls.serve(() => 0);
    (await asked).release();
    expect(reports).toEqual([]);
    await pool.close();
    await served;
  });

  it('names the full channel', async () => {
    const { pool, reports } = create({ pageCount: 8, channels: { work: { capacity: 1, batch: 1 } } });
    pool.channel('work').sendFragment(pool.take() as Fragment);
    const fragment = pool.take() as Fragment;
    const waits = [pool.channel('work').waitRoom(), pool.channel('work').sendAsync(fragment)];
    await until(() => reports.length > 0);
    expect(reports[0]?.waits.map(({ call, what }) => `${call}: ${what}`)).toEqual([
      'waitRoom: room in channel "work"',
      'sendAsync: room in channel "work"',
    ]);
    expect(reports[0]?.text).toMatch(/receive from channel "work", and watch\(\) the threads that do/);
    await expect(pool.channel('work').waitRoom({ timeoutMs: 10 })).rejects.toThrow(
      /^waitRoom failed: timeoutMs=10 \(expected room in channel "work" of pool "pool" within that time\); .*receive from/,
    );
    for await (const received of pool.channel('work')) {
      received.release();
      pool.channel('work').close();
    }
    await Promise.allSettled(waits);
    pool.detach({ release: true });
  });

  it('is not reported where it waits for what somebody may never send, and names the channel in its timeout', async () => {
    const { pool, reports } = create({ name: 'frames', pageCount: 1, channels: { work: {} } });
    const next = pool.channel('work').next({ timeoutMs: 4 * STALL_MS });
    await expect(next).rejects.toThrow(
      /^next failed: timeoutMs=160 \(expected an entry of channel "work" of pool "frames" within that time\); /,
    );
    expect(reports).toEqual([]);
    await pool.close();
  });

  it('is never reported with stallMs: 0', async () => {
    const { pool, reports } = create({ pageCount: 1, stallMs: 0 });
    const held = pool.take() as Fragment;
    await expect(pool.takeAsync(1, { timeoutMs: 3 * STALL_MS })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    expect(reports).toEqual([]);
    held.release();
    await pool.close();
  });

  it('is reported with the stacks of what this thread holds, where they are kept', async () => {
    const { pool, reports } = create({ pageCount: 1, leaks: 'all' });
    const held = pool.take() as Fragment;
    const waiting = pool.takeAsync();
    await until(() => reports.length > 0);
    expect(reports[0]?.leaks).toMatchObject([{ page: 1, origin: 'allocated' }]);
    expect(reports[0]?.text).toMatch(/page 1 came to this thread \d+\.\d s ago at .*stalls\.test\.ts/);
    held.release();
    (await waiting).release();
    await pool.close();
  });

  it('is reported by close(), too', async () => {
    const { pool, reports } = create({ pageCount: 2 });
    const held = pool.take() as Fragment;
    const closing = pool.close();
    await until(() => reports.length > 0);
    expect(reports[0]?.text).toMatch(
      /^pool "pool" stands still: close has waited .* for the end; port 0 "creator" holds/,
    );
    held.release();
    expect(await closing).toMatchObject({ isDestroyed: true });
  });

  it('is reported by the thread that waits: stallMs goes along with the share, unless it is told otherwise', async () => {
    const { pool, reports } = create({ pageCount: 1 });
    const held = pool.take() as Fragment;
    const attach = async (options: object): Promise<PagePool> =>
      (await loadAnotherRealm()).PagePool.attach(pool.share() as never, options) as unknown as PagePool;
    const theirs: StallReport[] = [];
    const others = [
      await attach({ label: 'one', onStall: (report: StallReport) => theirs.push(report) }),
      await attach({ label: 'two', stallMs: 0, onStall: () => theirs.push({} as StallReport) }),
    ];
    const waits = others.map((other) => other.takeAsync().catch(() => {}));
    await until(() => theirs.length > 0);
    expect(theirs).toMatchObject([{ label: 'one', portId: 1, others: [{ portId: 2, label: 'two', what: 'a page' }] }]);
    expect(reports).toEqual([]);
    for (const other of others) other.detach();
    await Promise.all(waits);
    held.release();
    await pool.close();
  });

  it('is published on pagepool:stall, and warned of by the process where there is no onStall', async () => {
    const published: unknown[] = [];
    const listener = (message: unknown): void => void published.push(message);
    const warning = vi.spyOn(process, 'emitWarning').mockImplementation(() => {});
    subscribe('pagepool:stall', listener);
    const pool = PagePool.createSync({ pageCount: 1, stallMs: STALL_MS });
    const held = pool.take() as Fragment;
    const waiting = pool.takeAsync();
    await until(() => published.length > 0);
    unsubscribe('pagepool:stall', listener);
    const { text } = published[0] as StallReport;
    expect(warning.mock.calls).toEqual([[text, { type: 'PagePoolWarning', code: 'PAGEPOOL_STALL' }]]);
    held.release();
    (await waiting).release();
    await pool.close();
  });

  it('is warned of on the console where there is no process', () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    vi.stubGlobal('process', undefined);
    warnOf('PAGEPOOL_STALL', 'text');
    publish('pagepool:stall', { pool: 'pool', text: 'text' });
    vi.unstubAllGlobals();
    expect(warn.mock.calls).toEqual([['PAGEPOOL_STALL: text']]);
  });

  it.each([{ stallMs: -1 }, { stallMs: Number.NaN }, { stallMs: '1' }, { onStall: 1 }, { onStall: null }])(
    'is no reason to take %j',
    async (options) => {
      expect(codeOf(() => PagePool.createSync(options as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      const pool = PagePool.createSync({ pageCount: 1 });
      const there = await loadAnotherRealm();
      expect(codeOf(() => there.PagePool.attach(pool.share() as never, options as never))).toBe(
        'POOL_ERR_INVALID_ARGUMENT',
      );
      await pool.close();
    },
  );
});

it('a call that is answered in time leaves nothing behind', async () => {
  vi.useFakeTimers();
  const { pool, reports } = create({ pageCount: 2, calls: { hash: {} } });
  const calls = (pool as unknown as PagePool).calls('hash');
  const asked = [calls.call(pool.take() as Fragment), calls.call(pool.take() as Fragment)];
  await turns(2);
  await vi.advanceTimersByTimeAsync(STALL_MS - 1);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  const control = new AbortController();
  const served = calls.serve(() => 0, { signal: control.signal });
  for (const each of asked) (await each).release();
  control.abort();
  await served;
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10 * STALL_MS);
  expect(reports).toEqual([]);
  vi.useRealTimers();
  await pool.close();
});

it('a wait that ends before the first look starts no timer but its own', async () => {
  vi.useFakeTimers();
  const { pool } = create({ pageCount: 1 });
  const held = pool.take() as Fragment;
  const timersOf = async (timeoutMs: number): Promise<number> => {
    const waiting = pool.takeAsync(16, { timeoutMs });
    const failed = expect(waiting).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    const timers = vi.getTimerCount();
    await vi.advanceTimersByTimeAsync(timeoutMs);
    await failed;
    return timers;
  };
  await turns(1);
  const short = await timersOf(STALL_MS / 4);
  expect(await timersOf(STALL_MS / 4 + 1)).toBe(short + 1);
  vi.useRealTimers();
  held.release();
  await pool.close();
});

it('a wait that is answered in time leaves nothing behind', async () => {
  vi.useFakeTimers(); // how long the machine takes counts for nothing
  const { pool, reports } = create({ pageCount: 1 });
  const held = pool.take() as Fragment;
  const waiting = pool.takeAsync();
  await turns(2);
  await vi.advanceTimersByTimeAsync(STALL_MS - 1);
  expect(vi.getTimerCount()).toBeGreaterThan(0);
  held.release();
  (await waiting).release();
  expect(vi.getTimerCount()).toBe(0);
  await vi.advanceTimersByTimeAsync(10 * STALL_MS);
  expect(reports).toEqual([]);
  vi.useRealTimers();
  await pool.close();
});
