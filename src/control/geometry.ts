// Where everything lies: from valid options to the place of each part of the control region.
//
// Pure arithmetic, no memory: the same options give the same geometry in every thread, so whoever attaches recomputes
// it and compares. All places are byte addresses from the memory's start, below 4 GiB.

import {
  CHANNEL_HEAD_BYTES,
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
  HEADER_FED_OFFSET,
  HEADER_RETIRED_OFFSET,
  LANE_BYTES,
  MAGAZINE_CAPACITY_FLOOR,
  MAGAZINE_CAPACITY_MAX,
  MAGAZINE_FLOOR_SHARES,
  NODE_ENTRIES_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_BYTES,
  REPLY_BYTES,
  RING_BYTES,
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
  /** Everything, pages included, when the memory is fully grown. */
  readonly totalBytes: number;
}

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
  const ring = planRing(ringOffset, ringOffset + RING_BYTES, {
    slotCount: Math.ceil(pageCount / magazineCapacity) + 2 * maxPorts,
    sparesPerPort: 3,
    maxPorts,
    nodeBytes: align(NODE_PAGES_OFFSET + 4 * magazineCapacity, 16),
  });
  const tokensOffset = align(ringEnd(ring), BLOCK_ALIGNMENT);
  const repliesOffset = align(tokensOffset + plan.tokens * TOKEN_BYTES, BLOCK_ALIGNMENT);
  const replyCount = plan.calls.length === 0 ? 0 : REPLY_COUNT;
  const channelsOffset = align(repliesOffset + maxPorts * replyCount * REPLY_BYTES, BLOCK_ALIGNMENT);
  const channels = planChannels(plan, channelsOffset);
  const last = channels.at(-1);
  const controlBytes = align(last === undefined ? channelsOffset : ringEnd(last.ring), BLOCK_ALIGNMENT);
  const pagesOffset = align(controlBytes + maxPorts * SCRATCH_BYTES, WASM_PAGE_BYTES);
  const totalBytes = align(pagesOffset + ownPages * pageBytes, WASM_PAGE_BYTES);
  return {
    pageBytes,
    pageShift: Math.log2(pageBytes),
    pageCount,
    unitBytes,
    unitBytesShift: Math.log2(unitBytes),
    unitsPerPageShift,
    unitBits,
    generationBits: Math.min(GENERATION_BITS_MAX, HANDLE_BITS - unitBits),
    maxPorts,
    magazineCapacity,
    flags:
      (source.detachable ? FLAG_DETACHABLE : 0) |
      (source.readable ? FLAG_READABLE : 0) |
      (source.isOwn ? FLAG_OWN_MEMORY : 0) |
      (plan.zero === 'on-release' ? FLAG_ZERO_ON_RELEASE : 0),
    portsOffset,
    ledgersOffset,
    ledgerBytes,
    descriptorsOffset,
    retiredBitsOffset,
    supplyBitsOffset,
    supplyHintOffset: CONTROL_BASE + (source.isOwn ? HEADER_RETIRED_OFFSET : HEADER_FED_OFFSET),
    ownPages,
    reservePages: source.reservePages,
    fragmentWordsOffset,
    extentsOffset,
    ring,
    tokensOffset,
    tokenCount: plan.tokens,
    repliesOffset,
    replyCount,
    channelsOffset,
    channels,
    controlBytes,
    scratchOffset: controlBytes,
    scratchBytes: SCRATCH_BYTES,
    pagesOffset,
    totalBytes,
  };
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
function planRing(offset: number, slotsOffset: number, plan: RingPlan): RingGeometry {
  const nodeCount = plan.slotCount + plan.sparesPerPort * plan.maxPorts;
  return {
    offset,
    slotCount: plan.slotCount,
    slotsOffset,
    indexBits: bitsFor(plan.slotCount - 1),
    nodeCount,
    nodesOffset: align(slotsOffset + plan.slotCount * 4, BLOCK_ALIGNMENT),
    nodeBytes: plan.nodeBytes,
    nodeBits: bitsFor(nodeCount - 1),
  };
}

function ringEnd(ring: RingGeometry): number {
  return ring.nodesOffset + ring.nodeCount * ring.nodeBytes;
}

/** Behind the table of their addresses, each channel's block, slots and nodes; those of calls last. */
function planChannels({ channels, calls, maxPorts }: GeometryPlan, tableOffset: number): ChannelGeometry[] {
  let free = tableOffset + (channels.length + calls.length) * 4;
  return [
    ...channels.map((channel) => ({ ...channel, isCalls: false })),
    ...calls.map((each) => ({ ...each, batch: CALL_ENTRIES, whenFull: 'refuse' as const, isCalls: true })),
  ].map((channel) => {
    const offset = align(free, BLOCK_ALIGNMENT);
    const ring = planRing(offset, align(offset + CHANNEL_HEAD_BYTES + maxPorts * LANE_BYTES, BLOCK_ALIGNMENT), {
      slotCount: channel.capacity,
      sparesPerPort: 2,
      maxPorts,
      nodeBytes: NODE_ENTRIES_OFFSET + ENTRY_BYTES * channel.batch,
    });
    free = ringEnd(ring);
    return { ...channel, offset, ring };
  });
}

/** Throws POOL_ERR_INVALID_ARGUMENT where control region and pages do not fit into 4 GiB together. */
export function requireRoom(call: string, plan: GeometryPlan, { pagesOffset, totalBytes }: Geometry): void {
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
