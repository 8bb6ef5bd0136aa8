// The words of a port whose thread is gone, as the reaper that has claimed it reads and writes them.
//
// Nothing here decides anything. What only the dead thread wrote (rows, magazines, lanes, its record) is read and
// written plainly: the thread is gone, and the claim word names one reaper. Words that live threads write are reached
// atomically, each access after a `yield`.

import {
  type LANE_INBOX_OFFSET,
  type LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RECORD_PAGE_OFFSET,
  PORT_RECORD_VALUE_OFFSET,
  RECORD_INDEX_SHIFT,
  RECORD_NONE,
  RECORD_ROW_SHIFT,
} from '../../assembly/layout.js';
import type { ChannelGeometry, Geometry, RingGeometry } from '../control/geometry.js';
import type { PoolMemory } from '../control/memory.js';
import { laneOffset, nodeOffset } from '../control/nodes.js';
import { descriptorAt, pageOfHandle, portOffset, rowIndex } from '../control/places.js';
import type { Steps } from '../control/steps.js';

/** A dead port and the pool it belongs to. */
export class DeadPort {
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
  readonly id: number;
  /** Where its block lies. */
  readonly offset: number;

  /** Clears a page that lies in an area. */
  readonly clear: (page: number) => void;

  constructor(memory: PoolMemory, geometry: Geometry, id: number, clear: (page: number) => void = () => {}) {
    this.clear = clear;
    this.memory = memory;
    this.geometry = geometry;
    this.id = id;
    this.offset = portOffset(geometry, id);
  }

  /** A word that nobody but the dead thread wrote. */
  word(address: number): number {
    return this.memory.u32[address >>> 2] as number;
  }

  setWord(address: number, value: number): void {
    this.memory.u32[address >>> 2] = value;
  }

  /** A word of its block. */
  get(offset: number): number {
    return this.word(this.offset + offset);
  }

  set(offset: number, value: number): void {
    this.setWord(this.offset + offset, value);
  }

  /** References that it holds on the page. */
  row(page: number): number {
    return this.memory.u16[rowIndex(this.geometry, this.id, page)] as number;
  }

  setRow(page: number, references: number): void {
    this.memory.u16[rowIndex(this.geometry, this.id, page)] = references;
  }

  /** The page that a handle's fragment lies in. */
  pageOf(handle: number): number {
    return pageOfHandle(this, handle);
  }

  /** Where the page's descriptor lies. */
  descriptor(page: number): number {
    return descriptorAt(this.geometry, page);
  }

  /** Where the fragment word of a unit lies. */
  fragmentWord(unit: number): number {
    return this.geometry.fragmentWordsOffset + 4 * unit;
  }

  /** The magazines that no other port can reach, as addresses: the loaded one and the one merges go through. */
  magazines(): readonly [loaded: number, merge: number] {
    const at = (holder: number): number => nodeOffset(this.geometry.ring, this.get(holder));
    return [at(PORT_LOADED_OFFSET), at(PORT_MERGE_OFFSET)];
  }

  /** Pages in a magazine. */
  pagesIn(magazine: number): number[] {
    return Array.from({ length: this.word(magazine + NODE_COUNT_OFFSET) }, (_, i) =>
      this.word(magazine + NODE_PAGES_OFFSET + 4 * i),
    );
  }

  /** Where its node in a channel lies. */
  node(channel: ChannelGeometry, holder: typeof LANE_INBOX_OFFSET | typeof LANE_OUTBOX_OFFSET): number {
    return nodeOffset(channel.ring, this.word(laneOffset(channel, this.id) + holder));
  }

  /** The ring whose node the word at `holder` numbers. */
  ringOf(holder: number): RingGeometry {
    const { channels, maxPorts, ring } = this.geometry;
    const channel = channels.find((it) => holder >= laneOffset(it, 0) && holder < laneOffset(it, maxPorts));
    return channel === undefined ? ring : channel.ring;
  }

  /** A shared word, now. */
  *load(address: number): Steps<number> {
    yield;
    // N1 no ordering of its own: callers name the step of the dead port they ask about.
    return Atomics.load(this.memory.i32, address >>> 2) >>> 0;
  }

  *store(address: number, value: number): Steps<void> {
    yield;
    // N2 no ordering of its own: see N1.
    Atomics.store(this.memory.i32, address >>> 2, value | 0);
  }

  /** Compare-exchange; the word that was there. */
  *exchange(address: number, seen: number, next: number): Steps<number> {
    yield;
    // N3 no ordering of its own: see N1.
    return Atomics.compareExchange(this.memory.i32, address >>> 2, seen | 0, next | 0) >>> 0;
  }

  *setBits(address: number, bits: number): Steps<void> {
    yield;
    // N4 no ordering of its own: see N1.
    Atomics.or(this.memory.i32, address >>> 2, bits);
  }

  *clearBits(address: number, bits: number): Steps<void> {
    yield;
    // N5 no ordering of its own: see N1.
    Atomics.and(this.memory.i32, address >>> 2, ~bits);
  }

  /** Closes its operation record. What settling it wrote is there before, should the reaper die, too. */
  *closeRecord(): Steps<void> {
    yield* this.store(this.offset + PORT_RECORD_KIND_OFFSET, RECORD_NONE);
  }

  /** Opens a record in its name: the row's and the other words' values before a step. */
  openRecord(kind: number, page: number, address: number, value: number, index = 0): void {
    this.set(PORT_RECORD_PAGE_OFFSET, page);
    this.set(PORT_RECORD_ADDRESS_OFFSET, address);
    this.set(PORT_RECORD_VALUE_OFFSET, value);
    this.set(PORT_RECORD_KIND_OFFSET, kind | (index << RECORD_INDEX_SHIFT) | (this.row(page) << RECORD_ROW_SHIFT));
  }
}
