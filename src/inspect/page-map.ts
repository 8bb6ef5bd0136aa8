// Where every page is: one byte a page for the place, one for whose it is.
//
// Reads the control region alone, plainly and once: a word that moves meanwhile gives a page of a moment before or
// after, and the snapshot says that something moved. Nothing is written, and nothing here needs a port. Two passes are
// over long lists: the descriptors, and the rows of those ports that are claimed, two rows a load. What is asked of
// all pages is counted on the way, so that a pool of 100,000 pages is read in less than a millisecond.

import {
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_SHIFT,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_RETIRED,
  HOME_STATE_MASK,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_PAGES_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  REPLY_ANSWERED,
  REPLY_HANDLE_OFFSET,
  REPLY_SHIFT,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import { claimOf, type SharedWords } from '../control/claims.js';
import {
  entryHandles,
  filledNodes,
  laneOffset,
  lentHandles,
  loadWord,
  nodeOffset,
  portMagazines,
} from '../control/nodes.js';
import { pageOfHandle, portOffset, rowIndex } from '../control/places.js';

/**
 * The places that a page can be in, by their numbers in `PageMap.places`.
 *
 * `fresh`: never in circulation, ready to be taken. `retired`: taken out of circulation, and ready. `provider`: with
 * its provider, which feeds it when it is wanted. `reserve`: of the reserve, and not in use. `cached`: in the cache of
 * a port. `ring`: in the recycle ring. `used`: a port has references. `open`: a port cuts fragments from it, and nobody
 * has one. `channel`: in an entry that nobody received. `token`: lent, and not adopted. `reply`: an answer that nobody
 * collected. `pinned`: left the pool while pinned. `nobody`: in circulation, and nobody has it, as after a death.
 * `moving`: nobody was found to have it while threads worked: on its way from one place to another.
 */
export const PLACES = [
  'fresh',
  'retired',
  'provider',
  'reserve',
  'cached',
  'ring',
  'used',
  'open',
  'channel',
  'token',
  'reply',
  'pinned',
  'nobody',
  'moving',
] as const;

/** One of the places. */
export type Place = (typeof PLACES)[number];

/** Where every page is: page `n` at index `n - 1`. */
export interface PageMap {
  /** Indexes into `PLACES`. */
  readonly places: Uint8Array;
  /**
   * Whose the page is: the number of a port (`cached`, `used`, `open`, `reply`), the index of a channel in the
   * snapshot's list, or of calls behind them (`channel`); 255 where it is nobody's. Of several ports, the first one.
   */
  readonly owners: Uint8Array;
}

/** A map, and what was counted while it was made. */
export interface CountedMap extends PageMap {
  /** Pages in each place, by its number. */
  readonly byPlace: Uint32Array;
  /** Pages that are `used`, by their owners. */
  readonly heldBy: Uint32Array;
  /** The pages that nobody was found to have. */
  readonly missing: readonly number[];
}

/** No owner. */
export const NOBODY = 255;

const code = (place: Place): number => PLACES.indexOf(place);
const CACHED = code('cached');
const CHANNEL = code('channel');
const FRESH = code('fresh');
const NOT_FOUND = code('nobody');
const OPEN = code('open');
const PINNED = code('pinned');
const PROVIDER = code('provider');
const REPLY = code('reply');
const RESERVE = code('reserve');
const RETIRED = code('retired');
const RING = code('ring');
const TOKEN = code('token');
export const USED: number = code('used');

/** Reads where every page is. */
export function mapPages(words: SharedWords): CountedMap {
  const { memory, geometry } = words;
  const { channels, maxPorts, pageCount, ring } = geometry;
  // With a byte for page 0, which is none, and an even length: two pages, as a row has them, are one 16-bit word.
  const placePairs = new Uint16Array((pageCount >>> 1) + 1);
  const ownerPairs = new Uint16Array(placePairs.length).fill(pairOf(NOBODY));
  const places = new Uint8Array(placePairs.buffer, 1, pageCount);
  const owners = new Uint8Array(ownerPairs.buffer, 1, pageCount);
  const byPlace = new Uint32Array(PLACES.length);
  const heldBy = new Uint32Array(NOBODY + 1);
  mapHomes(words, places, byPlace);
  const put = (page: number, place: number, owner: number): void => {
    if (page < 1 || page > pageCount || places[page - 1] !== NOT_FOUND) return;
    places[page - 1] = place;
    owners[page - 1] = owner;
    byPlace[place] = (byPlace[place] as number) + 1;
  };
  const putNode = (node: number, place: number, owner: number): void => {
    const address = nodeOffset(ring, node);
    const count = Math.min(loadWord(memory, address + NODE_COUNT_OFFSET), geometry.magazineCapacity);
    for (let i = 0; i < count; i++) put(loadWord(memory, address + NODE_PAGES_OFFSET + 4 * i), place, owner);
  };
  for (const node of filledNodes(memory, ring)) putNode(node, RING, NOBODY);
  for (let id = 0; id < maxPorts; id++) {
    for (const node of portMagazines(memory, geometry, id)) putNode(node, CACHED, id);
  }
  for (let id = 0; id < maxPorts; id++) {
    if ((claimOf(memory, geometry, id) & CLAIM_STATE_MASK) === CLAIM_FREE) continue;
    const pages = mapRow(words, id, placePairs, ownerPairs);
    heldBy[id] = pages;
    byPlace[USED] = (byPlace[USED] as number) + pages;
  }
  const putHandle = (handle: number, place: number, owner: number): void =>
    put(pageOfHandle(words, handle), place, owner);
  channels.forEach((channel, index) => {
    const nodes = [...filledNodes(memory, channel.ring)];
    for (let id = 0; id < maxPorts; id++) {
      const lane = laneOffset(channel, id);
      nodes.push(loadWord(memory, lane + LANE_INBOX_OFFSET), loadWord(memory, lane + LANE_OUTBOX_OFFSET));
    }
    for (const node of nodes) {
      for (const handle of entryHandles(memory, channel, node)) putHandle(handle, CHANNEL, index);
    }
  });
  for (const handle of lentHandles(words)) putHandle(handle, TOKEN, NOBODY);
  mapReplies(words, putHandle);
  // Last: an open page that somebody has a fragment of is theirs.
  for (let id = 0; id < maxPorts; id++) {
    put(loadWord(memory, portOffset(geometry, id) + PORT_FRAGMENT_PAGE_OFFSET), OPEN, id);
  }
  const found = byPlace.reduce((sum, pages, place) => (place === NOT_FOUND ? sum : sum + pages), 0);
  byPlace[NOT_FOUND] = pageCount - found;
  const missing: number[] = [];
  for (let i = 0; missing.length < pageCount - found; i++) {
    i = places.indexOf(NOT_FOUND, i);
    missing.push(i + 1);
  }
  return { places, owners, byPlace, heldBy, missing };
}

/** What the descriptors say: pages in circulation are nobody's so far. */
function mapHomes({ memory, geometry }: SharedWords, places: Uint8Array, byPlace: Uint32Array): void {
  const { u32 } = memory;
  const step = (1 << DESCRIPTOR_SHIFT) >>> 2;
  const firstOfReserve = geometry.pageCount - geometry.reservePages;
  let index = ((geometry.descriptorsOffset + DESCRIPTOR_HOME_OFFSET) >>> 2) + step;
  places.fill(NOT_FOUND);
  let fresh = 0;
  for (let i = 0; i < places.length; i++, index += step) {
    const state = (u32[index] as number) & HOME_STATE_MASK;
    if (state === HOME_HELD) continue;
    if (state === HOME_FRESH && i < firstOfReserve) {
      places[i] = FRESH;
      fresh++;
      continue;
    }
    let place = RESERVE;
    if (state === HOME_LEFT) place = PINNED;
    else if (i < firstOfReserve) place = state === HOME_RETIRED ? RETIRED : PROVIDER;
    places[i] = place;
    byPlace[place] = (byPlace[place] as number) + 1;
  }
  byPlace[FRESH] = fresh;
}

/** The same in both halves of a word. */
function pairOf(byte: number): number {
  return byte * 0x101;
}

/**
 * The pages on which port `id` has references, and that are in no place so far: two of its 16-bit words at a time,
 * most of which are both 0, or neither. Returns how many they are.
 */
function mapRow(
  { memory, geometry }: SharedWords,
  id: number,
  placePairs: Uint16Array,
  ownerPairs: Uint16Array,
): number {
  const { u32 } = memory;
  // Rows are as long as a multiple of 64 bytes, and begin at page 0, which is none.
  const first = rowIndex(geometry, id, 0) >>> 1;
  const [notFound, used, owner] = [pairOf(NOT_FOUND), pairOf(USED), pairOf(id)];
  let pages = 0;
  for (let pair = 0; pair < placePairs.length; pair++) {
    const counts = u32[first + pair] as number;
    if (counts === 0) continue;
    const place = placePairs[pair] as number;
    // Which bytes become this port's.
    let mask = (counts & 0xffff) === 0 ? 0xff00 : 0xffff;
    if (counts >>> 16 === 0) mask &= 0xff;
    if (place !== notFound) {
      if ((place & 0xff) !== NOT_FOUND) mask &= 0xff00;
      if (place >>> 8 !== NOT_FOUND) mask &= 0xff;
      if (mask === 0) continue;
    }
    placePairs[pair] = (place & ~mask) | (used & mask);
    ownerPairs[pair] = ((ownerPairs[pair] as number) & ~mask) | (owner & mask);
    pages += mask === 0xffff ? 2 : 1;
  }
  return pages;
}

/** Answers that wait to be collected, each in a slot of the port that asked. */
function mapReplies(
  { memory, geometry }: SharedWords,
  put: (handle: number, place: number, owner: number) => void,
): void {
  const { maxPorts, repliesOffset, replyCount } = geometry;
  for (let i = 0; i < maxPorts * replyCount; i++) {
    const reply = repliesOffset + (i << REPLY_SHIFT);
    if ((loadWord(memory, reply) & REPLY_STATE_MASK) !== REPLY_ANSWERED) continue;
    put(loadWord(memory, reply + REPLY_HANDLE_OFFSET), REPLY, Math.floor(i / replyCount));
  }
}
