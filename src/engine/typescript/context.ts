// Where things are: the port this engine serves and the geometry of its pool, as the fields of one object.
//
// Everything stands in the constructor, so every engine has one shape. Addresses are bytes from the memory's start kept
// as int32, and `>>> 2` makes an index of one: right up to 4 GiB. The views reach over the control region as it was
// when the pool was made; that never grows, so they stay right when the memory does.
//
// Fields are declared, and not defined: a constructor's assignment makes them. One that is defined first, undefined,
// and assigned then has no type that V8 trusts, so each load of it is checked: a fifth of alloc and release.

import {
  CHANNEL_BATCH_OFFSET,
  CHANNEL_CAPACITY_OFFSET,
  CHANNEL_HEAD_BYTES,
  CHANNEL_POLICY_OFFSET,
  CONTROL_BASE,
  HEADER_CHANNEL_COUNT_OFFSET,
  HEADER_CHANNELS_OFFSET,
  HEADER_DESCRIPTORS_OFFSET,
  HEADER_EXTENTS_OFFSET,
  HEADER_FLAGS_OFFSET,
  HEADER_GENERATION_BITS_OFFSET,
  HEADER_GENERATION_SEED_OFFSET,
  HEADER_LEDGER_BYTES_OFFSET,
  HEADER_LEDGERS_OFFSET,
  HEADER_MAGAZINE_CAPACITY_OFFSET,
  HEADER_MAX_PORTS_OFFSET,
  HEADER_OWN_PAGES_OFFSET,
  HEADER_PAGE_COUNT_OFFSET,
  HEADER_PAGE_SHIFT_OFFSET,
  HEADER_PAGES_OFFSET,
  HEADER_PORTS_OFFSET,
  HEADER_RETIRED_BITS_OFFSET,
  HEADER_RING_OFFSET,
  HEADER_SUPPLY_BITS_OFFSET,
  HEADER_SUPPLY_HINT_OFFSET,
  HEADER_UNIT_BITS_OFFSET,
  HEADER_UNIT_BYTES_SHIFT_OFFSET,
  HEADER_UNITS_PER_PAGE_SHIFT_OFFSET,
  HEADER_WORDS_OFFSET,
  LANE_SHIFT,
  OK,
  PORT_COUNTERS_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_SHIFT,
  RING_HEAD_OFFSET,
  RING_INDEX_BITS_OFFSET,
  RING_NODE_BITS_OFFSET,
  RING_NODE_BYTES_OFFSET,
  RING_NODES_OFFSET,
  RING_SLOT_COUNT_OFFSET,
  RING_SLOTS_OFFSET,
  RING_TAIL_OFFSET,
} from '../../../assembly/layout.js';
import { Words } from './atomic.js';

/** The memory as an engine sees it. */
export interface EngineMemory {
  readonly i32: Int32Array;
  readonly u16: Uint16Array;
  /** The whole memory, as a view that reaches at least to `end`. */
  reach(end: number): Uint8Array;
}

/** The memory of a pool that may grow, as whoever opens an engine sees it. */
export interface GrowableMemory extends EngineMemory {
  /** Undefined where it is no Wasm memory. */
  readonly wasm: unknown;
  readonly isShared: boolean;
  /**
   * Makes the memory reach to `end`, by steps of `stepPages` Wasm pages where it can; false where the platform refuses.
   */
  grow(end: number, stepPages: number): boolean;
}

/** What an engine is made of. */
export interface EngineOptions {
  readonly memory: EngineMemory;
  /** The port that this thread has claimed. */
  readonly portId: number;
  /** Makes the memory reach to `end`; false where it cannot. Without it all pages are there from the start. */
  readonly grow?: (end: number) => boolean;
  /** Clears a page that lies elsewhere. Without it no page does. */
  readonly clear?: ((page: number) => void) | undefined;
  /** Throws a RangeError when the stack has too little room for a step. Without it nothing is asked for. */
  readonly touchStack?: (() => void) | undefined;
}

/** No page lies elsewhere. */
function nothingElsewhere(): void {}

function askNothing(): void {}

