// The engines against each other: pools formatted alike get the same calls, and every result and every word is
// compared.
//
// Below the public interface, several ports of each pool in one thread: one pool a binary, one of the TypeScript
// engine, one on a buffer that is not shared, those whose ports have different engines, and those that track what they
// hold. Calls come with live handles and stale ones, other ports' handles and numbers that never were handles: what is
// refused must be refused alike, and change the same counters. Prints its seed; SEED=n replays the run.

import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { layoutHash } from '#layout-hash';
import {
  CALL_PORT_SHIFT,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  CONTROL_BASE,
  EMPTY,
  ENTRY_BYTES,
  ERR_REF_OVERFLOW,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  FULL,
  HEADER_FREED_OFFSET,
  HEADER_GROW_STEP_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TOKEN_FREED_OFFSET,
  LEDGER_MAX,
  OK,
  PORT_SHIFT,
  PORT_SPARE_OFFSET,
  STATE_CLOSING,
} from '../../assembly/layout.js';
import { createMemory, growStepPages } from '../../src/control/create-memory.js';
import { writeControl } from '../../src/control/format.js';
import { type Geometry, planGeometry, totalBytesOf } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { moreMask } from '../../src/control/messages.js';
import { loanParts } from '../../src/control/nodes.js';
import type { Engine } from '../../src/engine/engine.js';
import type { LeakLevel } from '../../src/leaks/report.js';
import type { MemoryKind } from '../../src/platform/capabilities.js';
import { type ChannelOptions, type PoolOptions, resolveOptions } from '../../src/pool/options.js';
import { chooseSeed, type EngineKind, openPort, requireBalance, track } from '../support/ports.js';

const PORTS = 3;

/** The pools of one run: their memory, and the engines of their ports in turn. */
const POOLS: readonly (readonly [name: string, memory: MemoryKind, kinds: readonly EngineKind[], leaks?: LeakLevel])[] =
  [
    ['wasm release', 'wasm', ['release']],
    ['wasm checked', 'wasm', ['checked']],
    ['typescript', 'wasm', ['typescript']],
    ['typescript, not shared', 'local', ['typescript']],
    ['both engines', 'wasm', ['typescript', 'release', 'checked']],
    ['both engines, the other way round', 'wasm', ['release', 'typescript', 'typescript']],
    ['both engines, tracked', 'wasm', ['typescript', 'release', 'release'], 'all'],
    ['wasm release, some tracked', 'wasm', ['release'], 'sampled'],
  ];

/** Channels of every policy, with nodes of several entries and of one. */
const CHANNELS: readonly ChannelOptions[] = [
  { capacity: 4, batch: 2 },
  { capacity: 3, batch: 3, whenFull: 'drop-newest' },
  { capacity: 5, batch: 2, whenFull: 'drop-oldest' },
  { capacity: 2, batch: 1 },
  { capacity: 2, batch: 1, whenFull: 'drop-newest' },
  { capacity: 2, batch: 1, whenFull: 'drop-oldest' },
];

/** The channel that carries calls: behind the others. */
const CALLS = CHANNELS.length;

/** What the checked core fills a page with that nobody holds any more. */
const POISON = 0x6b;

/** Whether two results are the same: numbers, or lists of them. */
function isSame(one: unknown, other: unknown): boolean {
  if (!Array.isArray(one) || !Array.isArray(other)) return Object.is(one, other);
  return one.length === other.length && one.every((each, i) => isSame(each, other[i]));
}

/** Whether two words are the same, byte by byte; or poison, where that may be. */
function isAlike(one: number, other: number, mayBePoison: boolean): boolean {
  if (one === other) return true;
  if (!mayBePoison) return false;
  const differing = one ^ other;
  for (let shift = 0; shift < 32; shift += 8) {
    if (((differing >>> shift) & 0xff) !== 0 && ((other >>> shift) & 0xff) !== POISON) return false;
  }
  return true;
}

/** One pool of a run. */
interface Pool {
  readonly name: string;
  /** One of its ports has the checked core: pages that nobody has written to since their release are poisoned. */
  readonly isPoisoning: boolean;
  readonly memory: PoolMemory;
  readonly ports: readonly ReturnType<typeof openPort>[];
}

/** The pools of a run, and the handles and tokens that came up so far, which are the same in all of them. */
class Twins {
  readonly geometry: Geometry;
  readonly pools: readonly Pool[];
  readonly #first: Pool;
  readonly #handles: number[] = [];
  readonly #tokens: (readonly [index: number, sequence: number])[] = [];
  readonly #pins: number[] = [];
  readonly #calls: number[] = [];

