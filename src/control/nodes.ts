// What other threads' parts of the control region look like: magazines, ring slots, lanes.
//
// Read-only and approximate while other threads work: nodes are plain memory that an exchange may move at any time. Used by
// statistics, the audit and the waits; exact on a quiet pool.

import {
  CHANNEL_HEAD_BYTES,
  LANE_INBOX_OFFSET,
  LANE_SHIFT,
  NODE_COUNT_OFFSET,
  NODE_TAKEN_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_SPARE_OFFSET,
  RING_HEAD_OFFSET,
} from '../../assembly/layout.js';
import type { ChannelGeometry, Geometry, RingGeometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { portOffset } from './places.js';

/** The unsigned word at an address. */
export function loadWord(memory: PoolMemory, address: number): number {
  // N1 no ordering needed by reports; where a wait looks, X1 in src/port/eventcount.ts arm comes before.
  return Atomics.load(memory.i32, address >>> 2) >>> 0;
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

/** Whether port `id` can receive something now: from its inbox, or from the channel's ring. */
export function hasEntries(memory: PoolMemory, channel: ChannelGeometry, id: number): boolean {
  const { ring } = channel;
  const inbox = nodeOffset(ring, loadWord(memory, laneOffset(channel, id) + LANE_INBOX_OFFSET));
  if (loadWord(memory, inbox + NODE_TAKEN_OFFSET) < loadWord(memory, inbox + NODE_COUNT_OFFSET)) return true;
  const lapMask = (1 << (31 - ring.nodeBits)) - 1;
  const head = loadWord(memory, ring.offset + RING_HEAD_OFFSET);
  let index = head & ((1 << ring.indexBits) - 1);
  let lap = head >>> ring.indexBits;
  // Usually the first slot tells; a head that others have not moved on yet costs a step for each position it is behind.
  for (let steps = 0; steps < ring.slotCount; steps++) {
    const slot = slotParts(ring, loadWord(memory, ring.slotsOffset + 4 * index));
    if (slot.lap === lap) return slot.isFull;
    if (++index === ring.slotCount) {
      index = 0;
      lap = (lap + 1) & lapMask;
    }
  }
  return true;
}
