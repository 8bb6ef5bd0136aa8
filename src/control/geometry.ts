// Where everything lies: from valid options to the place of each part of the control region.
//
// Pure arithmetic, no memory: the same options give the same geometry in every thread, so whoever attaches recomputes
// it and compares. Each word that never changes stands beside what it is planned of. All places are byte addresses from
// the memory's start, below 4 GiB.

import {
  CAPACITY_BY_RING,
  CHANNEL_BATCH_OFFSET,
  CHANNEL_CALLS_OFFSET,
  CHANNEL_CAPACITY_OFFSET,
  CHANNEL_HEAD_BYTES,
  CHANNEL_POLICY_OFFSET,
  CONTROL_BASE,
  DESCRIPTOR_SHIFT,
  ENTRY_BYTES,
  FLAG_DETACHABLE,
  FLAG_OWN_MEMORY,
  FLAG_READABLE,
  FLAG_ZERO_ON_RELEASE,
  GENERATION_BITS_MAX,
  HANDLE_BITS,
  HEADER_BYTES,
  HEADER_CHANNEL_COUNT_OFFSET,
  HEADER_CHANNELS_OFFSET,
  HEADER_CONTROL_BYTES_OFFSET,
  HEADER_DESCRIPTORS_OFFSET,
  HEADER_EXTENTS_OFFSET,
  HEADER_FED_OFFSET,
  HEADER_FLAGS_OFFSET,
  HEADER_GENERATION_BITS_OFFSET,
  HEADER_LEDGER_BYTES_OFFSET,
  HEADER_LEDGERS_OFFSET,
  HEADER_MAGAZINE_CAPACITY_OFFSET,
  HEADER_MAX_PORTS_OFFSET,
  HEADER_OWN_PAGES_OFFSET,
  HEADER_PAGE_COUNT_OFFSET,
  HEADER_PAGE_SHIFT_OFFSET,
  HEADER_PAGES_OFFSET,
  HEADER_PORTS_OFFSET,
  HEADER_REPLIES_OFFSET,
  HEADER_REPLY_COUNT_OFFSET,
  HEADER_RETIRED_BITS_OFFSET,
  HEADER_RETIRED_OFFSET,
  HEADER_RING_OFFSET,
  HEADER_SCRATCH_BYTES_OFFSET,
  HEADER_SCRATCH_OFFSET,
  HEADER_SUPPLY_BITS_OFFSET,
  HEADER_SUPPLY_HINT_OFFSET,
  HEADER_TOKEN_COUNT_OFFSET,
  HEADER_TOKENS_OFFSET,
  HEADER_UNIT_BITS_OFFSET,
  HEADER_UNIT_BYTES_SHIFT_OFFSET,
  HEADER_UNITS_PER_PAGE_SHIFT_OFFSET,
  HEADER_WORDS_OFFSET,
  LANE_BYTES,
  MAGAZINE_CAPACITY_FLOOR,
  MAGAZINE_CAPACITY_MAX,
  MAGAZINE_FLOOR_SHARES,
  NODE_ENTRIES_OFFSET,
  NODE_PAGES_OFFSET,
  POLICY_DROP_NEWEST,
  POLICY_DROP_OLDEST,
  POLICY_REFUSE,
  PORT_BYTES,
  REPLY_BYTES,
  RING_BYTES,
  RING_INDEX_BITS_OFFSET,
  RING_NODE_BITS_OFFSET,
  RING_NODE_BYTES_OFFSET,
  RING_NODE_COUNT_OFFSET,
  RING_NODES_OFFSET,
  RING_SLOT_COUNT_OFFSET,
  RING_SLOTS_OFFSET,
  TOKEN_BYTES,
} from '../../assembly/layout.js';
import { invalidArgument } from '../errors.js';
import { align, bitsFor, unitBitsOf, WASM_PAGE_BYTES } from '../numbers.js';
import type { PageSource } from '../provider/choose.js';

/** What a channel does with an entry that it has no room for. */
export type WhenFull = 'refuse' | 'drop-newest' | 'drop-oldest';

/** A channel's options, complete. */
export interface ChannelPlan {
  readonly name: string;
  readonly capacity: number;
  readonly batch: number;
  readonly whenFull: WhenFull;
}

