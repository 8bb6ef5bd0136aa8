// The two sides of a user queue's rings, without a pool: what the consumer reads and gives back, and what the trusted
// side takes.

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import * as layout from '../../src/user/layout.js';
import {
  USER_COMPLETION_HEAD_OFFSET,
  USER_COMPLETION_TAIL_OFFSET,
  USER_GIVEN_EVENT_OFFSET,
  USER_MAGIC_OFFSET,
  USER_REFILL_TAIL_OFFSET,
  USER_REFILLS_OFFSET,
  USER_START_POS,
  USER_STATE_ENDED,
  USER_STATE_SCRUBBED,
  USER_TAKEN_EVENT_OFFSET,
  USER_WAITS_GIVEN,
  USER_WAITS_OFFSET,
  USER_WAITS_ROOM,
  USER_WANTS_OFFSET,
  type UserShare,
} from '../../src/user/layout.js';
import { Receiver } from '../../src/user/receiver.js';
import { UserReferences } from '../../src/user-area/references.js';
import { REFILL_MISALIGNED, REFILL_OUTSIDE, UserRings } from '../../src/user-area/rings.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';

const PAGE = 1024;
const UNIT = 64;
const AREA = 8 * PAGE;
const BASE = 32;

/** Rings of 4 completions and 2 refills over an area that starts 32 bytes into its buffer, and the consumer's end. */
function makeSides({ completions = 4, refills = 2 } = {}) {
  const rings = new UserRings({ completions, refills, unitBytes: UNIT, pageBytes: PAGE, areaBytes: AREA });
  const area = new SharedArrayBuffer(BASE + AREA);
  const share: UserShare = { kind: 'pagepool-user', area, byteOffset: BASE, byteLength: AREA, rings: rings.buffer };
  const words = new Uint32Array(rings.buffer);
  const word = (offset: number) => words[offset >>> 2] as number;
  const put = (offset: number, value: number) => {
    words[offset >>> 2] = value;
  };
  return { rings, area, share, word, put, receiver: new Receiver(share) };
}

function give(rings: UserRings, offset: number, length: number, tag: number): void {
  expect(rings.room()).toBeGreaterThan(0);
  rings.write(offset, length, tag);
  rings.publish();
}

/** Every refill that the trusted side finds. */
function takeAll(rings: UserRings): number[] {
  const found = Array.from({ length: rings.takeTail() }, () => rings.takeRefill());
  rings.releaseRefills();
  return found;
}

describe('completions', () => {
  test('bring the window and the tag, in order, and the view lies in the area', () => {
    const { rings, area, receiver } = makeSides();
    new Uint8Array(area, BASE + PAGE + 100, 3).set([7, 8, 9]);
    give(rings, PAGE + 100, 3, 0xffffffff);
    give(rings, 0, 0, 0);
    const [first, second] = [receiver.receive(), receiver.receive()];
    expect(first).toMatchObject({ offset: PAGE + 100, length: 3, tag: 0xffffffff });
    expect([...(first?.bytes ?? [])]).toEqual([7, 8, 9]);
    expect(first?.bytes).toBe(first?.bytes);
    expect(second?.bytes.length).toBe(0);
    expect(receiver.receive()).toBeNull();
  });

  test('fill the ring to its last slot, and room comes back when the consumer takes them', () => {
    const { rings, receiver } = makeSides();
    for (let i = 0; i < 4; i++) give(rings, i * PAGE, 1, i);
    expect(rings.room()).toBe(0);
    expect(receiver.pending).toBe(4);
    receiver.receive();
    expect(rings.room()).toBe(1);
  });

  test('go on past position 2^32', () => {
    const { rings, receiver, word } = makeSides();
    for (let i = 0; i < 1000; i++) {
      give(rings, (i % 8) * PAGE, i, i);
      expect(receiver.receive()).toMatchObject({ offset: (i % 8) * PAGE, length: i, tag: i });
    }
    expect(word(USER_COMPLETION_TAIL_OFFSET)).toBe(1000 - 256);
    expect(word(USER_COMPLETION_HEAD_OFFSET)).toBe(1000 - 256);
  });

  test('come in bursts of 4 words each, as many as there are', () => {
    const { rings, receiver } = makeSides();
    for (let i = 0; i < 3; i++) give(rings, i * PAGE, 5 + i, 10 + i);
    const entries = new Uint32Array(8).fill(9);
    expect(receiver.receiveBurst(entries, -1)).toBe(0);
    expect(receiver.receiveBurst(entries, 3)).toBe(2);
    expect([...entries]).toEqual([0, 0, 5, 10, 0, PAGE, 6, 11]);
    expect(receiver.receiveBurst(entries, 1)).toBe(1);
    expect(entries[1]).toBe(2 * PAGE);
  });

  test('a head that is ahead, or a ring behind, leaves no room and is counted', () => {
    const { rings, put } = makeSides();
    for (let i = 0; i < 4; i++) give(rings, 0, 0, 0);
    for (const head of [USER_START_POS + 5, USER_START_POS - 1, 0x7fffffff]) {
      put(USER_COMPLETION_HEAD_OFFSET, head);
      expect(rings.room()).toBe(0);
    }
    expect(rings.headsBounded).toBe(3);
    put(USER_COMPLETION_HEAD_OFFSET, USER_START_POS + 4);
    expect(rings.room()).toBe(4);
  });
});

