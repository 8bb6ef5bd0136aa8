// The parts of the control region that other threads write: magazines, ring slots, lanes, descriptors, counters.
//
// Read-only and approximate while other threads work: nodes are plain memory that an exchange may move at any time.
// Used by statistics, the audit and the waits; exact on a quiet pool.

import {
  CHANNEL_HEAD_BYTES,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  CONTROL_BASE,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  ENTRY_SHIFT,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  HEADER_FREED_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_TAKER_FREE_OFFSET,
  HEADER_TOKEN_FREED_OFFSET,
  HEADER_TOKEN_HINT_OFFSET,
  HOME_STATE_MASK,
  LANE_INBOX_OFFSET,
  LANE_SHIFT,
  LOAN_INDEX_BITS,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_PAGES_OFFSET,
  NODE_TAKEN_OFFSET,
  PIN_COUNT_MASK,
  PORT_COUNTERS_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_SPARE_OFFSET,
  REPLY_ANSWERED,
  REPLY_HANDLE_OFFSET,
  REPLY_SHIFT,
  REPLY_STATE_MASK,
  TOKEN_FREE,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_SHIFT,
  TOKEN_STATE_MASK,
} from '../../assembly/layout.js';
import type { Seat, SharedWords } from './claims.js';
import type { ChannelGeometry, Geometry, RingGeometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { descriptorAt, portOffset, rowIndex } from './places.js';

/** The unsigned word at an address. */
export function loadWord(memory: PoolMemory, address: number): number {
  // N1 no ordering needed by reports; where a wait probes, X4 in assembly/event.ts arm comes before.
  return Atomics.load(memory.i32, address >>> 2) >>> 0;
}

/** Who has the page: one of HOME_HELD, HOME_FRESH and the like. */
export function homeState({ memory, geometry }: SharedWords, page: number): number {
  return loadWord(memory, descriptorAt(geometry, page) + DESCRIPTOR_HOME_OFFSET) & HOME_STATE_MASK;
}

/** How many pins the page has. */
export function pinCount({ memory, geometry }: SharedWords, page: number): number {
  return loadWord(memory, descriptorAt(geometry, page) + DESCRIPTOR_PINS_OFFSET) & PIN_COUNT_MASK;
}

/** One counter of the port whose block is given, exact to 2^53. Plain: for reports. */
export function counterAt({ u32 }: PoolMemory, block: number, counter: number): number {
  const low = (block + PORT_COUNTERS_OFFSET + counter) >>> 2;
  // A carry between the reads of the two words would show one from before it and one from after.
  for (;;) {
    const high = u32[low + 1] as number;
    const value = high * 2 ** 32 + (u32[low] as number);
    if (u32[low + 1] === high) return value;
  }
}

/** The sum of some counters over all ports. Plain: for reports. */
export function counterSum({ memory, geometry }: SharedWords, counters: readonly number[]): number {
  let sum = 0;
  for (let id = 0; id < geometry.maxPorts; id++) {
    const block = portOffset(geometry, id);
    for (const counter of counters) sum += counterAt(memory, block, counter);
  }
  return sum;
}

/** Every event of a pool. */
export function poolEvents(geometry: Geometry): number[] {
  const ofHeader = [HEADER_FREED_OFFSET, HEADER_TAKER_FREE_OFFSET, HEADER_TOKEN_FREED_OFFSET];
  return [...ofHeader.map((offset) => CONTROL_BASE + offset), ...channelEvents(geometry)];
}

/** The events of all channels. */
export function channelEvents({ channels }: Geometry): number[] {
  return channels.flatMap(({ offset }) => [offset + CHANNEL_NOT_EMPTY_OFFSET, offset + CHANNEL_NOT_FULL_OFFSET]);
}

/** A slot or a spare word, taken apart. */
export function slotParts(ring: RingGeometry, word: number): { lap: number; isFull: boolean; node: number } {
  return {
    lap: word >>> (ring.nodeBits + 1),
    isFull: ((word >>> ring.nodeBits) & 1) === 1,
    node: word & ((1 << ring.nodeBits) - 1),
  };
}

/** Where node `node` lies. */
export function nodeOffset(ring: RingGeometry, node: number): number {
  return ring.nodesOffset + node * ring.nodeBytes;
}

/** The nodes in a ring's filled slots. */
export function* filledNodes(memory: PoolMemory, ring: RingGeometry): Generator<number> {
  for (let i = 0; i < ring.slotCount; i++) {
    const { isFull, node } = slotParts(ring, loadWord(memory, ring.slotsOffset + 4 * i));
    if (isFull) yield node;
  }
}

/** The magazines of one port: loaded, merge, and the spare. */
export function portMagazines(memory: PoolMemory, geometry: Geometry, id: number): readonly [number, number, number] {
  const port = portOffset(geometry, id);
  return [
    loadWord(memory, port + PORT_LOADED_OFFSET),
    loadWord(memory, port + PORT_MERGE_OFFSET),
    slotParts(geometry.ring, loadWord(memory, port + PORT_SPARE_OFFSET)).node,
  ];
}

/** Pages in a magazine. */
export function magazineCount(memory: PoolMemory, geometry: Geometry, node: number): number {
  return Math.min(loadWord(memory, nodeOffset(geometry.ring, node) + NODE_COUNT_OFFSET), geometry.magazineCapacity);
}

/** The pages on which port `id` holds references. */
export function heldPages({ memory, geometry }: SharedWords, id: number): number[] {
  const pages: number[] = [];
  for (let page = 1; page <= geometry.pageCount; page++)
    if (memory.u16[rowIndex(geometry, id, page)] !== 0) pages.push(page);
  return pages;
}

/** The pages in a magazine. */
export function magazinePages({ memory, geometry }: SharedWords, node: number): number[] {
  const first = nodeOffset(geometry.ring, node) + NODE_PAGES_OFFSET;
  return Array.from({ length: magazineCount(memory, geometry, node) }, (_, i) => loadWord(memory, first + 4 * i));
}

/** The handles of a node's entries that nobody has taken. */
export function entryHandles(memory: PoolMemory, { batch, ring }: ChannelGeometry, node: number): number[] {
  const address = nodeOffset(ring, node);
  const count = Math.min(loadWord(memory, address + NODE_COUNT_OFFSET), batch);
  const handles: number[] = [];
  for (let i = loadWord(memory, address + NODE_TAKEN_OFFSET); i < count; i++)
    handles.push(loadWord(memory, address + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT)));
  return handles;
}