/** The options of calls of one name, complete. */
export interface CallsPlan {
  readonly name: string;
  readonly capacity: number;
}

/** What a geometry follows from: the options of a pool have it, complete and each valid. */
export interface GeometryPlan {
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly unitBytes: number;
  readonly maxPorts: number;
  readonly tokens: number;
  readonly zero: 'never' | 'on-release';
  readonly channels: readonly ChannelPlan[];
  readonly calls: readonly CallsPlan[];
  /** What every thread has to know of the providers. */
  readonly source: PageSource;
}

/** A ring's shape: how many slots and nodes, how long, and where. */
export interface RingGeometry {
  /** The RING block. */
  readonly offset: number;
  readonly slotCount: number;
  readonly slotsOffset: number;
  readonly indexBits: number;
  readonly nodeCount: number;
  readonly nodesOffset: number;
  readonly nodeBytes: number;
  readonly nodeBits: number;
}

/** A channel's shape; its RING block is at its start. */
export interface ChannelGeometry extends ChannelPlan {
  /** It carries calls, a message each; the channels that do come after the others. */
  readonly isCalls: boolean;
  readonly offset: number;
  readonly ring: RingGeometry;
}

/** A channel by its name, for messages. */
export function titleOf({ isCalls, name }: Pick<ChannelGeometry, 'isCalls' | 'name'>): string {
  return `${isCalls ? 'calls' : 'channel'} ${JSON.stringify(name)}`;
}

/** A pool's shape. */
export interface Geometry {
  readonly pageBytes: number;
  readonly pageShift: number;
  readonly pageCount: number;
  readonly unitBytes: number;
  readonly unitBytesShift: number;
  readonly unitsPerPageShift: number;
  readonly unitBits: number;
  readonly generationBits: number;
  readonly maxPorts: number;
  readonly magazineCapacity: number;
  readonly flags: number;
  readonly portsOffset: number;
  readonly ledgersOffset: number;
  readonly ledgerBytes: number;
  readonly descriptorsOffset: number;
  /** A bit a page: retired pages. */
  readonly retiredBitsOffset: number;
  /** A bit a page: pages that ports may take. The retired bits themselves where all retired pages may be taken. */
  readonly supplyBitsOffset: number;
  readonly supplyHintOffset: number;
  /** Pages 1 to this lie behind the control region, the others in areas of a provider. */
  readonly ownPages: number;
  /** The last pages are those of the reserve. */
  readonly reservePages: number;
  readonly fragmentWordsOffset: number;
  readonly extentsOffset: number;
  readonly ring: RingGeometry;
  readonly tokensOffset: number;
  readonly tokenCount: number;
  /** Reply slots: those of port 0, of port 1, ... */
  readonly repliesOffset: number;
  /** Reply slots of one port; 0 where there are no calls. */
  readonly replyCount: number;
  /** A table of the channels' blocks: one address each. */
  readonly channelsOffset: number;
  readonly channels: readonly ChannelGeometry[];
  /** Where the control region proper ends. */
  readonly controlBytes: number;
  readonly scratchOffset: number;
  /** Scratch of one port. */
  readonly scratchBytes: number;
  readonly pagesOffset: number;
  /** Every word that follows from the options and never changes: its address and its value. */
  readonly constants: readonly (readonly [address: number, value: number])[];
}

/** Puts a value down as a constant word of the control region. */
type Constant = (address: number, value: number) => number;

const POLICIES: Readonly<Record<WhenFull, number>> = {
  refuse: POLICY_REFUSE,
  'drop-newest': POLICY_DROP_NEWEST,
  'drop-oldest': POLICY_DROP_OLDEST,
};

/** Addresses are 32 bits, and the memory's end is one of them: the last Wasm page stays out. */
export const MEMORY_BYTES_MAX: number = 65535 * WASM_PAGE_BYTES;
/**
 * Bursts of 64 handles and of 32 entries take 1 KiB together: room for many arrays, and it costs nothing until touched.
 */
