// Standstills that a thread reported: findings of the inspector until the wait is answered or gone.

import { type Fragment, PagePool, type StallReport } from 'pagepool';
import { type ObservedPort, type Observer, observe } from 'pagepool/inspect';
import { describe, expect, it } from 'vitest';
import { HeardStalls } from '../../src/inspector/heard-stalls.js';
import { eventOf } from '../../src/inspector/told.js';
import { Watcher } from '../../src/inspector/watcher.js';
import { until } from '../support/waiting.js';

const HOUR = 3_600_000;

/** A pool of one page, which is held, and an inspector's watcher. */
function stuck() {
  const channels = { work: { capacity: 1 } };
  const pool = PagePool.createSync({ name: 'stuck', pageCount: 2, channels, stallMs: 0 });
  const held = [pool.take(4096) as Fragment, pool.take(4096) as Fragment] as const;
  const watcher = new Watcher(observe(pool), observe(pool), () => {});
  const wait = () => watcher.look().ports[0]?.waits[0];
  return {
    pool,
    held,
    wait,
    hear: (what: string) => {
      const stall = {
        portId: 0,
        waits: [
          { what, ms: 1 },
          { what, ms: HOUR },
        ],
      };
      watcher.happened({ at: 0, kind: 'stall', text: 'a sentence', stall });
    },
    /** What is found of waits. */
    findings: () =>
      watcher
        .look()
        .lints.filter(({ name }) => name === 'stalled-wait')
        .map(({ what }) => what),
  };
}

describe('a standstill that was heard', () => {
  it('is a finding at once, as long as its report says, until it is answered', async () => {
    const { findings, hear, held, pool, wait } = stuck();
    const waiting = pool.takeAsync(4096);
    await until(() => wait()?.what === 'a page');
    expect(findings()).toEqual([]);
    hear('a page');
    const found = expect.stringMatching(
      /^port 0 "creator" has waited for a page for at least 360\d\.\d s; port 0 "creator" holds 2 pages/,
    );
    expect(findings()).toEqual([found]);
    expect(findings()).toEqual([found]);
    expect(wait()?.forMs).toBeGreaterThanOrEqual(HOUR);
    // The next one waits for the same, and nobody has said that it stands still.
    held[0].release();
    const answer = await waiting;
    const next = pool.takeAsync(4096);
    await until(() => wait()?.what === 'a page');
    expect(findings()).toEqual([]);
    expect(wait()?.forMs).toBeLessThan(HOUR);
    held[1].release();
    for (const fragment of [answer, await next]) fragment.release();
    await pool.close();
  });

  it('is none any more when the wait is gone', async () => {
    const { findings, hear, held, pool, wait } = stuck();
    const controller = new AbortController();
    const waiting = pool.takeAsync(4096, { signal: controller.signal }).catch(() => 'cancelled');
    await until(() => wait()?.what === 'a page');
    hear('a page');
    expect(findings().length).toBe(1);
    controller.abort();
    expect(await waiting).toBe('cancelled');
    await until(() => findings().length === 0);
    for (const fragment of held) fragment.release();
    await pool.close();
  });

  it('is forgotten by the second look without a wait, and not by the first', async () => {
    const pool = PagePool.createSync({ name: 'looks', pageCount: 1 });
    const held = pool.take(4096) as Fragment;
    const observer = observe(pool);
    const control = new AbortController();
    const waiting = pool.takeAsync(4096, { signal: control.signal }).catch(() => 'cancelled');
    const waits = () => observer.snapshot().ports[0]?.waits.length;
    await until(() => waits() === 1);
    const stalls = new HeardStalls();
    const stall = { portId: 0, waits: [{ what: 'a page', ms: HOUR }] };
    stalls.hear(stall, observer.snapshot());
    control.abort();
    expect(await waiting).toBe('cancelled');
    await until(() => waits() === 0);
    const without = observer.snapshot();
    expect([stalls.follow(without), stalls.waits(without).length]).toEqual([false, 1]);
    expect([stalls.follow(without), stalls.waits(without).length]).toEqual([true, 0]);
    held.release();
    await pool.close();
  });

  it('of room in a channel: until an entry is sent', async () => {
    const { findings, hear, held, pool, wait } = stuck();
    const work = pool.channel('work');
    work.sendFragment(held[0]);
    const sending = work.sendAsync(held[1]);
    await until(() => wait()?.what === 'room in channel "work"');
    hear('room in channel "work"');
    expect(findings()).toEqual([expect.stringContaining('has waited for room in channel "work" for at least 360')]);
    work.receive()?.release();
    await sending;
    expect(findings()).toEqual([]);
    work.receive()?.release();
    await pool.close();
  });
});

it('the report that a thread publishes says whose waits they are', async () => {
  const reports: StallReport[] = [];
  const pool = PagePool.createSync({ name: 'told', pageCount: 1, stallMs: 1, onStall: (each) => reports.push(each) });
  const held = pool.take(4096) as Fragment;
  const waiting = pool.takeAsync(4096);
  await until(() => reports.length > 0);
  const [{ text, waits } = expect.fail('no report')] = reports;
  const stall = { portId: 0, waits: [{ what: 'a page', ms: waits[0]?.ms }] };
  expect(eventOf('pagepool:stall', reports[0], 'told')).toMatchObject({ kind: 'stall', text, stall });
  expect(eventOf('pagepool:stall', reports[0], 'another')).toBe(null);
  expect(eventOf('pagepool:stall', { pool: 'told', text }, 'told')).toMatchObject({ text, stall: undefined });
  held.release();
  (await waiting).release();
  await pool.close();
});

it('threads that come and go between two looks are events, with what a thread that went had held', async () => {
  const pool = PagePool.createSync({ name: 'visited', pageCount: 4, maxPorts: 2 });
  const observer = observe(pool);
  /** Of port 1; port 0 is as it is. */
  let guest: Partial<ObservedPort> = { isClaimed: false };
  const seen = {
    ...{ holders: () => observer.holders(), lints: () => observer.lints() },
    snapshot: () => {
      const snapshot = observer.snapshot();
      const ports = snapshot.ports.map((port) => (port.portId === 1 ? { ...port, ...guest } : port));
      return { ...snapshot, ports };
    },
  } as unknown as Observer;
  const watcher = new Watcher(seen, seen, () => {});
  const told: (typeof guest)[] = [
    { isClaimed: false },
    { isClaimed: true, thread: 3, label: 'guest', held: 2 },
    { isClaimed: true, thread: 4, label: 'next', held: 0 },
    { isClaimed: true, thread: 4, label: 'next', state: 'set aside' },
    { isClaimed: true, thread: 4, label: 'next', state: 'set aside' },
    { isClaimed: false, label: '' },
  ];
  const events = told.map((of) => {
    const before = watcher.look().events.length;
    guest = of;
    return watcher
      .look()
      .events.slice(before)
      .map(({ kind, text }) => `${kind}: ${text}`);
  });
  expect(events).toEqual([
    [],
    ['attach: port 1 "guest" attached'],
    ['leave: port 1 "guest" is free; it had held 2 pages', 'attach: port 1 "next" attached'],
    ['set aside: port 1 "next" is set aside'],
    [],
    ['leave: port 1 "next" is free'],
  ]);
  await pool.close();
});
