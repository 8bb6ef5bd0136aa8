// Writes the control region of a new pool, and lists the words that whoever attaches compares.
//
// Called once, by the creator, before any other thread knows the memory: every store is plain. New memory is zero, so
// only what is not zero is written. Places come from geometry.ts, meanings from layout.ts.

import {
  ABI_VERSION,
  CAPACITY_BY_RING,
  CHANNEL_BATCH_OFFSET,
  CHANNEL_CALLS_OFFSET,
  CHANNEL_CAPACITY_OFFSET,
  CHANNEL_POLICY_OFFSET,
  CONTROL_BASE,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  HEADER_ABI_OFFSET,
  HEADER_CHANNEL_COUNT_OFFSET,
  HEADER_CHANNELS_OFFSET,
  HEADER_CONTROL_BYTES_OFFSET,
  HEADER_DESCRIPTORS_OFFSET,
  HEADER_EXTENTS_OFFSET,
  HEADER_FLAGS_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_GENERATION_BITS_OFFSET,
  HEADER_GENERATION_SEED_OFFSET,
  HEADER_GROW_STEP_OFFSET,
  HEADER_HASH_OFFSET,
  HEADER_IDENTITY_OFFSET,
  HEADER_LEDGER_BYTES_OFFSET,
  HEADER_LEDGERS_OFFSET,
  HEADER_MAGAZINE_CAPACITY_OFFSET,
  HEADER_MAGIC_OFFSET,
  HEADER_MAX_PORTS_OFFSET,
  HEADER_OWN_PAGES_OFFSET,
  HEADER_PAGE_COUNT_OFFSET,
  HEADER_PAGE_SHIFT_OFFSET,
  HEADER_PAGES_OFFSET,
  HEADER_PORTS_OFFSET,
  HEADER_REPLIES_OFFSET,
  HEADER_REPLY_COUNT_OFFSET,
  HEADER_RETIRED_BITS_OFFSET,
  HEADER_RING_OFFSET,
  HEADER_SCRATCH_BYTES_OFFSET,
  HEADER_SCRATCH_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_SUPPLY_BITS_OFFSET,
  HEADER_SUPPLY_HINT_OFFSET,
  HEADER_TOKEN_COUNT_OFFSET,
  HEADER_TOKENS_OFFSET,
  HEADER_UNIT_BITS_OFFSET,
  HEADER_UNIT_BYTES_SHIFT_OFFSET,
  HEADER_UNITS_PER_PAGE_SHIFT_OFFSET,
  HEADER_WORDS_OFFSET,
  HOME_RETURNED,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  MAGIC,
  NODE_OWNER_OFFSET,
  POLICY_DROP_NEWEST,
  POLICY_DROP_OLDEST,
  POLICY_REFUSE,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_SPARE_OFFSET,
  RING_INDEX_BITS_OFFSET,
  RING_NODE_BITS_OFFSET,
  RING_NODE_BYTES_OFFSET,
  RING_NODE_COUNT_OFFSET,
  RING_NODES_OFFSET,
  RING_SLOT_COUNT_OFFSET,
  RING_SLOTS_OFFSET,
  STATE_ACTIVE,
} from '../../assembly/layout.js';
import type { ChannelGeometry, Geometry, RingGeometry, WhenFull } from './geometry.js';
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

const POLICIES: Readonly<Record<WhenFull, number>> = {
  refuse: POLICY_REFUSE,
  'drop-newest': POLICY_DROP_NEWEST,
  'drop-oldest': POLICY_DROP_OLDEST,
};

