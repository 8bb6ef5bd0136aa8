// The intake, step by step, where a socket cannot be made to choose the moment.

import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { describe, expect, test, vi } from 'vitest';
import { LEDGER_MAX } from '../../assembly/layout.js';
import { Intake } from '../../src/node/intake.js';
import { type ReadOptions, resolveRead } from '../../src/node/options.js';
import { portOf } from '../../src/pool/enrolled.js';
import type { Fragment } from '../../src/pool/fragment.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { expectAllHome } from '../support/home.js';
import { turns, until } from '../support/waiting.js';
import { Collector, pattern } from './support.js';

const PAGE = 4096;

/** An intake of a pool of four pages, and what its source was asked for; everything must be home afterwards. */
async function withIntake(
  isCopying: boolean,
  use: (setting: Setting) => Promise<void>,
  options: ReadOptions & { takes?: (fragment: Fragment) => unknown } = {},
): Promise<void> {
  const pool = await PagePool.create({ pageBytes: PAGE, pageCount: 4 });
  const got = new Collector();
  const source = { resume: vi.fn(), stop: vi.fn() };
  const { takes = got.take, ...read } = options;
  const resolved = resolveRead('connectInto', pool, read);
  const intake = new Intake('connectInto', pool, takes as never, resolved, isCopying, source);
  const hold = () => Array.from({ length: 4 }, () => pool.take()).filter((page) => page !== null);
  await use({ pool, got, source, intake, hold, used: () => pool.audit().pages.used });
  expectAllHome(pool as never);
  await pool.close();
}

interface Setting {
  readonly pool: PagePool;
  readonly got: Collector;
  readonly source: { resume: ReturnType<typeof vi.fn>; stop: ReturnType<typeof vi.fn> };
  readonly intake: Intake;
  /** Takes every page that is free. */
  readonly hold: () => Fragment[];
  /** How many pages are in somebody's hands. */
  readonly used: () => number;
}

const release = (fragments: readonly Fragment[]) => fragments.forEach((fragment) => void fragment.release());

/** Ends a reading that went well. */
async function end({ intake }: Setting, bytes: number): Promise<void> {
  intake.ended();
  expect(await intake.delivery.finished).toBe(bytes);
}

test('bytes that come while it waits find pages before its wait does: no page is lost', async () => {
  const pool = await PagePool.create({ pageBytes: PAGE, pageCount: 4 });
  const held = Array.from({ length: 4 }, () => pool.take());
  const got = new Collector();
  const source = { resume() {}, stop() {} };
  const intake = new Intake('connectInto', pool, got.take, resolveRead('connectInto', pool, {}), false, source);
  const room = intake.room();
  expect(room.buffer).toBeInstanceOf(ArrayBuffer);
  for (const fragment of held) fragment?.release();
  room.fill(7, 0, 100);
  expect(intake.received(100, room)).toBe(false);
  expect(got.bytes.equals(Buffer.alloc(100, 7))).toBe(true);
  await turns(); // its wait finds that nothing is wanted any more
  intake.ended();
  expect(await intake.delivery.finished).toBe(100);
  expectAllHome(pool as never);
  await pool.close();
});

describe('a page is filled until less room is left than was asked for', () => {
  test.each([
    [false, 'what was asked for', 64, 64, true],
    [false, 'one byte less', 64, 63, false],
    [false, 'a byte, where a byte is enough', 1, 1, true],
    [true, 'room of a copy', 1, 16, true],
    [true, 'less than a copy needs', 1, 15, false],
    [true, 'what was asked for', 64, 64, true],
    [true, 'one byte less', 64, 63, false],
  ])('copying: %s, %s', (isCopying, _, minRoomBytes, left, isKept) =>
    withIntake(
      isCopying,
      async (setting) => {
        const { intake, got, used } = setting;
        const count = PAGE - left;
        if (isCopying) {
          expect(intake.put(pattern(count))).toBe(true);
          expect(used()).toBe(isKept ? 1 : 0);
        } else {
          const room = intake.room();
          room.set(pattern(count));
          expect(intake.received(count, room)).toBe(true);
          // The next read goes behind what came, or to the page in reserve; another one is in reserve then.
          expect(intake.room().length).toBe(isKept ? left : PAGE);
          expect(used()).toBe(2);
        }
        expect(got.bytes.equals(pattern(count))).toBe(true);
        await end(setting, count);
      },
      { minRoomBytes },
    ),
  );

  test('or has as many references as a thread can have: it goes along then, and the next one is there', async () => {
    const kept: Fragment[] = [];
    const takes = (fragment: Fragment) => void kept.push(fragment);
    await withIntake(
      false,
      async (setting) => {
        const { pool, intake } = setting;
        const first = intake.room();
        intake.received(100, first);
        const { handle } = kept[0] as Fragment;
        const more = LEDGER_MAX - 2; // the intake's own, and the first one's
        expect(portOf('test', pool).engine.retain(handle, more)).toBe(0);
        expect(intake.received(100, intake.room())).toBe(true);
        expect(kept[1]?.handle).toBe(handle);
        expect([intake.room().length, intake.room().buffer === first.buffer]).toEqual([PAGE, true]);
        expect(intake.room().byteOffset).not.toBe(first.byteOffset);
        for (let i = 0; i < more; i++) pool.release(handle);
        release(kept);
        await end(setting, 200);
      },
      { takes },
    );
  });
});