/** The handles of tokens that were lent and not adopted. */
export function lentHandles({ memory, geometry }: SharedWords): number[] {
  const handles: number[] = [];
  for (let i = 0; i < geometry.tokenCount; i++) {
    const token = geometry.tokensOffset + (i << TOKEN_SHIFT);
    if ((loadWord(memory, token) & TOKEN_STATE_MASK) === TOKEN_LENT)
      handles.push(loadWord(memory, token + TOKEN_HANDLE_OFFSET));
  }
  return handles;
}

/** The handles of answers that were not collected. */
export function answeredHandles({ memory, geometry }: SharedWords): number[] {
  const { maxPorts, repliesOffset, replyCount } = geometry;
  const handles: number[] = [];
  for (let i = 0; i < maxPorts * replyCount; i++) {
    const reply = repliesOffset + (i << REPLY_SHIFT);
    if ((loadWord(memory, reply) & REPLY_STATE_MASK) === REPLY_ANSWERED)
      handles.push(loadWord(memory, reply + REPLY_HANDLE_OFFSET));
  }
  return handles;
}

/** The number that `lend` of an engine returned, taken apart: which token, and which loan of it. */
export function loanParts(loan: number): { readonly index: number; readonly sequence: number } {
  const indexes = 2 ** LOAN_INDEX_BITS;
  return { index: loan % indexes, sequence: Math.floor(loan / indexes) };
}

/** Pages in a port's cache. */
export function cachedPages(memory: PoolMemory, geometry: Geometry, id: number): number {
  let pages = 0;
  for (const node of portMagazines(memory, geometry, id)) pages += magazineCount(memory, geometry, node);
  return pages;
}

/** Pages in the recycle ring. */
export function ringPages(memory: PoolMemory, geometry: Geometry): number {
  let pages = 0;
  for (const node of filledNodes(memory, geometry.ring)) pages += magazineCount(memory, geometry, node);
  return pages;
}

/**
 * Whether port `id` could take `count` pages, one after the other: from its cache, the ring, fresh and listed pages,
 * and the spares of others. Counts no further than it has to.
 */