export const SCRATCH_BYTES = 32 * 1024;
/** As many as a call's number can distinguish. */
const REPLY_COUNT = 64;
/** A request, and perhaps the room for its reply. */
const CALL_ENTRIES = 2;
/** Adjacent cache lines are fetched in pairs. */
const BLOCK_ALIGNMENT = 128;

/**
 * The place of everything. It may reach further than memory does: whoever creates a pool asks `requireRoom`.
 */
export function planGeometry(plan: GeometryPlan): Geometry {
  const { pageBytes, unitBytes, maxPorts, source } = plan;
  const constants: [number, number][] = [];
  const constant: Constant = (address, value) => {
    constants.push([address, value]);
    return value;
  };
  const pageCount = plan.pageCount + source.reservePages;
  const ownPages = source.isOwn ? plan.pageCount : 0;
  const unitsPerPageShift = Math.log2(pageBytes / unitBytes);
  const unitBits = unitBitsOf(pageCount, unitsPerPageShift);
  // The loaded magazines together have a quarter of the pages. In small pools that would be a page a port, and each
  // further page in hand an exchange: there they have a few pages each, and together at most all of them.
  const share = pageCount / maxPorts;
  const floor = Math.min(share, pageCount / MAGAZINE_FLOOR_SHARES, MAGAZINE_CAPACITY_FLOOR);
  const magazineCapacity = Math.floor(Math.min(Math.max(share / 4, floor, 1), MAGAZINE_CAPACITY_MAX));
  const unitCount = (pageCount + 1) * 2 ** unitsPerPageShift;

  const portsOffset = align(CONTROL_BASE + HEADER_BYTES, BLOCK_ALIGNMENT);
  const ledgersOffset = portsOffset + maxPorts * PORT_BYTES;
  const ledgerBytes = align((pageCount + 1) * 2, 64);
  const descriptorsOffset = align(ledgersOffset + maxPorts * ledgerBytes, BLOCK_ALIGNMENT);
  const retiredBitsOffset = align(descriptorsOffset + (pageCount + 1) * 2 ** DESCRIPTOR_SHIFT, BLOCK_ALIGNMENT);
  const bitsBytes = align(Math.ceil((pageCount + 1) / 8), BLOCK_ALIGNMENT);
  const supplyBitsOffset = retiredBitsOffset + (source.isOwn ? 0 : bitsBytes);
  const fragmentWordsOffset = supplyBitsOffset + bitsBytes;
  const extentsOffset = align(fragmentWordsOffset + unitCount * 4, BLOCK_ALIGNMENT);
  const ringOffset = align(extentsOffset + unitCount * 2, BLOCK_ALIGNMENT);
  const ring = planRing(constant, ringOffset, ringOffset + RING_BYTES, {
    slotCount: Math.ceil(pageCount / magazineCapacity) + 2 * maxPorts,
    sparesPerPort: 3,
    maxPorts,
    nodeBytes: align(NODE_PAGES_OFFSET + 4 * magazineCapacity, 16),
  });
  const tokensOffset = align(ringEnd(ring), BLOCK_ALIGNMENT);
  const repliesOffset = align(tokensOffset + plan.tokens * TOKEN_BYTES, BLOCK_ALIGNMENT);
  const replyCount = plan.calls.length === 0 ? 0 : REPLY_COUNT;
  const channelsOffset = align(repliesOffset + maxPorts * replyCount * REPLY_BYTES, BLOCK_ALIGNMENT);
  const channels = planChannels(constant, plan, channelsOffset);
  const last = channels.at(-1);
  const controlBytes = align(last === undefined ? channelsOffset : ringEnd(last.ring), BLOCK_ALIGNMENT);
  const pagesOffset = align(controlBytes + maxPorts * SCRATCH_BYTES, WASM_PAGE_BYTES);
  constant(CONTROL_BASE + HEADER_RING_OFFSET, ring.offset);
  constant(CONTROL_BASE + HEADER_CHANNEL_COUNT_OFFSET, channels.length);
  return {
    pageBytes,
    pageShift: constant(CONTROL_BASE + HEADER_PAGE_SHIFT_OFFSET, Math.log2(pageBytes)),
    pageCount: constant(CONTROL_BASE + HEADER_PAGE_COUNT_OFFSET, pageCount),
    unitBytes,
    unitBytesShift: constant(CONTROL_BASE + HEADER_UNIT_BYTES_SHIFT_OFFSET, Math.log2(unitBytes)),
    unitsPerPageShift: constant(CONTROL_BASE + HEADER_UNITS_PER_PAGE_SHIFT_OFFSET, unitsPerPageShift),
    unitBits: constant(CONTROL_BASE + HEADER_UNIT_BITS_OFFSET, unitBits),
    generationBits: constant(
      CONTROL_BASE + HEADER_GENERATION_BITS_OFFSET,
      Math.min(GENERATION_BITS_MAX, HANDLE_BITS - unitBits),
    ),
    maxPorts: constant(CONTROL_BASE + HEADER_MAX_PORTS_OFFSET, maxPorts),
    magazineCapacity: constant(CONTROL_BASE + HEADER_MAGAZINE_CAPACITY_OFFSET, magazineCapacity),
    flags: constant(
      CONTROL_BASE + HEADER_FLAGS_OFFSET,
      (source.detachable ? FLAG_DETACHABLE : 0) |
        (source.readable ? FLAG_READABLE : 0) |
        (source.isOwn ? FLAG_OWN_MEMORY : 0) |
        (plan.zero === 'on-release' ? FLAG_ZERO_ON_RELEASE : 0),
    ),
    portsOffset: constant(CONTROL_BASE + HEADER_PORTS_OFFSET, portsOffset),
    ledgersOffset: constant(CONTROL_BASE + HEADER_LEDGERS_OFFSET, ledgersOffset),
    ledgerBytes: constant(CONTROL_BASE + HEADER_LEDGER_BYTES_OFFSET, ledgerBytes),
    descriptorsOffset: constant(CONTROL_BASE + HEADER_DESCRIPTORS_OFFSET, descriptorsOffset),
    retiredBitsOffset: constant(CONTROL_BASE + HEADER_RETIRED_BITS_OFFSET, retiredBitsOffset),
    supplyBitsOffset: constant(CONTROL_BASE + HEADER_SUPPLY_BITS_OFFSET, supplyBitsOffset),
    supplyHintOffset: constant(
      CONTROL_BASE + HEADER_SUPPLY_HINT_OFFSET,
      CONTROL_BASE + (source.isOwn ? HEADER_RETIRED_OFFSET : HEADER_FED_OFFSET),
    ),
    ownPages: constant(CONTROL_BASE + HEADER_OWN_PAGES_OFFSET, ownPages),
    reservePages: source.reservePages,
    fragmentWordsOffset: constant(CONTROL_BASE + HEADER_WORDS_OFFSET, fragmentWordsOffset),
    extentsOffset: constant(CONTROL_BASE + HEADER_EXTENTS_OFFSET, extentsOffset),
    ring,
    tokensOffset: constant(CONTROL_BASE + HEADER_TOKENS_OFFSET, tokensOffset),
    tokenCount: constant(CONTROL_BASE + HEADER_TOKEN_COUNT_OFFSET, plan.tokens),
    repliesOffset: constant(CONTROL_BASE + HEADER_REPLIES_OFFSET, repliesOffset),
    replyCount: constant(CONTROL_BASE + HEADER_REPLY_COUNT_OFFSET, replyCount),
    channelsOffset: constant(CONTROL_BASE + HEADER_CHANNELS_OFFSET, channelsOffset),
    channels,
    controlBytes: constant(CONTROL_BASE + HEADER_CONTROL_BYTES_OFFSET, controlBytes),
    scratchOffset: constant(CONTROL_BASE + HEADER_SCRATCH_OFFSET, controlBytes),
    scratchBytes: constant(CONTROL_BASE + HEADER_SCRATCH_BYTES_OFFSET, SCRATCH_BYTES),
    pagesOffset: constant(CONTROL_BASE + HEADER_PAGES_OFFSET, pagesOffset),
    constants,
  };
}

