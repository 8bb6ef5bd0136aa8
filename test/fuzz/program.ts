// A random program of one thread: every public call, with its seed, and a plain account of what the thread holds beside
// it.
//
// Whatever is allocated is stamped, whatever comes from elsewhere says what its bytes must be, and every result is
// compared with what this thread alone can know. A seed gives the same choices again; what other threads do in between
// is the machine's.

import type { Channel, Fragment, FragmentToken, PagePool, PinToken } from 'pagepool';

/** What the program needs of its thread. */
export interface Host {
  /** Attaches to the pool, again and again: the program detaches now and then. */
  attach(): PagePool;
  readonly seed: number;
  readonly isCleared: boolean;
  /** Where some page begins, bytes: pages are told apart by it. */
  readonly pageStart: number;
  /** Gives a token, or a pin, to some other thread. */
  pass(message: { token?: FragmentToken; value?: number; pin?: PinToken }): void;
}

/** The program, call by call. */
export interface Program {
  /** Makes `count` random calls. Throws at the first result that cannot be. */
  run(count: number): Promise<void>;
  /** Takes over what another thread passed. */
  take(message: { token?: FragmentToken; value?: number; pin?: PinToken }): void;
  /** Gives everything back and leaves the pool. */
  end(): void;
  /** The last calls, for whoever has to understand a failure. */
  trace(): readonly string[];
  readonly counts: Record<string, number>;
}

/** A fragment that this thread holds. */
interface Held {
  readonly handle: number;
  readonly stamp: number;
  references: number;
}

const HELD_MAX = 10;
const TRACE = 40;
const ENTRY_WORDS = 4;
const PIECE = 4;

function check(fact: boolean, what: () => string): asserts fact {
  if (!fact) throw new Error(what());
}

const codeOf = (error: unknown): string => String((error as { code?: string }).code ?? (error as Error).stack ?? error);

