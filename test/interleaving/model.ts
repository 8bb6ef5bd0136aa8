// Several ports of one pool in one thread: instances of the model binary over one memory, each of which can stop at every atomic.
//
// The model binary calls env.yieldPoint before each atomic. While a schedule runs, that call unwinds the instance's stack into
// a stretch of memory behind the pool (asyncify), and a later `step` winds it back, performs the atomic and runs to the next
// one. Outside schedules yields are ignored, so setup code calls the exports as they are.
//
//   | pool: control region, scratch, pages | stack of instance 0 | stack of instance 1 | ... |
//
// What a step is: one atomic and the plain accesses that follow it. A plain access is therefore never seen half way.

import {
  CHANNEL_POLICY_OFFSET,
  CONTROL_BASE,
  HEADER_FREED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HEADER_STATE_OFFSET,
  LOAN_INDEX_BITS,
  PORT_LIMIT_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_SHIFT,
  PORT_SPARE_OFFSET,
  RECORD_NONE,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  TOKEN_BYTES,
} from '../../assembly/layout.js';
import type { Engine } from '../../src/engine/engine.js';
import { writeControl } from '../../src/pool/format.js';
import { type Geometry, planGeometry, type RingGeometry } from '../../src/pool/geometry.js';
import { PoolMemory } from '../../src/pool/memory.js';
import { type PoolOptions, resolveOptions } from '../../src/pool/options.js';
import { claimPort } from '../../src/pool/port.js';

/** An argument of a call: a number, the result of an earlier call of the same program, or a word of memory at that moment. */
export type Argument = number | { readonly resultOf: number } | { readonly wordAt: number };
/** One call of an export. */
export type Call = readonly [name: Exclude<keyof Engine, 'kind'>, ...Argument[]];
/** A call made only when the result of an earlier call is above 0, or when it is exactly 0. */
export type ConditionalCall =
  | { readonly ifPositive: number; readonly call: Call }
  | { readonly ifOk: number; readonly call: Call };
export type ProgramStep = Call | ConditionalCall;
/** What one instance does while schedules are explored. */
export type Program = readonly ProgramStep[];
/** Results by call; null for one that was not made. */
export type Results = readonly (number | null)[];

interface ModelExports extends Engine {
  open(port: number): void;
  asyncify_start_unwind(stack: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(stack: number): void;
  asyncify_stop_rewind(): void;
}

const WASM_PAGE_BYTES = 65536;
const STACK_BYTES = 4096;
/** Enough for every scenario; the rest of the table stays unused. */
const TOKEN_COUNT = 2;
/** Scratch that calls may write: a few entries. */
const SCRATCH_WORDS = 24;
const RECORD_WORDS = 8;

/** One instance and what it is doing. */
class Instance {
  exports!: ModelExports;
  program: Program = [];
  args: number[] = [];
  results: (number | null)[] = [];
  call = 0;
  isFinished = true;
  isDead = false;
  private isExploring = false;
  private isRewinding = false;
  private isUnwinding = false;

  constructor(
    readonly id: number,
    readonly stack: number,
    private readonly u32: Uint32Array,
  ) {}

  readonly yieldPoint = (): void => {
    if (!this.isExploring) return;
    if (this.isRewinding) {
      this.isRewinding = false;
      this.exports.asyncify_stop_rewind();
      return;
    }
    this.isUnwinding = true;
    this.exports.asyncify_start_unwind(this.stack);
  };

  /** Starts the program and stops before its first atomic. */
  begin(program: Program): void {
    this.u32[this.stack >>> 2] = this.stack + 8;
    this.u32[(this.stack >>> 2) + 1] = this.stack + STACK_BYTES;
    this.program = program;
    this.results = [];
    this.call = 0;
    this.isDead = false;
    this.isFinished = false;
    this.isRewinding = false;
    this.isUnwinding = false;
    this.exports.open(this.id);
    this.isExploring = true;
    if (this.enter()) this.run();
    this.isExploring = false;
  }

