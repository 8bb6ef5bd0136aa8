// Whether the words of the control region can be: for the calls that act on what other threads have written.
//
// Attached threads are trusted, and not infallible: a stray write of one may hit any word. What loops over a count,
// goes through a ring or follows a node's number checks them first, so that it ends, and names the word. A word
// is wrong only when it is so twice: threads that work move words while this reads. Reads only; any thread.

import {
  CONTROL_BASE,
  ENTRY_SHIFT,
  EXCHANGE_BYTES,
  HEADER_STATE_OFFSET,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_PAGES_OFFSET,
  NODE_TAKEN_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_SPARE_OFFSET,
  PORT_TURN_OFFSET,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { callError } from '../errors.js';
import type { SharedWords } from './claims.js';
import type { RingGeometry } from './geometry.js';
import { laneOffset, loadWord, nodeOffset, slotParts } from './nodes.js';
import { portOffset } from './places.js';
import { OVERWRITTEN } from './sound.js';

/** A word that cannot be as it is. */
export interface Unsound {
  readonly address: number;
  readonly name: string;
  readonly value: number;
  readonly rule: string;
}

/** Throws unless every word that is followed can be. @throws PagePoolError POOL_ERR_CORRUPT */
export function requireSound(words: SharedWords, call: string, cause?: unknown): void {
  const found = findUnsound(words);
  if (found === undefined) return;
  const { address, name, value, rule } = found;
  throw callError('POOL_ERR_CORRUPT', call, `word ${address} (${name})=${value}`, rule, OVERWRITTEN, { cause });
}

/** The first word that cannot be, and stays so; undefined: all can. */
export function findUnsound(words: SharedWords): Unsound | undefined {
  let last: Unsound | undefined;
  for (let reading = 0; reading < 3; reading++) {
    const found = firstUnsound(words);
    if (found === undefined) return undefined;
    if (reading > 0 && (found.address !== last?.address || found.value !== last.value)) return undefined;
    last = found;
  }
  return last;
}

function firstUnsound(words: SharedWords): Unsound | undefined {
  for (const found of unsoundWords(words)) return found;
  return undefined;
}

function* unsoundWords({ memory, geometry }: SharedWords): Generator<Unsound> {
  const { channels, magazineCapacity, maxPorts, pageCount, ring } = geometry;
  const at = (address: number, name: string, most: number, least = 0): Unsound | undefined => {
    const value = loadWord(memory, address);
    return value >= least && value <= most ? undefined : { address, name, value, rule: `${least}..${most}` };
  };
  for (const [address, expected] of geometry.constants) {
    const value = loadWord(memory, address);
    if (value !== expected) yield { address, name: 'constant', value, rule: String(expected) };
  }
  const checks: (Unsound | undefined)[] = [at(CONTROL_BASE + HEADER_STATE_OFFSET, 'state', STATE_DESTROYED)];
  yield* given(checks);
  for (const bits of new Set([geometry.retiredBitsOffset, geometry.supplyBitsOffset])) {
    const last = pageCount >>> RETIRED_WORD_SHIFT;
    const address = bits + 4 * last;
    const value = loadWord(memory, address);
    const unused = (pageCount & 31) === 31 ? 0 : (-1 << ((pageCount & 31) + 1)) >>> 0;
    if ((value & unused) >>> 0 !== 0)
      yield { address, name: 'bits of pages', value, rule: `no bit above page ${pageCount}` };
    const first = loadWord(memory, bits);
    if ((first & 1) !== 0) yield { address: bits, name: 'bits of pages', value: first, rule: 'no bit of page 0' };
  }
  const hint = loadWord(memory, geometry.supplyHintOffset);
  if ((hint & RETIRED_INDEX_MASK) > (pageCount >>> RETIRED_WORD_SHIFT) + 1)
    yield { address: geometry.supplyHintOffset, name: 'supply hint', value: hint, rule: 'a word of the bits' };
  yield* ringWords(memory, ring, maxPorts, 'ring');
  for (let id = 0; id < maxPorts; id++) {
    const port = portOffset(geometry, id);
    yield* given([
      at(port + PORT_LOADED_OFFSET, 'loaded magazine', ring.nodeCount - 1),
      at(port + PORT_MERGE_OFFSET, 'merge magazine', ring.nodeCount - 1),
      at(port + PORT_FRAGMENT_PAGE_OFFSET, 'fragment page', pageCount),
      at(port + PORT_TURN_OFFSET, 'turn', EXCHANGE_BYTES),
    ]);
    const spare = loadWord(memory, port + PORT_SPARE_OFFSET);
    if (slotParts(ring, spare).node >= ring.nodeCount)
      yield { address: port + PORT_SPARE_OFFSET, name: 'spare magazine', value: spare, rule: 'a node of the ring' };
  }
  for (let node = 0; node < ring.nodeCount; node++) {
    const address = nodeOffset(ring, node);
    yield* given([at(address + NODE_COUNT_OFFSET, 'pages of a magazine', magazineCapacity)]);
    const count = Math.min(loadWord(memory, address + NODE_COUNT_OFFSET), magazineCapacity);
    for (let i = 0; i < count; i++)
      yield* given([at(address + NODE_PAGES_OFFSET + 4 * i, 'page in a magazine', pageCount, 1)]);
  }
  const unitLimit = (pageCount + 1) * 2 ** geometry.unitsPerPageShift;
  for (const channel of channels) {
    yield* ringWords(memory, channel.ring, maxPorts, 'channel');
    for (let id = 0; id < maxPorts; id++) {
      const lane = laneOffset(channel, id);
      yield* given([
        at(lane + LANE_INBOX_OFFSET, 'inbox', channel.ring.nodeCount - 1),
        at(lane + LANE_OUTBOX_OFFSET, 'outbox', channel.ring.nodeCount - 1),
      ]);
    }
    for (let node = 0; node < channel.ring.nodeCount; node++) {
      const address = nodeOffset(channel.ring, node);
      yield* given([
        at(address + NODE_COUNT_OFFSET, 'entries of a node', channel.batch),
        at(address + NODE_TAKEN_OFFSET, 'entries taken of a node', channel.batch),
      ]);
      const count = Math.min(loadWord(memory, address + NODE_COUNT_OFFSET), channel.batch);
      for (let i = loadWord(memory, address + NODE_TAKEN_OFFSET); i < count; i++) {
        const entry = address + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT);
        const handle = loadWord(memory, entry);
        const unit = handle % 2 ** geometry.unitBits;
        if (unit < 2 ** geometry.unitsPerPageShift || unit >= unitLimit)
          yield { address: entry, name: 'handle of an entry', value: handle, rule: 'a handle of this pool' };
      }
    }
  }
}

