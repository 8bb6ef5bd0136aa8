// What a mortal thread does until it is ended from outside: at random, everything that a thread can do with a pool.
//
// Knows no platform: a worker of Node and one of a browser run the same. Whatever it sends says what its bytes must be;
// whatever it receives it checks. What it counts is in shared words, since it will not be there to tell.

import type { Channel, FragmentToken, PagePool } from 'pagepool';

/** What the thread's platform gives it. */
export interface Host {
  readonly pool: PagePool;
  readonly seed: number;
  /** Words: checked, torn, failed. */
  readonly counts: Int32Array;
  /** Passes a token to some other thread, with what its words must be. */
  lend(token: FragmentToken, value: number): void;
  /** Something went wrong that is no death on purpose. */
  fail(failure: string): void;
}

/** A thread's churn. */
export interface Churn {
  /** Some steps: some threads rarely return to their event loop. */
  run(): void;
  /** Takes over a token that another thread lent. */
  adopt(token: FragmentToken, value: number): void;
  /** One step, whose error the caller gets: for threads that end by one. */
  step(): void;
}

const CHECKED = 0;
const TORN = 1;
const FAILED = 2;
const HELD_MAX = 12;

export const CHANNELS = {
  singles: { capacity: 32, batch: 1 },
  bursts: { capacity: 48, batch: 8 },
  drops: { capacity: 8, batch: 4, whenFull: 'drop-oldest' },
} as const;

/** Prepares the churn of one thread on its own pool object. */
export function createChurn({ pool, seed, counts, lend: pass, fail }: Host): Churn {
  const channels = Object.keys(CHANNELS).map((name) => pool.channel(name));
  const words = pool.words(4 * 32);
  const arrived = pool.words(4 * 32);
  const handles = pool.words(32);
  /** What this thread holds: handle and what its words must be. */
  const held: (readonly [handle: number, stamp: number])[] = [];
  let state = seed >>> 0;

  function random(below: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  /**
   * The memory that the last fragment lies in, as words: no view is made for each fragment, so that most of the time is
   * spent inside the pool.
   */
  let area: Uint32Array = new Uint32Array(0);

  /** Where the fragment's words begin in the area, which reaches to its end. */
  function firstWord(handle: number): number {
    const { buffer, byteOffset } = pool.area(handle);
    if (buffer !== area.buffer) area = new Uint32Array(buffer);
    return (byteOffset + pool.offset(handle)) >>> 2;
  }

  /** Writes a stamp all over the fragment. */
  function stamp(handle: number): number {
    const value = (random(2 ** 32) | 1) >>> 0;
    const first = firstWord(handle);
    area.fill(value, first, first + (pool.extent(handle) >>> 2));
    return value;
  }

  function check(handle: number, value: number): void {
    const first = firstWord(handle);
    let isTorn = false;
    for (let i = first + (pool.extent(handle) >>> 2) - 1; i >= first; i--) isTorn ||= area[i] !== value;
    Atomics.add(counts, CHECKED, 1);
    if (isTorn) Atomics.add(counts, TORN, 1);
  }

  function keep(handle: number, value: number): void {
    held.push([handle, value]);
    while (held.length > HELD_MAX) drop();
  }

  /** Releases something that is held, whatever: it must be as it was. */
  function drop(): void {
    const [entry] = held.splice(random(held.length), 1);
    if (entry === undefined) return;
    check(...entry);
    pool.release(entry[0]);
  }

  function allocate(): void {
    const handle = random(2) === 0 ? pool.alloc() : pool.allocFragment(1 + random(pool.pageBytes / 2));
    if (handle === 0) drop();
    else keep(handle, stamp(handle));
  }

  function send(channel: Channel): void {
    const entry = held.pop();
    if (entry === undefined) return;
    if (!channel.send(entry[0], 0, 4, entry[1])) held.push(entry);
  }

  function sendMany(channel: Channel): void {
    const count = Math.min(held.length, 1 + random(8));
    const entries = held.splice(0, count);
    entries.forEach(([handle, value], i) => {
      words.set([handle, 0, 4, value], 4 * i);
    });
    const sent = channel.sendBurst(words, count);
    held.push(...entries.slice(sent));
  }

  function receive(channel: Channel): void {
    const came = channel.receiveBurst(arrived, 1 + random(16));
    for (let i = 0; i < came; i++) {
      const [handle = 0, value = 0] = [arrived[4 * i], arrived[4 * i + 3]];
      check(handle, value);
      keep(handle, value);
    }
  }

  function retain(): void {
    const entry = held[random(held.length + 1)];
    if (entry === undefined) return;
    pool.retain(entry[0]);
    keep(...entry);
  }

  function burst(): void {
    const count = pool.allocBurst(handles, 1 + random(16));
    for (let i = 0; i < count; i++) stamp(handles[i] as number);
    pool.releaseBulk(handles, count);
  }

  /** A pin whose page leaves the pool meanwhile, and comes back. */
  function pin(): void {
    const handle = pool.alloc();
    if (handle === 0) return;
    let token = 0;
    try {
      token = pool.pin(handle);
    } catch (error) {
      // All pages of a user area have to come back.
      if ((error as { code?: string }).code !== 'POOL_ERR_NOT_DETACHABLE') throw error;
    }
    pool.release(handle);
    if (token !== 0) pool.unpin(token);
  }

  function lend(): void {
    const entry = held.pop();
    if (entry === undefined) return;
    try {
      pass(pool.fragment(entry[0]).lend(), entry[1]);
    } catch (error) {
      if ((error as { code?: string }).code !== 'POOL_ERR_REF_OVERFLOW') throw error;
      held.push(entry); // 256 are on their way already
    }
  }

  function adopt(token: FragmentToken, value: number): void {
    try {
      const { handle } = pool.adopt(token);
      check(handle, value);
      keep(handle, value);
    } catch (error) {
      // Taken back meanwhile, since it was on its way for so long.
      if ((error as { code?: string }).code !== 'POOL_ERR_TOKEN_SPENT') throw error;
    }
  }

  const any = (): Channel => channels[random(channels.length)] as Channel;
  const STEPS: readonly (readonly [weight: number, step: () => void])[] = [
    [24, allocate],
    [14, () => drop()],
    [12, () => send(any())],
    [10, () => sendMany(any())],
    [20, () => receive(any())],
    [8, retain],
    [6, burst],
    [3, pin],
    [1, lend],
    [1, () => void pool.trim()],
  ];
  const WEIGHTS = STEPS.reduce((sum, [weight]) => sum + weight, 0);

  function step(): void {
    let left = random(WEIGHTS);
    for (const [weight, run] of STEPS) {
      left -= weight;
      if (left >= 0) continue;
      run();
      return;
    }
  }

  /** Runs a part of the churn; what fails there is no end on purpose. */
  function guard(run: () => void): void {
    try {
      run();
    } catch (error) {
      Atomics.add(counts, FAILED, 1);
      fail(String((error as Error).stack ?? error));
    }
  }

  const stepsInARow = [20, 500, 20_000][seed % 3] as number;
  return {
    run: () =>
      guard(() => {
        for (let i = 0; i < stepsInARow; i++) step();
      }),
    adopt: (token, value) => guard(() => adopt(token, value)),
    step,
  };
}