test('what waits for a page waits once, in order, and reading goes on when all of it has found room', () =>
  withIntake(true, async (setting) => {
    const { pool, intake, got, source, hold } = setting;
    const events: string[] = [];
    const hear = (_: unknown, name: string | symbol) => void events.push(String(name).split(':').pop() as string);
    for (const name of ['pause', 'resume']) subscribe(`pagepool:${name}`, hear);
    const pages = hold();
    const chunks = [pattern(5000), pattern(300), pattern(9000)];
    for (const chunk of chunks) expect(intake.put(chunk)).toBe(false);
    expect([portOf('test', pool).waits, got.count, source.resume.mock.calls.length]).toEqual([1, 0, 0]);
    release(pages);
    await vi.waitFor(() => expect(source.resume).toHaveBeenCalledTimes(1));
    for (const name of ['pause', 'resume']) unsubscribe(`pagepool:${name}`, hear);
    expect(got.bytes.equals(Buffer.concat(chunks))).toBe(true);
    expect(portOf('test', pool).waits).toBe(0);
    await end(setting, 14_300);
  }));

test('what came to memory of the platform is kept as it was, and its own memory is not given out twice', async () => {
  const kept: Fragment[] = [];
  const takes = (fragment: Fragment) => void kept.push(fragment);
  await withIntake(
    false,
    async (setting) => {
      const { intake, hold, source } = setting;
      const pages = hold(); // two are the intake's
      for (const isLast of [false, true]) {
        // Fills the page in hand; the one in reserve follows.
        const room = intake.room();
        room.fill(isLast ? 2 : 1);
        expect(intake.received(PAGE, room)).toBe(!isLast);
      }
      const foreign = Buffer.alloc(10, 3);
      intake.received(10, foreign);
      foreign.fill(0xff); // its owner goes on with it
      const spill = intake.room();
      spill.fill(4, 0, 20);
      intake.received(20, spill);
      expect(intake.room()).not.toBe(spill);
      intake.room().fill(0xff);
      expect([kept.length, source.resume.mock.calls.length]).toEqual([2, 0]);
      release(pages);
      await vi.waitFor(() => expect(source.resume).toHaveBeenCalledTimes(1));
      const expected = [Buffer.alloc(PAGE, 1), Buffer.alloc(PAGE, 2), Buffer.alloc(10, 3), Buffer.alloc(20, 4)];
      expect(Buffer.concat(kept.map(({ bytes }) => bytes)).equals(Buffer.concat(expected))).toBe(true);
      release(kept);
      await end(setting, 2 * PAGE + 30);
    },
    { takes },
  );
});

test('ends by an error when the page that it waited for cannot be read, and when its source is closed', async () => {
  await withIntake(true, async ({ pool, intake, hold, source }) => {
    const pages = hold();
    intake.put(pattern(100));
    const unreadable = new Error('unreadable');
    const { bytes } = pool;
    pool.bytes = () => {
      throw unreadable;
    };
    release(pages);
    await vi.waitFor(() => expect(source.stop).toHaveBeenCalledTimes(1));
    pool.bytes = bytes;
    intake.closed();
    await expect(intake.delivery.finished).rejects.toBe(unreadable);
    expect(source.resume).not.toHaveBeenCalled();
  });
  await withIntake(false, async ({ intake, source }) => {
    const cause = new Error('the cable');
    intake.closed(cause);
    await expect(intake.delivery.finished).rejects.toBe(cause);
    expect(source.stop).toHaveBeenCalledTimes(1);
  });
  await withIntake(false, async ({ intake }) => {
    intake.closed();
    await expect(intake.delivery.finished).rejects.toMatchObject({ code: 'ERR_STREAM_PREMATURE_CLOSE' });
  });
});

