// The rewriting of the TypeScript engine: rewritten it does word for word what it does as it is, and nothing is passed
// over.
//
// Random calls on both, from a seed that is printed; SEED=n replays a run, RUNS=n makes more of them.

import { describe, expect, it } from 'vitest';
import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CONTROL_BASE,
  ENTRY_BYTES,
  EVENT_ONE_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TOKEN_FREED_OFFSET,
  STATE_CLOSING,
} from '../../assembly/layout.js';
import { claimPort } from '../../src/control/claims.js';
import { createMemory } from '../../src/control/create-memory.js';
import { writeControl } from '../../src/control/format.js';
import { type Geometry, planGeometry } from '../../src/control/geometry.js';
import type { PoolMemory } from '../../src/control/memory.js';
import { moreMask } from '../../src/control/messages.js';
import { loanParts } from '../../src/control/nodes.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { type ChannelOptions, resolveOptions } from '../../src/pool/options.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import type { CallName, Calls } from './stepper.js';
import { buildTypeScriptModel, load, type TypeScriptModel } from './suspend/bundle.js';
import { nothingRead, suspension } from './suspend/suspension.js';
import { TypeScriptStepper } from './typescript-stepper.js';
import { Words as PoolWords } from './words.js';

const PORTS = 3;
const CALLS_A_RUN = 300;
const CHANNELS: readonly ChannelOptions[] = [
  { capacity: 3, batch: 2 },
  { capacity: 2, batch: 1, whenFull: 'drop-oldest' },
  { capacity: 4, batch: 3, whenFull: 'drop-oldest' },
  { capacity: 2, batch: 2, whenFull: 'drop-newest' },
];

/** Two pools formatted alike, one served by the engine as it is, one by the rewritten one. */
class Pair {
  readonly geometry: Geometry;
  readonly memories: readonly [PoolMemory, PoolMemory];
  private readonly ports: readonly (readonly [Calls, Calls])[];
  /** Handles by port: mostly ones that it holds. */
  private readonly handles: number[][] = Array.from({ length: PORTS }, () => []);
  private readonly loans: number[] = [];
  private readonly pins: number[] = [];

  constructor(
    model: TypeScriptModel,
    private readonly random: () => number,
  ) {
    const channels = Object.fromEntries(CHANNELS.map((options, i) => [`c${i}`, options]));
    const pageCount = [3, 8, 100][random() % 3] as number;
    const zero = random() % 2 === 0 ? 'never' : 'on-release';
    const resolved = resolveOptions('create', { pageBytes: 1024, pageCount, maxPorts: PORTS, zero, channels });
    this.geometry = planGeometry(resolved);
    const make = (): PoolMemory => {
      const memory = createMemory('create', this.geometry, 'local', 1);
      writeControl(memory, this.geometry, { words: [1, 2, 3, 4], seed: 0x2b5 }, 0, 1);
      return memory;
    };
    this.memories = [make(), make()];
    const [shipped, rewritten] = this.memories;
    this.ports = Array.from({ length: PORTS }, () => {
      const portId = claimPort(shipped, this.geometry);
      const stepper = new TypeScriptStepper(model, rewritten, new PoolWords(rewritten.u32, 0));
      stepper.open(claimPort(rewritten, this.geometry));
      return [createTypeScriptEngine({ memory: shipped, portId }), stepper.calls];
    });
  }

  /** One call of one port, in both pools: the same result, and the same words afterwards. */
  call(): void {
    const who = this.random() % PORTS;
    const [name, args] = this.choose(who);
    const results = (this.ports[who] as readonly [Calls, Calls]).map((calls) => {
      return ((calls[name] as (...args: number[]) => number | undefined)(...args) ?? 0) as number;
    });
    const told = `port ${who}: ${name}(${args.join(', ')})`;
    expect(results[1], told).toBe(results[0]);
    const [shipped, rewritten] = this.memories.map(({ bytes }) => Buffer.from(bytes.buffer)) as [Buffer, Buffer];
    if (!shipped.equals(rewritten)) {
      const at = shipped.findIndex((byte, i) => byte !== rewritten[i]);
      throw new Error(`${told}: the words at ${at - (at % 4)} differ`);
    }
    this.keep(who, name, results[0] as number, args);
  }

  private handle(who: number): number {
    const choice = this.random();
    if (choice % 32 === 0) return choice >>> 0;
    const own = this.handles[choice % 16 === 1 ? choice % PORTS : who] as number[];
    return own.at(-1 - (choice % Math.min(8, own.length + 1))) ?? 0;
  }

