// The census: visits every magazine, node, token and page, and reports what does not fit together.
//
// Reads only; what it finds is so if nothing moved meanwhile, which audit.ts finds out. The invariants by number: I1
// each page is somewhere, I2 in one place, I3 counted 1 and without users in every container, I4 in-flight is the pages
// that are out, I7 a page on the provider's side can be found there, I10 references against counts. Those of ports
// stand in census-ports.ts.

import {
  BIAS,
  BIAS_THRESHOLD,
  CONTROL_BASE,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_SUSPECT_OFFSET,
  HEADER_FRESH_OFFSET,
  HEADER_RETIRED_OFFSET,
  HOME_FRESH,
  HOME_HELD,
  HOME_LEFT,
  HOME_OPENER_MASK,
  HOME_OPENER_SHIFT,
  HOME_RETIRED,
  HOME_STATE_MASK,
  HOME_TAINTED,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import type { ChannelGeometry, RingGeometry } from '../control/geometry.js';
import {
  answeredHandles,
  entryHandles,
  filledNodes,
  laneOffset,
  lentHandles,
  loadWord,
  magazinePages,
  pinCount,
  portMagazines,
  slotParts,
} from '../control/nodes.js';
import { descriptorAt, pageOfHandle, portOffset, rowIndex } from '../control/places.js';
import { inflight } from '../control/state.js';
import type { Port } from '../port/port.js';
import type { Suspicion } from '../recovery/suspects.js';
import { checkAllocations, checkPorts } from './census-ports.js';
import type { PageStats } from './stats.js';

const ERRORS_MAX = 100;

/** What a census found. */
export interface CensusFindings {
  /** No error was found. */
  readonly balanced: boolean;
  /** What does not fit together, each with its invariant (I1 to I10) and its page or port; at most 100. */
  readonly errors: readonly string[];
  /** Pages that a death left with a reference too many, perhaps: an audit that is exact settles them. */
  readonly suspects: readonly number[];
  readonly pages: PageStats;
  /** As in the statistics. */
  readonly inflight: number;
  /** References that users hold, by where they are. */
  readonly references: {
    readonly ledgers: number;
    readonly channels: number;
    readonly tokens: number;
    /** Answers of calls that nobody collected. */
    readonly replies: number;
  };
}

/** One census of a pool. */
export class Census {
  readonly #port: Port;
  readonly #errors: string[] = [];
  /** Pages marked by a reaper, with the references found beyond those that somebody has. */
  readonly suspicions: Suspicion[] = [];
  /** Page -> the container it was found in. */
  readonly #places = new Map<number, string>();
  /** Page -> references in channels, tokens and reply slots. */
  readonly #travelling: Uint32Array;
  readonly #references = { ledgers: 0, channels: 0, tokens: 0, replies: 0 };
  readonly #counts = { used: 0, cached: 0, ring: 0, provider: 0, pinned: 0 };

  constructor(port: Port) {
    this.#port = port;
    this.#travelling = new Uint32Array(port.geometry.pageCount + 1);
  }

  run(): void {
    this.#visitMagazines();
    this.#visitTokens();
    for (const channel of this.#port.geometry.channels) this.#visitChannel(channel);
    for (let page = 1; page <= this.#port.geometry.pageCount; page++) this.#checkPage(page);
    const { memory, geometry } = this.#port;
    const { used, cached, ring } = this.#counts;
    const out = used + cached + ring;
    if (inflight(memory, geometry) !== out) {
      this.#error(`I4 inflight=${inflight(memory, geometry)} (expected ${out}, the pages that are not home)`);
    }
    const report = (text: string): void => this.#error(text);
    checkPorts(this.#port, report);
    checkAllocations(this.#port, used, report);
  }

  findings(): CensusFindings {
    const { memory, geometry } = this.#port;
    return {
      balanced: this.#errors.length === 0,
      errors: this.#errors,
      suspects: this.suspicions.map(({ page }) => page),
      pages: { total: geometry.pageCount, ...this.#counts },
      inflight: inflight(memory, geometry),
      references: { ...this.#references },
    };
  }

  #error(text: string): void {
    if (this.#errors.length < ERRORS_MAX) this.#errors.push(text);
  }

  #word(address: number): number {
    return loadWord(this.#port.memory, address);
  }

  #descriptor(page: number): number {
    return descriptorAt(this.#port.geometry, page);
  }

  /** Every magazine: in the ring's filled slots, and each port's. */
  #visitMagazines(): void {
    const { memory, geometry } = this.#port;
    const owned: number[] = [];
    for (const node of filledNodes(memory, geometry.ring)) this.#counts.ring += this.#visitMagazine(node, 'the ring');
    for (let id = 0; id < geometry.maxPorts; id++) {
      for (const node of portMagazines(memory, geometry, id)) {
        owned.push(node);
        this.#counts.cached += this.#visitMagazine(node, `the cache of port ${id}`);
      }
    }
    this.#checkNodes('the recycle ring', geometry.ring, owned);
  }

  #visitMagazine(node: number, place: string): number {
    return magazinePages(this.#port, node).filter((page) => this.#place(page, place)).length;
  }

  /** True: the page exists, and was in no place yet. */
  #place(page: number, place: string): boolean {
    if (page < 1 || page > this.#port.geometry.pageCount) {
      this.#error(`I2 page ${page} in ${place} (expected 1..${this.#port.geometry.pageCount})`);
      return false;
    }
    const other = this.#places.get(page);
    if (other !== undefined) {
      this.#error(`I2 page ${page} is in ${place} and in ${other} (expected one place)`);
      return false;
    }
    this.#places.set(page, place);
    return true;
  }

  /** Every node is in one slot or with one port, once. */
  #checkNodes(name: string, ring: RingGeometry, owned: readonly number[]): void {
    const seen = new Set<number>();
    const nodes = Array.from(
      { length: ring.slotCount },
      (_, i) => slotParts(ring, this.#word(ring.slotsOffset + 4 * i)).node,
    );
    for (const node of [...nodes, ...owned]) {
      if (seen.has(node) || node >= ring.nodeCount)
        this.#error(`I2 node ${node} of ${name} (expected each of ${ring.nodeCount} once)`);
      seen.add(node);
    }
  }

  /**
   * Whether a retired page can be found: its bit, and the hint not past it. The reserve's are searched for by their
   * state.
   */
  #isListed(page: number): boolean {
    const { ownPages, retiredBitsOffset } = this.#port.geometry;
    if (ownPages !== 0 && page > ownPages) return true;
    return this.#isFound(page, retiredBitsOffset, CONTROL_BASE + HEADER_RETIRED_OFFSET);
  }

  #isFound(page: number, bits: number, hintOffset: number): boolean {
    const index = page >>> RETIRED_WORD_SHIFT;
    const word = this.#word(bits + 4 * index);
    const hint = this.#word(hintOffset) & RETIRED_INDEX_MASK;
    return ((word >>> (page & 31)) & 1) !== 0 && hint <= index;
  }

  #visitTokens(): void {
    for (const handle of lentHandles(this.#port)) this.#references.tokens += this.#travel(handle, 'a token');
    for (const handle of answeredHandles(this.#port)) this.#references.replies += this.#travel(handle, 'a reply slot');
  }

  #visitChannel(channel: ChannelGeometry): void {
    const { memory, geometry } = this.#port;
    const owned: number[] = [];
    for (const node of filledNodes(memory, channel.ring)) this.#visitEntries(channel, node);
    for (let id = 0; id < geometry.maxPorts; id++) {
      for (const holder of [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET]) {
        const node = this.#word(laneOffset(channel, id) + holder);
        owned.push(node);
        this.#visitEntries(channel, node);
      }
    }
    this.#checkNodes(`channel "${channel.name}"`, channel.ring, owned);
  }

  /** The entries of a node that nobody has received. */
  #visitEntries(channel: ChannelGeometry, node: number): void {
    for (const handle of entryHandles(this.#port.memory, channel, node))
      this.#references.channels += this.#travel(handle, `channel "${channel.name}"`);
  }

  #travel(handle: number, place: string): number {
    const page = pageOfHandle(this.#port, handle);
    if (page < 1 || page > this.#port.geometry.pageCount) {
      this.#error(`I10 handle ${handle} in ${place} (expected one of this pool)`);
      return 0;
    }
    this.#travelling[page] = (this.#travelling[page] as number) + 1;
    return 1;
  }

  #checkPage(page: number): void {
    const descriptor = this.#descriptor(page);
    const home = this.#word(descriptor + DESCRIPTOR_HOME_OFFSET);
    const place = this.#places.get(page);
    const references = this.#rows(page) + (this.#travelling[page] as number);
    const isSuspect = this.#word(descriptor + DESCRIPTOR_SUSPECT_OFFSET) !== 0;
    if (isSuspect) this.suspicions.push({ page, references, excess: 0 });
    if ((home & HOME_STATE_MASK) === HOME_HELD && place === undefined) {
      this.#counts.used++;
      this.#checkReferences(page, home, references, isSuspect);
    } else this.#checkAtHome(page, home & HOME_STATE_MASK, references, place);
  }

  /** A page that nobody uses: in a magazine, on the provider's side, or gone with its pins. */
  #checkAtHome(page: number, state: number, references: number, place: string | undefined): void {
    const where = place ?? `state ${state}`;
    if (state === HOME_LEFT) this.#counts.pinned++;
    else if (state !== HOME_HELD) this.#counts.provider++;
    if (place !== undefined && state !== HOME_HELD) {
      this.#error(`I1 page ${page} has state ${state} in ${place} (expected ${HOME_HELD}, in circulation)`);
    }
    if (references !== 0) this.#error(`I10 page ${page} has ${references} references in ${where} (expected none)`);
    const count = this.#word(this.#descriptor(page) + DESCRIPTOR_COUNT_OFFSET);
    if (count !== 1) this.#error(`I3 page ${page} counts ${count} in ${where} (expected 1)`);
    const holders = place === undefined ? 0 : this.#holders(page);
    if (holders !== 0) this.#error(`I3 page ${page} has fragments with ${holders} holders in ${where} (expected none)`);
    if (place === undefined) this.#checkFindable(page, state);
  }

  /**
   * What is not in circulation comes back: retired and fresh pages are searched for, a pinned one waits for its unpin.
   */
  #checkFindable(page: number, state: number): void {
    if (state === HOME_RETIRED && !this.#isListed(page)) {
      this.#error(`I7 page ${page} is retired and cannot be found (expected its bit to be set)`);
    }
    const { ownPages, supplyBitsOffset, supplyHintOffset } = this.#port.geometry;
    const isFed = state === HOME_FRESH && page > ownPages;
    if (isFed && !this.#isFound(page, supplyBitsOffset, supplyHintOffset)) {
      this.#error(`I7 page ${page} was fed and cannot be found (expected its bit to be set)`);
    }
    const fresh = this.#word(CONTROL_BASE + HEADER_FRESH_OFFSET);
    if (state === HOME_FRESH && !isFed && page < fresh) {
      this.#error(`I7 page ${page} is fresh and cannot be found (expected ${fresh} or more, where the search begins)`);
    }
    if (state === HOME_LEFT && pinCount(this.#port, page) === 0)
      this.#error(`I7 page ${page} left the pool without a pin (expected a pin)`);
  }

  /** A page that is out: its count, and its fragments' holders, against the references found. */
  #checkReferences(page: number, home: number, references: number, isSuspect: boolean): void {
    const count = this.#word(this.#descriptor(page) + DESCRIPTOR_COUNT_OFFSET);
    const expected = count >= BIAS_THRESHOLD ? this.#openReferences(page, home, count) : count;
    if (isSuspect && references < expected) (this.suspicions.at(-1) as Suspicion).excess = expected - references;
    else if (references !== expected) {
      this.#error(
        `I10 page ${page} counts ${expected} references (expected ${references}, those of ledgers, channels, tokens and replies)`,
      );
    }
    // What a dead thread held stays in the words until the page comes home.
    const holders = (home & HOME_TAINTED) !== 0 || isSuspect ? references : this.#holders(page);
    if (holders !== references) {
      this.#error(`I10 page ${page} has fragments with ${holders} holders (expected ${references}, its references)`);
    }
  }

  /** References on a fragment page that its opener has not left: its cuts, less what others released. */
  #openReferences(page: number, home: number, count: number): number {
    const opener = ((home & HOME_OPENER_MASK) >>> HOME_OPENER_SHIFT) - 1;
    const block = portOffset(this.#port.geometry, opener);
    if (opener < 0 || this.#word(block + PORT_FRAGMENT_PAGE_OFFSET) !== page) {
      this.#error(`I10 page ${page} carries a bias without an opener (expected the port that opened it)`);
      return count;
    }
    const users = this.#word(block + PORT_FRAGMENT_OFFSET) & 0xffff;
    return users - (BIAS - count);
  }

  /** References of all ports on a page. */
  #rows(page: number): number {
    const { memory, geometry } = this.#port;
    let sum = 0;
    for (let id = 0; id < geometry.maxPorts; id++) {
      sum += memory.u16[rowIndex(geometry, id, page)] as number;
    }
    this.#references.ledgers += sum;
    return sum;
  }

  /** Holders of all of the page's fragments together, by their words. */
  #holders(page: number): number {
    const { fragmentWordsOffset, unitsPerPageShift } = this.#port.geometry;
    const first = page << unitsPerPageShift;
    let holders = 0;
    for (let unit = first; unit < first + 2 ** unitsPerPageShift; unit++) {
      holders += this.#word(fragmentWordsOffset + 4 * unit) & WORD_HOLDERS_MASK;
    }
    return holders;
  }
}
