// Bells: one waiter is woken, whoever else is busy, gives up, stands still or is forgotten. Between real threads, but
// for which bells one step rings.

import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Fragment, PagePool } from 'pagepool';
import { afterEach, describe, expect, it } from 'vitest';
import { layoutHash } from '#layout-hash';
import { EVENT_KNOWN_OFFSET, EVENT_ONE_OFFSET, PORT_BELL_OFFSET, PORT_CHOSEN_OFFSET } from '../../assembly/layout.js';
import { channelEvents } from '../../src/control/nodes.js';
import { portOffset } from '../../src/control/places.js';
import { openShare } from '../../src/pool/share.js';
import { FREED } from '../../src/port/bell.js';
import type { Port } from '../../src/port/port.js';
import { chooseSeed, KINDS, openPorts, portWord } from '../support/ports.js';
import { loadAnotherRealm } from '../support/realm.js';
import { HUNG_MS, orHung, turns, until } from '../support/waiting.js';

const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;

/** A thread that runs the body with `pool`, `parentPort`, `gate` and what else it is given. */
function threadOf(share: unknown, body: string, more: object = {}): Worker {
  const code = `
    const { parentPort, workerData } = require('node:worker_threads');
    import(workerData.entry).then(async ({ PagePool }) => {
      const pool = PagePool.attach(workerData.share);
      const { gate } = workerData;
      ${body}
    });`;
  return new Worker(code, { eval: true, workerData: { share, entry, ...more } });
}

