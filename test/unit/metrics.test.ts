// Metrics as those read them that they are for: OpenTelemetry's SDK, and a parser of Prometheus's text.

import { execFile } from 'node:child_process';
import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { Worker } from 'node:worker_threads';
import {
  AggregationTemporality,
  InMemoryMetricExporter,
  MeterProvider,
  PeriodicExportingMetricReader,
} from '@opentelemetry/sdk-metrics';
import { PagePool } from 'pagepool';
import { registerMetrics } from 'pagepool/inspect';
import { serveInspector } from 'pagepool/inspector';
import { type Packet, RecordWriter, sendPacket, takePacket } from 'pagepool/packet';
import parsePrometheus from 'parse-prometheus-text-format';
import { describe, expect, it } from 'vitest';
import { collectGarbage } from '../support/garbage.js';
import { codeOf } from '../support/realm.js';
import { until } from '../support/waiting.js';

function create(name: string) {
  const channels = { work: { capacity: 8 }, 'a "b"\\': { capacity: 4, whenFull: 'drop-oldest' as const } };
  return PagePool.createSync({ name, pageCount: 64, pageBytes: 4096, channels });
}

describe('registerMetrics, with the SDK of OpenTelemetry', () => {
  it('gives pages by state, limits, allocations and hand-offs, by their names and units', async () => {
    const pool = create('measured');
    const exporter = new InMemoryMetricExporter(AggregationTemporality.CUMULATIVE);
    const reader = new PeriodicExportingMetricReader({ exporter, exportIntervalMillis: 2 ** 30 });
    const provider = new MeterProvider({ readers: [reader] });
    const unregister = registerMetrics(provider.getMeter('test'), pool);
    const collect = async () => {
      exporter.reset();
      await provider.forceFlush();
      const metrics = exporter
        .getMetrics()
        .flatMap(({ scopeMetrics }) => scopeMetrics.flatMap(({ metrics: all }) => all));
      const points = (name: string) => {
        const found = metrics.find(({ descriptor }) => descriptor.name === name);
        return { unit: found?.descriptor.unit, points: found?.dataPoints ?? [] };
      };
      return { points, count: metrics.length };
    };
    const held = [pool.alloc(), pool.alloc(), pool.alloc()];
    const work = pool.channel('work');
    work.send(held.pop() as number, 0, 1);
    work.receive()?.release();
    const { count, points } = await collect();
    expect(count).toBe(12);
    const usage = points('pagepool.page.usage');
    expect(usage.unit).toBe('{page}');
    const of = (state: string) => usage.points.find(({ attributes }) => attributes['pagepool.page.state'] === state);
    expect(of('used')).toMatchObject({ value: 2, attributes: { 'pagepool.name': 'measured' } });
    const sum = usage.points.reduce((total, { value }) => total + (value as number), 0);
    expect(sum).toBe(64);
    expect(points('pagepool.page.limit').points[0]?.value).toBe(64);
    const { inflight, alloc } = pool.stats();
    expect(points('pagepool.memory.usage')).toMatchObject({ unit: 'By', points: [{ value: inflight * 4096 }] });
    const tiers = points('pagepool.allocations').points.map(({ value }) => value);
    expect(tiers).toEqual([alloc.fast, alloc.refill, alloc.slow]);
    expect(points('pagepool.channel.handoffs').points.map(({ value }) => value)).toEqual([1, 0]);
    expect(points('pagepool.pending_requests').points[0]?.value).toBe(0);
    expect(points('pagepool.stalls').points[0]?.value).toBe(0);
    unregister();
    for (const handle of held) pool.release(handle);
    // Nothing is read any more.
    const later = (await collect()).points('pagepool.page.usage').points;
    expect(later.find(({ attributes }) => attributes['pagepool.page.state'] === 'used')?.value ?? 2).toBe(2);
    await provider.shutdown();
    await pool.close();
  });

  it('refuses what is no meter, and what is no pool', async () => {
    const pool = create('refused');
    expect(codeOf(() => registerMetrics({} as never, pool))).toBe('POOL_ERR_INVALID_ARGUMENT');
    const provider = new MeterProvider();
    expect(codeOf(() => registerMetrics(provider.getMeter('test'), {} as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    await provider.shutdown();
    await pool.close();
  });
});

describe('/metrics', () => {
  it('is read by a parser of Prometheus, with the figures of stats()', async () => {
    const pool = create('scraped "1"\\');
    const inspector = await serveInspector(pool);
    const held = [pool.alloc(), pool.alloc()];
    const dropping = pool.channel('a "b"\\');
    for (let i = 0; i < 6; i++) dropping.send(pool.alloc(), 0, 1);
    const answer = await fetch(new URL('/metrics', inspector.url), {
      headers: { Authorization: `Bearer ${inspector.token}` },
    });
    expect(answer.headers.get('content-type')).toBe('application/openmetrics-text; version=1.0.0; charset=utf-8');
    const text = await answer.text();
    expect(text.endsWith('\n# EOF\n')).toBe(true);
    const families = parsePrometheus(text);
    const value = (name: string, labels: Record<string, string> = {}): number => {
      const samples = families.find((family) => family.name === name)?.metrics ?? [];
      const sample = samples.find((each) =>
        Object.entries(labels).every(([key, label]) => each.labels?.[key] === label),
      );
      return Number(sample?.value);
    };
    const { alloc, inflight, pages } = pool.stats();
    expect(value('pagepool_pages', { place: 'used' })).toBe(2);
    expect(value('pagepool_pages', { place: 'channel' })).toBe(pages.used - 2);
    expect(value('pagepool_pages_limit')).toBe(64);
    expect(value('pagepool_pages_inflight')).toBe(inflight);
    expect(value('pagepool_allocations_total', { tier: 'cache' })).toBe(alloc.fast);
    expect(value('pagepool_allocations_total', { tier: 'provider' })).toBe(alloc.slow);
    expect(value('pagepool_channel_entries', { channel: 'a "b"\\' })).toBe(4);
    expect(value('pagepool_channel_dropped_total', { channel: 'a "b"\\' })).toBe(2);
    expect(value('pagepool_lints', { lint: 'stalled-wait', pool: 'scraped "1"\\' })).toBe(0);
    expect(families.every(({ metrics }) => metrics.every((each) => Number.isFinite(Number(each.value))))).toBe(true);
    await inspector.close();
    for (const handle of held) pool.release(handle);
    await pool.close();
  });
});

describe('node:diagnostics_channel', () => {
  /** What is told until `stop`. */
  function hear(...names: string[]) {
    const told: { channel: string; pool: string; text: string }[] = [];
    const listener = (message: unknown, channel: string | symbol): void => {
      const { pool, text } = message as { pool: string; text: string };
      told.push({ channel: String(channel), pool, text });
    };
    for (const name of names) subscribe(`pagepool:${name}`, listener);
    const stop = (): void => {
      for (const name of names) unsubscribe(`pagepool:${name}`, listener);
    };
    return { told, stop };
  }

  it('tells of entries that a policy dropped, and of the close', async () => {
    const pool = create('told');
    const { stop, told } = hear('drop', 'close');
    const channel = pool.channel('a "b"\\');
    for (let i = 0; i < 5; i++) channel.send(pool.alloc(), 0, 1);
    const entries = new Uint32Array(8);
    entries.set([pool.alloc(), 0, 1, 0, pool.alloc(), 0, 1, 0]);
    expect(channel.sendBurst(entries, 2)).toBe(2);
    for (let i = 0; i < 8; i++) pool.channel('work').send(pool.alloc(), 0, 1); // that one drops nothing
    await pool.close();
    stop();
    const quoted = JSON.stringify('a "b"\\');
    expect(told).toEqual([
      { channel: 'pagepool:drop', pool: 'told', text: `channel ${quoted} dropped 1 entry` },
      { channel: 'pagepool:drop', pool: 'told', text: `channel ${quoted} dropped 2 entries` },
      { channel: 'pagepool:close', pool: 'told', text: 'the pool is closing' },
      { channel: 'pagepool:close', pool: 'told', text: 'the pool is destroyed' },
    ]);
  });

  it('tells of packets and records that a policy dropped, when they were', async () => {
    const channels = {
      oldest: { capacity: 4, batch: 2, whenFull: 'drop-oldest' as const },
      newest: { capacity: 4, batch: 2, whenFull: 'drop-newest' as const },
    };
    const pool = PagePool.createSync({ name: 'packets', pageCount: 64, pageBytes: 4096, channels });
    const send = (name: 'oldest' | 'newest'): void => {
      sendPacket(pool.channel(name), takePacket(pool, 5000) as Packet);
    };
    const { stop, told } = hear('drop');
    for (const name of ['oldest', 'newest'] as const) for (let i = 0; i < 3; i++) send(name);
    const writer = new RecordWriter(pool.channel('newest'), { flushMs: 60_000 });
    writer.write(new Uint8Array(10));
    writer.flushSync();
    const text = (name: string, entries: string) => ({
      channel: 'pagepool:drop',
      pool: 'packets',
      text: `channel "${name}" dropped ${entries}`,
    });
    stop();
    expect(told).toEqual([text('oldest', '2 entries'), text('newest', '2 entries'), text('newest', '1 entry')]);
    writer.release();
    pool.destroy();
  });

  it('tells of a provider that was asked for pages', async () => {
    const { stop, told } = hear('grow');
    const pool = await PagePool.create({ name: 'grown', pageCount: 8, provider: 'slab' });
    pool.release(pool.alloc());
    stop();
    expect(told).toContainEqual({
      channel: 'pagepool:grow',
      pool: 'grown',
      text: expect.stringMatching(/^provider "slab" was asked for \d+ pages$/),
    });
    await pool.close();
  });

  it('tells of a Fragment that was collected with its reference', async () => {
    const { stop, told } = hear('leak');
    const pool = PagePool.createSync({ name: 'leaky', pageCount: 8, leaks: 'all', onLeak: () => {} });
    (function drop() {
      pool.take(100);
    })();
    await collectGarbage();
    stop();
    expect(told).toEqual([{ channel: 'pagepool:leak', pool: 'leaky', text: expect.stringContaining('collected') }]);
    for (const { handle } of pool.leaks()) pool.release(handle);
    await pool.close();
  });

  it('is printed with NODE_DEBUG=pagepool, and else not', async () => {
    const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
    const code = `const { PagePool } = await import(${JSON.stringify(entry)});
      const pool = await PagePool.create({ name: 'printed', pageCount: 8, provider: 'slab',
        channels: { work: { capacity: 1, whenFull: 'drop-newest' } } });
      for (let i = 0; i < 2; i++) pool.channel('work').send(pool.alloc(), 0, 1);
      pool.channel('work').receive().release();
      await pool.close();`;
    const errorsWith = async (env: NodeJS.ProcessEnv): Promise<string> => {
      const args = ['--input-type=module', '-e', code];
      return (await promisify(execFile)(process.execPath, args, { env: { ...process.env, ...env } })).stderr;
    };
    const lines = (await errorsWith({ NODE_DEBUG: 'pagepool' })).trim().split('\n');
    const texts = new Set(lines.map((line) => line.replace(/^PAGEPOOL \d+: /, '')));
    expect([...texts]).toEqual([
      expect.stringMatching(/^pagepool:grow: printed: provider "slab" was asked for \d+ pages$/),
      'pagepool:drop: printed: channel "work" dropped 1 entry',
      'pagepool:close: printed: the pool is closing',
      'pagepool:close: printed: the pool is destroyed',
    ]);
    expect(await errorsWith({})).toBe('');
  });

  it('tells of a port that was reaped', async () => {
    const pool = PagePool.createSync({ name: 'reaped', pageCount: 64 });
    const { stop, told } = hear('reap');
    const entry = fileURLToPath(new URL('../../build/index.js', import.meta.url));
    const code = `import('node:worker_threads').then(async ({ parentPort, workerData }) => {
      const { PagePool } = await import(${JSON.stringify(entry)});
      const pool = PagePool.attach(workerData, { label: 'mortal' });
      for (let i = 0; i < 3; i++) pool.alloc();
      parentPort.postMessage('holds');
      setInterval(() => {}, 1e6);
    });`;
    const worker = new Worker(code, { eval: true, workerData: pool.share() });
    pool.watch(worker);
    await new Promise((resolve) => worker.once('message', resolve));
    await worker.terminate();
    await until(() => told.length > 0);
    stop();
    expect(told[0]).toMatchObject({
      pool: 'reaped',
      text: expect.stringMatching(/^port 1 "mortal" was reaped: 3 pages held/),
    });
    await pool.close();
  });
});