export function hasFreePages({ id, memory, geometry }: Omit<Seat, 'claim'>, count: number): boolean {
  const { maxPorts, ownPages, pageCount, ring, supplyBitsOffset } = geometry;
  const [loaded] = portMagazines(memory, geometry, id);
  let found = magazineCount(memory, geometry, loaded);
  // Fresh pages of the pool's own memory have no bits.
  found += Math.max(0, ownPages + 1 - Math.max(1, loadWord(memory, CONTROL_BASE + HEADER_FRESH_OFFSET)));
  for (let slot = 0; slot < ring.slotCount && found < count; slot++) {
    const { isFull, node } = slotParts(ring, loadWord(memory, ring.slotsOffset + 4 * slot));
    if (isFull) found += magazineCount(memory, geometry, node);
  }
  for (let other = 0; other < maxPorts && found < count; other++) {
    found += magazineCount(memory, geometry, portMagazines(memory, geometry, other)[2]);
  }
  for (let word = 0; word <= pageCount >>> 5 && found < count; word++) {
    for (let bits = loadWord(memory, supplyBitsOffset + 4 * word); bits !== 0; bits &= bits - 1) found++;
  }
  return found >= count;
}

/** Whether a token is free. */
export function hasFreeToken({ memory, geometry }: SharedWords): boolean {
  const { tokenCount, tokensOffset } = geometry;
  const first = loadWord(memory, CONTROL_BASE + HEADER_TOKEN_HINT_OFFSET);
  for (let i = 0; i < tokenCount; i++) {
    const token = tokensOffset + (((first + i) % tokenCount) << TOKEN_SHIFT);
    if ((loadWord(memory, token) & TOKEN_STATE_MASK) === TOKEN_FREE) return true;
  }
  return false;
}

/** Where a port's lane in a channel lies. */
export function laneOffset(channel: ChannelGeometry, id: number): number {
  return channel.offset + CHANNEL_HEAD_BYTES + (id << LANE_SHIFT);
}

/** The sum over all lanes of one of their counters; serial arithmetic. */
export function laneSum(memory: PoolMemory, geometry: Geometry, channel: ChannelGeometry, counter: number): number {
  let sum = 0;
  for (let id = 0; id < geometry.maxPorts; id++)
    sum = (sum + loadWord(memory, laneOffset(channel, id) + counter)) >>> 0;
  return sum;
}

/** Entries sent and not yet taken out: those in the ring, and those that a receiver's batch still has. */
export function pendingEntries(memory: PoolMemory, geometry: Geometry, channel: ChannelGeometry): number {
  const { ring } = channel;
  let entries = 0;
  for (const node of filledNodes(memory, ring)) entries += loadWord(memory, nodeOffset(ring, node) + NODE_COUNT_OFFSET);
  for (let id = 0; id < geometry.maxPorts; id++) {
    const inbox = nodeOffset(ring, loadWord(memory, laneOffset(channel, id) + LANE_INBOX_OFFSET));
    // A batch that is being emptied: its count goes first.
    entries += Math.max(0, loadWord(memory, inbox + NODE_COUNT_OFFSET) - loadWord(memory, inbox + NODE_TAKEN_OFFSET));
  }
  return entries;
}

/** The ports whose threads wait for an event. */
export function waitingPorts(words: SharedWords, event: number): number[] {
  const ports: number[] = [];
  for (let id = 0; id < words.geometry.maxPorts; id++) if (isWaiting(words, event, id)) ports.push(id);
  return ports;
}

/** Whether port `id` waits at the event. */
export function isWaiting({ memory }: SharedWords, event: number, id: number): boolean {
  const bits = event + ((id >>> 5) << 2);
  const waiters = loadWord(memory, bits + EVENT_ONE_OFFSET) | loadWord(memory, bits + EVENT_SEVERAL_OFFSET);
  return ((waiters >>> (id & 31)) & 1) !== 0;
}

/** How many threads wait at a channel. */
export function waitingThreads(
  words: SharedWords,
  { offset }: ChannelGeometry,
): {
  readonly senders: number;
  readonly receivers: number;
} {
  return {
    senders: waitingPorts(words, offset + CHANNEL_NOT_FULL_OFFSET).length,
    receivers: waitingPorts(words, offset + CHANNEL_NOT_EMPTY_OFFSET).length,
  };
}