describe('refills', () => {
  test('name the unit in which the window starts', () => {
    const { rings, receiver } = makeSides();
    receiver.release(0, PAGE);
    receiver.release(PAGE + 3 * UNIT + 5, 11);
    expect(takeAll(rings)).toEqual([0, PAGE / UNIT + 3]);
    expect(takeAll(rings)).toEqual([]);
  });

  test('that the ring has no room for are kept, and go in order when there is some', () => {
    const { rings, receiver, word } = makeSides();
    const event = word(USER_TAKEN_EVENT_OFFSET);
    for (let i = 0; i < 5; i++) receiver.release(i * PAGE, 1);
    // Nobody asked to hear of refills, but of a ring that is full.
    expect(word(USER_TAKEN_EVENT_OFFSET)).toBe(event + 3);
    expect(takeAll(rings)).toEqual([0, 16]);
    expect(receiver.flush()).toBe(1);
    expect(takeAll(rings)).toEqual([32, 48]);
    expect(receiver.flush()).toBe(0);
    expect(takeAll(rings)).toEqual([64]);
  });

  test('that were kept go while the consumer waits, and the end waits for them', async () => {
    const { rings, receiver } = makeSides();
    for (let i = 0; i < 5; i++) receiver.release(i * PAGE, 1);
    rings.setState(USER_STATE_ENDED);
    expect(receiver.waitSync(5)).toBe(false);
    let isOver = false;
    const next = receiver.next({ ref: true }).then((delivery) => {
      isOver = true;
      return delivery;
    });
    const found: number[] = [];
    while (found.length < 4) {
      expect(isOver).toBe(false);
      found.push(...takeAll(rings));
      await turns(1);
    }
    expect(await next).toBeNull();
    expect([...found, ...takeAll(rings)]).toEqual([0, 16, 32, 48, 64]);
  });

  test('are waited for only while some are kept', async () => {
    const { rings, receiver, word } = makeSides();
    const control = new AbortController();
    const next = receiver.next({ signal: control.signal });
    await until(() => word(USER_WAITS_OFFSET) !== 0);
    expect(word(USER_WAITS_OFFSET)).toBe(USER_WAITS_GIVEN);
    control.abort('enough');
    await expect(next).rejects.toBe('enough');
    expect(word(USER_WAITS_OFFSET)).toBe(0);
    for (let i = 0; i < 5; i++) receiver.release(i * PAGE, 1);
    const again = receiver.next();
    await until(() => word(USER_WAITS_OFFSET) !== 0);
    expect(word(USER_WAITS_OFFSET)).toBe(USER_WAITS_GIVEN | USER_WAITS_ROOM);
    rings.setState(USER_STATE_SCRUBBED);
    expect(await again).toBeNull();
  });

  test('that were kept are no more when the queue was scrubbed', async () => {
    const { rings, receiver } = makeSides();
    for (let i = 0; i < 5; i++) receiver.release(i * PAGE, 1);
    rings.setState(USER_STATE_SCRUBBED);
    expect(await receiver.next({ ref: true })).toBeNull();
    expect(receiver.flush()).toBe(0);
  });

  test('go back in bursts, as they came', () => {
    const { rings, receiver } = makeSides();
    receiver.releaseBurst(Uint32Array.of(0, UNIT + 1, 5, 9, 0, PAGE, 1, 9, 0, 2 * PAGE, 1, 9), 3);
    expect(takeAll(rings)).toEqual([1, 16]);
    receiver.flush();
    expect(takeAll(rings)).toEqual([32]);
    expect(() => receiver.releaseBurst(new Uint32Array(4), 2)).toThrow('count=2');
  });

  test('raise the event only while somebody wants to hear of them', () => {
    const { receiver, word, put } = makeSides();
    receiver.release(0, 1);
    expect(word(USER_TAKEN_EVENT_OFFSET)).toBe(0);
    put(USER_WANTS_OFFSET, 1);
    receiver.release(0, 1);
    expect(word(USER_TAKEN_EVENT_OFFSET)).toBe(1);
  });

  /** Writes an entry as anybody can who has the buffer. */
  function refillAt(rings: UserRings, slot: number, offset: number, length: number): void {
    const u32 = new Uint32Array(rings.buffer);
    u32.set([offset, length], (384 >>> 2) + 4 * 4 + 2 * slot);
  }

  test.each([
    [AREA, 0, REFILL_OUTSIDE],
    [0xffffffff, 0, REFILL_OUTSIDE],
    [AREA - UNIT, UNIT + 1, REFILL_OUTSIDE],
    [PAGE - UNIT, UNIT + 1, REFILL_OUTSIDE],
    [0, 0xffffffff, REFILL_OUTSIDE],
    [1, 1, REFILL_MISALIGNED],
    [UNIT - 1, 1, REFILL_MISALIGNED],
    [AREA - 1, 0, REFILL_MISALIGNED],
    [AREA - UNIT, UNIT, AREA / UNIT - 1],
    [0, 0, 0],
  ])('offset %i with length %i is %i', (offset, length, expected) => {
    const { rings, put } = makeSides();
    refillAt(rings, 0, offset, length);
    put(USER_REFILL_TAIL_OFFSET, USER_START_POS + 1);
    expect(takeAll(rings)).toEqual([expected]);
  });

  test('a tail beyond the ring is bounded to it, each time, and counted', () => {
    const { rings, put } = makeSides();
    for (const tail of [USER_START_POS + 3, USER_START_POS - 1, 12345]) {
      put(USER_REFILL_TAIL_OFFSET, tail);
      expect(takeAll(rings)).toHaveLength(2);
    }
    expect(rings.tailsBounded).toBe(3);
  });
});