  /** Performs the atomic before which the instance stands, and what follows up to the next one. */
  step(): void {
    this.isExploring = true;
    this.isRewinding = true;
    this.exports.asyncify_start_rewind(this.stack);
    this.run();
    this.isExploring = false;
  }

  /** Bytes of the unwound stack: locals of every frame. */
  get stackEnd(): number {
    return this.isFinished ? this.stack + 8 : this.u32[this.stack >>> 2]!;
  }

  private run(): void {
    do {
      const step = this.program[this.call]!;
      const [name] = 'call' in step ? step.call : step;
      const result = (this.exports[name] as (...args: number[]) => number | undefined)(...this.args);
      if (this.isUnwinding) {
        this.isUnwinding = false;
        this.exports.asyncify_stop_unwind();
        return;
      }
      this.results.push(result ?? 0);
      this.call += 1;
    } while (this.enter());
  }

  /** Prepares the next call that is to be made. False: the program is over. */
  private enter(): boolean {
    for (; this.call < this.program.length; this.call++) {
      const step = this.program[this.call]!;
      if (!('call' in step) || this.isMet(step)) {
        const [, ...args] = 'call' in step ? step.call : step;
        this.args = args.map((arg) => this.evaluate(arg));
        return true;
      }
      this.results.push(null);
    }
    this.isFinished = true;
    return false;
  }

  private isMet(step: ConditionalCall): boolean {
    if ('ifOk' in step) return this.results[step.ifOk] === 0;
    return (this.results[step.ifPositive] ?? 0) > 0;
  }

  private evaluate(arg: Argument): number {
    if (typeof arg === 'number') return arg;
    return 'resultOf' in arg ? (this.results[arg.resultOf] ?? 0) : this.u32[arg.wordAt >>> 2]!;
  }
}

/** A pool with a port for each instance. */
export class ModelPool {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly instances: readonly Instance[];
  private readonly ranges: readonly (readonly [start: number, end: number])[];
  private readonly resetEnd: number;
  private saved = new Uint32Array(0);

  constructor(module: WebAssembly.Module, ports: number, options: PoolOptions) {
    const resolved = resolveOptions('ModelPool', {
      pageBytes: 256,
      unitBytes: 64,
      pageCount: 4,
      maxPorts: ports,
      ...options,
    });
    this.geometry = { ...planGeometry('ModelPool', resolved), tokenCount: TOKEN_COUNT };
    const { totalBytes } = this.geometry;
    const pages = totalBytes / WASM_PAGE_BYTES + 1;
    const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.memory = new PoolMemory(memory);
    writeControl(this.memory, this.geometry, { words: [1, 2, 3, 4], seed: 0 }, 0, 1);
    this.instances = Array.from({ length: ports }, (_, id) => {
      const instance = new Instance(id, totalBytes + id * STACK_BYTES, this.memory.u32);
      const env = { memory, yieldPoint: instance.yieldPoint };
      instance.exports = new WebAssembly.Instance(module, { env }).exports as unknown as ModelExports;
      instance.exports.open(claimPort(this.memory, this.geometry));
      return instance;
    });
    this.ranges = stateRanges(this.geometry);
    this.resetEnd = this.scratch(ports - 1) + 4 * SCRATCH_WORDS;
  }

  /** The exports of one port, for setup: every call runs to its end. */
  port(id: number): ModelExports {
    return this.instances[id]!.exports;
  }

  /** Where port `id` may have results written. */
  scratch(id: number): number {
    return this.geometry.scratchOffset + id * this.geometry.scratchBytes;
  }

  read(address: number): number {
    return this.memory.u32[address >>> 2]!;
  }

  write(address: number, value: number): void {
    this.memory.u32[address >>> 2] = value;
  }

  pageOf(handle: number): number {
    return (handle & (2 ** this.geometry.unitBits - 1)) >>> this.geometry.unitsShift;
  }

