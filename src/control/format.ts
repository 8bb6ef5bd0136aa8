// Writes the control region of a new pool.
//
// Called once, by the creator, before any other thread knows the memory: every store is plain. New memory is zero, so
// only what is not zero is written. Places come from geometry.ts, meanings from layout.ts.

import {
  ABI_VERSION,
  CONTROL_BASE,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  HEADER_ABI_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_GENERATION_SEED_OFFSET,
  HEADER_GROW_STEP_OFFSET,
  HEADER_HASH_OFFSET,
  HEADER_IDENTITY_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_STATE_OFFSET,
  HOME_RETURNED,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  MAGIC,
  NODE_OWNER_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_SPARE_OFFSET,
  STATE_ACTIVE,
} from '../../assembly/layout.js';
import type { ChannelGeometry, Geometry, RingGeometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { laneOffset, nodeOffset } from './nodes.js';
import { descriptorAt, portOffset } from './places.js';

/** What distinguishes one pool from every other. */
export interface PoolIdentity {
  /** Four random words. */
  readonly words: readonly number[];
  /** Mixed into generations. */
  readonly seed: number;
}

/** The words that distinguish this pool from every other. */
export function identityWords({ u32 }: PoolMemory): Uint32Array {
  const first = (CONTROL_BASE + HEADER_IDENTITY_OFFSET) >>> 2;
  return u32.subarray(first, first + 4);
}

/** The same as one string. */
export function identityKey(memory: PoolMemory): string {
  return identityWords(memory).join('.');
}

/** Writes the whole control region into zeroed memory; the magic number comes last. */
export function writeControl(
  memory: PoolMemory,
  geometry: Geometry,
  identity: PoolIdentity,
  layoutHash: number,
  stepPages: number,
): void {
  const { u32 } = memory;
  const put = (address: number, value: number): void => {
    u32[address >>> 2] = value;
  };
  for (const [address, value] of geometry.constants) put(address, value);
  put(CONTROL_BASE + HEADER_ABI_OFFSET, ABI_VERSION);
  put(CONTROL_BASE + HEADER_HASH_OFFSET, layoutHash);
  identity.words.forEach((word, i) => {
    put(CONTROL_BASE + HEADER_IDENTITY_OFFSET + 4 * i, word);
  });
  put(CONTROL_BASE + HEADER_GENERATION_SEED_OFFSET, identity.seed);
  put(CONTROL_BASE + HEADER_GROW_STEP_OFFSET, memory.wasm === undefined ? 0 : stepPages);
  put(CONTROL_BASE + HEADER_STATE_OFFSET, STATE_ACTIVE);
  // Where every page is a provider's, none is found by counting up.
  put(CONTROL_BASE + HEADER_FRESH_OFFSET, geometry.ownPages === 0 ? geometry.pageCount + 1 : 1);
  // No page is ever counted 0, wherever it is.
  for (let page = 0; page <= geometry.pageCount; page++) {
    const descriptor = descriptorAt(geometry, page);
    put(descriptor + DESCRIPTOR_COUNT_OFFSET, 1);
    if (page > geometry.ownPages) put(descriptor + DESCRIPTOR_HOME_OFFSET, HOME_RETURNED);
  }
  writeRing(put, geometry.ring);
  writePorts(put, geometry);
  for (const channel of geometry.channels) writeChannel(put, geometry, channel);
  put(CONTROL_BASE + HEADER_MAGIC_OFFSET, MAGIC);
}

type Put = (address: number, value: number) => void;

/** Slot i starts with node i, empty, in lap 0. */
function writeRing(put: Put, ring: RingGeometry): void {
  for (let i = 0; i < ring.slotCount; i++) put(ring.slotsOffset + 4 * i, i);
}

/** Each port starts with three empty magazines: loaded, spare, merge. */
function writePorts(put: Put, geometry: Geometry): void {
  const { maxPorts, ring } = geometry;
  for (let id = 0; id < maxPorts; id++) {
    const port = portOffset(geometry, id);
    const node = ring.slotCount + 3 * id;
    put(port + PORT_LOADED_OFFSET, node);
    put(port + PORT_SPARE_OFFSET, node + 1);
    put(port + PORT_MERGE_OFFSET, node + 2);
    for (let i = 0; i < 3; i++) put(nodeOffset(ring, node + i) + NODE_OWNER_OFFSET, id + 1);
  }
}

/** Each port starts with an empty inbox and an empty outbox. */
function writeChannel(put: Put, { maxPorts }: Geometry, channel: ChannelGeometry): void {
  const { ring } = channel;
  writeRing(put, ring);
  for (let id = 0; id < maxPorts; id++) {
    const lane = laneOffset(channel, id);
    const node = ring.slotCount + 2 * id;
    put(lane + LANE_INBOX_OFFSET, node);
    put(lane + LANE_OUTBOX_OFFSET, node + 1);
    for (let i = 0; i < 2; i++) put(nodeOffset(ring, node + i) + NODE_OWNER_OFFSET, id + 1);
  }
}