/** Which ports wait for one unit, at every event of the pool. */
function bitsOf(pool: PagePool): number[] {
  const { memory, geometry } = openShare(pool.share(), layoutHash);
  return [FREED, ...channelEvents(geometry)].map((event) => memory.u32[(event + EVENT_ONE_OFFSET) >>> 2] as number);
}

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  let pool: PagePool;
  const workers: Worker[] = [];

  function open(capacity = 2): PagePool {
    pool = PagePool.createSync({
      engine,
      pageCount: 64,
      maxPorts: 6,
      channels: { a: { capacity, batch: 1 }, b: { capacity, batch: 1 } },
    });
    return pool;
  }

  afterEach(async () => {
    await Promise.all(workers.splice(0).map((worker) => worker.terminate()));
    pool.destroy();
  });

  async function start(body: string, more: object = {}): Promise<Worker> {
    const worker = threadOf(pool.share(), body, more);
    workers.push(worker);
    pool.watch(worker);
    await once(worker, 'message');
    return worker;
  }

  it('an entry reaches who waits where the thread that was chosen has no time', async () => {
    open();
    const gate = new Int32Array(new SharedArrayBuffer(4));
    await start(
      `pool.channel('a').next().then((fragment) => fragment?.release());
       setTimeout(() => { parentPort.postMessage('waits'); Atomics.wait(gate, 0, 0); }, 5);`,
      { gate },
    );
    const { PagePool: Other } = await loadAnotherRealm();
    const sender = Other.attach(pool.share() as never) as unknown as PagePool;
    const waiting = pool.channel('a').next();
    await turns(2);
    // The busy thread is next in turn, seen from the first sender or from the second.
    sender.channel('a').sendFragment(sender.take(1) as Fragment, 7);
    const fragment = await orHung(waiting, 'next');
    expect(fragment?.tag).toBe(7);
    fragment?.release();
    Atomics.store(gate, 0, 1);
    Atomics.notify(gate, 0);
    pool.channel('a').close();
    sender.detach();
  });

  it('a thread that blocks has withdrawn its other waits, and they go on afterwards', async () => {
    open();
    const worker = await start(
      `const other = pool.channel('b').next();
       setTimeout(async () => {
         parentPort.postMessage('blocks');
         pool.channel('a').waitSync();
         pool.channel('a').receive()?.release();
         const fragment = await other;
         parentPort.postMessage(fragment.tag);
         fragment.release();
         pool.detach();
       }, 5);`,
    );
    const [, atA, , atB] = [...bitsOf(pool).keys()];
    await until(() => bitsOf(pool)[atA as number] !== 0);
    expect(bitsOf(pool)[atB as number]).toBe(0);
    pool.channel('b').sendFragment(pool.take(1) as Fragment, 5);
    pool.channel('a').sendFragment(pool.take(1) as Fragment, 1);
    expect((await orHung(once(worker, 'message'), 'the other wait'))[0]).toBe(5);
  });

  it('leaves no bit and no timer behind', async () => {
    open();
    const timers = () => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
    const before = timers();
    const held: Fragment[] = [];
    for (let page = pool.take(); page !== null; page = pool.take()) held.push(page);
    const controller = new AbortController();
    const { signal } = controller;
    const waits = [
      pool.takeAsync(1, { signal }),
      pool.channel('a').next({ signal }),
      pool.channel('b').next({ signal }),
    ];
    const ends = Promise.allSettled(waits);
    await turns(2);
    expect(bitsOf(pool).filter((bits) => bits !== 0)).toHaveLength(3);
    controller.abort();
    await ends;
    expect(bitsOf(pool)).toEqual([0, 0, 0, 0, 0]);
    expect(timers()).toBeLessThanOrEqual(before);
    for (const fragment of held) fragment.release();
  });

  it('an idle thread gives its cached pages to one that waits', async () => {
    pool = PagePool.createSync({ engine, pageCount: 64, maxPorts: 2, channels: {} });
    await start(
      `const held = [];
       for (let page = pool.take(); page !== null; page = pool.take()) held.push(page);
       parentPort.postMessage('holds');
       setTimeout(() => { for (const page of held.slice(0, 6)) page.release(); parentPort.postMessage('idle'); }, 5);`,
    );
    const fragment = await orHung(pool.takeAsync(), 'takeAsync');
    fragment.release();
  });

  it('every entry is received once, whoever gives up or blocks meanwhile', async () => {
    const seed = chooseSeed(`bells ${engine}`);
    open(1);
    const entries = Number(process.env.RUNS ?? 1) * 600;
    const body = `
      let seed = workerData.seed;
      const random = () => (seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0) / 2 ** 32;
      const channel = pool.channel('a');
      parentPort.postMessage('ready');
      for (;;) {
        let fragment = null;
        if (random() < 0.3) {
          if (!channel.waitSync(random() < 0.5 ? random() * 2 : undefined)) { if (channel.isClosed) break; continue; }
          fragment = channel.receive();
        } else {
          const options = random() < 0.5 ? { timeoutMs: random() * 2 } : {};
          fragment = await channel.next(options).catch(() => undefined);
          if (fragment === null) break;
        }
        if (fragment) { Atomics.add(gate, fragment.tag, 1); fragment.release(); }
      }
      pool.detach();
      parentPort.postMessage('done');`;
    const gate = new Int32Array(new SharedArrayBuffer(4 * entries));
    const crew = await Promise.all([1, 2, 3].map((n) => start(body, { gate, seed: seed + n })));
    const dones = crew.map((worker) => once(worker, 'message'));
    const channel = pool.channel('a');
    for (let tag = 0; tag < entries; tag++) {
      const fragment = await orHung(pool.takeAsync(16), 'takeAsync');
      while (!channel.sendFragment(fragment, tag)) await orHung(channel.waitRoom(), 'waitRoom');
    }
    channel.close();
    await orHung(Promise.all(dones), `seed ${seed}: the end`);
    expect([...gate].every((count) => count === 1)).toBe(true);
    pool.trim();
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
  });
});

it('a wait goes on where the program has nothing of the pool but the promise', () => {
  const code = `import(${JSON.stringify(entry)}).then(async ({ PagePool }) => {
    const { Worker } = require('node:worker_threads');
    const pool = PagePool.createSync({ channels: { a: {} }, maxPorts: 2 });
    const worker = new Worker(\`
      const { workerData } = require('node:worker_threads');
      const attach = async () => (await import(workerData.entry)).PagePool.attach(workerData.share).channel('a').next();
      attach().then((fragment) => { console.log('got', fragment.tag); process.exit(0); });
      setTimeout(() => { for (let i = 0; i < 5; i++) gc(); require('node:worker_threads').parentPort.postMessage(1); }, 20);
    \`, { eval: true, workerData: { share: pool.share(), entry: ${JSON.stringify(entry)} } });
    worker.once('message', () => pool.channel('a').sendFragment(pool.take(1), 3));
    worker.once('exit', () => process.exit(0));
  })`;
  const out = execFileSync(process.execPath, ['--expose-gc', '-e', code], { encoding: 'utf8', timeout: HUNG_MS });
  expect(out).toBe('got 3\n');
});