/** Bytes of everything, the pool's own pages included, when the memory is fully grown. */
export function totalBytesOf({ ownPages, pageBytes, pagesOffset }: Geometry): number {
  return align(pagesOffset + ownPages * pageBytes, WASM_PAGE_BYTES);
}

/** Where page `page`, one of the pool's own memory, starts; pages are numbered from 1. */
export function pageOffset(geometry: Geometry, page: number): number {
  return geometry.pagesOffset + (page - 1) * geometry.pageBytes;
}

interface RingPlan {
  readonly slotCount: number;
  readonly sparesPerPort: number;
  readonly maxPorts: number;
  readonly nodeBytes: number;
}

/** A ring with its slots at `slotsOffset` and its nodes behind them. */
function planRing(constant: Constant, offset: number, slotsOffset: number, plan: RingPlan): RingGeometry {
  const { slotCount, nodeBytes } = plan;
  const nodeCount = slotCount + plan.sparesPerPort * plan.maxPorts;
  return {
    offset,
    slotCount: constant(offset + RING_SLOT_COUNT_OFFSET, slotCount),
    slotsOffset: constant(offset + RING_SLOTS_OFFSET, slotsOffset),
    indexBits: constant(offset + RING_INDEX_BITS_OFFSET, bitsFor(slotCount - 1)),
    nodeCount: constant(offset + RING_NODE_COUNT_OFFSET, nodeCount),
    nodesOffset: constant(offset + RING_NODES_OFFSET, align(slotsOffset + slotCount * 4, BLOCK_ALIGNMENT)),
    nodeBytes: constant(offset + RING_NODE_BYTES_OFFSET, nodeBytes),
    nodeBits: constant(offset + RING_NODE_BITS_OFFSET, bitsFor(nodeCount - 1)),
  };
}

