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
  EXCHANGE_BYTES,
  HEADER_AREAS_OFFSET,
  HEADER_DEMAND_OFFSET,
  HEADER_FED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_REPLY_COUNT_OFFSET,
  HEADER_RETIRED_OFFSET,
  HEADER_SCRATCH_BYTES_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_TAKER_OFFSET,
  PORT_CLAIM_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_EXCHANGES_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_SHIFT,
  PORT_TURN_OFFSET,
  RECORD_EXCHANGE,
  RECORD_INDEX_MASK,
  RECORD_INDEX_SHIFT,
  RECORD_KIND_MASK,
  RECORD_NONE,
  REPLY_BYTES,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  TOKEN_BYTES,
} from '../../assembly/layout.js';
import { claimPort, reaperOf } from '../../src/control/claims.js';
import { writeControl } from '../../src/control/format.js';
import { type Geometry, planGeometry, type RingGeometry, totalBytesOf } from '../../src/control/geometry.js';
import { PoolMemory } from '../../src/control/memory.js';
import { loanParts, poolEvents } from '../../src/control/nodes.js';
import { type PoolOptions, resolveOptions } from '../../src/pool/options.js';
import '../../src/providers.js';
import type { Engines } from './engines.js';
import { type Reap, ReaperThread } from './reaper.js';
import type { Calls, Mix, Stepper } from './stepper.js';
import type { Reads } from './suspend/suspension.js';
import { type Instance, type Program, ProgramThread } from './thread.js';
import { TypeScriptStepper } from './typescript-stepper.js';
import { STACK_BYTES, WasmStepper } from './wasm-stepper.js';
import { Words } from './words.js';

const WASM_PAGE_BYTES = 65536;
/** Enough for every scenario; the rest of the table stays unused. */
const TOKEN_COUNT = 2;
/** Likewise, of one port; the rest of the slots stays unused. */
const REPLY_COUNT = 2;
/** Scratch that calls may write: a few entries. */
const SCRATCH_WORDS = 24;
/** Of one port: no more than that, since what schedules change is copied at every step. */
const SCRATCH_BYTES = 128;
const RECORD_WORDS = 8;
const RECORD_END_OFFSET = PORT_RECORD_KIND_OFFSET + 4 * RECORD_WORDS;
/** As many as the memory behind the pool has room for. */
const MAX_STACKS = WASM_PAGE_BYTES / STACK_BYTES;