  private write(who: number, words: readonly number[]): number {
    const address = this.geometry.scratchOffset + who * this.geometry.scratchBytes;
    for (const { u32 } of this.memories) u32.set(words, address >>> 2);
    return address;
  }

  private choose(who: number): readonly [CallName, number[]] {
    const { random } = this;
    const few = random() % 6;
    const channel = random() % CHANNELS.length;
    const message = 1 + (random() % Math.min(CHANNELS[channel]?.batch ?? 1, CHANNELS[channel]?.capacity ?? 1));
    const loan = this.loans.at(-1 - (random() % 3)) ?? 0;
    const scratch = this.write(
      who,
      Array.from({ length: 24 }, (_, i) => (i % 4 === 0 ? this.handle(who) : random() % 33)),
    );
    const handles = this.write(who, random() % 2 === 0 ? Array.from({ length: 8 }, () => this.handle(who)) : []);
    const choices: readonly (readonly [CallName, number[]])[] = [
      ['alloc', []],
      ['alloc', []],
      ['allocFragment', [1 + (random() % 1024)]],
      ['allocFragment', [1 + (random() % 200)]],
      ['allocBurst', [scratch, few]],
      ['retain', [this.handle(who), 1 + (random() % 3)]],
      ['release', [this.handle(who)]],
      ['release', [this.handle(who)]],
      ['release', [this.handle(who)]],
      ['releaseBulk', [handles, few]],
      ['offset', [this.handle(who)]],
      ['extent', [this.handle(who)]],
      ['refCount', [this.handle(who)]],
      ['pin', [this.handle(who)]],
      ['unpin', [this.pins.at(-1 - (random() % 3)) ?? random() % 9]],
      ['send', [channel, this.handle(who), random() % 9, random() % 64, random()]],
      ['send', [2, this.handle(who), 0, 1, random()]],
      ['sendBurst', [channel, scratch, few, 0]],
      ['sendBurst', [channel, scratch, message, moreMask(message)]],
      ['receiveBurst', [channel, scratch, few]],
      ['receiveBurst', [channel, scratch, few]],
      ['canSend', [channel, message]],
      ['canReceive', [channel]],
      ['hasPages', []],
      ['lastError', []],
      ['lend', [this.handle(who), 0, 1, random() % 9]],
      ['adopt', [loanParts(loan).index, loanParts(loan).sequence, scratch]],
      ['park', []],
      ['unpark', []],
      ['press', []],
      ['poll', []],
      ['trim', []],
      ['releaseHeld', [1 + (random() % this.geometry.pageCount), few]],
      ['wake', [CONTROL_BASE + HEADER_FREED_OFFSET]],
      ['pass', [CONTROL_BASE + HEADER_FREED_OFFSET]],
      ['arm', [CONTROL_BASE + HEADER_FREED_OFFSET, random() & 1]],
      ['disarm', [CONTROL_BASE + HEADER_FREED_OFFSET, random() & 1]],
    ];
    if (random() % 16 === 0) this.wait(channel, random());
    if (random() % 3000 === 0) return ['closeChannel', [channel]];
    if (random() % 3000 === 0) {
      for (const { u32 } of this.memories) u32[(CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2] = STATE_CLOSING;
      return ['scrub', []];
    }
    return choices[random() % choices.length] as readonly [CallName, number[]];
  }

  /** Somebody waits: whoever wakes them raises a bell. */
  private wait(channel: number, waiters: number): void {
    const events = [
      CONTROL_BASE + HEADER_FREED_OFFSET,
      CONTROL_BASE + HEADER_TOKEN_FREED_OFFSET,
      (this.geometry.channels[channel]?.offset as number) + CHANNEL_NOT_EMPTY_OFFSET,
    ];
    for (const { u32 } of this.memories) u32[((events[waiters % 3] as number) + EVENT_ONE_OFFSET) >>> 2] = waiters & 7;
  }

  private keep(who: number, name: CallName, result: number, args: readonly number[]): void {
    const { u32 } = this.memories[0];
    const own = this.handles[who] as number[];
    const wordsAt = (address: number, strideBytes: number): number[] =>
      Array.from({ length: Math.max(result, 0) }, (_, i) => u32[(address + i * strideBytes) >>> 2] as number);
    const drop = (handle: number): void => {
      const at = own.lastIndexOf(handle);
      if (at >= 0) own.splice(at, 1);
    };
    if (name === 'alloc' || name === 'allocFragment') own.push(result);
    else if (name === 'allocBurst') own.push(...wordsAt(args[0] as number, 4));
    else if (name === 'receiveBurst') own.push(...wordsAt(args[1] as number, ENTRY_BYTES));
    else if (name === 'sendBurst') wordsAt(args[1] as number, ENTRY_BYTES).forEach(drop);
    else if (name === 'releaseBulk') wordsAt(args[0] as number, 4).forEach(drop);
    else if (name === 'release' && result === 0) drop(args[0] as number);
    else if (name === 'send' && result === 0) drop(args[1] as number);
    else if (name === 'retain' && result === 0) own.push(args[0] as number);
    else if (name === 'adopt' && result === 0) own.push(u32[(args[2] as number) >>> 2] as number);
    else if (name === 'pin' && result > 0) this.pins.push(result);
    else if (name === 'lend' && result >= 0) this.loans.push(result);
  }
}

describe('the rewritten engine', () => {
  it.each([false, true])('does word for word what it does as it is (stops before plain writes: %s)', async (deaths) => {
    const seed = chooseSeed('rewritten engine');
    const model = await buildTypeScriptModel({ deaths });
    suspension.deaths = deaths;
    for (let run = 0; run < Number(process.env.RUNS ?? 60); run++) {
      const pair = new Pair(model, randomFrom(seed + run));
      for (let i = 0; i < CALLS_A_RUN; i++) pair.call();
    }
    suspension.deaths = false;
  });

  it('stops before every atomic, and before every plain write where deaths are explored', async () => {
    const { exports } = load(
      `class Words {
         constructor(i32) { this.i32 = i32; }
         acas(at, seen, next) { onStep?.(at); return Atomics.compareExchange(this.i32, at, seen, next); }
         both() { this.i32[1] = this.i32[0] + 1; this.acas(0, 0, 7); this.i32[2] += 5; }
       }
       export { Words };`,
      'test',
      { deaths: true },
    );
    const Words = exports.Words as new (i32: Int32Array) => { both(): Generator };
    for (const deaths of [true, false]) {
      suspension.deaths = deaths;
      const i32 = new Int32Array(3);
      const stops = [...new Words(i32).both()].map((stop) => stop ?? 'atomic');
      expect(stops).toEqual(deaths ? ['plain', 'atomic', 'plain'] : ['atomic']);
      expect([...i32]).toEqual([7, 1, 5]);
    }
    suspension.deaths = false;
  });
});

describe('what a thread has read', () => {
  /** What is remembered of a thread that stands at each step of `run`, where word 0 was `first`. */
  function memories(first: number, body: string, method: string): string[] {
    const source = `class A {
      constructor(i32) { this.i32 = i32; }
      aload(at) { onStep?.(at); return Atomics.load(this.i32, at); }
      ${method}
      run() { ${body} this.aload(2); }
    }
    export { A };`;
    const { exports } = load(source, 'test', { deaths: false });
    const A = exports.A as new (i32: Int32Array) => { run(): Generator };
    const steps = new A(new Int32Array([first, 0, 0])).run();
    const reads = nothingRead();
    const calls: number[] = [];
    const found: string[] = [];
    for (let isOver = false; !isOver; ) {
      found.push(`${reads.a} ${reads.b}`);
      suspension.enter(reads, calls);
      isOver = steps.next().done === true;
      suspension.leave(reads);
    }
    return found;
  }

  /** The same at the last step. */
  function memoryAfter(first: number, body: string, method: string): string {
    return memories(first, body, method).at(-1)!;
  }

  it('what is read inside a call is not what is read behind it', () => {
    // In both places 0 was read last, or was what a call came back with.
    const method = 'inside() { const a = this.aload(0); this.aload(1); return a; }';
    const [, ...steps] = memories(0, 'this.inside();', method);
    expect(new Set(steps.slice(1)).size).toBe(2);
  });

  it('a 0 that is read is one more, also where nothing else was', () => {
    const [begin, first, second] = memories(0, 'this.aload(0); this.aload(1);', '');
    // Before the first step nothing was read but what the method itself takes.
    expect(new Set([begin, first, second]).size).toBe(3);
    const reads = nothingRead();
    const before = `${reads.a} ${reads.b}`;
    suspension.enter(reads);
    suspension.read(0);
    suspension.leave(reads);
    expect(`${reads.a} ${reads.b}`).not.toBe(before);
  });

  it.each([
    ['a result is remembered', true, 'const a = this.aload(0);', ''],
    ['a field that a call assigned is', true, 'this.set();', 'set() { this.a = this.aload(0); }'],
    ['a variable that a loop assigned is', true, 'let a = 0; do { a = this.aload(0); } while (a === 9);', ''],
    [
      'a variable of one turn is, in this turn',
      true,
      'do { const a = this.aload(0); this.aload(1); } while (false);',
      '',
    ],
    ['a plain read is', true, 'const a = this.i32[0];', ''],
    ['what a call put into an object is', true, 'this.put([]);', 'put(to) { to.push(this.aload(0)); }'],
    ['what a call dropped is not', false, 'this.drop();', 'drop() { this.aload(0); }'],
    ['what earlier turns read is not', false, 'for (let i = 0; i < 2; i++) this.aload(i);', ''],
  ])('%s', (_, isRemembered, body, method) => {
    const memory = memoryAfter(3, body, method);
    expect(memoryAfter(3, body, method)).toBe(memory);
    expect(memoryAfter(4, body, method) !== memory).toBe(isRemembered);
  });
});

describe('what cannot be rewritten is an error', () => {
  const inMethod = (body: string, rest = ''): string =>
    `${rest} class A { aload(a) { onStep?.(a); return Atomics.load(this.i32, a); } x(a, b) { ${body} } }\nexport { A };`;
  it.each([
    ['a method used as a value', inMethod('return Number(this.aload);'), 'used without being called'],
    ['a method taken out of this', inMethod('const { aload } = this; return aload;'), 'used without being called'],
    ['a step in a closure', inMethod('return a.map((i) => this.aload(i));'), 'cannot be suspended'],
    [
      'a step in a getter',
      inMethod('', 'class B extends A { get y() { return this.aload(0); } }'),
      'cannot be suspended',
    ],
    [
      'a step in a constructor',
      inMethod('', 'class B extends A { constructor() { this.aload(0); } }'),
      'cannot be susp',
    ],
    ['a step in an async function', 'async function f(i) { Atomics.load(i, 0); }', 'cannot be suspended'],
    ['a step in a parameter', inMethod('', 'class B { y(a = Atomics.load(b, 0)) {} }'), 'default of a parameter'],
    ['a step while the module loads', 'Atomics.store(x, 0, 1);', 'while the module loads'],
    ['a hook inside an expression', 'function f(a) { return onStep?.(a) ?? 1; }', 'a step inside an expression'],
    ['a wait', inMethod('Atomics.wait(this.i32, a, 0);'), 'Atomics.wait'],
    ['Atomics under another name', inMethod('const { load } = Atomics;'), 'Atomics without a call'],
    ['a call of a number of functions', inMethod('this.list[a](b);'), 'a call of an element'],
    ['an optional call', inMethod('this.grow?.(a);'), 'an optional call'],
    ['a function from nowhere', inMethod('return performNow(a);'), 'no function of the bundle'],
    ['a method from nowhere', inMethod('return b.now();'), 'neither of the bundle nor known'],
    ['a random number', inMethod('return Math.random();'), 'Math.random'],
    ['a field that holds a function', inMethod('return this.grow(a);'), 'no method of the bundle'],
    ['words behind a field', inMethod('this.rows[a] = b;'), 'a write of an element'],
    ['a conditional write', inMethod('this.i32[a] ||= b;'), '||= on an element'],
    ['an element as a target', inMethod('[this.i32[a]] = b;'), 'an element as the target'],
    ['a variable of the module', inMethod('n = a;', 'let n = 0;'), 'a variable of the module'],
    ["another object's field", inMethod('b.n = a;'), 'something that is not this'],
    ['a method that is there twice', inMethod('', 'class B { aload() { return 1; } }'), 'there twice'],
    ['an await', 'async function f(a) { await a; }', 'AwaitExpression'],
    ['arguments', inMethod('return arguments;'), 'arguments'],
    ['a class from nowhere', inMethod('return new Worker(a);'), 'new of a class'],
    [
      'a generator called without yield*',
      'function* g(i) { yield; Atomics.load(i, 0); } function f(i) { g(i); }',
      'without',
    ],
  ])('%s', (_, source, message) => {
    expect(() => load(source, 'test', { deaths: true })).toThrow(message);
  });

  it('an atomic access that no yield comes before', () => {
    const source = 'function* f(i32) { yield; Atomics.add(i32, 0, 1); Atomics.add(i32, 0, 1); }\nexport { f };';
    const { exports } = load(source, 'test', { deaths: true });
    const run = () => [...(exports.f as (i32: Int32Array) => Generator)(new Int32Array(1))];
    expect(run).toThrow('an atomic access without a yield before it');
  });

  it('words that are read by an iterator', () => {
    const source = 'function f(i32) { let n = 0; for (const word of i32) n += word; return n; }\nexport { f };';
    const { exports } = load(source, 'test', { deaths: false });
    expect(() => (exports.f as (i32: Int32Array) => number)(new Int32Array(1))).toThrow('by their index');
  });
});