describe('the consumer for its own sake', () => {
  test.each([
    ['nothing', undefined],
    ['another kind', { kind: 'pagepool' }],
    ['a plain buffer', { area: new ArrayBuffer(AREA) }],
    ['an area that is too short', { area: new SharedArrayBuffer(AREA) }],
    ['an offset below 0', { byteOffset: -1 }],
    ['no length', { byteLength: 0 }],
    ['rings without a header', { rings: new SharedArrayBuffer(100) }],
  ])('refuses a share with %s', (_, change) => {
    const { share } = makeSides();
    const wrong = change === undefined ? undefined : { ...share, ...change };
    expect(() => new Receiver(wrong as UserShare)).toThrow(
      expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' }),
    );
  });

  test('refuses the rings of another version, and what does not fit', () => {
    const { share, put } = makeSides();
    for (const slots of [0, 3, 65536]) {
      put(USER_REFILLS_OFFSET, slots);
      expect(() => new Receiver(share)).toThrow(expect.objectContaining({ code: 'POOL_ERR_CORRUPT' }));
    }
    put(USER_MAGIC_OFFSET, 1);
    expect(() => new Receiver(share)).toThrow(expect.objectContaining({ code: 'POOL_ERR_ABI_MISMATCH' }));
  });

  test('refuses a window outside the area, whoever wrote it', () => {
    const { rings, receiver, put } = makeSides();
    give(rings, AREA, 1, 0);
    expect(() => receiver.receive()).toThrow(`offset=${AREA}, length=1`);
    expect(receiver.receive()).toBeNull();
    for (const [offset, length] of [
      [-1, 1],
      [0.5, 1],
      [0, AREA + 1],
      [0, -1],
    ] as const) {
      expect(() => receiver.bytes(offset, length)).toThrow('expected a window');
      expect(() => receiver.release(offset, length)).toThrow('expected a window');
    }
    put(USER_COMPLETION_TAIL_OFFSET, 77);
    expect(() => receiver.receive()).toThrow(expect.objectContaining({ code: 'POOL_ERR_CORRUPT' }));
  });

  test('a delivery is released once, by hand or by its end', () => {
    const { rings, receiver } = makeSides();
    give(rings, 0, 1, 0);
    const delivery = receiver.receive();
    delivery?.release();
    const refused = expect.objectContaining({ code: 'POOL_ERR_STALE_HANDLE' });
    expect(() => delivery?.release()).toThrow(refused);
    expect(() => delivery?.bytes).toThrow(refused);
    delivery?.[Symbol.dispose]();
    expect(takeAll(rings)).toEqual([0]);
    give(rings, PAGE, 1, 0);
    receiver.receive()?.[Symbol.dispose]();
    expect(takeAll(rings)).toEqual([16]);
  });

  test('one that takes over goes on where the other stood', () => {
    const { rings, receiver, share } = makeSides();
    for (let i = 0; i < 3; i++) give(rings, i * PAGE, 1, i);
    receiver.receive()?.release();
    const heir = new Receiver(share);
    expect(heir.receive()?.tag).toBe(1);
    heir.release(PAGE, 1);
    expect(takeAll(rings)).toEqual([0, 16]);
  });
});

