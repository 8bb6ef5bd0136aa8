// Observers: what they read is what the pool's own reports say, and reading leaves the pool as it was.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Fragment, PagePool, type PoolShare } from 'pagepool';
import { observe, PLACES, type PoolSnapshot } from 'pagepool/inspect';
import { slabs } from 'pagepool/providers';
import { describe, expect, it } from 'vitest';
import { layoutHash } from '#layout-hash';
import { CONTROL_BASE, HEADER_MAGIC_OFFSET, OK, PORT_RECORD_KIND_OFFSET, RECORD_ENTRY } from '../../assembly/layout.js';
import { portOffset, rowIndex } from '../../src/control/places.js';
import { Observer } from '../../src/inspect/observer.js';
import { openShare } from '../../src/pool/share.js';
import type { Port } from '../../src/port/port.js';
import { auditPool } from '../../src/reports/audit.js';
import { chooseSeed, MATRIX, openPorts, pageOf, randomFrom } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { portBeside } from '../support/shared-ports.js';
import { entry } from '../support/threads.js';
import { orHung, until } from '../support/waiting.js';

/** The place of a page, and whose it is. */
function at({ map: { owners, places } }: PoolSnapshot, page: number): [string, number] {
  return [PLACES[places[page - 1] as number] as string, owners[page - 1] as number];
}

/** The control region as it is. */
function controlWords(pool: PagePool): Uint32Array {
  const { geometry, memory } = openShare(pool.share(), layoutHash);
  return memory.u32.slice(0, geometry.scratchOffset >>> 2);
}

describe.each(MATRIX)('%s', (_, kinds) => {
  it('says of every page, port and channel what the audit says, whatever happened before', () => {
    const random = randomFrom(chooseSeed('observer'));
    const channels = { work: { capacity: 6, batch: 2 } };
    const ports = openPorts({ pageBytes: 1024, pageCount: 38 + (random() % 4), channels }, kinds, 3);
    const [first] = ports as [Port];
    const { geometry, memory } = first;
    const observer = new Observer({ geometry, kind: 'wasm-memory', memory, name: 'test' });
    const held = ports.map((): number[] => []);
    for (let step = 0; step < 600; step++) {
      const who = random() % ports.length;
      const { engine } = ports[who] as Port;
      const own = held[who] as number[];
      const some = own.splice(random() % (own.length + 1), 1)[0];
      const choice = random() % 6;
      if (some === undefined || choice === 0) {
        const handle = random() % 2 === 0 ? engine.alloc() : engine.allocFragment(1 + (random() % 700));
        if (handle > 0) own.push(handle);
        if (some !== undefined) own.push(some);
      } else if (choice < 4) engine.release(some);
      else if (choice === 4) {
        if (engine.send(0, some, 0, 1, 0) !== OK) own.push(some);
      } else {
        const { own: words, ownAddress } = (ports[who] as Port).scratch;
        if (engine.receiveBurst(0, ownAddress, 1) === 1) own.push(words[0] as number);
        own.push(some);
      }
      if (step % 20 !== 0) continue;
      const audit = auditPool(first);
      expect(audit.errors).toEqual([]);
      const snapshot = observer.snapshot();
      const { cached, channel, fresh, nobody, open, pinned, provider, retired, ring, used } = snapshot.places;
      expect({ cached, ring, pinned }).toEqual({
        cached: audit.pages.cached,
        ring: audit.pages.ring,
        pinned: audit.pages.pinned,
      });
      expect(fresh + retired + provider).toBe(audit.pages.provider);
      expect(used + channel + open).toBe(audit.pages.used);
      expect([nobody, snapshot.inflight, snapshot.hasMoved]).toEqual([0, audit.inflight, false]);
      for (const [id, handles] of held.entries()) {
        for (const handle of handles) {
          const [place, owner] = at(snapshot, pageOf(first, handle));
          expect(place).toBe('used');
          expect(held[owner]?.some((other) => pageOf(first, other) === pageOf(first, handle))).toBe(true);
          expect(owner).toBeLessThanOrEqual(id);
        }
      }
    }
  });
});

