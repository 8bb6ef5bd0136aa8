// A call that can fail half way: it returns what it did, and the next call is told; or nothing is changed.

import { channel } from 'node:diagnostics_channel';
import { readFileInto } from 'pagepool/node';
import { UserQueue, userArea } from 'pagepool/user-area';
import { writeAt } from 'pagepool/web';
import { describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { create, type EngineKind, KINDS } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { OPTIONS, poolsWith, scripted } from '../support/scripted.js';

describe.each(KINDS)('with the %s engine', (kind: EngineKind) => {
  const { make } = poolsWith(kind);

  /** A pool whose provider feeds `pages` pages once, and fails from then on. */
  const failing = (pages: number) => {
    let isBroken = false;
    const { provider, addRegion } = scripted({
      grow: (context) => {
        if (isBroken) throw new Error('the device is lost');
        isBroken = true;
        const { firstPage } = addRegion(context, pages);
        context.feed(Uint32Array.from({ length: pages }, (_, i) => firstPage + i));
      },
    });
    const pool = make({ provider, maxPorts: 1 });
    pool.release(pool.alloc()); // what there is is in the cache
    return pool;
  };

  describe('allocBurst, where the provider fails after some pages', () => {
    it.each([
      ['into words of its own', false],
      ["into the pool's words", true],
    ])('returns those, %s, and the next call is told', (_, isOwn) => {
      const pool = failing(2);
      const handles = isOwn ? pool.words(8) : new Uint32Array(8);
      expect(pool.allocBurst(handles, 8)).toBe(2);
      expect(pool.audit().references.ledgers).toBe(2);
      expect(codeOf(() => pool.allocBurst(handles.subarray(2), 6))).toBe('POOL_ERR_PROVIDER');
      pool.releaseBulk(handles, 2);
      expectAllHome(pool);
    });

    it('throws where there is none, and nothing changes', () => {
      const pool = failing(1);
      const page = pool.alloc();
      const handles = Uint32Array.of(7, 7);
      expect(codeOf(() => pool.allocBurst(handles, 2))).toBe('POOL_ERR_PROVIDER');
      expect([...handles]).toEqual([7, 7]);
      pool.release(page);
      expectAllHome(pool);
    });

    it('of the provider gives back what allocBulk had taken', () => {
      const pool = failing(2);
      expect(codeOf(() => pool.allocBulk(new Uint32Array(8), 8))).toBe('POOL_ERR_PROVIDER');
      expectAllHome(pool);
    });
  });

  it('giveCopy says how many bytes went, where the pool closes or its provider fails before the rest', () => {
    const pool = create(kind, { ...OPTIONS, provider: userArea(new SharedArrayBuffer(32 * 1024)), pageCount: 32 });
    const queue = new UserQueue(pool);
    const bytes = new Uint8Array(4 * pool.pageBytes);
    let isLeft = 2;
    const { allocFragment } = pool;
    pool.allocFragment = (size) => {
      if (isLeft-- === 0) pool.destroy(); // as a close that comes meanwhile
      return allocFragment.call(pool, size);
    };
    expect(queue.giveCopy(bytes)).toBe(2 * pool.pageBytes);
    expect(queue.outstanding).toBe(2);
    expect(codeOf(() => queue.giveCopy(bytes))).toBe('POOL_ERR_CLOSING');
    expect(queue.scrub()).toBe(2);
    expect(pool.inflight).toBe(0);
  });
});

describe('a file', () => {
  it('that takes no more tells how many bytes it took, and the next write is told why', () => {
    const pool = create('typescript', OPTIONS);
    const fragment = pool.take(100);
    let room = 60;
    const handle = {
      read: () => 0,
      write: (bytes: Uint8Array) => {
        if (room === 0) throw new RangeError('quota');
        const went = Math.min(room, bytes.length);
        room -= went;
        return went;
      },
    };
    expect(writeAt(handle, fragment as never, 0)).toBe(60);
    expect(() => writeAt(handle, fragment as never, 60)).toThrow('quota');
    fragment?.release();
    expectAllHome(pool);
  });

  it('whose handle refuses at once ends the reading, and every page is back', async () => {
    const pool = create('typescript', OPTIONS);
    const events: string[] = [];
    const onEnd = (): void => void events.push('end');
    channel('pagepool:end').subscribe(onEnd);
    const handle = {
      fd: 0,
      readv: () => {
        throw new Error('not open');
      },
    };
    await expect(readFileInto(pool, handle as never, (fragment) => fragment.release())).rejects.toThrow('not open');
    channel('pagepool:end').unsubscribe(onEnd);
    expectAllHome(pool);
  });
});
