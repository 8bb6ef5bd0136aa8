// Several ports of one pool in one thread: engine instances over one memory, each of which can stop at every atomic.
//
//   | pool: control region, scratch, pages | stack of instance 0 | stack of instance 1 | ... |
//
// The instances are of the model binary (wasm-stepper.ts) or of the rewritten TypeScript engine
// (typescript-stepper.ts), or some of each. The stacks are those of the former.
//
// What a step is: one atomic and the plain accesses that follow it. A plain access is therefore never seen half way.

import {
  CHANNEL_POLICY_OFFSET,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  EVENT_BYTES,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_FED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TAKER_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_SHIFT,
  RECORD_NONE,
  REPLY_BYTES,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  TOKEN_BYTES,
} from '../../assembly/layout.js';
import { claimPort, reaperOf } from '../../src/control/claims.js';
import { writeControl } from '../../src/control/format.js';
import { type Geometry, planGeometry, type RingGeometry } from '../../src/control/geometry.js';
import { PoolMemory } from '../../src/control/memory.js';
import { loanParts, poolEvents } from '../../src/control/nodes.js';
import { type PoolOptions, resolveOptions } from '../../src/pool/options.js';
import type { Engines } from './engines.js';
import { type Reap, ReaperThread } from './reaper.js';
import type { Calls, Mix, Stepper } from './stepper.js';
import type { Reads } from './suspend/suspension.js';
import { type Instance, type Program, ProgramThread } from './thread.js';
import { TypeScriptStepper } from './typescript-stepper.js';
import { STACK_BYTES, WasmStepper } from './wasm-stepper.js';

const WASM_PAGE_BYTES = 65536;
/** Enough for every scenario; the rest of the table stays unused. */
const TOKEN_COUNT = 2;
/** Likewise, of one port; the rest of the slots stays unused. */
const REPLY_COUNT = 2;
/** Scratch that calls may write: a few entries. */
const SCRATCH_WORDS = 24;
const RECORD_WORDS = 8;
const RECORD_END_OFFSET = PORT_RECORD_KIND_OFFSET + 4 * RECORD_WORDS;
/** As many as the memory behind the pool has room for. */
const MAX_STACKS = WASM_PAGE_BYTES / STACK_BYTES;

/** A pool with a port for each instance. */
export class ModelPool {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly instances: readonly ProgramThread[];
  /** Threads that reap, in the order of the deaths. */
  reapers: readonly ReaperThread[] = [];
  private readonly ranges: readonly (readonly [start: number, end: number])[];
  private readonly resetEnd: number;
  private readonly wasm: WebAssembly.Memory;
  private readonly wasmReapers: WasmStepper[] = [];
  private usedWasmReapers = 0;
  private saved = new Uint32Array(0);

