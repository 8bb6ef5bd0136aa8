// Where every page is and whether the words agree: the invariants I1 to I4, I7 and I10 on a quiet pool, from the words
// alone.
//
// Independent of the code under test: it reads the layout and trusts nothing else. It throws the first disagreement.

import {
  BIAS,
  CALL_PORT_SHIFT,
  CHANNEL_HEAD_BYTES,
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SHIFT,
  DESCRIPTOR_SUSPECT_OFFSET,
  ENTRY_BYTES,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_OPENER_MASK,
  HOME_RETIRED,
  HOME_RETURNED,
  HOME_STATE_MASK,
  HOME_TAINTED,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  LANE_SHIFT,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_OWNER_OFFSET,
  NODE_PAGES_OFFSET,
  NODE_TAKEN_OFFSET,
  PIN_COUNT_MASK,
  PIN_LEFT,
  PORT_CLAIM_OFFSET,
  PORT_COUNTING_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_LOADED_OFFSET,
  PORT_MERGE_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_RELEASE_OFFSET,
  PORT_SHIFT,
  PORT_SPARE_OFFSET,
  RECORD_NONE,
  REPLY_CANCELLED,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SERVER_MASK,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  REPLY_STATE_MASK,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  RING_HEAD_OFFSET,
  RING_TAIL_OFFSET,
  TOKEN_BYTES,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_STATE_MASK,
  TOKEN_WORD_OFFSET,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import { replyOffset } from '../../src/control/calls.js';
import { claimOf } from '../../src/control/claims.js';
import type { ChannelGeometry, RingGeometry } from '../../src/control/geometry.js';
import { answeredHandles } from '../../src/control/nodes.js';
import { lapMask, type ModelPool } from './model.js';

/**
 * Where each page is, page 1 first: `cache 0`, `ring`, `retired`, `fresh`, `left`, `open 0`, or `held` by ports and
 * carriers. Pages of areas are also `fed`, where any port finds them, or `returned` to their provider. After a death
 * there is `suspect` as well: nobody refers to the page, and it is marked as one that may count a reference too many.
 */
export type Places = readonly string[];

interface Hint {
  lap: number;
  index: number;
}

function demand(fact: boolean, message: () => string): void {
  if (!fact) throw new Error(message());
}

/**
 * Checks the whole pool; every thread has finished its calls. `hasDeath`: threads died and were reaped, so hints may
 * stand behind and the ports' own counts of entries, which are statistics, may be short.
 */
export function checkConservation(pool: ModelPool, hasDeath = false): Places {
  return new Census(pool, hasDeath).check();
}

class Census {
  private readonly containers: string[][];
  private readonly references: string[][];
  /** Numbers of calls whose entries are in a node. */
  private readonly calls = new Set<number>();

  constructor(
    private readonly pool: ModelPool,
    private readonly hasDeath: boolean,
  ) {
    const pages = pool.geometry.pageCount + 1;
    this.containers = Array.from({ length: pages }, () => []);
    this.references = Array.from({ length: pages }, () => []);
  }

  check(): Places {
    const { geometry } = this.pool;
    this.readPorts();
    this.readRecycleRing();
    for (const channel of geometry.channels) this.readChannel(channel);
    this.readTokens();
    this.readReplies();
    this.readRetired();
    const places: string[] = [];
    for (let page = 1; page <= geometry.pageCount; page++) places.push(this.placeOf(page));
    this.checkInflight(places);
    return places;
  }

  private portAt(id: number): number {
    return this.pool.geometry.portsOffset + (id << PORT_SHIFT);
  }

  private nodeAt(ring: RingGeometry, node: number): number {
    demand(node < ring.nodeCount, () => `node ${node} does not exist`);
    return ring.nodesOffset + node * ring.nodeBytes;
  }

  private contain(page: number, where: string): void {
    demand(
      page >= 1 && page <= this.pool.geometry.pageCount,
      () => `${where} holds page ${page}, which does not exist`,
    );
    this.containers[page]!.push(where);
  }

  private refer(handle: number, where: string): void {
    const page = this.pool.pageOf(handle);
    demand(page >= 1 && page <= this.pool.geometry.pageCount, () => `${where} holds a handle of page ${page}`);
    this.references[page]!.push(where);
  }

  /** Pages in a magazine. */
  private readMagazine(node: number, where: string): number {
    const { ring, magazineCapacity } = this.pool.geometry;
    const at = this.nodeAt(ring, node);
    const count = this.pool.read(at + NODE_COUNT_OFFSET);
    demand(count <= magazineCapacity, () => `magazine ${node} of ${where} counts ${count} pages`);
    for (let i = 0; i < count; i++) this.contain(this.pool.read(at + NODE_PAGES_OFFSET + 4 * i), where);
    return count;
  }

  private readPorts(): void {
    const { maxPorts, pageCount, ledgersOffset, ledgerBytes, ring } = this.pool.geometry;
    for (let id = 0; id < maxPorts; id++) {
      const port = this.portAt(id);
      const kind = this.pool.read(port + PORT_RECORD_KIND_OFFSET);
      demand(kind === RECORD_NONE, () => `port ${id} still has a record of kind ${kind}`);
      const counting = this.pool.read(port + PORT_COUNTING_OFFSET);
      // A toy's dead reaper leaves one in a port that is free; the audit asks those.
      const isFree = (this.pool.read(port + PORT_CLAIM_OFFSET) & CLAIM_STATE_MASK) === CLAIM_FREE;
      demand(isFree || counting === 0, () => `port ${id} still moves the count of page ${counting}`);
      for (const holder of [PORT_LOADED_OFFSET, PORT_MERGE_OFFSET]) {
        const node = this.pool.read(port + holder);
        const owner = this.pool.read(this.nodeAt(ring, node) + NODE_OWNER_OFFSET);
        demand(owner === id + 1, () => `magazine ${node} is port ${id}'s and names owner ${owner - 1}`);
        const count = this.readMagazine(node, `cache ${id}`);
        demand(
          holder === PORT_LOADED_OFFSET || count === 0,
          () => `port ${id} left ${count} pages in its merge magazine`,
        );
      }
      const spare = this.pool.read(port + PORT_SPARE_OFFSET);
      const count = this.readMagazine(spare & (2 ** ring.nodeBits - 1), `cache ${id}`);
      const isFilled = ((spare >>> ring.nodeBits) & 1) === 1;
      demand(isFilled === count > 0, () => `port ${id}'s spare says filled=${isFilled} and has ${count} pages`);
      for (let page = 1; page <= pageCount; page++) {
        const row = this.pool.memory.u16[(ledgersOffset + id * ledgerBytes + 2 * page) >>> 1]!;
        for (let i = 0; i < row; i++) this.references[page]!.push(`port ${id}`);
      }
    }
  }

  private readRecycleRing(): void {
    const { maxPorts, ring } = this.pool.geometry;
    const nodes: number[] = [];
    for (let id = 0; id < maxPorts; id++) {
      nodes.push(this.pool.read(this.portAt(id) + PORT_LOADED_OFFSET));
      nodes.push(this.pool.read(this.portAt(id) + PORT_MERGE_OFFSET));
      nodes.push(this.pool.read(this.portAt(id) + PORT_SPARE_OFFSET) & (2 ** ring.nodeBits - 1));
    }
    for (const { node, isFull } of this.readSlots('recycle ring', ring, nodes)) {
      const count = this.readMagazine(node, 'ring');
      demand(isFull === count > 0, () => `a slot of the recycle ring says full=${isFull} and has ${count} pages`);
    }
  }

  /** The slots of a quiet ring: filled from head to tail and nowhere else, and each node in one place. */
  private readSlots(name: string, ring: RingGeometry, nodes: number[]): { node: number; isFull: boolean }[] {
    const position = (offset: number) => {
      const hint = this.pool.read(ring.offset + offset);
      return { lap: hint >>> ring.indexBits, index: hint & (2 ** ring.indexBits - 1) };
    };
    const head = position(RING_HEAD_OFFSET);
    const tail = position(RING_TAIL_OFFSET);
    const lapAt = ({ index }: Hint) => this.pool.read(ring.slotsOffset + 4 * index) >>> (ring.nodeBits + 1);
    const isFullAt = ({ index }: Hint) => ((this.pool.read(ring.slotsOffset + 4 * index) >>> ring.nodeBits) & 1) === 1;
    const move = (hint: Hint) => {
      hint.lap = (hint.lap + (hint.index + 1 === ring.slotCount ? 1 : 0)) & lapMask(ring);
      hint.index = (hint.index + 1) % ring.slotCount;
    };
    // A hint is moved on at some positions alone, and not where its port dies: it is behind, by laps where the oldest
    // is replaced again and again.
    const lapsBehind = 3;
    const isPast = (hint: Hint) => ((lapAt(hint) - hint.lap - 1) & lapMask(ring)) < lapsBehind;
    while (isPast(tail) || (lapAt(tail) === tail.lap && isFullAt(tail))) move(tail);
    while (isPast(head) && (head.lap !== tail.lap || head.index !== tail.index)) move(head);
    const laps = (tail.lap - head.lap) & lapMask(ring);
    const size = laps === lapMask(ring) ? -1 : laps * ring.slotCount + tail.index - head.index;
    demand(
      size >= 0 && size <= ring.slotCount,
      () => `${name}: head {${head.lap}, ${head.index}}, tail {${tail.lap}, ${tail.index}}`,
    );
    const slots: { node: number; isFull: boolean }[] = [];
    for (let i = 0; i < ring.slotCount; i++) {
      const index = (head.index + i) % ring.slotCount;
      const lap = (head.lap + (index < head.index ? 1 : 0)) & lapMask(ring);
      const word = this.pool.read(ring.slotsOffset + 4 * index);
      const isFull = ((word >>> ring.nodeBits) & 1) === 1;
      const isRight = word >>> (ring.nodeBits + 1) === lap && isFull === i < size;
      demand(
        isRight,
        () => `${name}: slot ${index} is 0x${word.toString(16)} with ${size} filled from {${head.lap}, ${head.index}}`,
      );
      slots.push({ node: word & (2 ** ring.nodeBits - 1), isFull });
    }
    const all = [...nodes, ...slots.map(({ node }) => node)].sort((a, b) => a - b);
    demand(
      all.every((node, i) => node === i),
      () => `${name}: nodes ${all.join(' ')} (expected each of ${ring.nodeCount} once)`,
    );
    return slots;
  }

  private readChannel({ name, offset, ring, isCalls }: ChannelGeometry): void {
    const { maxPorts } = this.pool.geometry;
    const nodes: number[] = [];
    let entries = 0;
    let counted = 0;
    for (let id = 0; id < maxPorts; id++) {
      const lane = offset + CHANNEL_HEAD_BYTES + (id << LANE_SHIFT);
      counted += this.pool.read(lane + LANE_SENT_OFFSET) - this.pool.read(lane + LANE_RECEIVED_OFFSET);
      for (const holder of [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET]) {
        const node = this.pool.read(lane + holder);
        const owner = this.pool.read(this.nodeAt(ring, node) + NODE_OWNER_OFFSET);
        demand(owner === id + 1, () => `${name}: node ${node} is port ${id}'s and names owner ${owner - 1}`);
        const count = this.readEntries(name, ring, node, isCalls);
        demand(
          holder === LANE_INBOX_OFFSET || count === 0,
          () => `${name}: port ${id} left ${count} entries in its outbox`,
        );
        entries += count;
        nodes.push(node);
      }
    }
    for (const { node, isFull } of this.readSlots(name, ring, nodes)) {
      const count = this.readEntries(name, ring, node, isCalls);
      demand(isFull === count > 0, () => `${name}: a slot says full=${isFull} and has ${count} entries`);
      entries += count;
    }
    demand(
      this.hasDeath || (counted | 0) === entries,
      () => `${name}: ports count ${counted | 0} entries inside, nodes have ${entries}`,
    );
  }

  private readEntries(name: string, ring: RingGeometry, node: number, isCalls: boolean): number {
    const at = this.nodeAt(ring, node);
    const taken = this.pool.read(at + NODE_TAKEN_OFFSET);
    const count = this.pool.read(at + NODE_COUNT_OFFSET);
    if (!isCalls) this.readMessages(name, at, count);
    else if (taken < count) {
      const first = this.pool.read(at + NODE_ENTRIES_OFFSET + taken * ENTRY_BYTES + 12);
      demand(taken === 0 && !this.calls.has(first), () => `${name}: call ${first} is there twice, or in part`);
      this.calls.add(first);
    }
    for (let i = taken; i < count; i++) this.refer(this.pool.read(at + NODE_ENTRIES_OFFSET + i * ENTRY_BYTES), name);
    return Math.max(0, count - taken);
  }

  /** Marks of a node say what scenarios/messages.ts sent: each message is there from its first entry to its last. */
  private readMessages(name: string, at: number, count: number): void {
    const more = this.pool.read(at + NODE_MORE_OFFSET);
    const tags = Array.from({ length: count }, (_, i) =>
      this.pool.read(at + NODE_ENTRIES_OFFSET + i * ENTRY_BYTES + 12),
    );
    demand(
      more < 2 ** Math.max(0, count - 1),
      () => `${name}: a node of ${count} entries is marked 0x${more.toString(16)}`,
    );
    for (const [i, tag] of tags.entries()) {
      if (tag < 100) continue;
      const [size, place] = [Math.floor(tag / 10) % 10, tag % 10];
      const isMarked = ((more >>> i) & 1) === (place + 1 < size ? 1 : 0);
      const isFollowed = place + 1 === size || tags[i + 1] === tag + 1;
      const isLed = place === 0 || tags[i - 1] === tag - 1;
      demand(isMarked && isFollowed && isLed, () => `${name}: entry ${tag} in a node of [${tags}], marked ${more}`);
    }
  }

  private readTokens(): void {
    const { tokensOffset, tokenCount } = this.pool.geometry;
    for (let i = 0; i < tokenCount; i++) {
      const token = tokensOffset + i * TOKEN_BYTES;
      const state = this.pool.read(token + TOKEN_WORD_OFFSET) & TOKEN_STATE_MASK;
      demand(state === 0 || state === TOKEN_LENT, () => `token ${i} is left in state ${state}`);
      if (state === TOKEN_LENT) this.refer(this.pool.read(token + TOKEN_HANDLE_OFFSET), 'token');
    }
  }

  /** An answer has a reference; a call that is out or served has an asker that waits for it. */
  private readReplies(): void {
    const { geometry } = this.pool;
    for (const handle of answeredHandles(this.pool)) this.refer(handle, 'reply');
    const isFree = (id: number) => (claimOf(this.pool.memory, geometry, id) & CLAIM_STATE_MASK) === CLAIM_FREE;
    for (let id = 0; id < geometry.maxPorts; id++) {
      for (let slot = 0; slot < geometry.replyCount; slot++) {
        const word = this.pool.read(replyOffset(geometry, id, slot));
        const state = word & REPLY_STATE_MASK;
        const told = () => `reply slot ${slot} of port ${id} is 0x${word.toString(16)}`;
        const isTravelling = this.calls.has((word & REPLY_SEQ_MASK) | (id << CALL_PORT_SHIFT) | slot);
        const server = ((word & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT) - 1;
        const isServed = server >= 0 && !isFree(server);
        demand(
          !isFree(id) || state === REPLY_FREE || state === REPLY_CANCELLED,
          () => `${told()}: nobody waits for it`,
        );
        demand(state !== REPLY_OUT || isTravelling, () => `${told()}: the call is lost`);
        demand(state !== REPLY_SERVING || isServed, () => `${told()}: nobody serves it`);
        demand(state !== REPLY_CANCELLED || isServed || isTravelling, () => `${told()}: nobody lets go of it`);
      }
    }
  }

  /** Every retired page can be found; the owner finds those of a reserve by their state. */
  private readRetired(): void {
    const { ownPages, pageCount, retiredBitsOffset } = this.pool.geometry;
    for (let page = 1; page <= pageCount; page++) {
      if ((this.homeOf(page) & HOME_STATE_MASK) !== HOME_RETIRED) continue;
      const isReserve = ownPages > 0 && page > ownPages;
      if (!isReserve) this.requireListed(page, 'retired', retiredBitsOffset, CONTROL_BASE + HEADER_RETIRED_OFFSET);
      this.contain(page, 'retired');
    }
  }

  /** A page's bit is set, and the hint does not stand behind it. */
  private requireListed(page: number, what: string, bits: number, hint: number): void {
    const index = page >>> RETIRED_WORD_SHIFT;
    const isSet = ((this.pool.read(bits + 4 * index) >>> (page & 31)) & 1) !== 0;
    demand(isSet, () => `page ${page} is ${what} and has no bit`);
    demand((this.pool.read(hint) & RETIRED_INDEX_MASK) <= index, () => `page ${page} is ${what} and behind the hint`);
  }

  private homeOf(page: number): number {
    const descriptor = this.pool.geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT);
    return this.pool.read(descriptor + DESCRIPTOR_HOME_OFFSET);
  }

  /** The port that has the page open, or -1. */
  private openerOf(page: number): number {
    const openers = this.pool.instances.filter(
      ({ id }) => this.pool.read(this.portAt(id) + PORT_FRAGMENT_PAGE_OFFSET) === page,
    );
    demand(openers.length <= 1, () => `page ${page} is open twice`);
    return openers[0]?.id ?? -1;
  }

  private holdersOf(page: number): number {
    const { fragmentWordsOffset, unitsPerPageShift } = this.pool.geometry;
    let holders = 0;
    for (let unit = page << unitsPerPageShift; unit < (page + 1) << unitsPerPageShift; unit++) {
      holders += this.pool.read(fragmentWordsOffset + 4 * unit) & WORD_HOLDERS_MASK;
    }
    return holders;
  }

  private placeOf(page: number): string {
    const descriptor = this.pool.geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT);
    const count = this.pool.read(descriptor + DESCRIPTOR_COUNT_OFFSET);
    const pins = this.pool.read(descriptor + DESCRIPTOR_PINS_OFFSET);
    const home = this.pool.read(descriptor + DESCRIPTOR_HOME_OFFSET);
    const state = home & HOME_STATE_MASK;
    const containers = this.containers[page]!;
    const references = this.references[page]!;
    const opener = this.openerOf(page);
    const told = () =>
      `page ${page}: in [${containers}], referred to by [${references}], count ${count}, pins 0x${pins.toString(16)}, home state ${state}` +
      (opener >= 0 ? `, open by port ${opener}` : '');

    demand(containers.length <= 1, () => `${told()}: in two places`);
    demand(containers.length === 0 || (references.length === 0 && opener < 0), () => `${told()}: at home and in use`);
    // A dead thread's holders stay in the words until the page comes home, and a suspect's count may stay too high.
    const isSuspect = this.pool.read(descriptor + DESCRIPTOR_SUSPECT_OFFSET) !== 0;
    const isTainted = isSuspect || (home & HOME_TAINTED) !== 0;
    const holders = this.holdersOf(page);
    demand(
      holders === references.length || (isTainted && holders > references.length),
      () => `${told()}: ${holders} holders in the fragment words`,
    );
    demand(
      // The mark of a page that left and was unpinned stays until the page is taken again.
      state === HOME_RETIRED || state === HOME_RETURNED
        ? (pins & PIN_COUNT_MASK) <= this.ownersPins(page)
        : (state === HOME_LEFT) === ((pins & PIN_LEFT) !== 0),
      () => `${told()}: LEFT in one word and not in the other`,
    );
    if (references.length > 0 || opener >= 0) {
      const users = opener < 0 ? 0 : this.pool.read(this.portAt(opener) + PORT_FRAGMENT_OFFSET) & 0xffff;
      const expected = opener < 0 ? references.length : references.length + BIAS - users;
      demand(state === HOME_HELD, () => `${told()}: in use and not in circulation`);
      demand(
        count === expected || (isSuspect && count > expected),
        () => `${told()}: count ${count} (expected ${expected})`,
      );
      if (opener >= 0) return `open ${opener}`;
      return `held by ${[...references].sort().join(' and ')}`;
    }
    if (isSuspect && containers.length === 0 && state === HOME_HELD) return 'suspect';
    demand(count === 1, () => `${told()}: count at home`);
    demand((home & HOME_TAINTED) === 0, () => `${told()}: tainted at home`);
    demand((home & HOME_OPENER_MASK) === 0, () => `${told()}: names an opener at home`);
    if (state === HOME_LEFT) {
      demand(containers.length === 0, () => `${told()}: left and in a container`);
      demand((pins & PIN_COUNT_MASK) > 0, () => `${told()}: left, and nobody pins it: lost`);
      return 'left';
    }
    if (page > this.pool.geometry.ownPages && state !== HOME_HELD && state !== HOME_RETIRED)
      return this.areaPlaceOf(page, state, pins, told);
    if (state === HOME_FRESH) {
      const fresh = this.pool.read(CONTROL_BASE + HEADER_FRESH_OFFSET);
      demand(containers.length === 0 && page >= fresh, () => `${told()}: fresh, and the hint is at ${fresh}: lost`);
      return 'fresh';
    }
    demand(containers.length === 1, () => `${told()}: in no place: lost`);
    demand((state === HOME_RETIRED) === (containers[0] === 'retired'), () => `${told()}: its state is not its place`);
    demand((pins & PIN_COUNT_MASK) <= this.ownersPins(page), () => `${told()}: pinned at home`);
    return containers[0]!;
  }

  /** Pins that a page may have where it has no user: the owner's, by which it calls a page of an area home. */
  private ownersPins(page: number): number {
    return page > this.pool.geometry.ownPages ? 1 : 0;
  }

  /** The place of an area's page that is with its provider, or was fed and not taken. */
  private areaPlaceOf(page: number, state: number, pins: number, told: () => string): string {
    const { supplyBitsOffset, supplyHintOffset } = this.pool.geometry;
    demand(this.containers[page]!.length === 0, () => `${told()}: in a container`);
    demand((pins & PIN_COUNT_MASK) === 0, () => `${told()}: pinned on the provider's side`);
    if (state === HOME_RETURNED) return 'returned';
    demand(state === HOME_FRESH, () => `${told()}: in no state that a page of an area has`);
    demand(pins === 0, () => `${told()}: fed, and the mark of its last leaving is there`);
    this.requireListed(page, 'fed', supplyBitsOffset, supplyHintOffset);
    return 'fed';
  }

  private checkInflight(places: Places): void {
    let inflight = 0;
    for (const { id } of this.pool.instances) {
      inflight +=
        this.pool.read(this.portAt(id) + PORT_HOLD_OFFSET) - this.pool.read(this.portAt(id) + PORT_RELEASE_OFFSET);
    }
    const out = places.filter((place) => !['retired', 'fresh', 'fed', 'returned', 'left'].includes(place)).length;
    demand((inflight | 0) === out, () => `in-flight is ${inflight | 0} (expected ${out}): [${places.join(', ')}]`);
  }
}