/** The address and the value of every word that follows from a geometry and never changes. */
export function* constantWords(geometry: Geometry): Generator<readonly [address: number, value: number]> {
  const header = [
    [HEADER_PAGE_SHIFT_OFFSET, geometry.pageShift],
    [HEADER_PAGE_COUNT_OFFSET, geometry.pageCount],
    [HEADER_UNIT_BYTES_SHIFT_OFFSET, geometry.unitBytesShift],
    [HEADER_UNITS_PER_PAGE_SHIFT_OFFSET, geometry.unitsPerPageShift],
    [HEADER_UNIT_BITS_OFFSET, geometry.unitBits],
    [HEADER_GENERATION_BITS_OFFSET, geometry.generationBits],
    [HEADER_MAX_PORTS_OFFSET, geometry.maxPorts],
    [HEADER_MAGAZINE_CAPACITY_OFFSET, geometry.magazineCapacity],
    [HEADER_FLAGS_OFFSET, geometry.flags],
    [HEADER_PORTS_OFFSET, geometry.portsOffset],
    [HEADER_LEDGERS_OFFSET, geometry.ledgersOffset],
    [HEADER_LEDGER_BYTES_OFFSET, geometry.ledgerBytes],
    [HEADER_DESCRIPTORS_OFFSET, geometry.descriptorsOffset],
    [HEADER_WORDS_OFFSET, geometry.fragmentWordsOffset],
    [HEADER_EXTENTS_OFFSET, geometry.extentsOffset],
    [HEADER_RETIRED_BITS_OFFSET, geometry.retiredBitsOffset],
    [HEADER_RING_OFFSET, geometry.ring.offset],
    [HEADER_TOKENS_OFFSET, geometry.tokensOffset],
    [HEADER_TOKEN_COUNT_OFFSET, geometry.tokenCount],
    [HEADER_REPLIES_OFFSET, geometry.repliesOffset],
    [HEADER_REPLY_COUNT_OFFSET, geometry.replyCount],
    [HEADER_CHANNELS_OFFSET, geometry.channelsOffset],
    [HEADER_CHANNEL_COUNT_OFFSET, geometry.channels.length],
    [HEADER_CONTROL_BYTES_OFFSET, geometry.controlBytes],
    [HEADER_SCRATCH_OFFSET, geometry.scratchOffset],
    [HEADER_SCRATCH_BYTES_OFFSET, geometry.scratchBytes],
    [HEADER_PAGES_OFFSET, geometry.pagesOffset],
    [HEADER_SUPPLY_BITS_OFFSET, geometry.supplyBitsOffset],
    [HEADER_SUPPLY_HINT_OFFSET, geometry.supplyHintOffset],
    [HEADER_OWN_PAGES_OFFSET, geometry.ownPages],
  ] as const;
  for (const [offset, value] of header) yield [CONTROL_BASE + offset, value];
  yield* ringWords(geometry.ring);
  for (const [index, channel] of geometry.channels.entries()) {
    yield [geometry.channelsOffset + 4 * index, channel.offset];
    yield* ringWords(channel.ring);
    yield [channel.offset + CHANNEL_POLICY_OFFSET, POLICIES[channel.whenFull]];
    yield [channel.offset + CHANNEL_BATCH_OFFSET, channel.batch];
    yield [channel.offset + CHANNEL_CAPACITY_OFFSET, channel.isCalls ? CAPACITY_BY_RING : channel.capacity];
    yield [channel.offset + CHANNEL_CALLS_OFFSET, channel.isCalls ? 1 : 0];
  }
}

function* ringWords(ring: RingGeometry): Generator<readonly [number, number]> {
  yield [ring.offset + RING_SLOT_COUNT_OFFSET, ring.slotCount];
  yield [ring.offset + RING_INDEX_BITS_OFFSET, ring.indexBits];
  yield [ring.offset + RING_NODE_BITS_OFFSET, ring.nodeBits];
  yield [ring.offset + RING_SLOTS_OFFSET, ring.slotsOffset];
  yield [ring.offset + RING_NODES_OFFSET, ring.nodesOffset];
  yield [ring.offset + RING_NODE_BYTES_OFFSET, ring.nodeBytes];
  yield [ring.offset + RING_NODE_COUNT_OFFSET, ring.nodeCount];
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
  for (const [address, value] of constantWords(geometry)) put(address, value);
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