describe.each(KINDS)('who waits at an event for the first time, with the %s engine,', (kind) => {
  it('rings every port that waited there before, in both halves of the bits, and nobody else', () => {
    const ports = openPorts({ pageCount: 1, channels: { a: {} } }, [kind], 64);
    const [{ geometry, memory }] = ports as [Port];
    const bells = () => ports.map((port) => portWord(port, PORT_BELL_OFFSET));
    const [event = 0] = channelEvents(geometry);
    // Each has a neighbour with the same bit in the other half.
    const known: number[] = [];
    for (const id of [1, 33, 40, 8, 63, 31, 0, 32]) {
      const before = bells();
      ports[id]?.engine.arm(event, id & 1);
      expect(bells()).toEqual(before.map((bell, other) => (known.includes(other) ? bell + 1 : bell)));
      known.push(id);
      const after = bells();
      ports[id]?.engine.disarm(event, id & 1);
      ports[id]?.engine.arm(event, id & 1); // known by now
      expect(bells()).toEqual(after);
    }
    const bits = [0, 4].map((half) => memory.u32[(event + EVENT_KNOWN_OFFSET + half) >>> 2]);
    expect(bits).toEqual([0x80000103, 0x80000103]);
  });

  it('is woken by what is published there, in both halves: one for one unit, and all who need several', () => {
    const ports = openPorts({ pageCount: 1, channels: { a: {} } }, [kind], 64);
    const bells = () => ports.map((port) => portWord(port, PORT_BELL_OFFSET));
    const [event = 0] = channelEvents((ports[0] as Port).geometry);
    for (const [ones, several] of [
      [[3], [5, 37]],
      [[35], [63]],
      [[], [31, 32]],
      [[31], []],
    ] as const) {
      for (const id of ones) ports[id]?.engine.arm(event, 0);
      for (const id of several) ports[id]?.engine.arm(event, 1);
      const before = bells();
      ports[10]?.engine.wake(event);
      const rung = [...ones, ...several] as number[];
      expect(bells()).toEqual(before.map((bell, id) => (rung.includes(id) ? bell + 1 : bell)));
      for (const id of rung) expect(ports[id]?.engine.disarm(event, several.includes(id as never) ? 1 : 0)).toBe(0);
    }
  });

  it('is chosen in turn, from the one behind who was chosen last, and whoever publishes comes last', () => {
    const ports = openPorts({ pageCount: 1, channels: { a: {} } }, [kind], 64);
    const [{ geometry, memory }] = ports as [Port];
    const [event = 0] = channelEvents(geometry);
    const half = (id: number) => (event + EVENT_ONE_OFFSET + 4 * (id >>> 5)) >>> 2;
    const bells = () => ports.map((port) => portWord(port, PORT_BELL_OFFSET));
    const sets = [[], [0], [32], [31, 32], [0, 31, 63], [1, 30, 33, 62], [5, 6, 40, 41], ports.map((_, id) => id)];
    for (const self of [0, 1, 31, 32, 33, 63]) {
      const { engine } = ports[self] as Port;
      const chosen = (portOffset(geometry, self) + PORT_CHOSEN_OFFSET) >>> 2;
      for (const last of [0, 1, 30, 31, 32, 33, 62, 63]) {
        for (const set of sets) {
          for (const waiting of [set, [...new Set([...set, self])]]) {
            memory.u32.fill(0, half(0), half(0) + 2);
            for (const id of waiting) memory.u32[half(id)] = (memory.u32[half(id)] as number) | (1 << (id & 31));
            memory.u32[chosen] = last;
            const order = Array.from({ length: 64 }, (_, i) => (last + 1 + i) % 64).filter((id) => id !== self);
            const next = [...order, self].find((id) => waiting.includes(id));
            const before = bells();
            engine.pass(event);
            const what = `${self}, behind ${last}, of ${waiting}`;
            expect(
              bells()
                .map((bell, id) => bell - (before[id] as number))
                .indexOf(1),
              what,
            ).toBe(next ?? -1);
            const left = waiting.filter((id) => ((memory.u32[half(id)] as number) >>> (id & 31)) & 1);
            expect(left, what).toEqual(waiting.filter((id) => id !== next));
            expect(memory.u32[chosen], what).toBe(next ?? last);
          }
        }
      }
    }
  });
});
