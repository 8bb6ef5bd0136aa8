// What a provider's pages are for the pool: handed out on demand, given back, with or without bytes; several pools on
// one.

import { describe, expect, it } from 'vitest';
import { region } from '../../../examples/providers/region.js';
import { expectAllHome } from '../../support/home.js';
import { create, type EngineKind, KINDS } from '../../support/ports.js';
import { codeOf } from '../../support/realm.js';
import { OPTIONS, poolsWith, scripted } from '../../support/scripted.js';
import { HUNG_MS, turns } from '../../support/waiting.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make } = poolsWith(kind);

  it('hands out every page of a provider, each with bytes of its own, and 0 after that', () => {
    const pool = make({ provider: region() });
    const handles: number[] = [];
    for (let handle = pool.alloc(); handle !== 0; handle = pool.alloc()) handles.push(handle);
    expect(handles.length).toBe(32);
    for (const [i, handle] of handles.entries()) pool.bytes(handle).fill(i + 1);
    handles.forEach((handle, i) => {
      expect(pool.bytes(handle)).toEqual(new Uint8Array(1024).fill(i + 1));
      const area = pool.area(handle);
      expect(area[pool.offset(handle)]).toBe(i + 1);
      expect(area.length).toBe(32 * 1024);
      expect(pool.isReadable(handle)).toBe(true);
    });
    for (const handle of handles) pool.release(handle);
    expectAllHome(pool);
    expect(pool.stats().provider).toMatchObject({
      kind: 'region',
      state: 'serving',
      owner: { areas: 1, failure: null },
    });
  });

  it('cuts fragments, and their views lie in the page', () => {
    const pool = make({ provider: region() });
    const handles = [100, 200, 300].map((bytes) => pool.allocFragment(bytes));
    for (const [i, handle] of handles.entries()) pool.bytes(handle).fill(i + 1);
    const area = pool.area(handles[0] as number);
    handles.forEach((handle, i) => {
      const offset = pool.offset(handle);
      expect(area[offset]).toBe(i + 1);
      expect(area[offset + pool.extent(handle) - 1]).toBe(i + 1);
    });
    for (const handle of handles) pool.release(handle);
    pool.trim();
    expectAllHome(pool);
    expect(pool.inflight).toBe(0);
  });

  it('asks for what is wanted: bursts and bulks are served whole', () => {
    const { provider } = scripted();
    const pool = make({ provider });
    const out = new Uint32Array(40);
    expect(pool.allocBulk(out, 20)).toBe(false); // two callbacks would be needed: all or nothing in one
    expect(pool.allocBulk(out, 7)).toBe(true);
    pool.releaseBulk(out, 7);
    expectAllHome(pool);
  });

  it('gives pages back on trim, each once, and takes them from there again', () => {
    const { provider, calls, free } = scripted();
    const pool = make({ provider });
    const handles = Array.from({ length: 8 }, () => pool.alloc());
    expect(calls).toEqual(['init', 'grow 2']);
    for (const handle of handles) pool.release(handle);
    expect(pool.trim()).toBe(8);
    expect(free.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5, 6, 7, 8]);
    expect(pool.inflight).toBe(0);
    const again = pool.alloc();
    expect(again).not.toBe(0);
    pool.release(again);
    expectAllHome(pool);
  });

  it('refuses pins where the provider must have its pages back', () => {
    const { provider } = scripted();
    const pool = make({ provider: { ...provider, detachable: false } });
    const handle = pool.alloc();
    expect(codeOf(() => pool.pin(handle))).toBe('POOL_ERR_NOT_DETACHABLE');
    pool.release(handle);
  });

  it('has no bytes where the processor sees none', () => {
    const { provider, areas } = scripted({
      grow: (context, count) => {
        areas.push(context.addArea({ byteLength: 4096 }, 4));
        context.feed(Uint32Array.of(1, 2, 3, 4).slice(0, Math.max(count, 4)));
      },
    });
    const pool = make({ provider: { ...provider, readable: false } });
    const handle = pool.alloc();
    expect(pool.isReadable(handle)).toBe(false);
    for (const look of [() => pool.bytes(handle), () => pool.area(handle), () => pool.bytes(handle, 1, 2)]) {
      expect(codeOf(look)).toBe('POOL_ERR_UNREADABLE');
    }
    expect(pool.extent(handle)).toBe(1024);
    expect(
      codeOf(() =>
        create(kind === 'checked' ? 'typescript' : kind, {
          ...OPTIONS,
          provider: { ...provider, readable: false },
          zero: 'on-release',
        }),
      ),
    ).toBe('POOL_ERR_INVALID_ARGUMENT');
    pool.release(handle);
  });

  it('clears pages on release where the engine can reach them', () => {
    if (kind !== 'typescript') {
      expect(codeOf(() => make({ provider: region(), zero: 'on-release' }))).toBe('POOL_ERR_INVALID_ARGUMENT');
      return;
    }
    const pool = make({ provider: region(), zero: 'on-release' });
    const handle = pool.alloc();
    const view = pool.bytes(handle).fill(7);
    pool.release(handle);
    expect(view.every((byte) => byte === 0)).toBe(true);
  });

  it('feeds now or later: pages that come after the callback are handed out', async () => {
    const { provider, context, addRegion } = scripted({ grow: () => {} });
    const pool = make({ provider });
    expect(pool.alloc()).toBe(0);
    const waiting = pool.takeAsync(undefined, { timeoutMs: HUNG_MS });
    await turns(); // the wait looks again, and finds nothing
    const { firstPage } = addRegion(context(), 2);
    context().feed(Uint32Array.of(firstPage, firstPage + 1));
    (await waiting).release();
    expectAllHome(pool);
  });

  describe('two pools', () => {
    it('on one provider have pages of their own', async () => {
      const provider = region();
      const one = make({ provider });
      const other = make({ provider, pageCount: 8, pageBytes: 4096 });
      const [a, b] = [one.alloc(), other.alloc()];
      one.bytes(a).fill(1);
      other.bytes(b).fill(2);
      expect(one.bytes(a)[0]).toBe(1);
      expect(provider.describe()).toMatchObject({ pools: 2 });
      one.release(a);
      await one.close();
      expect(provider.describe()).toMatchObject({ pools: 1 });
      expect(other.bytes(b)[0]).toBe(2);
      other.release(b);
      expectAllHome(other);
    });
  });
});