/** A pool with a port for each instance. */
export class ModelPool {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly instances: readonly ProgramThread[];
  /** The words that schedules change. */
  readonly words: Words;
  /** Threads that reap, in the order of the deaths. */
  private reaping: readonly ReaperThread[] = [];
  /** Every thread: those with programs, then those that reap. */
  threads: readonly Instance[] = [];
  /** The words that decide what may happen next: places of four at a time. */
  private readonly deciding: Int32Array;
  /** All bits of each of the four that does. */
  private readonly decidingBits: Int32Array;
  private readonly wasm: WebAssembly.Memory;
  /** By thread and port. */
  private readonly wasmReapers = new Map<string, WasmStepper>();
  private readonly hashed = new Hash();
  private saved: Int32Array = new Int32Array(0);

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
    const planned = planGeometry(resolved);
    const replyCount = Math.min(planned.replyCount, REPLY_COUNT);
    const own = new Map([
      [CONTROL_BASE + HEADER_REPLY_COUNT_OFFSET, replyCount],
      [CONTROL_BASE + HEADER_SCRATCH_BYTES_OFFSET, SCRATCH_BYTES],
    ]);
    const constants = planned.constants.map(([address, value]) => [address, own.get(address) ?? value] as const);
    this.geometry = { ...planned, replyCount, scratchBytes: SCRATCH_BYTES, constants };
    const pages = totalBytesOf(this.geometry) / WASM_PAGE_BYTES + 1;
    // Not shared: threads take turns in one JavaScript thread, and shared words are copied four times as slowly.
    this.wasm = new WebAssembly.Memory({ initial: pages, maximum: pages });
    this.memory = new PoolMemory(this.wasm);
    writeControl(this.memory, this.geometry, { words: [1, 2, 3, 4], seed: 0 }, 0, 1);
    this.words = new Words(this.memory.u32, (this.geometry.scratchOffset + ports * SCRATCH_BYTES) >>> 2);
    this.instances = Array.from({ length: ports }, (_, id) => {
      const port = claimPort(this.memory, this.geometry);
      const isWasm = engines.kindOf(id) === 'wasm';
      const stepper = isWasm ? this.wasmStepper(id) : new TypeScriptStepper(engines.model!, this.memory, this.words);
      stepper.open(port);
      return new ProgramThread(port, stepper, this);
    });
    this.threads = this.instances;
    const words = decidingWords(this.geometry);
    this.deciding = Int32Array.from(new Set([...words].map((word) => word & ~3)));
    this.decidingBits = Int32Array.from({ length: 4 * this.deciding.length }, (_, i) =>
      words.has(this.deciding[i >>> 2]! + (i & 3)) ? -1 : 0,
    );
  }

  private wasmStepper(stack: number): WasmStepper {
    if (stack >= MAX_STACKS) throw new Error(`stacks=${stack + 1} (expected <= ${MAX_STACKS})`);
    const address = totalBytesOf(this.geometry) + stack * STACK_BYTES;
    return new WasmStepper(this.engines.module!, this.wasm, this.words, address);
  }

  get reapers(): readonly ReaperThread[] {
    return this.reaping;
  }

  set reapers(reapers: readonly ReaperThread[]) {
    if (this.reaping === reapers) return;
    this.reaping = reapers;
    this.threads = [...this.instances, ...reapers];
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
    const stepper = isWasm
      ? this.wasmReaper(thread, port)
      : new TypeScriptStepper(this.engines.model!, this.memory, this.words, reads);
    stepper.open(port);
    return stepper;
  }

  /** Instances are kept from schedule to schedule: opened anew they are as new ones. */
  private wasmReaper(thread: number, port: number): WasmStepper {
    const key = `${thread} ${port}`;
    const stepper = this.wasmReapers.get(key) ?? this.wasmStepper(thread);
    this.wasmReapers.set(key, stepper);
    return stepper;
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
    this.saved = new Int32Array(this.words.copy().buffer);
  }

  /**
   * Back to what was saved, every program before its first step; `atStart`: before anything, where it can already die.
   */
  reset(programs: readonly Program[], atStart: boolean): void {
    this.memory.i32.set(this.saved);
    this.words.touch();
    this.reapers = [];
    for (const instance of this.instances) {
      // Wasm has no step before its first atomic, or its first plain store.
      instance.begin(programs[instance.id] ?? [], atStart && instance.stepper.kind === 'typescript');
    }
  }

  /** A number for the whole state: every word that matters, and what decides how each thread goes on. */
  hash(salt: number): number {
    const hash = this.hashed;
    hash.begin(salt);
    this.mixWords(hash);
    for (const thread of this.threads) {
      thread.fingerprint(hash.mix);
      hash.mix(0x9e3779b9);
    }
    return hash.value;
  }

  /** A number for every word that matters. */
  hashWords(salt = 0): number {
    const hash = this.hashed;
    hash.begin(salt);
    this.mixWords(hash);
    return hash.value;
  }

  /** What is as it was saved is the same in every state, so the other words tell one state from another. */
  private mixWords(hash: Hash): void {
    const { deciding, decidingBits, saved } = this;
    const { i32, u32 } = this.memory;
    hash.mixChanges(i32, saved, deciding, decidingBits);
    for (const { id } of this.instances) {
      // What a closed record says, the owner of the node says as well; otherwise nobody reads it again.
      const record = (this.geometry.portsOffset + (id << PORT_SHIFT) + PORT_RECORD_KIND_OFFSET) >>> 2;
      if (u32[record] === RECORD_NONE) continue;
      hash.mix(record);
      for (let i = record; i < record + RECORD_WORDS; i++) hash.mixChange(i, i32[i]! ^ saved[i]!);
      if ((u32[record]! & RECORD_KIND_MASK) !== RECORD_EXCHANGE) continue;
      const turn = (u32[record]! & RECORD_INDEX_MASK) >>> RECORD_INDEX_SHIFT;
      const exchange = record + ((PORT_EXCHANGES_OFFSET - PORT_RECORD_KIND_OFFSET + turn) >>> 2);
      for (let i = exchange; i < exchange + EXCHANGE_BYTES / 4; i++) hash.mixChange(i, i32[i]! ^ saved[i]!);
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
    return this.words.copy();
  }
}

/** 53 bits of whatever is mixed in. */
class Hash {
  private a = 0;
  private b = 0;

  begin(salt: number): void {
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

  /** Each word that is not as it was saved, with its place: four from each of the places, as far as their bits say. */
  mixChanges(words: Int32Array, saved: Int32Array, places: Int32Array, bits: Int32Array): void {
    for (let i = 0; i < places.length; i++) {
      const at = places[i]!;
      const a = (words[at]! ^ saved[at]!) & bits[4 * i]!;
      const b = (words[at + 1]! ^ saved[at + 1]!) & bits[4 * i + 1]!;
      const c = (words[at + 2]! ^ saved[at + 2]!) & bits[4 * i + 2]!;
      const d = (words[at + 3]! ^ saved[at + 3]!) & bits[4 * i + 3]!;
      if ((a | b | c | d) === 0) continue;
      this.mixChange(at, a);
      this.mixChange(at + 1, b);
      this.mixChange(at + 2, c);
      this.mixChange(at + 3, d);
    }
  }

  mixChange(place: number, changed: number): void {
    if (changed === 0) return;
    this.mix(place);
    this.mix(changed);
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
function decidingWords(geometry: Geometry): Set<number> {
  const { maxPorts, pageCount, unitsPerPageShift, portsOffset, ledgersOffset, ledgerBytes, descriptorsOffset } =
    geometry;
  const words = new Set<number>();
  const add = (address: number, bytes: number): void => {
    for (let i = address >>> 2; i < (address + bytes + 3) >>> 2; i++) words.add(i);
  };
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
    add(port + PORT_TURN_OFFSET, 12); // with the port's own hints of the recycle ring
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
  return words;
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