test('an error leaves nothing waiting, and keeps the pages until no byte can land in them', () =>
  withIntake(
    false,
    async ({ pool, intake, hold, source, used }) => {
      const failure = new Error('enough');
      const pages = hold();
      expect(intake.received(10, intake.room())).toBe(false);
      expect(source.stop).toHaveBeenCalledTimes(1);
      let isOver = false;
      const over = intake.delivery.finished.catch((error) => {
        isOver = true;
        return error;
      });
      await turns();
      // Its source may still write to them.
      expect([isOver, used(), portOf('test', pool).waits]).toEqual([false, 4, 0]);
      intake.closed();
      expect(await over).toEqual(failure);
      release(pages);
    },
    {
      takes: () => {
        throw new Error('enough');
      },
    },
  ));

test('the last bytes wait for their page, and the end comes behind them', () =>
  withIntake(true, async ({ pool, intake, got, hold, source }) => {
    const pages = hold();
    intake.put(pattern(50));
    intake.ended();
    await turns();
    expect([got.count, portOf('test', pool).waits]).toEqual([0, 1]);
    release(pages);
    expect(await intake.delivery.finished).toBe(50);
    expect(got.bytes.equals(pattern(50))).toBe(true);
    expect(source.resume).not.toHaveBeenCalled();
  }));

test('an end without bytes that wait ends the wait for a page', async () => {
  const kept: Fragment[] = [];
  const takes = (fragment: Fragment) => void kept.push(fragment);
  await withIntake(
    false,
    async (setting) => {
      const { pool, intake, hold } = setting;
      const pages = hold();
      for (let i = 0; i < 2; i++) intake.received(PAGE, intake.room());
      await until(() => portOf('test', pool).waits === 1); // it may let the event loop run first
      await end(setting, 2 * PAGE);
      expect(portOf('test', pool).waits).toBe(0);
      release([...pages, ...kept]);
    },
    { takes },
  );
});

test('more bytes than are allowed are not delivered', () =>
  withIntake(
    true,
    async ({ intake, got }) => {
      expect(intake.put(pattern(100))).toBe(true);
      expect(intake.put(pattern(1))).toBe(false);
      intake.closed();
      await expect(intake.delivery.finished).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
      expect(got.bytes.length).toBe(100);
    },
    { maxBytes: 100 },
  ));

test('a function that is not done yet gets the next fragment behind its promise, and the source waits for it', async () => {
  const given: Fragment[] = [];
  let finish = () => {};
  const takes = (fragment: Fragment) => {
    given.push(fragment);
    return given.length === 1 ? new Promise<void>((resolve) => (finish = resolve)) : undefined;
  };
  await withIntake(
    true,
    async (setting) => {
      const { intake, source } = setting;
      expect(intake.put(pattern(10))).toBe(false);
      expect(intake.put(pattern(20))).toBe(false);
      await turns();
      expect([given.length, source.resume.mock.calls.length]).toEqual([1, 0]);
      finish();
      await turns();
      expect([given.length, source.resume.mock.calls.length]).toEqual([2, 1]);
      release(given);
      await end(setting, 30);
    },
    { takes },
  );
});

test('reads of the size that was asked for, and what lies elsewhere is copied behind what came before', async () => {
  const kept: Fragment[] = [];
  const takes = (fragment: Fragment) => void kept.push(fragment);
  await withIntake(
    false,
    async (setting) => {
      const { intake } = setting;
      const room = intake.room();
      expect(room.length).toBe(1024);
      room.fill(1, 0, 8);
      intake.received(8, room);
      // At the same place of another memory, and at another place of this one.
      const other = new Uint8Array(new ArrayBuffer(room.byteOffset + 64), room.byteOffset + 8, 16).fill(2);
      intake.received(16, other);
      const beside = new Uint8Array(room.buffer, room.byteOffset + 512, 24).fill(3);
      intake.received(24, beside);
      const expected = [Buffer.alloc(8, 1), Buffer.alloc(16, 2), Buffer.alloc(24, 3)];
      expect(Buffer.concat(kept.map(({ bytes }) => bytes)).equals(Buffer.concat(expected))).toBe(true);
      release(kept);
      await end(setting, 48);
    },
    { takes, readBytes: 1024 },
  );
});

test('a pool whose pages cannot be read keeps none of them when the intake is refused', async () => {
  const pool = await PagePool.create({ pageBytes: PAGE, pageCount: 4 });
  const { bytes } = pool;
  pool.bytes = () => {
    throw new Error('unreadable');
  };
  const read = resolveRead('connectInto', pool, {});
  const source = { resume() {}, stop() {} };
  expect(() => new Intake('connectInto', pool, () => {}, read, false, source)).toThrow('unreadable');
  pool.bytes = bytes;
  expectAllHome(pool as never);
  await pool.close();
});