/** Starts the program of one thread. */
export function startProgram({ attach, seed, isCleared, pageStart, pass }: Host): Program {
  let pool = attach();
  let words = pool.words(ENTRY_WORDS * 16);
  let channels = channelsOf();
  let state = seed >>> 0;
  const held = new Map<number, Held>();
  const calls: string[] = [];
  const counts: Record<string, number> = {};

  function random(below: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  function channelsOf(): Channel[] {
    return ['refuse', 'newest', 'oldest'].map((name) => pool.channel(name));
  }

  // ---------------------------------------------------------------------------------- the account

  function note(call: string): void {
    calls.push(call);
    if (calls.length > TRACE) calls.shift();
    const name = call.split(' ')[0] as string;
    counts[name] = (counts[name] ?? 0) + 1;
  }

  function viewOf(handle: number): Uint32Array {
    const bytes = pool.bytes(handle);
    return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.byteLength >>> 2);
  }

  function verify(handle: number, stamp: number): void {
    const at = viewOf(handle).findIndex((word) => word !== stamp);
    check(at === -1, () => `handle ${handle}: word ${at} is ${viewOf(handle)[at]} (expected ${stamp})`);
  }

  /** A reference came, with bytes that must be the stamp. */
  function came(handle: number, stamp: number, references = 1): void {
    verify(handle, stamp);
    const known = held.get(handle);
    if (known !== undefined) known.references += references;
    else held.set(handle, { handle, stamp, references });
  }

  /** A fragment is new: nobody else has it. */
  function made(handle: number, bytes: number): Held {
    check(Number.isInteger(handle) && handle > 0 && handle < 2 ** 30, () => `handle ${handle}`);
    check(!held.has(handle), () => `handle ${handle} was handed out while this thread holds it`);
    check(pool.refCount(handle) === 1, () => `a new fragment has ${pool.refCount(handle)} references`);
    const extent = pool.extent(handle);
    check(extent >= bytes && extent <= pool.pageBytes, () => `${bytes} bytes were asked for, the extent is ${extent}`);
    const view = viewOf(handle);
    if (isCleared)
      check(
        view.every((word) => word === 0),
        () => `handle ${handle} is not cleared`,
      );
    const stamp = (random(2 ** 32) | 1) >>> 0;
    view.fill(stamp);
    const entry = { handle, stamp, references: 1 };
    held.set(handle, entry);
    return entry;
  }

  function went(entry: Held, references = 1): void {
    entry.references -= references;
    if (entry.references === 0) held.delete(entry.handle);
  }

  function any(): Held | undefined {
    return [...held.values()][random(held.size || 1)];
  }

  /** A call that must be refused with one of the codes. */
  function refused(call: () => unknown, codes: RegExp): void {
    let result: unknown;
    try {
      result = call();
    } catch (error) {
      check(codes.test(codeOf(error)), () => `${codeOf(error)} (expected ${codes})`);
      return;
    }
    check(false, () => `returned ${String(result)} (expected ${codes})`);
  }

  /** Waits that end by their limit or their signal are no failure. */
  async function given<T>(wait: Promise<T>): Promise<T | undefined> {
    try {
      return await wait;
    } catch (error) {
      check(codeOf(error) === 'POOL_ERR_TIMEOUT' || (error as Error).message === 'given up', () => codeOf(error));
      return undefined;
    }
  }

  // ---------------------------------------------------------------------------------- the calls

  function release(entry: Held): void {
    verify(entry.handle, entry.stamp);
    check(pool.refCount(entry.handle) >= entry.references, () => `fewer references than this thread has`);
    pool.release(entry.handle);
    went(entry);
  }

  function alloc(): void {
    const handle = pool.alloc();
    if (handle !== 0) made(handle, pool.pageBytes);
  }

  function allocFragment(): void {
    const bytes = 1 + random(random(3) === 0 ? pool.pageBytes : pool.pageBytes >>> 2);
    const handle = pool.allocFragment(bytes);
    if (handle !== 0) made(handle, bytes);
  }

  function takeObject(): void {
    const bytes = random(2) === 0 ? undefined : 1 + random(pool.pageBytes);
    const fragment = pool.take(bytes);
    if (fragment === null) return;
    made(fragment.handle, bytes ?? pool.pageBytes);
    check(fragment.length === (bytes ?? pool.pageBytes), () => `length ${fragment.length}`);
  }

  function allocMany(): void {
    const count = 1 + random(6);
    const out = random(2) === 0 ? words : new Uint32Array(6);
    const isBulk = random(2) === 0;
    const got = isBulk ? (pool.allocBulk(out, count) ? count : 0) : pool.allocBurst(out, count);
    const handles = [...out.subarray(0, got)];
    for (const handle of handles) made(handle, pool.pageBytes);
  }

  function retain(): void {
    const entry = any();
    if (entry === undefined) return;
    const count = 1 + random(3);
    pool.retain(entry.handle, count);
    entry.references += count;
    check(pool.refCount(entry.handle) >= entry.references, () => `fewer references than this thread has`);
  }

  /** Some in one call, at times with one among them that must be refused. */
  function releaseMany(): void {
    const entries = [...held.values()].slice(0, 1 + random(5));
    const bad = random(3) === 0 ? random(entries.length + 1) : entries.length;
    const handles = entries.map(({ handle }) => handle);
    if (bad < entries.length) handles.splice(bad, 0, 0);
    for (const { handle, stamp } of entries) verify(handle, stamp);
    words.set(handles);
    const list = random(2) === 0 ? Uint32Array.from(handles) : words;
    try {
      pool.releaseBulk(list, handles.length);
      check(bad === entries.length, () => `a bulk with a bad handle at ${bad} went through`);
    } catch (error) {
      check(
        (error as { index?: number }).index === bad,
        () => `stopped at ${String((error as { index?: number }).index)} (expected ${bad}): ${codeOf(error)}`,
      );
    }
    for (const entry of entries.slice(0, bad)) went(entry);
  }

  function look(): void {
    const entry = any();
    if (entry === undefined) return;
    const { handle, stamp } = entry;
    const extent = pool.extent(handle);
    check(pool.isReadable(handle), () => 'not readable');
    const offset = pool.offset(handle);
    const area = pool.area(handle);
    check(area.length >= offset + extent, () => `area ${area.length}, fragment at ${offset}, ${extent} bytes`);
    const start = PIECE * random(extent / PIECE);
    const window = pool.bytes(handle, start, PIECE);
    const bytes = new Uint8Array(Uint32Array.of(stamp).buffer);
    check(
      window.every((byte, i) => byte === bytes[i] && area[offset + start + i] === byte),
      () => `window at ${start}: ${window}`,
    );
    refused(() => pool.bytes(handle, extent - 1, 2), /INVALID_ARGUMENT/);
  }

  /** An object's life: a window on it, another reference, both released. */
  function objects(): void {
    const entry = any();
    if (entry === undefined || pool.extent(entry.handle) < 2 * PIECE) return;
    const fragment = pool.fragment(entry.handle, PIECE);
    const slice = fragment.slice(0, PIECE);
    check(
      new Uint32Array(slice.bytes.slice().buffer)[0] === entry.stamp,
      () => `slice of ${entry.stamp}: ${slice.bytes}`,
    );
    slice.release();
    refused(() => slice.release(), /STALE_HANDLE/);
    refused(() => slice.bytes, /STALE_HANDLE/);
    const again = fragment.retain();
    again[Symbol.dispose]();
    again[Symbol.dispose]();
  }

  function send(): void {
    const entry = any();
    if (entry === undefined) return;
    const channel = channels[random(3)] as Channel;
    const isObject = random(2) === 0;
    const isSent = isObject
      ? channel.sendFragment(pool.fragment(entry.handle), entry.stamp)
      : channel.send(entry.handle, 0, PIECE, entry.stamp);
    if (isSent) went(entry);
    else check(channel === channels[0], () => `${channel.name} refused`);
  }

  function sendMany(): void {
    const entries = [...held.values()].slice(0, 1 + random(8));
    const channel = channels[random(3)] as Channel;
    const list = random(2) === 0 ? words : new Uint32Array(words.length);
    entries.forEach(({ handle, stamp }, i) => {
      list.set([handle, 0, PIECE, stamp], ENTRY_WORDS * i);
    });
    const sent = channel.sendBurst(list, entries.length);
    check(
      sent === entries.length || channel === channels[0],
      () => `${channel.name} took ${sent} of ${entries.length}`,
    );
    for (const entry of entries.slice(0, sent)) went(entry);
  }

  function receive(): void {
    const channel = channels[random(3)] as Channel;
    if (random(2) === 0) received(channel.receive());
    else {
      const list = random(2) === 0 ? words : new Uint32Array(words.length);
      const count = channel.receiveBurst(list, 1 + random(16));
      const entries = [...list.subarray(0, ENTRY_WORDS * count)];
      for (let i = 0; i < count; i++) came(entries[ENTRY_WORDS * i] as number, entries[ENTRY_WORDS * i + 3] as number);
    }
  }

  function received(fragment: Fragment | null | undefined): void {
    if (fragment) came(fragment.handle, fragment.tag);
  }

  async function wait(): Promise<void> {
    const channel = channels[random(3)] as Channel;
    const timeoutMs = random(3);
    const giveUp = new AbortController();
    if (random(3) === 0) setTimeout(() => giveUp.abort(new Error('given up')), random(2));
    const options = { timeoutMs, signal: giveUp.signal, ref: true };
    const kind = random(4);
    if (kind === 0) received(await given(channel.next(options)));
    else if (kind === 1) await given(channel.waitRoom(options));
    else if (kind === 2) {
      if (channel.waitSync(timeoutMs)) received(channel.receive());
    } else {
      const fragment = await given(pool.takeAsync(1 + random(100), options));
      if (fragment !== undefined) made(fragment.handle, fragment.length);
    }
  }

  function lend(): void {
    const entry = any();
    if (entry === undefined) return;
    try {
      const token = pool.fragment(entry.handle).lend();
      went(entry);
      pass({ token, value: entry.stamp });
    } catch (error) {
      check(/REF_OVERFLOW/.test(codeOf(error)), () => codeOf(error)); // 256 are out
    }
  }

  function pin(): void {
    const entry = any();
    if (entry === undefined) return;
    pass({ pin: pool.pin(entry.handle) });
  }

  /** What is no handle of this thread's is refused, whatever is asked of it. */
  function misuse(): void {
    const own = new Set([...held.keys()].map((handle) => pageOf(handle)));
    const number = random(4) === 0 ? random(2 ** 30) : 1 + random(200_000);
    if (own.has(pageOf(number))) return; // references are counted by page
    const codes = /STALE_HANDLE|FOREIGN_HANDLE|NOT_HELD|INVALID_ARGUMENT/;
    refused(() => pool.release(number), codes);
    refused(() => pool.retain(number), codes);
    refused(() => pool.pin(number), codes);
    refused(() => (channels[0] as Channel).send(number, 0, 0), codes);
    for (const odd of [0, -1, 0.5, 2 ** 30 + 1, Number.NaN, undefined, 'x']) {
      refused(() => pool.release(odd as number), /INVALID_ARGUMENT|STALE_HANDLE|FOREIGN_HANDLE/);
    }
    refused(() => pool.allocFragment(pool.pageBytes + 1), /INVALID_ARGUMENT/);
    refused(() => pool.unpin(pool.pageCount + 1), /TOKEN_SPENT|INVALID_ARGUMENT/);
    if (isWhole()) refused(() => pool.reap(pool.portId), /INVALID_ARGUMENT/);
  }

  /** The page of a handle, by the unit's address; all pages together for what is none. */
  function pageOf(handle: number): number {
    try {
      return Math.floor((pool.offset(handle) - pageStart) / pool.pageBytes);
    } catch {
      return -1;
    }
  }

  /** False: a pool of pagepool/attach, which neither audits nor reaps. */
  function isWhole(): boolean {
    return 'audit' in pool;
  }

  function report(): void {
    check(Number.isInteger(pool.inflight), () => `inflight is ${pool.inflight}`);
    const pages = isWhole() ? pool.stats().pages : undefined;
    check(pages === undefined || pages.total === pool.pageCount, () => JSON.stringify(pages));
    if (random(4) === 0 && isWhole()) pool.audit();
    const listed = isWhole() ? pool.leaks() : [];
    for (const { handle } of listed) check(held.has(handle), () => `handle ${handle} is listed and not held`);
  }

  function leave(): void {
    if (random(2) === 0) for (const entry of [...held.values()]) while (entry.references > 0) release(entry);
    if (held.size > 0) refused(() => pool.detach(), /INVALID_ARGUMENT/);
    const gone = pool;
    pool.detach({ release: true });
    held.clear();
    refused(() => gone.release(1), /DESTROYED/);
    pool = attach();
    words = pool.words(ENTRY_WORDS * 16);
    channels = channelsOf();
  }

  function releaseOne(): void {
    const entry = any();
    if (entry !== undefined) release(entry);
  }

  function trim(): void {
    pool.trim();
  }

  function poll(): void {
    pool.poll();
  }

  function reclaim(): void {
    check(pool.reclaimTokens(3_600_000) === 0, () => 'a token of this hour was reclaimed');
  }

  /** In a thousand calls, how often each. */
  const STEPS: readonly (readonly [weight: number, step: () => void | Promise<void>])[] = [
    [100, alloc],
    [120, allocFragment],
    [40, takeObject],
    [50, allocMany],
    [60, retain],
    [120, releaseOne],
    [50, releaseMany],
    [40, look],
    [20, objects],
    [90, send],
    [50, sendMany],
    [145, receive],
    [8, wait],
    [20, lend],
    [20, pin],
    [20, misuse],
    [10, report],
    [15, trim],
    [10, poll],
    [6, leave],
    [6, reclaim],
  ];

  async function step(): Promise<void> {
    let left = random(1000);
    for (const [weight, run] of STEPS) {
      left -= weight;
      if (left >= 0) continue;
      note(`${run.name} (${held.size} held)`);
      return run();
    }
  }

  return {
    counts,
    trace: () => calls,
    run: async (count) => {
      for (let i = 0; i < count; i++) {
        await step();
        while (held.size > HELD_MAX) {
          const entry = any() as Held;
          while (entry.references > 0) release(entry);
        }
      }
    },
    take: ({ token, value, pin: page }) => {
      if (page !== undefined) {
        note('unpin');
        pool.unpin(page);
      }
      if (token === undefined) return;
      note('adopt');
      const fragment = pool.adopt(token);
      came(fragment.handle, value as number);
      refused(() => pool.adopt(token), /TOKEN_SPENT/);
    },
    end: () => {
      for (const entry of [...held.values()]) while (entry.references > 0) release(entry);
      pool.detach();
    },
  };
}