  /** Hands one reference of port `from` to port `to`, by way of a token. */
  give(from: number, to: number, handle: number): void {
    const loan = this.port(from).lend(handle, 0, 0, 0);
    const index = loan & (2 ** LOAN_INDEX_BITS - 1);
    if (loan < 0 || this.port(to).adopt(index, loan >>> LOAN_INDEX_BITS, this.scratch(to)) !== 0)
      throw new Error('setup: give failed');
  }

  /** Puts an empty ring into the state after `lap` laps and `index` more transfers. */
  startRingAt(ring: RingGeometry, lap: number, index: number): void {
    const hint = (lap * 2 ** ring.indexBits + index) >>> 0;
    this.write(ring.offset + RING_HEAD_OFFSET, hint);
    this.write(ring.offset + RING_TAIL_OFFSET, hint);
    for (let i = 0; i < ring.slotCount; i++) {
      const node = this.read(ring.slotsOffset + 4 * i) & (2 ** ring.nodeBits - 1);
      const slotLap = (i < index ? lap + 1 : lap) & lapMask(ring);
      this.write(ring.slotsOffset + 4 * i, (slotLap << (ring.nodeBits + 1)) | node);
    }
  }

  /** Remembers the memory as it is: what every schedule starts from. */
  save(): void {
    this.saved = this.memory.u32.slice(0, this.resetEnd >>> 2);
  }

  /** Back to what was saved, every program before its first atomic. */
  reset(programs: readonly Program[]): void {
    this.memory.u32.set(this.saved);
    for (const instance of this.instances) instance.begin(programs[instance.id] ?? []);
  }

  /** A number for the whole state: every word that matters, every unwound stack, every result so far. */
  hash(salt: number): number {
    const { u32 } = this.memory;
    let a = salt | 0;
    let b = ~salt;
    const mix = (word: number): void => {
      a = Math.imul(a ^ word, 0x85ebca6b);
      a = (a << 13) | (a >>> 19);
      b = Math.imul((b + word) | 0, 0xc2b2ae35);
      b ^= b >>> 15;
    };
    for (const [start, end] of this.ranges) for (let i = start; i < end; i++) mix(u32[i]!);
    for (const { id, stack, stackEnd, results, call, isFinished, isDead } of this.instances) {
      // A closed record is never read again; its words only say what the port did before.
      const record = (this.geometry.portsOffset + (id << PORT_SHIFT) + PORT_RECORD_KIND_OFFSET) >>> 2;
      if (u32[record] !== RECORD_NONE) for (let i = 0; i < RECORD_WORDS; i++) mix(u32[record + i]!);
      mix(call * 4 + (isFinished ? 2 : 0) + (isDead ? 1 : 0));
      for (const result of results) mix(result ?? 0x5bd1e995);
      if (!isDead) for (let i = (stack + 8) >>> 2; i < stackEnd >>> 2; i++) mix(u32[i]!);
      mix(0x9e3779b9);
    }
    return (Math.imul(a ^ (a >>> 16), 0x2c1b3c6d) >>> 0) * 2 ** 21 + (Math.imul(b ^ (b >>> 15), 0x297a2d39) >>> 11);
  }

  /** The words that differ from `before`, named. */
  changes(before: Uint32Array): string[] {
    const found: string[] = [];
    for (let i = 0; i < before.length; i++) {
      const now = this.memory.u32[i]!;
      if (now !== before[i]) found.push(`${nameOf(this.geometry, i * 4)}: ${hex(before[i]!)} -> ${hex(now)}`);
    }
    return found;
  }