  constructor(options: PoolOptions) {
    const resolved = resolveOptions('create', { maxPorts: PORTS, ...options });
    this.geometry = planGeometry(resolved);
    const stepPages = growStepPages(this.geometry, undefined);
    this.pools = POOLS.map(([name, kind, kinds, leaks]) => {
      const memory = createMemory('create', this.geometry, kind, stepPages);
      writeControl(memory, this.geometry, { words: [1, 2, 3, 4], seed: 0x2b5 }, layoutHash, stepPages);
      memory.u32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] = stepPages;
      const ports = Array.from({ length: PORTS }, (_, i) => {
        const port = openPort(memory, this.geometry, kinds[i % kinds.length] as EngineKind);
        return leaks === undefined ? port : track(port, leaks);
      });
      return { name, isPoisoning: kinds.includes('checked'), memory, ports };
    });
    this.#first = this.pools[0] as Pool;
  }

  /** The same call on port `who` of each pool; its result, which is the same in all of them. */
  call<Result>(who: number, what: string, act: (engine: Engine, scratch: number) => Result): Result {
    const results = this.pools.map(({ ports }) => {
      const { engine, scratch } = ports[who] as Pool['ports'][number];
      const result = act(engine, scratch.ownAddress);
      return [result, engine.lastError()] as const;
    });
    const [first] = results as [readonly [Result, number]];
    for (const [i, result] of results.entries()) {
      if (isSame(result, first)) continue; // quicker than expect, which says what differs
      expect(result, `${what} with ${this.pools[i]?.name}`).toEqual(first);
    }
    this.#compareWords(what);
    return first[0];
  }

  /** References that port `who` holds on the page. */
  held(who: number, page: number): number {
    const { ledgersOffset, ledgerBytes } = this.geometry;
    return this.#first.memory.u16[((ledgersOffset + who * ledgerBytes) >>> 1) + page] as number;
  }

  /** Whether another port than `who` has pages in its spare magazine. */
  hasSpares(who: number): boolean {
    const { portsOffset, ring } = this.geometry;
    const spareOf = (id: number) =>
      this.#first.memory.u32[(portsOffset + (id << PORT_SHIFT) + PORT_SPARE_OFFSET) >>> 2];
    return Array.from({ length: PORTS }, (_, id) => id).some(
      (id) => id !== who && (((spareOf(id) as number) >>> ring.nodeBits) & 1) === 1,
    );
  }

  /** Stores words in port `who`'s scratch. */
  write(who: number, words: readonly number[]): void {
    for (const { ports } of this.pools) ports[who]?.scratch.own.set(words);
  }

  #compareWords(what: string): void {
    const { buffer } = this.#first.memory.reach(0);
    for (const { name, isPoisoning, memory } of this.pools) {
      // A memory that cannot grow is longer from the start.
      const length = Math.min(this.#first.memory.reach(0).byteLength, memory.reach(0).byteLength);
      const [one, other] = [buffer, memory.reach(0).buffer].map((area) =>
        Buffer.from(area as ArrayBuffer, 0, length),
      ) as [Buffer, Buffer];
      if (one.equals(other)) continue;
      const poisonFrom = (isPoisoning ? this.geometry.pagesOffset : length) >>> 2;
      const [ours, theirs] = [one, other].map((area) => new Uint32Array(area.buffer, 0, length >>> 2)) as [
        Uint32Array,
        Uint32Array,
      ];
      let at = 0;
      while (at < ours.length && isAlike(ours[at] as number, theirs[at] as number, at >= poisonFrom)) at++;
      if (at === ours.length) continue;
      const address = 4 * at;
      const [here, there] = [ours[at], theirs[at]];
      throw new Error(`${what}: the word at ${this.#describe(address)} is ${here}, and ${there} with ${name}`);
    }
  }

  /** Which part of the region an address lies in. */
  #describe(address: number): string {
    const starts = Object.entries(this.geometry).filter(([name]) => name.endsWith('Offset')) as [string, number][];
    starts.push(['ring', this.geometry.ring.offset], ['header', CONTROL_BASE]);
    for (const channel of this.geometry.channels) starts.push([`channel ${channel.name}`, channel.offset]);
    const [name, start] = starts.filter(([, from]) => from <= address).sort((a, b) => b[1] - a[1])[0] ?? ['0', 0];
    return `${name} + ${address - start}`;
  }

  /** A handle: mostly one that came up, the latest first; sometimes a number near it, or any. */
  handle(choice: number): number {
    const kind = choice % 16;
    const at = this.#handles.length - 1 - (Math.floor(choice / 16) % 24);
    const handle = this.#handles[at] ?? 0;
    if (kind === 15) return choice >>> 0;
    return kind === 14 ? (handle ^ (1 << (choice >>> 27))) >>> 0 : handle;
  }

  keep(handle: number): void {
    if (handle !== 0) this.#handles.push(handle);
  }

  keepWritten(who: number, count: number, stride: number): void {
    for (let i = 0; i < count; i++) this.keep(this.#first.ports[who]?.scratch.own[i * stride] as number);
  }

  keepToken(loan: number): void {
    if (loan >= 0) {
      const { index, sequence } = loanParts(loan);
      this.#tokens.push([index, sequence]);
    }
  }

  token(choice: number): readonly [number, number] {
    return this.#tokens[this.#tokens.length - 1 - (choice % 4)] ?? [choice % 300, choice >>> 20];
  }

  keepCall(number: number): void {
    if (number >= 0) this.#calls.push(number);
  }

  /** The number of a call, and who asked: of a late one rather than of an early one. */
  asked(choice: number): { readonly number: number; readonly asker: number } {
    const number = this.#calls[this.#calls.length - 1 - (choice % 6)] ?? 0;
    return { number, asker: (number >>> CALL_PORT_SHIFT) % PORTS };
  }

  keepPin(page: number): void {
    if (page > 0) this.#pins.push(page);
  }

  pinned(choice: number): number {
    return choice % 8 === 7 ? choice >>> 0 : (this.#pins[this.#pins.length - 1 - (choice % 4)] ?? 0);
  }

  /** Writes to the fragment's bytes, where there are any. */
  touch(who: number, handle: number, byte: number): void {
    const [offset, extent] = this.call(who, `touch(${handle})`, (engine) => [
      engine.offset(handle) >>> 0,
      engine.extent(handle),
    ]) as [number, number];
    if (extent < 0) return;
    for (const { memory } of this.pools) memory.reach(offset + extent).fill(byte, offset, offset + extent);
  }

  /** One of the events of a channel, or of those of pages and of tokens. */
  eventOf(channel: number, choice: number): number {
    const at = this.geometry.channels[channel]?.offset as number;
    const ofPool = [HEADER_FREED_OFFSET, HEADER_TOKEN_FREED_OFFSET].map((offset) => CONTROL_BASE + offset);
    const events = [at + CHANNEL_NOT_EMPTY_OFFSET, at + CHANNEL_NOT_FULL_OFFSET, ...ofPool];
    return events[choice % 4] as number;
  }

  /** Sets or clears waiters of an event, as threads do that wait: whoever wakes them raises a bell. */
  wait(channel: number, choice: number): void {
    const half = this.geometry.maxPorts > 32 ? choice & 4 : 0;
    const ports = this.geometry.maxPorts - 8 * half;
    const bits = ports < 32 ? choice & (2 ** ports - 1) : choice;
    // For one unit, or for several.
    const word = this.eventOf(channel, choice) + ((choice & 64) === 0 ? EVENT_ONE_OFFSET : EVENT_SEVERAL_OFFSET) + half;
    for (const { memory } of this.pools) memory.u32[word >>> 2] = bits;
  }

  /** Says that the pool closes, as the closer does. */
  beginClosing(): void {
    for (const { memory } of this.pools) memory.u32[(CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2] = STATE_CLOSING;
  }

  /** Whatever wrong handles were used: pages are accounted for, in each pool alike. */
  close(): void {
    for (let who = 0; who < PORTS; who++) {
      this.call(who, 'park', (engine) => engine.park());
      for (let page = 1; page <= this.geometry.pageCount; page++) {
        const held = this.held(who, page);
        if (held !== 0) this.call(who, 'releaseHeld', (engine) => engine.releaseHeld(page, held));
      }
      this.call(who, 'scrub', (engine) => engine.scrub());
    }
    for (const { ports } of this.pools) requireBalance(ports[0] as Pool['ports'][number]);
  }
}

type Act = (twins: Twins, who: number, ...args: number[]) => void;

/** One call, with its arguments: printed as such when a run fails. */
class Call implements fc.Command<object, Twins> {
  constructor(
    readonly name: string,
    readonly args: readonly number[],
    readonly act: Act,
  ) {}

  check(): boolean {
    return true;
  }

  run(_: object, twins: Twins): void {
    const [who, ...args] = this.args as [number, ...number[]];
    this.act(twins, who, ...args);
  }

  toString(): string {
    return `${this.name}(${this.args.join(', ')})`;
  }
}

const who = fc.nat(PORTS - 1);
const choice = fc.integer({ min: 0, max: 0xffffffff });
const few = fc.integer({ min: 0, max: 9 });
const bytes = fc.integer({ min: 1, max: 1024 });
const small = fc.integer({ min: 1, max: 200 });
const channel = fc.nat(CHANNELS.length - 1);
const offset = fc.constantFrom(0, 0, 8, 1024, -1);

function call(name: string, args: readonly fc.Arbitrary<number>[], act: Act): fc.Arbitrary<Call> {
  return fc.tuple(who, ...args).map((values) => new Call(name, values, act));
}

/** Entries of 4 words in the scratch: handles that `choices` chose, and windows on them that mostly fit. */
function writeEntries(twins: Twins, p: number, count: number, chosen: number): void {
  const entries = Array.from({ length: count }, (_, i) => {
    const handle = twins.handle((chosen + Math.imul(i, 0x9e3779b1)) >>> 0);
    return [handle, (chosen >>> 3) % 40, chosen % 37 === 0 ? 0xfffffff0 : 8, i];
  });
  twins.write(p, entries.flat());
}

const calls: Record<string, fc.Arbitrary<Call>> = {
  alloc: call('alloc', [], (w, p) => {
    const has = w.call(p, 'hasPages', (e) => e.hasPages());
    const isElsewhere = w.hasSpares(p);
    const handle = w.call(p, 'alloc', (e) => e.alloc());
    // What is in the ring may be pinned, and goes then; so it may have a page and hand out none.
    if (handle !== 0) expect(has === 1 || isElsewhere, 'hasPages before alloc').toBe(true);
    w.keep(handle);
  }),
  cut: call('allocFragment', [bytes], (w, p, n) =>
    w.keep(w.call(p, 'allocFragment', (e) => e.allocFragment(n as number))),
  ),
  cutSmall: call('allocFragment', [small], (w, p, n) =>
    w.keep(w.call(p, 'allocFragment', (e) => e.allocFragment(n as number))),
  ),
  burst: call('allocBurst', [fc.nat(20)], (w, p, n) => {
    w.keepWritten(
      p,
      w.call(p, 'allocBurst', (e, at) => e.allocBurst(at, n as number)),
      1,
    );
  }),
  release: call('release', [choice], (w, p, c) => {
    const handle = w.handle(c as number);
    w.call(p, `release(${handle})`, (e) => e.release(handle));
  }),
  releaseBulk: call('releaseBulk', [few, choice], (w, p, n, c) => {
    w.write(
      p,
      Array.from({ length: n as number }, (_, i) => w.handle(((c as number) + 16 * i) >>> 0)),
    );
    w.call(p, 'releaseBulk', (e, at) => e.releaseBulk(at, n as number));
  }),
  retain: call('retain', [choice, fc.constantFrom(0, 1, 1, 2, 3, 0xfffe, 0xffff, 0x10000, -1)], (w, p, c, n) => {
    const handle = w.handle(c as number);
    w.call(p, `retain(${handle})`, (e) => e.retain(handle, n as number));
  }),
  look: call('look', [choice], (w, p, c) => {
    const handle = w.handle(c as number);
    w.call(p, `look(${handle})`, (e) => [e.offset(handle), e.extent(handle), e.refCount(handle)]);
  }),
  touch: call('touch', [choice], (w, p, c) => w.touch(p, w.handle(c as number), 1 + ((c as number) % 255))),
  pin: call('pin', [choice], (w, p, c) => {
    const handle = w.handle(c as number);
    w.keepPin(w.call(p, `pin(${handle})`, (e) => e.pin(handle)));
  }),
  unpin: call('unpin', [choice], (w, p, c) => {
    const page = w.pinned(c as number);
    w.call(p, `unpin(${page})`, (e) => e.unpin(page));
  }),
  send: call('send', [channel, choice, offset, small], (w, p, to, c, offset, length) => {
    const handle = w.handle(c as number);
    const has = w.call(p, 'canSend', (e) => e.canSend(to as number, 1));
    const code = w.call(p, `send(${handle})`, (e) =>
      e.send(to as number, handle, offset as number, length as number, c as number),
    );
    if (code === OK || code === FULL) expect(has, 'canSend before send').toBe(code === OK ? 1 : 0);
  }),
  sendBurst: call('sendBurst', [channel, few, choice], (w, p, to, n, c) => {
    writeEntries(w, p, n as number, c as number);
    w.call(p, 'sendBurst', (e, at) => e.sendBurst(to as number, at, n as number, 0));
  }),
  sendMessage: call('sendMessage', [channel, few, choice], (w, p, to, n, c) => {
    const { batch = 1, capacity = 1 } = CHANNELS[to as number] as ChannelOptions;
    const count = Math.min(batch, capacity, 1 + (n as number));
    writeEntries(w, p, count, c as number);
    const has = w.call(p, 'canSend', (e) => e.canSend(to as number, count));
    const [sent, code] = w.call(p, 'sendMessage', (e, at) => [
      e.sendBurst(to as number, at, count, moreMask(count)),
      e.lastError(),
    ]) as [number, number];
    if (sent === count || code === FULL) expect(has, 'canSend before sendBurst').toBe(code === FULL ? 0 : 1);
  }),
  receive: call('receiveBurst', [channel, few], (w, p, from, n) => {
    const has = w.call(p, 'canReceive', (e) => e.canReceive(from as number));
    const [came, code] = w.call(p, 'receiveBurst', (e, at) => [
      e.receiveBurst(from as number, at, n as number),
      e.lastError(),
    ]) as [number, number];
    if (came > 0 || code === EMPTY) expect(has, 'canReceive before receiveBurst').toBe(came > 0 ? 1 : 0);
    w.keepWritten(p, came, 4);
  }),
  lend: call('lend', [choice, offset, small, few], (w, p, c, offset, length, time) => {
    const handle = w.handle(c as number);
    w.keepToken(
      w.call(p, `lend(${handle})`, (e) => e.lend(handle, offset as number, length as number, time as number)),
    );
  }),
  adopt: call('adopt', [choice], (w, p, c) => {
    const [index, sequence] = w.token(c as number);
    w.call(p, 'adopt', (e, at) => e.adopt(index, sequence, at + ENTRY_BYTES));
  }),
  ask: call('ask', [fc.integer({ min: 1, max: 2 }), choice], (w, p, n, c) => {
    writeEntries(w, p, n as number, c as number);
    w.keepCall(w.call(p, 'ask', (e, at) => e.ask(CALLS, at, n as number)));
  }),
  accept: call('accept', [], (w, p) => {
    w.keepWritten(
      p,
      w.call(p, 'accept', (e, at) => e.accept(CALLS, at)),
      4,
    );
  }),
  reply: call('reply', [choice, choice, offset, small], (w, p, c, h, offset, length) => {
    const { number } = w.asked(c as number);
    const handle = (h as number) % 7 === 0 ? 0 : w.handle(h as number);
    const status = (h as number) & 1;
    w.call(p, `reply(${number}, ${handle})`, (e) =>
      e.reply(number, handle, offset as number, length as number, status),
    );
  }),
  collect: call('collect', [choice], (w, _, c) => {
    const { number, asker } = w.asked(c as number);
    if (w.call(asker, `collect(${number})`, (e, at) => e.collect(number, at)) === OK) w.keepWritten(asker, 1, 4);
  }),
  cancel: call('cancel', [choice], (w, _, c) => {
    const { number, asker } = w.asked(c as number);
    w.call(asker, `cancel(${number})`, (e) => e.cancel(number));
  }),
  park: call('park', [], (w, p) => w.call(p, 'park', (e) => e.park())),
  unpark: call('unpark', [], (w, p) => w.call(p, 'unpark', (e) => e.unpark())),
  poll: call('poll', [], (w, p) => w.call(p, 'poll', (e) => e.poll())),
  press: call('press', [], (w, p) => w.call(p, 'press', (e) => e.press())),
  trim: call('trim', [], (w, p) => w.call(p, 'trim', (e) => e.trim())),
  releaseHeld: call('releaseHeld', [choice, few], (w, p, c, n) => {
    const page = 1 + ((c as number) % w.geometry.pageCount);
    w.call(p, `releaseHeld(${page})`, (e) => e.releaseHeld(page, n as number));
  }),
  wait: call('wait', [channel, choice], (w, _, c, n) => w.wait(c as number, n as number)),
  wake: call('wake', [], (w, p) => w.call(p, 'wake', (e) => e.wake(CONTROL_BASE + HEADER_FREED_OFFSET))),
  waiting: call('arm', [channel, choice], (w, p, to, c) => {
    const event = w.eventOf(to as number, c as number);
    const several = (c as number) & 1;
    const name = (['arm', 'disarm', 'pass'] as const)[((c as number) % 5) % 3] as 'arm' | 'disarm' | 'pass';
    w.call(p, `${name}(${event})`, (e) => (name === 'pass' ? e.pass(event) : e[name](event, several)));
  }),
  closeChannel: call('closeChannel', [channel], (w, p, c) =>
    w.call(p, 'closeChannel', (e) => e.closeChannel(c as number)),
  ),
  closing: call('closing', [choice], (w, p, c) => {
    if ((c as number) % 5 !== 0) return;
    w.beginClosing();
    w.call(p, 'scrub', (e) => e.scrub());
  }),
};

const {
  alloc,
  cut,
  cutSmall,
  burst,
  release,
  releaseBulk,
  send,
  sendBurst,
  sendMessage,
  receive,
  ask,
  accept,
  reply,
  collect,
  ...others
} = calls as Record<string, fc.Arbitrary<Call>>;
const often = [alloc, cutSmall, release, receive];
const calling = [ask, accept, reply, collect];
const common = [cut, burst, releaseBulk, send, sendBurst, sendMessage];
const commands = fc.commands<object, Twins>(
  [
    ...often,
    ...often,
    ...often,
    ...often,
    ...common,
    ...common,
    ...calling,
    ...calling,
    ...Object.values(others),
  ] as fc.Arbitrary<Call>[],
  { maxCommands: 150, size: 'max' },
);

/** Pools in which everything is scarce, magazines hold one page or several, and pages are cleared. */
const pools: fc.Arbitrary<PoolOptions> = fc.record({
  pageBytes: fc.constantFrom(1024, 256),
  pageCount: fc.constantFrom(3, 8, 30, 70),
  maxPorts: fc.constantFrom(PORTS, PORTS, 40),
  zero: fc.constantFrom('never' as const, 'on-release' as const),
  channels: fc.constant(Object.fromEntries(CHANNELS.map((options, i) => [`c${i}`, options]))),
  calls: fc.constant({ asked: { capacity: 3 } }),
});

const seed = chooseSeed('engines');
const numRuns = Number(process.env.RUNS ?? (process.env.LONG === '1' ? 500 : 60));

describe('both engines', () => {
  it('return the same and write the same words, call by call', () => {
    const property = fc.property(pools, commands, (options, steps) => {
      const twins = new Twins(options);
      fc.modelRun(() => ({ model: {}, real: twins }), steps);
      twins.close();
    });
    fc.assert(property, { seed, numRuns, endOnFailure: false });
  });

  it('refuse alike what a full row cannot take', () => {
    for (const kept of CHANNELS.keys()) {
      const twins = new Twins({ pageBytes: 1024, pageCount: 8, channels: { c: CHANNELS[kept] as ChannelOptions } });
      const call = twins.call.bind(twins);
      const first = call(0, 'cut', (engine) => engine.allocFragment(64));
      const second = call(0, 'cut', (engine) => engine.allocFragment(64));
      call(0, 'retain', (engine) => engine.retain(second, 4));
      for (let i = 0; i < 2; i++) call(0, 'send', (engine) => engine.send(0, second, 0, 64, i));
      const token = call(0, 'lend', (engine) => engine.lend(second, 0, 64, 0));
      const row = twins.held(0, 1);
      expect(call(0, 'retain', (engine) => engine.retain(first, LEDGER_MAX - row + 1))).toBe(ERR_REF_OVERFLOW);
      expect(call(0, 'retain', (engine) => engine.retain(first, LEDGER_MAX - row))).toBe(OK);
      // A cut goes on with another page.
      const cut = call(0, 'cut', (engine) => engine.allocFragment(64));
      expect(cut).toBeGreaterThan(0);
      call(0, 'release', (engine) => engine.release(cut));
      expect(call(0, 'receive', (engine, at) => engine.receiveBurst(0, at, 2))).toBe(0);
      expect(call(0, 'lastError', (engine) => engine.lastError())).toBe(ERR_REF_OVERFLOW);
      expect(call(0, 'adopt', (engine, at) => engine.adopt(token, 0, at))).toBe(ERR_REF_OVERFLOW);
      const other = call(0, 'alloc', (engine) => engine.alloc());
      call(0, 'retain', (engine) => engine.retain(other, 8));
      for (let i = 0; i < 8; i++) call(0, 'send', (engine) => engine.send(0, other, 0, 64, i));
      call(0, 'release', (engine) => engine.release(first));
      expect(call(0, 'adopt', (engine, at) => engine.adopt(token, 0, at))).toBe(OK);
      call(1, 'receive', (engine, at) => engine.receiveBurst(0, at, 9));
      expect(call(1, 'lastError', (engine) => engine.lastError())).toBe(EMPTY);
      twins.close();
    }
  });

  it('fill channels of every policy alike', () => {
    for (const options of CHANNELS) {
      const twins = new Twins({ pageBytes: 1024, pageCount: 30, channels: { c: options } });
      const call = twins.call.bind(twins);
      for (let round = 0; round < 4; round++) {
        const handle = call(0, 'alloc', (engine) => engine.alloc());
        call(0, 'retain', (engine) => engine.retain(handle, 40));
        for (let i = 0; i < 9; i++) call(0, 'send', (engine) => engine.send(0, handle, 0, 64, i));
        twins.write(0, Array.from({ length: 9 }, (_, i) => [handle, 0, 64, i]).flat());
        call(0, 'sendBurst', (engine, at) => engine.sendBurst(0, at, 9, 0));
        call(1, 'receive', (engine, at) => engine.receiveBurst(0, at, round));
        call(0, 'sendBurst', (engine, at) => engine.sendBurst(0, at, 9, 0));
        call(1, 'receive', (engine, at) => engine.receiveBurst(0, at, 9));
        call(2, 'receive', (engine, at) => engine.receiveBurst(0, at, 9));
      }
      twins.close();
    }
  });

  it('leave a fragment page alike, pinned or tainted or to be cleared, at every point of its life', () => {
    for (const zero of ['never', 'on-release'] as const) {
      for (let point = 0; point < 128; point++) {
        const twins = new Twins({ pageBytes: 1024, pageCount: 4, zero, channels: { c: { batch: 1 } } });
        const call = twins.call.bind(twins);
        const handle = call(0, 'cut', (engine) => engine.allocFragment(512));
        twins.touch(0, handle, 7);
        const isPinned = (point & 1) !== 0;
        const page = isPinned ? call(0, 'pin', (engine) => engine.pin(handle)) : 0;
        call(0, 'send', (engine) => engine.send(0, handle, 0, 1, 0));
        const second = (point & 2) !== 0 ? call(0, 'cut', (engine) => engine.allocFragment(512)) : 0;
        if ((point & 4) !== 0) call(1, 'receive', (engine, at) => engine.receiveBurst(0, at, 1));
        if ((point & 8) !== 0) call(1, 'releaseHeld', (engine) => engine.releaseHeld(1, 1));
        else call(1, 'release', (engine) => engine.release(handle));
        if (isPinned && (point & 16) !== 0) call(2, 'unpin', (engine) => engine.unpin(page));
        const cuts: number[] = [];
        for (let i = 0; i < 4; i++) {
          const cut = call(0, 'cut', (engine) => engine.allocFragment(512));
          twins.touch(0, cut, 9);
          if ((point & 64) !== 0) call(0, 'release', (engine) => engine.release(cut));
          else cuts.push(cut);
        }
        for (const cut of [second, ...cuts]) call(0, 'release', (engine) => engine.release(cut));
        if ((point & 32) !== 0) call(0, 'park', (engine) => engine.park());
        if (isPinned && (point & 16) === 0) call(2, 'unpin', (engine) => engine.unpin(page));
        twins.close();
      }
    }
  });

  it('grow the memory alike', () => {
    const twins = new Twins({ pageBytes: 65536, pageCount: 60 });
    for (let i = 0; i < 61; i++) twins.keep(twins.call(i % PORTS, 'alloc', (engine) => engine.alloc()));
    const lengths = twins.pools.map(({ memory }) => memory.reach(totalBytesOf(twins.geometry)).byteLength);
    expect(new Set(lengths)).toEqual(new Set([totalBytesOf(twins.geometry)]));
  });
});
