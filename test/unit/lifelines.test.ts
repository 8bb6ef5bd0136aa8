// Watching threads that hold no lock: by their lifelines. With realms of one thread, whose strands are cut as a
// platform does when a thread is gone.

import { PagePool } from 'pagepool';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { PORT_LIFELINE_OFFSET, PORT_STRANDS_OFFSET, STRANDS_MASK } from '../../assembly/layout.js';
import { planGeometry } from '../../src/control/geometry.js';
import { portOffset } from '../../src/control/places.js';
import { resolveOptions } from '../../src/pool/options.js';
import { RealmLocks } from '../support/locks.js';
import { loadAnotherRealm } from '../support/realm.js';
import { PATIENCE, turns } from '../support/waiting.js';

const OPTIONS = { pageCount: 16, maxPorts: 4, channels: { work: {} } };
const soon = (check: () => void) => vi.waitFor(check, PATIENCE);
/** As the web's workers are: no exit event, no thread number. */
const ofTheWeb = { postMessage: () => {}, terminate: () => {} };

describe('a thread that holds no lock', () => {
  let locks: RealmLocks;
  let pool: PagePool;
  let words: Int32Array;
  const attach = async (): Promise<PagePool> => {
    const realm = await loadAnotherRealm();
    return realm.PagePool.attach(pool.share() as never) as never;
  };
  const isClaimed = (portId: number) => pool.stats().ports[portId]?.isClaimed;
  const wordOf = (portId: number, offset: number) =>
    (portOffset(planGeometry(resolveOptions('create', OPTIONS)), portId) + offset) >>> 2;
  const strandsOf = (portId: number) => Atomics.load(words, wordOf(portId, PORT_STRANDS_OFFSET)) & Number(STRANDS_MASK);
  /** What the platform does when the thread is gone; nothing runs in it any more. */
  const kill = (other: PagePool): void => {
    vi.spyOn(other, 'poll').mockImplementation(() => {});
    Atomics.notify(words, wordOf(other.portId, PORT_LIFELINE_OFFSET));
  };
  const refuse = () =>
    vi.spyOn(locks, 'request').mockRejectedValue(new DOMException('an opaque origin', 'SecurityError'));

  beforeEach(() => {
    locks = new RealmLocks();
    vi.stubGlobal('navigator', { locks });
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    pool = PagePool.createSync(OPTIONS);
    words = new Int32Array((pool.share().memory as WebAssembly.Memory).buffer);
    refuse();
  });
  afterEach(() => {
    pool.destroy();
    vi.useRealTimers();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('is reaped when its strands are gone, and others are left alone', async () => {
    const [other, third] = [await attach(), await attach()];
    await pool.watch(ofTheWeb);
    other.alloc();
    const page = third.alloc();
    kill(other);
    await soon(() => expect(isClaimed(other.portId)).toBe(false));
    expect(isClaimed(third.portId)).toBe(true);
    expect(third.refCount(page)).toBe(1);
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 1 } });
    third.release(page);
  });

  // Breaks with: announce left out of src/recovery/watching.ts follow.
  it('is asked when it attaches behind the watch, in whatever state it goes on', async () => {
    await pool.watch(ofTheWeb);
    await turns();
    const other = await attach();
    kill(other);
    await soon(() => expect(isClaimed(other.portId)).toBe(false));
  });

  it('attaches behind the watch in a realm that has no clock but the wall: an audio worklet', async () => {
    await pool.watch(ofTheWeb);
    vi.stubGlobal('performance', undefined);
    const other = await attach();
    await turns();
    other.release(other.alloc());
    other.detach();
  });

  it('settles a watch that ends before it began', async () => {
    vi.mocked(locks.request).mockReturnValue(new Promise(() => {}));
    const watched = pool.watch(ofTheWeb);
    pool.detach();
    await watched;
  });

  // Breaks with: live() left out of src/port/waits.ts #hear.
  it('makes new strands when it comes by, and is asked less and less when it does not', async () => {
    vi.useFakeTimers();
    const other = await attach();
    const whole = strandsOf(other.portId);
    expect(whole).toBeGreaterThan(8);
    pool.watch(ofTheWeb);
    // It hears nothing: as a thread that computes.
    const heard = vi.spyOn(Atomics, 'waitAsync');
    vi.advanceTimersByTime(3_600_000);
    expect(isClaimed(other.portId)).toBe(true);
    expect(heard).not.toHaveBeenCalled();
    expect(strandsOf(other.portId)).toBeLessThan(whole / 2);
    // Looks that come when they are due: otherwise they are as many as there are.
    expect(strandsOf(other.portId)).toBeGreaterThan(4);
    heard.mockRestore();
    // It comes by.
    await vi.advanceTimersByTimeAsync(1);
    expect(strandsOf(other.portId)).toBe(whole);
    expect(isClaimed(other.portId)).toBe(true);
    kill(other);
    await vi.advanceTimersByTimeAsync(8_000_000);
    expect(isClaimed(other.portId)).toBe(false);
  });

  // Breaks with: dropLifeline left out of src/control/claims.ts freePort.
  it('leaves no strand to the next thread of its port when it detaches, nor when it is reaped', async () => {
    const [first, last] = [await attach(), await attach()];
    const { portId } = first;
    pool.watch(ofTheWeb);
    first.detach();
    expect(strandsOf(portId)).toBe(0);
    expect(Atomics.notify(words, wordOf(portId, PORT_LIFELINE_OFFSET))).toBe(0);
    const next = await attach();
    expect(next.portId).toBe(portId);
    kill(next);
    await soon(() => expect(isClaimed(portId)).toBe(false));
    expect(Atomics.notify(words, wordOf(portId, PORT_LIFELINE_OFFSET))).toBe(0);
    expect(isClaimed(last.portId)).toBe(true);
    // Set aside, reaped, and alive after all: what it still has is cut as well.
    pool.reap(last.portId, { force: true });
    await soon(() => expect(isClaimed(last.portId)).toBe(true));
  });

  it('is watched where locks are refused', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    await pool.watch(ofTheWeb);
    expect(warn).not.toHaveBeenCalled();
  });

  it('is not asked any more when a lock tells of it', async () => {
    vi.mocked(locks.request).mockRestore();
    await pool.watch(ofTheWeb);
    const other = await attach();
    await soon(() => expect(locks.pending.length).toBe(1));
    await turns();
    const left = strandsOf(other.portId);
    vi.useFakeTimers();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(strandsOf(other.portId)).toBe(left);
    vi.useRealTimers();
    locks.endHolder(locks.held.find((name) => name.includes(` port ${other.portId} `)) as string);
    await soon(() => expect(isClaimed(other.portId)).toBe(false));
  });
});