  constructor(
    private readonly engines: Engines,
    ports: number,
    options: PoolOptions,
  ) {
    const resolved = resolveOptions('ModelPool', {
      pageBytes: 256,
      unitBytes: 64,
      pageCount: 4,
      maxPorts: ports,
      tokens: TOKEN_COUNT,
      ...options,
    });
    const planned = planGeometry('ModelPool', resolved);
    const replyCount = Math.min(planned.replyCount, REPLY_COUNT);
    this.geometry = { ...planned, replyCount };
    const pages = this.geometry.totalBytes / WASM_PAGE_BYTES + 1;
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: true });
    this.memory = new PoolMemory(this.wasm);
    writeControl(this.memory, this.geometry, { words: [1, 2, 3, 4], seed: 0 }, 0, 1);
    this.instances = Array.from({ length: ports }, (_, id) => {
      const port = claimPort(this.memory, this.geometry);
      const isWasm = engines.kindOf(id) === 'wasm';
      const stepper = isWasm ? this.wasmStepper(id) : new TypeScriptStepper(engines.model!, this.memory);
      stepper.open(port);
      return new ProgramThread(port, stepper, this);
    });
    this.ranges = stateRanges(this.geometry);
    this.resetEnd = this.scratch(ports - 1) + 4 * SCRATCH_WORDS;
  }

  private wasmStepper(stack: number): WasmStepper {
    if (stack >= MAX_STACKS) throw new Error(`stacks=${stack + 1} (expected <= ${MAX_STACKS})`);
    return new WasmStepper(this.engines.module!, this.wasm, this.geometry.totalBytes + stack * STACK_BYTES);
  }

  /** Every thread: those with programs, then those that reap. */
  get threads(): readonly Instance[] {
    return this.reapers.length === 0 ? this.instances : [...this.instances, ...this.reapers];
  }

  /** One more thread, which reaps the ports and knows of all deaths so far. */
  addReaper(reap: Reap, ports: readonly number[]): void {
    const id = this.instances.length + this.reapers.length;
    const dead = new Set(this.threads.filter((thread) => thread.isDead).map((thread) => thread.id));
    const openEngine = (port: number, reads: Reads): Stepper => this.openEngine(id, port, reads);
    this.reapers = [...this.reapers, new ReaperThread(id, this, reap, ports, dead, openEngine)];
  }

  /** Ports that a thread without a port of its own was reaping: whoever reaps after it goes on with them. */
  reapedBy(thread: number): number[] {
    return this.instances.flatMap(({ id }) => {
      const claim = this.read(this.geometry.portsOffset + (id << PORT_SHIFT) + PORT_CLAIM_OFFSET);
      return (claim & CLAIM_STATE_MASK) === CLAIM_REAPING && reaperOf(claim) === thread ? [id] : [];
    });
  }

  /** A new engine by which a thread acts for a dead port. */
  openEngine(thread: number, port: number, reads: Reads): Stepper {
    const isWasm = this.engines.kindOf(thread) === 'wasm';
    const stepper = isWasm ? this.wasmReaper() : new TypeScriptStepper(this.engines.model!, this.memory, reads);
    stepper.open(port);
    return stepper;
  }

  /** Instances are kept from schedule to schedule: opened anew they are as new ones. */
  private wasmReaper(): WasmStepper {
    const index = this.usedWasmReapers++;
    this.wasmReapers[index] ??= this.wasmStepper(this.instances.length + index);
    return this.wasmReapers[index];
  }

  /** The calls of one port, for setup: every call runs to its end. */
  port(id: number): Calls {
    return this.instances[id]!.stepper.calls;
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
    return (handle & (2 ** this.geometry.unitBits - 1)) >>> this.geometry.unitsPerPageShift;
  }

  /** Hands one reference of port `from` to port `to`, by way of a token. */
  give(from: number, to: number, handle: number): void {
    const loan = this.port(from).lend(handle, 0, 0, 0);
    const { index, sequence } = loanParts(loan);
    if (loan < 0 || this.port(to).adopt(index, sequence, this.scratch(to)) !== 0) throw new Error('setup: give failed');
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

  /**
   * Back to what was saved, every program before its first step; `atStart`: before anything, where it can already die.
   */
  reset(programs: readonly Program[], atStart: boolean): void {
    this.memory.u32.set(this.saved);
    this.reapers = [];
    this.usedWasmReapers = 0;
    for (const instance of this.instances) {
      // Wasm dies before atomics alone.
      instance.begin(programs[instance.id] ?? [], atStart && instance.stepper.kind === 'typescript');
    }
  }

  /** A number for the whole state: every word that matters, and what decides how each thread goes on. */
  hash(salt: number): number {
    const hash = new Hash(salt);
    this.mixWords(hash);
    for (const thread of this.threads) {
      thread.fingerprint(hash.mix);
      hash.mix(0x9e3779b9);
    }
    return hash.value;
  }

  /** A number for every word that matters. */
  hashWords(salt = 0): number {
    const hash = new Hash(salt);
    this.mixWords(hash);
    return hash.value;
  }

  /** What is as it was saved is the same in every state, so the other words tell one state from another. */
  private mixWords(hash: Hash): void {
    const { saved } = this;
    const { u32 } = this.memory;
    for (const [start, end] of this.ranges) hash.mixChanges(u32, saved, start, end);
    for (const { id } of this.instances) {
      // A closed record is never read again; its words only say what the port did before.
      const record = (this.geometry.portsOffset + (id << PORT_SHIFT) + PORT_RECORD_KIND_OFFSET) >>> 2;
      if (u32[record] === RECORD_NONE) continue;
      hash.mix(record);
      hash.mixChanges(u32, saved, record, record + RECORD_WORDS);
    }
    hash.mix(0x9e3779b9);
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

/** 53 bits of whatever is mixed in. */
class Hash {
  private a: number;
  private b: number;

  constructor(salt: number) {
    this.a = salt | 0;
    this.b = ~salt;
  }

  /**
   * The rounds of MurmurHash3 with two lanes, one of which goes into the other. A word is scrambled before it meets
   * what is there: with the few words that are mixed in, a salt and a place would stand for each other otherwise.
   */
  readonly mix: Mix = (word) => {
    let one = Math.imul(word, 0xcc9e2d51);
    one = Math.imul((one << 15) | (one >>> 17), 0x1b873593) ^ this.a;
    one = (Math.imul((one << 13) | (one >>> 19), 5) + 0xe6546b64) | 0;
    let other = Math.imul(word ^ 0x5bd1e995, 0x239b961b);
    other = Math.imul((other << 16) | (other >>> 16), 0xab0e9789) ^ this.b;
    other = (Math.imul(((other << 17) | (other >>> 15)) + one, 5) + 0x561ccd1b) | 0;
    this.a = (one + other) | 0;
    this.b = other;
  };

  /** Each of these words that is not as it was saved, with its place. */
  mixChanges(words: Uint32Array, saved: Uint32Array, start: number, end: number): void {
    for (let i = start; i < end; i++) {
      const changed = words[i]! ^ saved[i]!;
      if (changed === 0) continue;
      this.mix(i);
      this.mix(changed);
    }
  }

  get value(): number {
    const { a, b } = this;
    return (Math.imul(a ^ (a >>> 16), 0x2c1b3c6d) >>> 0) * 2 ** 21 + (Math.imul(b ^ (b >>> 15), 0x297a2d39) >>> 11);
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
  const { maxPorts, pageCount, unitsPerPageShift, portsOffset, ledgersOffset, ledgerBytes, descriptorsOffset } =
    geometry;
  const ranges: [number, number][] = [];
  const add = (address: number, bytes: number) => ranges.push([address >>> 2, (address + bytes + 3) >>> 2]);
  const ring = (shape: RingGeometry) => {
    add(shape.offset + RING_HEAD_OFFSET, 4);
    add(shape.offset + RING_TAIL_OFFSET, 4);
    add(shape.slotsOffset, shape.slotCount * 4);
    add(shape.nodesOffset, shape.nodeCount * shape.nodeBytes);
  };
  add(CONTROL_BASE + HEADER_STATE_OFFSET, 12); // with its sequence, and who closes
  add(CONTROL_BASE + HEADER_FRESH_OFFSET, 4);
  add(CONTROL_BASE + HEADER_RETIRED_OFFSET, 4);
  for (const event of poolEvents({ ...geometry, channels: [] })) add(event, EVENT_BYTES);
  add(CONTROL_BASE + HEADER_TAKER_OFFSET, 4);
  add(CONTROL_BASE + HEADER_DEMAND_OFFSET, 8);
  for (let id = 0; id < maxPorts; id++) {
    const port = portsOffset + (id << PORT_SHIFT);
    // All but the record, which is taken in while it is open, and the counters.
    add(port, PORT_RECORD_KIND_OFFSET);
    add(port + RECORD_END_OFFSET, PORT_COUNTERS_OFFSET - RECORD_END_OFFSET);
    add(geometry.scratchOffset + id * geometry.scratchBytes, 4 * SCRATCH_WORDS);
  }
  add(ledgersOffset, maxPorts * ledgerBytes);
  add(descriptorsOffset, (pageCount + 1) * 16);
  add(geometry.retiredBitsOffset, ((pageCount >>> 5) + 1) * 4);
  add(geometry.fragmentWordsOffset, (pageCount + 1) * 4 * 2 ** unitsPerPageShift);
  add(geometry.extentsOffset, (pageCount + 1) * 2 * 2 ** unitsPerPageShift);
  ring(geometry.ring);
  add(geometry.tokensOffset, geometry.tokenCount * TOKEN_BYTES);
  add(geometry.repliesOffset, maxPorts * geometry.replyCount * REPLY_BYTES);
  for (const channel of geometry.channels) {
    add(channel.offset + CHANNEL_POLICY_OFFSET, channel.ring.slotsOffset - channel.offset - CHANNEL_POLICY_OFFSET);
    ring(channel.ring);
  }
  if (geometry.ownPages < pageCount) addAreaRanges(geometry, add);
  return ranges;
}

/** What a pool has whose pages lie in areas: their epoch, and bits of their own for the pages that were fed. */
function addAreaRanges(geometry: Geometry, add: (address: number, bytes: number) => void): void {
  add(CONTROL_BASE + HEADER_AREAS_OFFSET, 4);
  if (geometry.ownPages > 0) return; // a reserve beside the pool's own pages: the bits are the same
  add(CONTROL_BASE + HEADER_FED_OFFSET, 4);
  add(geometry.supplyBitsOffset, ((geometry.pageCount >>> 5) + 1) * 4);
}

/** A word's place in the terms of the layout. */
function nameOf(geometry: Geometry, address: number): string {
  const parts: [string, number, number][] = [
    ['header', CONTROL_BASE, 0],
    ['port', geometry.portsOffset, 2 ** PORT_SHIFT],
    ['ledger', geometry.ledgersOffset, geometry.ledgerBytes],
    ['page', geometry.descriptorsOffset, 16],
    ['retired bits', geometry.retiredBitsOffset, 4],
    ...(geometry.ownPages === 0 ? [['supply bits', geometry.supplyBitsOffset, 4] as [string, number, number]] : []),
    ['fragment word', geometry.fragmentWordsOffset, 4],
    ['extents', geometry.extentsOffset, 4],
    ['ring', geometry.ring.offset, 0],
    ['slot', geometry.ring.slotsOffset, 4],
    ['magazine', geometry.ring.nodesOffset, geometry.ring.nodeBytes],
    ['token', geometry.tokensOffset, TOKEN_BYTES],
    ...(geometry.replyCount === 0
      ? []
      : [['reply slot', geometry.repliesOffset, REPLY_BYTES] as [string, number, number]]),
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