  /** A copy of what `changes` compares with. */
  copy(): Uint32Array {
    return this.memory.u32.slice(0, this.resetEnd >>> 2);
  }
}

/** The lap numbers of a ring's slots and hints. */
export function lapMask(ring: RingGeometry): number {
  return 0xffffffff >>> (ring.nodeBits + 1);
}

function hex(word: number): string {
  return `0x${word.toString(16)}`;
}

/** The words that decide what may happen next; counters are left out: nothing depends on them. */
function stateRanges(geometry: Geometry): [number, number][] {
  const { maxPorts, pageCount, unitsShift, portsOffset, ledgersOffset, ledgerBytes, descriptorsOffset } = geometry;
  const ranges: [number, number][] = [];
  const add = (address: number, bytes: number) => ranges.push([address >>> 2, (address + bytes + 3) >>> 2]);
  const ring = (shape: RingGeometry) => {
    add(shape.offset + RING_HEAD_OFFSET, 4);
    add(shape.offset + RING_TAIL_OFFSET, 4);
    add(shape.slotsOffset, shape.slotCount * 4);
    add(shape.nodesOffset, shape.nodeCount * shape.nodeBytes);
  };
  add(CONTROL_BASE + HEADER_STATE_OFFSET, 8);
  add(CONTROL_BASE + HEADER_FRESH_OFFSET, 4);
  add(CONTROL_BASE + HEADER_RETIRED_OFFSET, 4);
  add(CONTROL_BASE + HEADER_FREED_OFFSET, 16);
  for (let id = 0; id < maxPorts; id++) {
    const port = portsOffset + (id << PORT_SHIFT);
    add(port + PORT_SPARE_OFFSET, 4);
    add(port + PORT_LIMIT_OFFSET, PORT_RECORD_KIND_OFFSET - PORT_LIMIT_OFFSET);
    add(geometry.scratchOffset + id * geometry.scratchBytes, 4 * SCRATCH_WORDS);
  }
  add(ledgersOffset, maxPorts * ledgerBytes);
  add(descriptorsOffset, (pageCount + 1) * 16);
  add(geometry.retiredBitsOffset, ((pageCount >>> 5) + 1) * 4);
  add(geometry.wordsOffset, (pageCount + 1) * 4 * 2 ** unitsShift);
  add(geometry.extentsOffset, (pageCount + 1) * 2 * 2 ** unitsShift);
  ring(geometry.ring);
  add(geometry.tokensOffset, geometry.tokenCount * TOKEN_BYTES);
  for (const channel of geometry.channels) {
    add(channel.offset + CHANNEL_POLICY_OFFSET, channel.ring.slotsOffset - channel.offset - CHANNEL_POLICY_OFFSET);
    ring(channel.ring);
  }
  return ranges;
}

/** A word's place in the terms of the layout. */
function nameOf(geometry: Geometry, address: number): string {
  const parts: [string, number, number][] = [
    ['header', CONTROL_BASE, 0],
    ['port', geometry.portsOffset, 2 ** PORT_SHIFT],
    ['ledger', geometry.ledgersOffset, geometry.ledgerBytes],
    ['page', geometry.descriptorsOffset, 16],
    ['fragment word', geometry.wordsOffset, 4],
    ['extents', geometry.extentsOffset, 4],
    ['ring', geometry.ring.offset, 0],
    ['slot', geometry.ring.slotsOffset, 4],
    ['magazine', geometry.ring.nodesOffset, geometry.ring.nodeBytes],
    ['token', geometry.tokensOffset, TOKEN_BYTES],
    ...geometry.channels.flatMap(({ name, offset, ring }): [string, number, number][] => [
      [name, offset, 0],
      [`${name} slot`, ring.slotsOffset, 4],
      [`${name} node`, ring.nodesOffset, ring.nodeBytes],
    ]),
    ['scratch', geometry.scratchOffset, geometry.scratchBytes],
  ];
  const [name, start, bytes] = parts.filter(([, from]) => from <= address).at(-1) ?? ['memory', 0, 0];
  const index = bytes === 0 ? 0 : Math.floor((address - start) / bytes);
  const rest = bytes === 0 ? address - start : (address - start) % bytes;
  return `${name}${bytes === 0 ? '' : ` ${index}`}${rest === 0 ? '' : ` +${rest}`}`;
}