/** A ring's geometry, read once: the block is constant. */
export class Ring {
  declare readonly head: number;
  declare readonly tail: number;
  declare readonly slots: number;
  declare readonly slotCount: number;
  declare readonly indexBits: number;
  declare readonly indexMask: number;
  declare readonly nodeBits: number;
  declare readonly nodeMask: number;
  /** The bit of a slot whose node is filled. */
  declare readonly full: number;
  declare readonly lapShift: number;
  declare readonly lapMask: number;
  /** Of a slot's lap and whether its node is filled. */
  declare readonly stateMask: number;
  declare readonly nodes: number;
  declare readonly nodeBytes: number;

  constructor(i32: Int32Array, block: number) {
    // Plain: constant.
    const word = (offset: number): number => i32[(block + offset) >>> 2]!;
    this.head = (block + RING_HEAD_OFFSET) | 0;
    this.tail = (block + RING_TAIL_OFFSET) | 0;
    this.slots = word(RING_SLOTS_OFFSET);
    this.slotCount = word(RING_SLOT_COUNT_OFFSET);
    this.indexBits = word(RING_INDEX_BITS_OFFSET);
    this.indexMask = (1 << this.indexBits) - 1;
    this.nodeBits = word(RING_NODE_BITS_OFFSET);
    this.nodeMask = (1 << this.nodeBits) - 1;
    this.full = 1 << this.nodeBits;
    this.lapShift = this.nodeBits + 1;
    this.lapMask = -1 >>> this.lapShift;
    this.stateMask = -1 >>> this.nodeBits;
    this.nodes = word(RING_NODES_OFFSET);
    this.nodeBytes = word(RING_NODE_BYTES_OFFSET);
  }

  /** Where a node lies. */
  nodeAddress(node: number): number {
    return (this.nodes + Math.imul(node, this.nodeBytes)) | 0;
  }

  /** The hint after `hint`, which stands at `index`. */
  following(hint: number, index: number): number {
    return index + 1 === this.slotCount ? (((hint >>> this.indexBits) + 1) & this.lapMask) << this.indexBits : hint + 1;
  }
}

/** A channel's geometry, and where this port's lane in it lies. */
export class Lane {
  declare readonly block: number;
  declare readonly ring: Ring;
  /** Port 0's lane. */
  declare readonly lanes: number;
  /** This port's lane. */
  declare readonly lane: number;
  declare readonly policy: number;
  declare readonly batch: number;
  declare readonly capacity: number;

  constructor(i32: Int32Array, block: number, portId: number) {
    this.block = block;
    this.ring = new Ring(i32, block);
    this.lanes = (block + CHANNEL_HEAD_BYTES) | 0;
    this.lane = (this.lanes + (portId << LANE_SHIFT)) | 0;
    // Plain: constants.
    this.policy = i32[(block + CHANNEL_POLICY_OFFSET) >>> 2]!;
    this.batch = i32[(block + CHANNEL_BATCH_OFFSET) >>> 2]!;
    this.capacity = i32[(block + CHANNEL_CAPACITY_OFFSET) >>> 2]!;
  }
}

/** One port of one pool: the state that assembly/context.ts keeps in module globals. */
export class Context extends Words {
  declare readonly u16: Uint16Array;
  declare readonly memory: EngineMemory;
  readonly grow: ((end: number) => boolean) | undefined;
  readonly clear: (page: number) => void;
  readonly touchStack: () => void;
  /** Pages up to this one lie in this memory. */
  declare readonly ownPages: number;
  declare readonly portId: number;
  /** This port's block. */
  declare readonly port: number;
  /** Port 0's block. */
  declare readonly ports: number;
  declare readonly maxPorts: number;
  /** This port's counters, as an index of words. */
  declare readonly counters: number;
  /** This port's word that names its open fragment page, as an index. */
  declare readonly openPage: number;
  /** This port's row of the ledger. */
  declare readonly ledger: number;
  declare readonly descriptors: number;
  declare readonly words: number;
  declare readonly extents: number;
  declare readonly ring: Ring;
  declare readonly retiredBits: number;
  declare readonly supplyBits: number;
  declare readonly supplyHint: number;
  declare readonly lanes: readonly Lane[];
  /** Where page 1 starts, 0 when the pages lie elsewhere. */
  declare readonly pages: number;
  declare readonly flags: number;
  declare readonly pageCount: number;
  declare readonly pageShift: number;
  declare readonly unitBytesShift: number;
  declare readonly unitsPerPageShift: number;
  declare readonly unitBits: number;
  declare readonly unitMask: number;
  declare readonly unitLimit: number;
  declare readonly generationMask: number;
  declare readonly generationSeed: number;
  declare readonly magazineCapacity: number;
  /** The loaded magazine's node; follows PORT_LOADED_OFFSET. */
  declare loaded: number;
  /** Why the last burst stopped early. */
  declare lastCode: number;

