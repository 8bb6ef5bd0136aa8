// The package's objects where the platform copies or prints them: a copy would lose their reference without a word.

import { inspect } from 'node:util';
import { Worker } from 'node:worker_threads';
import { type Fragment, PagePool } from 'pagepool';
import { Packet } from 'pagepool/packet';
import { UserQueue, userArea } from 'pagepool/user-area';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { messageOf } from '../support/realm.js';

let pool: PagePool;
let fragment: Fragment;
let packet: Packet;

beforeEach(async () => {
  pool = await PagePool.create({ name: 'frames', pageCount: 4, channels: { work: {} } });
  fragment = pool.take(100) as Fragment;
  packet = new Packet().append(pool.take(10) as Fragment);
});
afterEach(async () => {
  fragment[Symbol.dispose]();
  packet.release();
  expect(await pool.close()).toMatchObject({ isDestroyed: true });
});

describe('a posted object', () => {
  const kinds: [string, () => object, string][] = [
    ['Fragment', () => fragment, 'lend()'],
    ['Packet', () => packet, 'lend()'],
    ['PagePool', () => pool, 'share()'],
    ['Channel', () => pool.channel('work'), 'share()'],
  ];

  it.each(kinds)('%s throws a DataCloneError that says what to post', async (kind, object, remedy) => {
    const { port1 } = new MessageChannel();
    const worker = new Worker('', { eval: true });
    const clones: (() => unknown)[] = [
      () => structuredClone(object()),
      () => structuredClone({ task: [object()] }),
      () => port1.postMessage(object()),
      () => worker.postMessage({ value: object() }),
      () => new Worker('', { eval: true, workerData: object() }),
    ];
    for (const clone of clones) {
      expect(clone).toThrow(expect.objectContaining({ name: 'DataCloneError' }));
      expect(messageOf(clone)).toMatch(
        new RegExp(`^postMessage failed: value=${kind} \\(expected what (?:lend|share)\\(\\)`),
      );
      expect(messageOf(clone)).toContain(remedy);
    }
    port1.close();
    await worker.terminate();
  });

  it('a UserQueue does, too', async () => {
    const areas = await PagePool.create({ pageCount: 1, provider: userArea(new SharedArrayBuffer(1 << 13)) });
    const queue = new UserQueue(areas);
    expect(messageOf(() => structuredClone(queue))).toContain('share()');
    expect(() => structuredClone(queue.share())).not.toThrow();
    queue.scrub();
    await areas.close();
  });

  it('loses no reference by it', () => {
    expect(() => structuredClone(fragment)).toThrow();
    fragment.bytes.fill(1);
    expect(pool.adopt(structuredClone(fragment.lend())).release()).toBe(undefined);
  });

  it('can still be logged, compared and written as JSON', () => {
    expect(JSON.parse(JSON.stringify({ fragment }))).toEqual({
      fragment: { handle: fragment.handle, offset: 0, length: 100, tag: 0 },
    });
    expect(JSON.stringify([pool, pool.channel('work'), packet])).toContain('"frames"');
    expect({ ...fragment }).toMatchObject({ length: 100 });
    expect(fragment).toEqual(fragment);
    expect(fragment).not.toEqual(fragment.length);
  });
});

describe('console.log', () => {
  it('shows what each object is, by the name of its class', () => {
    const { handle } = fragment;
    expect(inspect(fragment)).toBe(`Fragment { handle: ${handle}, offset: 0, length: 100, tag: 0, isSpent: false }`);
    fragment.release();
    expect(inspect(fragment)).toContain('isSpent: true');
    expect(inspect(packet)).toBe('Packet { length: 10, parts: 1, tag: 0 }');
    expect(inspect(pool)).toMatch(
      /^PagePool \{\s+name: 'frames',\s+pageBytes: 4096,[^_]*mode: 'shared',\s+inflight: 1\s+\}$/,
    );
    expect(inspect(pool.channel('work'), { breakLength: Infinity })).toBe(
      "Channel { name: 'work', capacity: 2, pending: 0, waiting: { senders: 0, receivers: 0 }, isClosed: false }",
    );
    expect(inspect({ pool }, { depth: 0 })).toBe('{ pool: [PagePool] }');
    expect(inspect({ a: { pool } }, { depth: 0 })).toBe('{ a: [Object] }');
  });

  it('shows a pool that is gone', async () => {
    const gone = await PagePool.create({ pageCount: 1, channels: { work: {} } });
    const work = gone.channel('work');
    await gone.close();
    expect(inspect(gone)).toContain('inflight: 0');
    expect(inspect(work)).toContain('isClosed: true');
  });
});

describe('errors', () => {
  it('name the call that was made', async () => {
    expect(messageOf(() => pool.take(5000))).toMatch(/^take failed: bytes=5000 \(expected an integer, 1\.\.4096\); /);
    expect(messageOf(() => pool.take(0))).toMatch(/^take failed: bytes=0 /);
    expect(messageOf(() => pool.allocFragment(0))).toMatch(/^allocFragment failed: /);
    await expect(pool.takeAsync(5000)).rejects.toThrow(/^takeAsync failed: bytes=5000 /);
    pool.destroy();
    expect(messageOf(() => pool.take())).toMatch(/^take failed: pool=closing /);
    expect(messageOf(() => pool.take(10))).toMatch(/^take failed: pool=closing /);
    await expect(pool.takeAsync(10)).rejects.toThrow(/^takeAsync failed: pool=closing /);
  });

  it('say how a pool is made', () => {
    const make = () => new (PagePool as unknown as new () => PagePool)();
    expect(make).toThrow(expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' }));
    expect(messageOf(make)).toContain('PagePool.create()');
  });
});