describe('waiting', () => {
  test('ends with what comes, from another thread of control', async () => {
    const { rings, receiver } = makeSides();
    const next = receiver.next({ ref: true });
    await turns(3);
    give(rings, PAGE, 2, 5);
    expect(await next).toMatchObject({ offset: PAGE, tag: 5 });
  });

  test('ends with the end of the queue, and before it with what is inside', async () => {
    const { rings, receiver, word } = makeSides();
    give(rings, 0, 0, 1);
    rings.setState(USER_STATE_ENDED);
    expect(word(USER_GIVEN_EVENT_OFFSET)).toBe(1);
    expect(receiver.isClosed).toBe(true);
    expect(receiver.waitSync()).toBe(true);
    expect((await receiver.next())?.tag).toBe(1);
    expect(await receiver.next()).toBeNull();
    expect(receiver.waitSync()).toBe(false);
  });

  test('a waiting loop ends when the queue does', async () => {
    const { rings, receiver } = makeSides();
    const loop = (async () => {
      for await (const delivery of receiver) throw new Error(`tag ${delivery.tag}`);
    })();
    await turns(3);
    rings.setState(USER_STATE_SCRUBBED);
    await loop;
  });

  test('nothing is received from a queue that was scrubbed', () => {
    const { rings, receiver } = makeSides();
    give(rings, 0, 0, 1);
    rings.setState(USER_STATE_SCRUBBED);
    expect(receiver.pending).toBe(0);
    expect(receiver.receive()).toBeNull();
  });

  test('ends with a timeout or the signal', async () => {
    const { receiver } = makeSides();
    expect(receiver.waitSync(5)).toBe(false);
    await expect(receiver.next({ timeoutMs: 5, ref: true })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    const signal = AbortSignal.timeout(5);
    await expect(receiver.next({ signal, ref: true })).rejects.toMatchObject({ name: 'TimeoutError' });
  });

  test('leaves nobody queued on the word, however often it ends without a delivery', async () => {
    const { rings, receiver, share } = makeSides();
    const queued = () => Atomics.notify(new Int32Array(share.rings), USER_GIVEN_EVENT_OFFSET >>> 2);
    for (let i = 0; i < 10; i++) {
      await expect(receiver.next({ timeoutMs: 1, ref: true })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      const signal = AbortSignal.timeout(1);
      await expect(receiver.next({ signal, ref: true })).rejects.toMatchObject({ name: 'TimeoutError' });
    }
    expect(queued()).toBe(0);
    // One that goes on is not ended by another that is over.
    const next = receiver.next({ ref: true });
    await expect(receiver.next({ timeoutMs: 1, ref: true })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    await turns(3);
    expect(queued()).toBe(1);
    give(rings, 0, 1, 3);
    expect((await next)?.tag).toBe(3);
  });

  test('lets the event loop run where there is always something', async () => {
    const { rings, receiver } = makeSides();
    let isOver = false;
    setTimeout(() => {
      isOver = true;
    }, 1);
    for (let i = 0; i < 10_000_000 && !isOver; i++) {
      give(rings, 0, 0, i);
      (await receiver.next())?.release();
      takeAll(rings);
    }
    expect(isOver).toBe(true);
  });

  test('measures no time by the wall clock', async () => {
    const { receiver } = makeSides();
    const { now } = Date;
    try {
      for (const step of [-1, 1]) {
        let days = 0;
        Date.now = () => now() + step * 86_400_000 * ++days;
        expect(receiver.waitSync(5)).toBe(false);
        await expect(receiver.next({ timeoutMs: 5 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
      }
    } finally {
      Date.now = now;
    }
  });

  test('looks by timers where waitAsync is missing', async () => {
    const { rings, receiver } = makeSides();
    const { waitAsync } = Atomics;
    Object.assign(Atomics, { waitAsync: undefined });
    try {
      const next = receiver.next({ ref: true });
      await turns(3);
      give(rings, 0, 0, 9);
      expect((await next)?.tag).toBe(9);
    } finally {
      Object.assign(Atomics, { waitAsync });
    }
  });
});

test('docs/user-areas.md has every word where it is', () => {
  const text = readFileSync(new URL('../../docs/user-areas.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| `(USER_\w+_OFFSET)` \| (\d+) \|/gm)].map(([, name, at]) => [name, Number(at)]);
  const words = Object.entries(layout).filter(([name]) => name.endsWith('_OFFSET'));
  expect(Object.fromEntries(rows)).toEqual(Object.fromEntries(words));
});

describe('user references', () => {
  const makeReferences = () => {
    const given = new Uint32Array(4);
    return { given, references: new UserReferences({ firstPage: 2, pages: 2, unitsPerPageShift: 2 }, given) };
  };

  test('come back as often as they were given, and not once more', () => {
    const { references, given } = makeReferences();
    references.add(5, 77);
    references.add(5, 77);
    references.add(7, 78);
    expect(references.outstanding).toBe(3);
    expect([...given]).toEqual([0, 0, 0, 3]);
    expect([5, 5, 5, 7, 7, 0].map((unit) => references.drop(unit))).toEqual([77, 77, 0, 78, 0, 0]);
    expect(references.outstanding).toBe(0);
    expect([...given]).toEqual([0, 0, 0, 0]);
  });

  test('are all found at the end, wherever they are', () => {
    const { references, given } = makeReferences();
    for (const unit of [0, 3, 4, 7, 7]) references.add(unit, 100 + unit);
    const found: number[] = [];
    references.drain((handle) => found.push(handle));
    expect(found).toEqual([100, 103, 104, 107, 107]);
    expect([...given]).toEqual([0, 0, 0, 0]);
    expect(references.drop(7)).toBe(0);
  });

  test('of a fragment that is gone are forgotten when another takes its place', () => {
    const { references } = makeReferences();
    references.add(1, 50);
    references.add(1, 51);
    expect(references).toMatchObject({ outstanding: 1, lost: 1 });
    expect(references.drop(1)).toBe(51);
    expect(references.drop(1)).toBe(0);
  });
});

describe('in Node', () => {
  const run = (options: string, loop: string): string => {
    const entry = (name: string): string => JSON.stringify(new URL(`../../build/${name}.js`, import.meta.url).href);
    const code = `Promise.all([import(${entry('index')}), import(${entry('user-area')}), import(${entry('user')})]).then(
      async ([{ PagePool }, { UserQueue, userArea }, { Receiver }]) => {
        process.on('exit', () => console.log('exit'));
        const provider = userArea(new SharedArrayBuffer(1 << 16));
        const pool = await PagePool.create({ pageCount: 4, provider });
        const queue = new UserQueue(pool);
        const receiver = new Receiver(queue.share());
        ${loop === '' ? `await receiver.next(${options}).catch((error) => console.log(error.code));` : loop}
      })`;
    return execFileSync(process.execPath, ['-e', code], { encoding: 'utf8', timeout: HUNG_MS });
  };

  test('a wait of the consumer holds the process, and lets go with ref: false', () => {
    expect(run('{ timeoutMs: 30 }', '')).toBe('POOL_ERR_TIMEOUT\nexit\n');
    // No timeout that a slow machine reaches before the process has ended.
    expect(run('{ timeoutMs: 1e6, ref: false }', '')).toBe('exit\n');
  });

  test('its iterator holds the process until the queue ends', () => {
    const loop = `setTimeout(() => queue.end(), 30).unref(); for await (const each of receiver) each.release();
      console.log('ended');`;
    expect(run('', loop)).toBe('ended\nexit\n');
  });
});