  constructor({ memory, portId, grow, clear, touchStack }: EngineOptions) {
    super(memory.i32);
    const { i32 } = memory;
    // Plain: the geometry was written once, before the first attach.
    const header = (offset: number): number => i32[(CONTROL_BASE + offset) >>> 2]!;
    this.u16 = memory.u16;
    this.memory = memory;
    this.grow = grow;
    this.clear = clear ?? nothingElsewhere;
    this.touchStack = touchStack ?? askNothing;
    this.ownPages = header(HEADER_OWN_PAGES_OFFSET);
    this.portId = portId;
    this.ports = header(HEADER_PORTS_OFFSET);
    this.port = (this.ports + (portId << PORT_SHIFT)) | 0;
    this.maxPorts = header(HEADER_MAX_PORTS_OFFSET);
    this.counters = (this.port + PORT_COUNTERS_OFFSET) >>> 2;
    this.openPage = (this.port + PORT_FRAGMENT_PAGE_OFFSET) >>> 2;
    this.ledger = (header(HEADER_LEDGERS_OFFSET) + Math.imul(portId, header(HEADER_LEDGER_BYTES_OFFSET))) | 0;
    this.descriptors = header(HEADER_DESCRIPTORS_OFFSET);
    this.words = header(HEADER_WORDS_OFFSET);
    this.extents = header(HEADER_EXTENTS_OFFSET);
    this.ring = new Ring(i32, header(HEADER_RING_OFFSET));
    this.retiredBits = header(HEADER_RETIRED_BITS_OFFSET);
    this.supplyBits = header(HEADER_SUPPLY_BITS_OFFSET);
    this.supplyHint = header(HEADER_SUPPLY_HINT_OFFSET);
    const table = header(HEADER_CHANNELS_OFFSET);
    this.lanes = Array.from(
      { length: header(HEADER_CHANNEL_COUNT_OFFSET) },
      (_, channel) => new Lane(i32, i32[(table + (channel << 2)) >>> 2]!, portId),
    );
    this.pages = header(HEADER_PAGES_OFFSET);
    this.flags = header(HEADER_FLAGS_OFFSET);
    this.pageCount = header(HEADER_PAGE_COUNT_OFFSET);
    this.pageShift = header(HEADER_PAGE_SHIFT_OFFSET);
    this.unitBytesShift = header(HEADER_UNIT_BYTES_SHIFT_OFFSET);
    this.unitsPerPageShift = header(HEADER_UNITS_PER_PAGE_SHIFT_OFFSET);
    this.unitBits = header(HEADER_UNIT_BITS_OFFSET);
    this.unitMask = (1 << this.unitBits) - 1;
    this.unitLimit = (this.pageCount + 1) << this.unitsPerPageShift;
    this.generationMask = (1 << header(HEADER_GENERATION_BITS_OFFSET)) - 1;
    this.generationSeed = header(HEADER_GENERATION_SEED_OFFSET) & this.generationMask;
    this.magazineCapacity = header(HEADER_MAGAZINE_CAPACITY_OFFSET);
    this.loaded = this.ring.nodeAddress(i32[(this.port + PORT_LOADED_OFFSET) >>> 2]!);
    this.lastCode = OK;
  }
  /** Follows the loaded magazine after an exchange. */
  protected syncLoaded(): void {
    // Plain: this thread alone writes the port's own word.
    this.loaded = this.ring.nodeAddress(this.i32[(this.port + PORT_LOADED_OFFSET) >>> 2]!);
  }
}
