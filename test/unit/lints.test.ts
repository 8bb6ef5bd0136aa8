// Each lint is provoked, and is not raised by the same pool without its fault.

import { readFileSync } from 'node:fs';
import { type Fragment, PagePool, type PoolOptions } from 'pagepool';
import { LINTS, type LintName, type LintOptions, observe } from 'pagepool/inspect';
import { type Packet, sendPacket, takePacket } from 'pagepool/packet';
import { describe, expect, it } from 'vitest';
import {
  CLAIM_QUARANTINED,
  CLAIM_STATE_MASK,
  PORT_CLAIM_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_WANT_OFFSET,
  RECORD_ENTRY,
} from '../../assembly/layout.js';
import { portOffset } from '../../src/control/places.js';
import type { Port } from '../../src/port/port.js';
import { portBeside } from '../support/shared-ports.js';
import { turns, until } from '../support/waiting.js';

const NONE: LintOptions = { stallMs: Infinity, leakMs: Infinity };
/** Lints need three snapshots for what has to last. */
const SNAPSHOTS = 3;

/** What is found of a pool in the last of some snapshots; between them `step` goes on. */
function found(pool: PagePool<never>, step: () => void = () => {}, options: LintOptions = NONE): LintName[] {
  const observer = observe(pool);
  for (let i = 1; i < SNAPSHOTS; i++) {
    observer.snapshot();
    step();
  }
  return observer.lints(options).map(({ name }) => name);
}

function create(options: PoolOptions<string> = {}): PagePool<never> {
  return PagePool.createSync({ pageCount: 256, maxPorts: 4, stallMs: 0, ...options }) as PagePool<never>;
}

const word = ({ geometry, id }: Port, offset: number): number => (portOffset(geometry, id) + offset) >>> 2;