function* given(found: readonly (Unsound | undefined)[]): Generator<Unsound> {
  for (const each of found) if (each !== undefined) yield each;
}

/**
 * The hints and slots of a ring: whoever searches it ends only where its slots were filled, and taken, one after the
 * other, and where its hints are behind by a few laps at most.
 */
function* ringWords(
  memory: SharedWords['memory'],
  ring: RingGeometry,
  maxPorts: number,
  name: string,
): Generator<Unsound> {
  const { slotCount } = ring;
  const lapMask = 2 ** (31 - ring.nodeBits) - 1;
  // A hint is moved on behind 8 positions, and not by a port that was stopped before it did so.
  const late = 8 * (maxPorts + 1) + slotCount;
  for (const [offset, hint] of [
    [RING_HEAD_OFFSET, 'head'],
    [RING_TAIL_OFFSET, 'tail'],
  ] as const) {
    const address = ring.offset + offset;
    const value = loadWord(memory, address);
    const lap = value >>> ring.indexBits;
    const index = value & (2 ** ring.indexBits - 1);
    let past = -index;
    let [first, previous] = [0, 0];
    for (let i = 0; i < slotCount; i++) {
      const address = ring.slotsOffset + 4 * i;
      const value = loadWord(memory, address);
      const slot = slotParts(ring, value);
      // How often it was taken, or filled, since the hint's lap.
      const steps = (slot.lap - lap + (hint === 'tail' && slot.isFull ? 1 : 0)) & lapMask;
      const times = steps > lapMask >>> 1 ? steps - lapMask - 1 : steps;
      if (i === 0) first = previous = times;
      if (slot.node >= ring.nodeCount || times > previous || times < first - 1)
        yield { address, name: `${name} slot`, value, rule: 'a node, in turn' };
      past += times;
      previous = times;
    }
    if (index >= slotCount || lap > lapMask || past < 0 || past > late)
      yield { address, name: `${name} ${hint}`, value, rule: `at most ${late} late` };
  }
}
