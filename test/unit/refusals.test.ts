// What a refused call says, and that it leaves nothing: the right call, the right limit, no listener, no wait, no part.

import { getEventListeners } from 'node:events';
import { PagePool } from 'pagepool';
import { Packet, sendPacket } from 'pagepool/packet';
import { UserQueue, userArea } from 'pagepool/user-area';
import { describe, expect, it } from 'vitest';
import { DESCRIPTOR_PINS_OFFSET, PIN_COUNT_MASK } from '../../assembly/layout.js';
import { descriptorAt } from '../../src/control/places.js';
import { portOf } from '../../src/pool/enrolled.js';
import { PagePool as SourcePool } from '../../src/pool/page-pool.js';
import '../../src/providers.js';
import '../../src/typescript.js';
import { expectAllHome } from '../support/home.js';
import { codeOf, loadAnotherRealm, messageOf } from '../support/realm.js';
import { poolsWith, scripted } from '../support/scripted.js';
import { HUNG_MS } from '../support/waiting.js';

const make = (options = {}): PagePool =>
  PagePool.createSync({
    engine: 'typescript',
    pageCount: 8,
    maxPorts: 2,
    channels: { a: { capacity: 1 } },
    ...options,
  });

describe('a refused watch', () => {
  it.each([
    ['wasm-memory', {}],
    ['slab', { provider: 'slab' as const }],
  ])('leaves no listener, in a pool of %s', (_, options) => {
    const pool = make(options);
    let added = 0;
    for (const worker of [undefined, null, 7, {}, { addEventListener: () => added++ }]) {
      expect(codeOf(() => pool.watch(worker))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    expect(added).toBe(0);
    pool.destroy();
  });

  it('whose worker has ended leaves none either; what was watched is let go with the pool', () => {
    const pool = make({ provider: 'slab' });
    const target = Object.assign(new EventTarget(), {
      threadId: -1,
      on() {
        throw new Error('listened');
      },
      off() {},
    });
    expect(codeOf(() => pool.watch(target))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(getEventListeners(target, 'message')).toHaveLength(0);
    const exits: unknown[] = [];
    const worker = Object.assign(new EventTarget(), {
      threadId: 1e6,
      on: (_: string, listener: unknown) => void exits.push(listener),
      off: (_: string, listener: unknown) => void exits.splice(exits.indexOf(listener), 1),
    });
    pool.watch(worker);
    pool.watch(worker);
    expect([exits.length, getEventListeners(worker, 'message').length]).toEqual([1, 1]);
    pool.destroy();
    expect([exits.length, getEventListeners(worker, 'message').length]).toEqual([0, 0]);
  });
});

describe('a refused wait', () => {
  it('leaves no listener, no wait and no parked port', async () => {
    const pool = SourcePool.createSync({ engine: 'typescript', pageCount: 8, maxPorts: 2, channels: { a: {} } });
    const pages = Array.from({ length: 8 }, () => pool.alloc());
    const { signal } = new AbortController();
    const waits = [
      pool.takeAsync(10, { signal, timeoutMs: -1 }),
      pool.takeAsync(10, { signal, timeoutMs: 0 }),
      pool.channel('a').next({ signal, timeoutMs: 0 }),
      pool.channel('a').next({ signal, ref: 1 as never }),
      pool.takeAsync(10, { signal: new EventTarget() as never }),
    ];
    for (const each of await Promise.allSettled(waits)) expect(each.status).toBe('rejected');
    expect(getEventListeners(signal, 'abort')).toHaveLength(0);
    expect(portOf('test', pool).waits).toBe(0);
    for (const page of pages) pool.release(page);
    expect(pool.stats().ports[0]?.cached).toBeGreaterThan(0);
    pool.destroy();
  });
});

describe('a message', () => {
  it('names the call that was made', async () => {
    const pool = make();
    const fragment = pool.take(8)!;
    expect(messageOf(() => pool.take(5000))).toContain('take failed: bytes=5000');
    await expect(pool.takeAsync(5000)).rejects.toThrow('takeAsync failed: bytes=5000');
    expect(messageOf(() => pool.channel('a').sendFragment(fragment, -1))).toContain('sendFragment failed: tag=-1');
    expect(messageOf(() => pool.bytes(fragment.handle, null as never, 1))).toContain('bytes failed: offset=null');
    fragment.release();
    pool.destroy();
    expect(messageOf(() => pool.take())).toContain('take failed: pool=destroyed');
    expect(messageOf(() => pool.take(8))).toContain('take failed: pool=destroyed');
  });

  it('names the limit that was reached, and what helps', () => {
    const pool = make({ pageCount: 300 });
    const tokens = Array.from({ length: 256 }, () => pool.take(64)!.lend());
    const one = pool.take(64)!;
    const lent = messageOf(() => one.lend());
    expect(lent).toMatch(/^lend failed: .*256.*reclaimTokens/);
    expect(lent).not.toContain('65,535');
    for (const token of tokens) pool.adopt(token).release();
    const two = new Packet().append(one).append(pool.take(8)!);
    expect(messageOf(() => sendPacket(pool.channel('a'), two))).toContain('a larger capacity');
    two.release();
    expectAllHome(pool);
  });
});

it('a page with as many pins as can be counted refuses one more, and names that limit', () => {
  const pool = SourcePool.createSync({ engine: 'typescript', pageCount: 8 });
  const handle = pool.alloc();
  const { geometry, memory } = portOf('test', pool);
  const page = pool.pin(handle);
  const pins = (descriptorAt(geometry, page) + DESCRIPTOR_PINS_OFFSET) >>> 2;
  memory.u32[pins] = PIN_COUNT_MASK;
  expect(messageOf(() => pool.pin(handle))).toMatch(/^pin failed: .*16777215 pins/);
  memory.u32[pins] = 1;
  pool.unpin(page);
  pool.release(handle);
  pool.destroy();
});

it('a share that is taken after detach attaches, and knows the areas of then', async () => {
  const pool = make({ provider: 'slab' });
  const other = (await loadAnotherRealm()).PagePool;
  const before = other.attach(pool.share());
  const token = pool.take(64)!.lend();
  before.detach();
  const late = other.attach(before.share());
  const fragment = late.adopt(token);
  expect(fragment.bytes.length).toBe(64);
  fragment.release();
  late.detach();
  expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true });
});

it('calls from inside of a provider are refused, and the objects are as they were', () => {
  const { make: makeWith } = poolsInCallbacks;
  const seen: string[] = [];
  let inside: (() => void) | undefined;
  const { provider, addRegion } = scripted({
    grow: (context) => {
      inside?.();
      const { firstPage } = addRegion(context, 8);
      context.feed(Uint32Array.from({ length: 8 }, (_, i) => firstPage + i));
    },
  });
  const pool = makeWith({ provider, channels: { a: {} } });
  const packet = new Packet().append(pool.take(64)!).append(pool.take(64)!);
  const fragment = pool.take(64)!;
  const token = pool.take(64)!.lend();
  const calls: Record<string, () => unknown> = {
    alloc: () => pool.alloc(),
    release: () => packet.release(),
    'release of a fragment': () => fragment.release(),
    consume: () => packet.consume(100),
    split: () => packet.split(10),
    clone: () => packet.clone(),
    append: () => new Packet().append(packet),
    expandHead: () => packet.expandHead(100),
    sendPacket: () => sendPacket(pool.channel('a'), packet),
    sendFragment: () => pool.channel('a').sendFragment(fragment),
    lend: () => fragment.lend(),
    adopt: () => pool.adopt(token),
    reclaimTokens: () => pool.reclaimTokens(0),
    detach: () => pool.detach({ release: true }),
    destroy: () => pool.destroy(),
    trim: () => pool.trim(),
    stats: () => pool.stats(),
    audit: () => pool.audit(),
  };
  inside = () => {
    for (const [name, call] of Object.entries(calls)) seen.push(`${name} ${codeOf(call)}`);
  };
  const pages: number[] = [];
  while (seen.length === 0) pages.push(pool.alloc());
  expect(seen).toEqual(Object.keys(calls).map((name) => `${name} POOL_ERR_PROVIDER`));
  expect([packet.length, packet.parts, fragment.bytes.length]).toEqual([128, 2, 64]);
  for (const page of pages) pool.release(page);
  packet.release();
  fragment.release();
  pool.adopt(token).release();
  expectAllHome(pool);
});
const poolsInCallbacks = poolsWith('typescript');

it('a queue inside of a callback keeps what it has', () => {
  let inside: (() => void) | undefined;
  const provider = userArea(new SharedArrayBuffer(8 * 4096));
  const grow = provider.grow.bind(provider);
  const pool = make({
    provider: Object.assign(provider, {
      grow: (...args: Parameters<typeof grow>) => {
        inside?.();
        grow(...args);
      },
    }),
  });
  const queue = new UserQueue(pool);
  queue.give(pool.alloc(), 0, 8);
  const codes: (string | undefined)[] = [];
  inside = () =>
    codes.push(
      codeOf(() => queue.refill()),
      codeOf(() => queue.scrub()),
    );
  while (codes.length === 0 && pool.alloc() !== 0) {}
  expect([...new Set(codes)]).toEqual(['POOL_ERR_PROVIDER']);
  inside = undefined;
  expect(queue.outstanding).toBe(1);
  expect(queue.scrub()).toBe(1);
  pool.detach({ release: true });
});