it('names every place, and whose the page is', () => {
  const pool = PagePool.createSync({
    pageCount: 64,
    maxPorts: 4,
    channels: { work: {}, rest: {} },
    calls: { ask: {} },
  });
  const other = portBeside(pool, 'release');
  const page = (handle: number): number => pageOf(other, handle);
  const own = pool.alloc();
  const theirs = other.engine.alloc();
  const queued = pool.take() as Fragment;
  const queuedPage = page(queued.handle);
  pool.channel('rest').sendFragment(queued);
  const lent = pool.take() as Fragment;
  const lentPage = page(lent.handle);
  const token = lent.lend();
  const pinned = pool.alloc();
  const pin = pool.pin(pinned);
  pool.release(pinned);
  const cut = other.engine.allocFragment(100);
  other.engine.release(cut);
  const snapshot = observe(pool).snapshot();
  expect(at(snapshot, page(own))).toEqual(['used', 0]);
  expect(at(snapshot, page(theirs))).toEqual(['used', 1]);
  expect(at(snapshot, queuedPage)).toEqual(['channel', 1]);
  expect(at(snapshot, lentPage)).toEqual(['token', 255]);
  expect(at(snapshot, page(pinned))).toEqual(['pinned', 255]);
  expect(at(snapshot, page(cut))).toEqual(['open', 1]);
  expect(snapshot.ports[1]).toMatchObject({ portId: 1, label: 'testport', state: 'attached', held: 1, waits: [] });
  expect(snapshot.channels.map(({ name, pending }) => [name, pending])).toEqual([
    ['work', 0],
    ['rest', 1],
  ]);
  expect(snapshot.calls).toMatchObject([{ name: 'ask', asked: 0 }]);
  expect(snapshot).toMatchObject({ name: 'pool', state: 'active', provider: { kind: 'wasm-memory', state: 'own' } });
  pool.unpin(pin);
  pool.adopt(token).release();
  pool.release(own);
});

it('sees pages of a provider, of its reserve, and who calls it', async () => {
  const pool = (await PagePool.create({
    pageCount: 4,
    provider: 'slab',
    reserve: { provider: slabs(), pageCount: 2 },
  })) as PagePool;
  const observer = observe(pool);
  const handles: number[] = [];
  for (let i = 0; i < 5; i++) handles.push(pool.alloc());
  expect(handles.every((handle) => handle > 0)).toBe(true); // one of them is of the reserve
  const all = observer.snapshot();
  // The owner's thread asks the providers; whoever has the share alone reads what all threads share.
  const { owner } = pool.stats().provider;
  const shared = { kind: pool.stats().provider.kind, state: 'serving', wanted: 0 };
  expect(all.provider).toEqual({ ...shared, description: owner?.description, reserve: owner?.reserve });
  expect(all.provider.description).toMatchObject({ kind: 'slab', slabs: 1 });
  expect(observe(pool.share()).snapshot().provider).toEqual({ ...shared, description: null, reserve: null });
  expect(all.places.used).toBe(5);
  for (const handle of handles) pool.release(handle);
  const { places } = observer.snapshot();
  expect([places.used, places.nobody, places.reserve]).toEqual([0, 0, 2]);
  await pool.close();
});

it('finds the last page of a pool where it lies', () => {
  const pool = PagePool.createSync({ pageCount: 1, maxPorts: 2, channels: { work: { capacity: 2 } } });
  const observer = observe(pool);
  expect(at(observer.snapshot(), 1)[0]).toBe('fresh');
  pool.take()?.release();
  expect(at(observer.snapshot(), 1)).toEqual(['cached', 0]);
  const fragment = pool.take() as Fragment;
  expect(at(observer.snapshot(), 1)).toEqual(['used', 0]);
  pool.channel('work').sendFragment(fragment);
  expect(at(observer.snapshot(), 1)[0]).toBe('channel');
  pool.channel('work').receive()?.release();
  pool.destroy();
});

