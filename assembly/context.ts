// Where things are: the port this instance serves and the geometry of its pool, as module globals.
//
// A module global belongs to one instance, and each thread has an instance of its own: these are thread-local. They are
// read from the header once, by `open`, after the caller checked it; nothing here is shared.

import {
  CONTROL_BASE,
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
  PORT_LOADED_OFFSET,
  PORT_SHIFT,
  RING_NODE_BYTES_OFFSET,
  RING_NODES_OFFSET,
} from './layout';
import { expectForeign } from './debug';

export let portId: u32 = 0;
/** This port's block. */
export let port: usize = 0;
/** Port 0's block. */
export let ports: usize = 0;
export let maxPorts: u32 = 0;
/** This port's row of the ledger. */
export let ledger: usize = 0;
export let descriptors: usize = 0;
export let words: usize = 0;
export let extents: usize = 0;
export let ring: usize = 0;
export let retiredBits: usize = 0;
export let supplyBits: usize = 0;
export let supplyHint: usize = 0;
export let channels: usize = 0;
export let pages: usize = 0;
export let flags: u32 = 0;
export let pageCount: u32 = 0;
export let pageShift: u32 = 0;
export let unitBytesShift: u32 = 0;
export let unitsPerPageShift: u32 = 0;
export let unitBits: u32 = 0;
export let unitMask: u32 = 0;
export let unitLimit: u32 = 0;
export let generationMask: u32 = 0;
export let generationSeed: u32 = 0;
export let magazineCapacity: u32 = 0;
/** The loaded magazine's node; follows PORT_LOADED_OFFSET. */
export let loaded: usize = 0;
/** Why the last burst stopped early. */
export let lastCode: i32 = 0;

// @ts-ignore: decorator
@inline
function header(offset: u32): u32 {
  // Plain: the geometry was written once, before the first attach.
  return load<u32>(CONTROL_BASE + offset);
}

/** Takes the place of port `id`, which this thread has claimed. */
export function bind(id: u32): void {
  portId = id;
  ports = header(HEADER_PORTS_OFFSET);
  port = ports + ((<usize>id) << PORT_SHIFT);
  maxPorts = header(HEADER_MAX_PORTS_OFFSET);
  ledger = header(HEADER_LEDGERS_OFFSET) + id * header(HEADER_LEDGER_BYTES_OFFSET);
  descriptors = header(HEADER_DESCRIPTORS_OFFSET);
  words = header(HEADER_WORDS_OFFSET);
  extents = header(HEADER_EXTENTS_OFFSET);
  ring = header(HEADER_RING_OFFSET);
  retiredBits = header(HEADER_RETIRED_BITS_OFFSET);
  supplyBits = header(HEADER_SUPPLY_BITS_OFFSET);
  supplyHint = header(HEADER_SUPPLY_HINT_OFFSET);
  channels = header(HEADER_CHANNELS_OFFSET);
  pages = header(HEADER_PAGES_OFFSET);
  flags = header(HEADER_FLAGS_OFFSET);
  pageCount = header(HEADER_PAGE_COUNT_OFFSET);
  pageShift = header(HEADER_PAGE_SHIFT_OFFSET);
  unitBytesShift = header(HEADER_UNIT_BYTES_SHIFT_OFFSET);
  unitsPerPageShift = header(HEADER_UNITS_PER_PAGE_SHIFT_OFFSET);
  unitBits = header(HEADER_UNIT_BITS_OFFSET);
  unitMask = ((<u32>1) << unitBits) - 1;
  unitLimit = (pageCount + 1) << unitsPerPageShift;
  generationMask = ((<u32>1) << header(HEADER_GENERATION_BITS_OFFSET)) - 1;
  generationSeed = header(HEADER_GENERATION_SEED_OFFSET) & generationMask;
  magazineCapacity = header(HEADER_MAGAZINE_CAPACITY_OFFSET);
  syncLoaded();
}

/** Follows the loaded magazine after an exchange. */
export function syncLoaded(): void {
  // Plain: the ring block is constant and the port's own word is written by this thread alone.
  loaded =
    load<u32>(ring + RING_NODES_OFFSET) +
    load<u32>(port + PORT_LOADED_OFFSET) * load<u32>(ring + RING_NODE_BYTES_OFFSET);
  expectForeign(loaded);
}

/** Remembers why a burst stopped. */
export function setLastCode(code: i32): void {
  lastCode = code;
}