describe('each lint, provoked and not', () => {
  it('stalled-wait', async () => {
    const pool = create({ pageCount: 1 });
    const page = pool.take() as Fragment;
    const waiting = pool.takeAsync();
    const observer = observe(pool);
    const names = (options: LintOptions) => observer.lints(options).map(({ name }) => name);
    await until(() => observer.snapshot().ports[0]?.waits.some(({ forMs }) => forMs > 0));
    expect(names({ ...NONE, stallMs: 0 })).toContain('stalled-wait');
    expect(observer.lints({ ...NONE, stallMs: 0 }).find(({ name }) => name === 'stalled-wait')?.what).toMatch(
      /^port 0 "creator" has waited for a page for .* port 0 "creator" holds 1 page/,
    );
    expect(names({ ...NONE, stallMs: 3_600_000 })).not.toContain('stalled-wait');
    page.release();
    (await waiting).release();
    await until(() => !names({ ...NONE, stallMs: 0 }).includes('stalled-wait'));
    await pool.close();
  });

  it('a thread that waits for work is not stalled', async () => {
    const pool = create({ channels: { work: {} } });
    const controller = new AbortController();
    const waiting = pool
      .channel('work' as never)
      .next({ signal: controller.signal })
      .catch(() => null);
    const observer = observe(pool);
    await until(() => observer.snapshot().ports[0]?.waits.some(({ forMs }) => forMs > 0));
    expect(observer.lints({ ...NONE, stallMs: 0 }).map(({ name }) => name)).not.toContain('stalled-wait');
    controller.abort();
    await waiting;
    await turns();
  });

  it('queue-can-hold-all', () => {
    expect(found(create({ channels: { work: { capacity: 256 } } }))).toEqual(['queue-can-hold-all']);
    expect(found(create({ channels: { work: {}, results: {} } }))).toEqual([]);
    expect(found(create({ calls: { hash: { capacity: 256 } } }))).toEqual([]);
    expect(found(create())).toEqual([]);
  });

  it('unserved-calls: nobody serves, or none is taken', async () => {
    const pool = create({ calls: { hash: {} } });
    expect(found(pool)).toEqual([]);
    const calls = (pool as unknown as PagePool).calls('hash');
    const asked = calls.call(pool.take() as Fragment);
    expect(found(pool)).toEqual(['unserved-calls']);
    const served = calls.serve(() => 0);
    (await asked).release();
    expect(found(pool)).toEqual([]);
    await pool.close();
    await served;
  });

  it('port-not-reaped: set aside', () => {
    const pool = create();
    const dead = portBeside(pool, 'release');
    expect(found(pool)).toEqual([]);
    const claim = dead.memory.u32[word(dead, PORT_CLAIM_OFFSET)] as number;
    dead.memory.u32[word(dead, PORT_CLAIM_OFFSET)] = (claim & ~CLAIM_STATE_MASK) | CLAIM_QUARANTINED;
    expect(found(pool)).toEqual(['port-not-reaped']);
  });

  it('port-not-reaped: stopped within a step', () => {
    const pool = create();
    const dead = portBeside(pool, 'release');
    dead.memory.u32[word(dead, PORT_RECORD_KIND_OFFSET)] = RECORD_ENTRY;
    expect(found(pool)).toEqual(['port-not-reaped']);
    // In a step each time, and counting: a busy thread.
    expect(
      found(pool, () => {
        dead.engine.release(dead.engine.alloc());
        dead.memory.u32[word(dead, PORT_RECORD_KIND_OFFSET)] = RECORD_ENTRY;
      }),
    ).toEqual([]);
  });

  it('starving-port', () => {
    const pool = create({ pageCount: 64 });
    const thief = portBeside(pool, 'release');
    const { engine } = thief;
    const mine: number[] = [];
    const theirs: number[] = [];
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) mine.push(handle);
    // This thread gives back what its two magazines take, and the other one finds pages nowhere else.
    for (let i = 0; i < 4; i++) pool.release(mine.pop() as number);
    const step = () => {
      for (let i = 0; i < 4; i++) pool.release(mine.pop() as number);
      for (let i = 0; i < 4; i++) theirs.push(engine.alloc());
    };
    expect(found(pool, step)).toEqual(['starving-port']);
    expect(theirs.every((handle) => handle > 0)).toBe(true);
    const calm = create({ pageCount: 64 });
    expect(found(calm, () => calm.release(calm.alloc()))).toEqual([]);
  });

  it('never-recycled', () => {
    const pool = create();
    const step = () => {
      for (let i = 0; i < 100; i++) {
        const handle = pool.alloc();
        pool.release(handle);
        pool.trim();
      }
    };
    expect(found(pool, step)).toEqual(['never-recycled']);
    expect(found(pool, () => pool.release(pool.alloc()))).toEqual([]);
  });

  it('pages-too-large', () => {
    const pool = create({ channels: { work: { capacity: 64, batch: 1 } } });
    const channel = pool.channel('work' as never);
    for (let i = 0; i < 8; i++) channel.send(pool.alloc(), 0, 100, 0);
    expect(found(pool)).toEqual(['pages-too-large']);
    const other = create({ channels: { work: { capacity: 64, batch: 1 } } });
    for (let i = 0; i < 8; i++) other.channel('work' as never).send(other.alloc(), 0, 4000, 0);
    for (let i = 0; i < 8; i++) other.channel('work' as never).send(other.allocFragment(100), 0, 100, 0);
    expect(found(other)).toEqual([]);
  });

  it('pages-too-small', () => {
    const pool = create();
    for (let i = 0; i < 8; i++) pool.allocFragment(1400);
    expect(found(pool)).toEqual(['pages-too-small']);
    const other = create();
    for (let i = 0; i < 8; i++) other.allocFragment(1000);
    expect(found(other)).toEqual([]);
  });

  it('pages-too-small: messages of many pages', () => {
    const send = (pool: PagePool<never>, bytes: number) => {
      for (let i = 0; i < 8; i++) sendPacket(pool.channel('work' as never), takePacket(pool, bytes) as Packet);
      return pool;
    };
    const options = { channels: { work: { capacity: 100, batch: 8 } } };
    expect(found(send(create(options), 5 * 4096))).toEqual(['pages-too-small']);
    expect(found(send(create(options), 2 * 4096))).toEqual([]);
  });

  it('leak-suspect', () => {
    const pool = create();
    const [kept] = [pool.alloc()];
    let moving = pool.alloc();
    const step = () => {
      pool.release(moving);
      moving = pool.alloc();
    };
    const observer = observe(pool);
    observer.snapshot();
    step();
    observer.snapshot();
    step();
    const [lint, ...others] = observer.lints({ ...NONE, leakMs: 0 });
    expect(others).toEqual([]);
    expect(lint).toMatchObject({ name: 'leak-suspect', portId: 0 });
    expect(lint?.what).toMatch(/^port 0 "creator" has held 2 pages without a move for /);
    // Longer than since the last move: the one that stays is left.
    const before = observer.snapshot().atMs;
    step();
    const after = observer.snapshot().atMs;
    const [only] = observer.lints({ ...NONE, leakMs: Math.max(0, (after - before) / 2 + performance.now() - after) });
    expect(only?.pages ?? []).not.toHaveLength(0);
    pool.release(kept);
    pool.release(moving);
    expect(observer.lints({ ...NONE, leakMs: 0 })).toEqual([]);
  });

  it('leak-suspect counts from the first look, also for a page that was never released', () => {
    const pool = create();
    const kept = pool.alloc();
    const [lint] = observe(pool).lints({ ...NONE, leakMs: 0 });
    expect(lint?.what).toBe('port 0 "creator" has held 1 page without a move for 0.0 s or longer');
    pool.release(kept);
  });

  it('lagging-owner', async () => {
    const pool = (await PagePool.create({ pageCount: 64, provider: 'slab', maxPorts: 4 })) as PagePool<never>;
    const other = portBeside(pool, 'release');
    expect(found(pool)).toEqual([]);
    other.memory.u32[word(other, PORT_WANT_OFFSET)] = 4;
    expect(found(pool)).toEqual(['lagging-owner']);
    other.memory.u32[word(other, PORT_WANT_OFFSET)] = 0;
    await pool.close({ timeoutMs: 1 }).catch(() => {});
  });

  it('slow-consumer', () => {
    const pool = create({ channels: { work: { capacity: 4, batch: 1 } } });
    const channel = pool.channel('work' as never);
    while (channel.send(pool.alloc(), 0, 4096, 0));
    expect(found(pool)).toEqual(['slow-consumer']);
    expect(found(pool, () => channel.receive()?.release())).toEqual([]);
    const dropping = create({ channels: { work: { capacity: 1, batch: 1, whenFull: 'drop-newest' } } });
    const drop = () => {
      for (let i = 0; i < 4; i++) dropping.channel('work' as never).send(dropping.alloc(), 0, 4096, 0);
    };
    expect(found(dropping, drop)).toEqual(['slow-consumer']);
  });

  it('many-ports-few-pages', () => {
    const pool = create({ pageCount: 16, maxPorts: 16 });
    expect(found(pool)).toEqual([]);
    for (let i = 0; i < 3; i++) portBeside(pool, 'release');
    expect(found(pool)).toEqual(['many-ports-few-pages']);
  });
});

it('finds nothing in a pool that was destroyed', async () => {
  const pool = create({ channels: { work: { capacity: 256 } } });
  const observer = observe(pool);
  expect(observer.lints(NONE)).toHaveLength(1);
  await pool.close();
  expect(observer.snapshot().state).toBe('destroyed');
  expect(observer.lints(NONE)).toEqual([]);
});

it('has an entry of docs/inspect.md for each', () => {
  const text = readFileSync(new URL('../../docs/inspect.md', import.meta.url), 'utf8');
  for (const name of LINTS) expect(text, name).toContain(`### \`${name}\``);
});