describe('a page that nobody is found to have', () => {
  const create = () => {
    const pool = PagePool.createSync({ pageCount: 8, maxPorts: 4 });
    const other = portBeside(pool, 'release');
    const handle = other.engine.alloc();
    const page = pageOf(other, handle);
    const { geometry, id, memory } = other;
    return { pool, other, page, memory, row: rowIndex(geometry, id, page), first: page << geometry.unitsPerPageShift };
  };
  const texts = (observer: Observer): string[] => observer.holders().map(({ text }) => text);

  it('has no holder where nothing moves', () => {
    const { memory, page, pool, row } = create();
    memory.u16[row] = 0;
    const observer = observe(pool);
    expect(texts(observer)).toContainEqual(expect.stringMatching(`^nobody has 1 page \\(${page}\\)`));
    const snapshot = observer.snapshot();
    expect(at(snapshot, page)[0]).toBe('nobody');
    expect([snapshot.places.nobody, snapshot.places.moving]).toEqual([1, 0]);
    memory.u16[row] = 1;
    expect(at(observer.snapshot(), page)).toEqual(['used', 1]);
  });

  it('is on its way while a thread is within a step, until it has been so for three snapshots', () => {
    const { memory, other, page, pool, row } = create();
    memory.u16[row] = 0;
    const { geometry, id } = other;
    memory.u32[(portOffset(geometry, id) + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_ENTRY;
    const observer = observe(pool);
    for (let i = 0; i < 2; i++) {
      const snapshot = observer.snapshot();
      expect(at(snapshot, page)[0]).toBe('moving');
      expect([snapshot.places.nobody, snapshot.places.moving, snapshot.hasMoved]).toEqual([0, 1, false]);
      expect(texts(observer).join()).not.toContain('nobody');
    }
    // A thread that has stopped there takes it nowhere.
    expect(at(observer.snapshot(), page)[0]).toBe('nobody');
    expect(texts(observer).join()).toContain('nobody has 1 page');
  });

  it('is on its way as long as it is used between two snapshots', () => {
    const { first, memory, other, page, pool, row } = create();
    memory.u16[row] = 0;
    const { geometry, id } = other;
    memory.u32[(portOffset(geometry, id) + PORT_RECORD_KIND_OFFSET) >>> 2] = RECORD_ENTRY;
    const observer = observe(pool);
    const word = (geometry.fragmentWordsOffset >>> 2) + first;
    for (let i = 0; i < 6; i++) {
      expect(at(observer.snapshot(), page)[0]).toBe('moving');
      memory.u32[word] = (memory.u32[word] as number) + 0x10000;
    }
  });
});

it('sees an answer that nobody has collected', async () => {
  const pool = PagePool.createSync({ pageCount: 4, calls: { ask: {} } });
  const observer = observe(pool);
  const request = pool.take(8) as Fragment;
  let seen: PoolSnapshot | undefined;
  void pool.calls('ask').serve(({ request: { length } }) => {
    // The answer is there when the handler's turn is over, and is collected in a later one.
    queueMicrotask(() => queueMicrotask(() => queueMicrotask(look)));
    return length;
  });
  const look = () => {
    const snapshot = observer.snapshot();
    if (snapshot.places.reply === 1) seen = snapshot;
    else if (snapshot.calls[0]?.answered === 0) queueMicrotask(look);
  };
  (await pool.calls('ask').call(request)).release();
  expect(seen?.places).toMatchObject({ reply: 1, used: 0 });
  await pool.close();
});

it('writes nothing, and needs no port', () => {
  const pool = PagePool.createSync({ pageCount: 16, maxPorts: 1, channels: { work: {} } });
  const handle = pool.alloc();
  const before = controlWords(pool);
  const observer = observe(pool.share()); // every port is taken
  expect(observer.snapshot().ports).toHaveLength(1);
  observer.lints();
  expect(controlWords(pool)).toEqual(before);
  pool.release(handle);
});

it('counts what happened between two snapshots', () => {
  const pool = PagePool.createSync({ pageCount: 16, channels: { work: { capacity: 4 } } });
  const observer = observe(pool);
  expect(observer.snapshot().rates).toBeNull();
  for (let i = 0; i < 10; i++) pool.release(pool.alloc());
  pool.channel('work').sendFragment(pool.take() as Fragment);
  pool.channel('work').receive()?.release();
  const { overMs, ...rates } = observer.snapshot().rates as NonNullable<PoolSnapshot['rates']>;
  const counted = (rate: number): number => Math.round((rate * overMs) / 1000);
  expect(counted(rates.allocated)).toBe(11);
  expect(counted(rates.recycled)).toBe(11);
  expect(rates.channels.map(({ sent, received, dropped }) => [counted(sent), counted(received), dropped])).toEqual([
    [1, 1, 0],
  ]);
  const next = observer.snapshot().rates;
  expect(next).toMatchObject({ allocated: 0, recycled: 0, channels: [{ sent: 0, received: 0 }] });
});

describe('with threads', () => {
  const code = (body: string): string => `
  const { parentPort, workerData } = require('node:worker_threads');
  import(workerData.entry).then(async ({ PagePool }) => { ${body} });`;

  it('sees what a thread waits for, and for how long it has been seen to', async () => {
    const pool = PagePool.createSync({ pageCount: 1, stallMs: 0, channels: { work: {} } });
    const held = pool.take() as Fragment;
    const body = `
      const pool = PagePool.attach(workerData.share, { label: 'waiter' });
      pool.takeAsync().then((page) => { page.release(); pool.detach(); });`;
    const worker = new Worker(code(body), { eval: true, workerData: { share: pool.share(), entry } });
    const observer = observe(pool);
    const waiter = () => observer.snapshot().ports.find(({ label }) => label === 'waiter');
    await until(() => waiter()?.waits.some(({ forMs }) => forMs > 0));
    const seen = waiter();
    expect(seen?.waits.map(({ what }) => what)).toEqual(['a page']);
    expect(seen?.thread).toBe(worker.threadId);
    held.release();
    await orHung(once(worker, 'exit'), 'the worker');
    await until(() => waiter() === undefined);
    await pool.close();
  });

  it('works on a pool whose creator hangs, and on one whose creator died', async () => {
    const body = `
      const pool = PagePool.createSync({ name: 'orphan', pageCount: 8 });
      pool.alloc(); pool.alloc();
      parentPort.postMessage(pool.share());
      parentPort.on('message', () => { for (;;); });`;
    const worker = new Worker(code(body), { eval: true, workerData: { entry } });
    const [share] = (await once(worker, 'message')) as [PoolShare];
    worker.postMessage('hang');
    const observer = observe(share);
    expect(observer.snapshot()).toMatchObject({ name: 'orphan', state: 'active', places: { used: 2 } });
    await worker.terminate();
    expect(observer.snapshot()).toMatchObject({ state: 'active', places: { used: 2 }, hasMoved: false });
    expect(observer.snapshot().ports[0]).toMatchObject({ label: 'creator', state: 'attached', held: 2 });
  });

  it('says that something moved while it read, and that nothing did', async () => {
    const pool = PagePool.createSync({ pageCount: 4096, pageBytes: 256 });
    const body = `
      const pool = PagePool.attach(workerData.share);
      const stop = new Int32Array(workerData.stop);
      while (Atomics.load(stop, 0) === 0) pool.release(pool.alloc());
      pool.detach();`;
    const stop = new SharedArrayBuffer(4);
    const worker = new Worker(code(body), { eval: true, workerData: { share: pool.share(), entry, stop } });
    const observer = observe(pool);
    await until(() => observer.snapshot().hasMoved);
    Atomics.store(new Int32Array(stop), 0, 1);
    await orHung(once(worker, 'exit'), 'the worker');
    expect(observer.snapshot().hasMoved).toBe(false);
  });
});

describe('a share that is none, or not of this version', () => {
  it.each([
    ['nothing', () => undefined, 'POOL_ERR_INVALID_ARGUMENT'],
    ['another object', () => ({ kind: 'pool' }), 'POOL_ERR_INVALID_ARGUMENT'],
    ['one of another version', (share: PoolShare) => ({ ...share, abi: share.abi + 1 }), 'POOL_ERR_ABI_MISMATCH'],
    ['one that lacks a part', ({ options, ...share }: PoolShare) => share, 'POOL_ERR_CORRUPT'],
    [
      'one with a shorter memory',
      (share: PoolShare) => ({ ...share, memory: new SharedArrayBuffer(4096) }),
      'POOL_ERR_CORRUPT',
    ],
    [
      'one with the identity of another pool',
      (share: PoolShare) => ({ ...share, identity: PagePool.createSync({ pageCount: 1 }).share().identity }),
      'POOL_ERR_CORRUPT',
    ],
    [
      'one whose memory was overwritten',
      (share: PoolShare) => {
        const words = new Uint32Array((share.memory as WebAssembly.Memory).buffer);
        words[(CONTROL_BASE + HEADER_MAGIC_OFFSET) >>> 2] = 7;
        return share;
      },
      'POOL_ERR_CORRUPT',
    ],
  ])('refuses %s', (_name, change, code) => {
    const share = change(PagePool.createSync({ pageCount: 8 }).share());
    const call = () => observe(share as PoolShare);
    expect(codeOf(call)).toBe(code);
    expect(messageOf(call)).toMatch(/^observe failed: /);
  });
});

it('refuses lints with options that are none', () => {
  const observer = observe(PagePool.createSync({ pageCount: 1 }));
  for (const options of [null, { leakMs: -1 }, { stallMs: 'long' }, { leakms: 1 }]) {
    expect(messageOf(() => observer.lints(options as never))).toMatch(/^lints failed: /);
  }
});