function ringEnd(ring: RingGeometry): number {
  return ring.nodesOffset + ring.nodeCount * ring.nodeBytes;
}

/** Behind the table of their addresses, each channel's block, slots and nodes; those of calls last. */
function planChannels(
  constant: Constant,
  { channels, calls, maxPorts }: GeometryPlan,
  tableOffset: number,
): ChannelGeometry[] {
  let free = tableOffset + (channels.length + calls.length) * 4;
  return [
    ...channels.map((channel) => ({ ...channel, isCalls: false })),
    ...calls.map((each) => ({ ...each, batch: CALL_ENTRIES, whenFull: 'refuse' as const, isCalls: true })),
  ].map((channel, index) => {
    const { batch, capacity, isCalls, whenFull } = channel;
    const offset = constant(tableOffset + 4 * index, align(free, BLOCK_ALIGNMENT));
    constant(offset + CHANNEL_POLICY_OFFSET, POLICIES[whenFull]);
    constant(offset + CHANNEL_BATCH_OFFSET, batch);
    constant(offset + CHANNEL_CAPACITY_OFFSET, isCalls ? CAPACITY_BY_RING : capacity);
    constant(offset + CHANNEL_CALLS_OFFSET, isCalls ? 1 : 0);
    const slotsOffset = align(offset + CHANNEL_HEAD_BYTES + maxPorts * LANE_BYTES, BLOCK_ALIGNMENT);
    const ring = planRing(constant, offset, slotsOffset, {
      slotCount: capacity,
      sparesPerPort: 2,
      maxPorts,
      nodeBytes: NODE_ENTRIES_OFFSET + ENTRY_BYTES * batch,
    });
    free = ringEnd(ring);
    return { ...channel, offset, ring };
  });
}

/** Throws POOL_ERR_INVALID_ARGUMENT where control region and pages do not fit into 4 GiB together. */
export function requireRoom(call: string, plan: GeometryPlan, geometry: Geometry): void {
  const { pagesOffset } = geometry;
  const totalBytes = totalBytesOf(geometry);
  if (totalBytes <= MEMORY_BYTES_MAX) return;
  const { pageBytes, pageCount } = plan;
  const rule = `pages, control region and channels below 4 GiB together, not ${totalBytes} bytes`;
  const isOfChannels = pagesOffset > MEMORY_BYTES_MAX / 2 && pageCount * pageBytes < pagesOffset;
  throw isOfChannels
    ? invalidArgument(call, 'channels', plan.channels.length, rule, 'declare fewer channels, or less capacity or batch')
    : invalidArgument(
        call,
        'pageCount',
        pageCount,
        `${rule} with pageBytes=${pageBytes}`,
        'ask for fewer or smaller pages',
      );
}
