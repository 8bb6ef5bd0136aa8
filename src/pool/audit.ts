// The audit: counts every page and every reference anew and compares them with what the pool believes.
//
// Checks the invariants that can be seen from outside: each page in one place (I1, I2), a count of 1 in every container (I3),
// in-flight against the pages that are out (I4), no page twice on the way to its provider (I7), and the references of ledgers,
// tokens and channels against the page counts (I10). Exact on a quiet pool; it reads only, and says when something moved.

import {
  BIAS,
  BIAS_THRESHOLD,
  CONTROL_BASE,
  DESCRIPTOR_COUNT_OFFSET,
  DESCRIPTOR_HOME_OFFSET,
  DESCRIPTOR_PINS_OFFSET,
  DESCRIPTOR_SHIFT,
  DESCRIPTOR_SUSPECT_OFFSET,
  ENTRY_SHIFT,
  HEADER_RETIRED_OFFSET,
  HOME_HELD,
  HOME_LEFT,
  HOME_OPENER_MASK,
  HOME_OPENER_SHIFT,
  HOME_RETIRED,
  HOME_STATE_MASK,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_PAGES_OFFSET,
  NODE_TAKEN_OFFSET,
  PIN_COUNT_MASK,
  PORT_FRAGMENT_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  RECORD_NONE,
  RETIRED_INDEX_MASK,
  RETIRED_WORD_SHIFT,
  RING_BYTES,
  TOKEN_HANDLE_OFFSET,
  TOKEN_LENT,
  TOKEN_SHIFT,
  TOKEN_STATE_MASK,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import { type Suspicion, settleSuspicion } from '../recovery/suspects.js';
import type { ChannelGeometry, RingGeometry } from './geometry.js';
import { pageOfHandle } from './handles.js';
import { inflight, type Port, portOffset } from './port.js';
import type { PageStats } from './stats.js';
import { filledNodes, laneOffset, loadWord, magazineCount, nodeOffset, portMagazines, slotParts } from './views.js';

/** What `audit()` found. */
export interface AuditReport {
  /** Nothing moved while the audit read, so what it says is so. Otherwise errors may come from the movement alone. */
  readonly exact: boolean;
  /** No error was found. */
  readonly balanced: boolean;
  /** What does not fit together, each with its page; at most 100. */
  readonly errors: readonly string[];
  /** Pages that a death left with a reference too many, perhaps: an audit that is exact settles them. */
  readonly suspects: readonly number[];
  /** Of those, pages that had one too many, and have not any more. */
  readonly settled: readonly number[];
  readonly pages: PageStats;
  readonly inflight: number;
  /** References that users hold, by where they are. */
  readonly references: { readonly ledgers: number; readonly channels: number; readonly tokens: number };
}

const ERRORS_MAX = 100;

/** Audits the pool. Reads all of the control region: milliseconds for ten thousand pages. */
export function auditPool(port: Port): AuditReport {
  const before = fingerprint(port);
  const audit = new Audit(port);
  audit.run();
  const isStill = before === fingerprint(port) && !hasForeignRecord(port);
  const settled = isStill ? audit.suspicions.filter((suspicion) => settleSuspicion(port, suspicion)) : [];
  return { ...audit.report(), exact: isStill, settled: settled.map(({ page }) => page) };
}

/** What changes with everything that threads do: their port blocks, rows, descriptors, hints and lanes. */
function fingerprint({ memory, geometry }: Port): number {
  let hash = 0x811c9dc5;
  const add = (start: number, end: number): void => {
    for (let i = start >>> 2; i < end >>> 2; i++) hash = Math.imul(hash ^ (memory.i32[i] as number), 0x01000193);
  };
  add(CONTROL_BASE, geometry.wordsOffset);
  add(geometry.ring.offset, geometry.ring.offset + RING_BYTES);
  for (const channel of geometry.channels) add(channel.offset, channel.ring.slotsOffset);
  return hash;
}

/** Whether another port is in the middle of a step. */
function hasForeignRecord({ memory, geometry, id: own }: Port): boolean {
  for (let id = 0; id < geometry.maxPorts; id++) {
    if (id !== own && loadWord(memory, portOffset(geometry, id) + PORT_RECORD_KIND_OFFSET) !== RECORD_NONE) return true;
  }
  return false;
}

/** One audit under way. */
class Audit {
  readonly #port: Port;
  readonly #errors: string[] = [];
  /** Pages marked by a reaper, with the references found beyond those that somebody has. */
  readonly suspicions: Suspicion[] = [];
  /** Page -> the container it was found in. */
  readonly #places = new Map<number, string>();
  /** Page -> references in channels and tokens. */
  readonly #travelling: Uint32Array;
  readonly #references = { ledgers: 0, channels: 0, tokens: 0 };
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
    const out = this.#counts.used + this.#counts.cached + this.#counts.ring;
    if (inflight(memory, geometry) !== out) {
      this.#error(`inflight=${inflight(memory, geometry)} (expected ${out}, the pages that are not home)`);
    }
  }

  report(): Omit<AuditReport, 'exact' | 'settled'> {
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
    return this.#port.geometry.descriptorsOffset + (page << DESCRIPTOR_SHIFT);
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
    const { memory, geometry } = this.#port;
    const count = magazineCount(memory, geometry, node);
    for (let i = 0; i < count; i++)
      this.#place(this.#word(nodeOffset(geometry.ring, node) + NODE_PAGES_OFFSET + 4 * i), place);
    return count;
  }

  #place(page: number, place: string): void {
    if (page < 1 || page > this.#port.geometry.pageCount) {
      this.#error(`page ${page} in ${place} (expected 1..${this.#port.geometry.pageCount})`);
      return;
    }
    const other = this.#places.get(page);
    if (other !== undefined) this.#error(`page ${page} is in ${place} and in ${other} (expected one place)`);
    this.#places.set(page, place);
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
        this.#error(`node ${node} of ${name} (expected each of ${ring.nodeCount} once)`);
      seen.add(node);
    }
  }

  /** Whether a retired page can be found: its bit, and the hint not past it. */
  #isListed(page: number): boolean {
    const index = page >>> RETIRED_WORD_SHIFT;
    const word = this.#word(this.#port.geometry.retiredBitsOffset + 4 * index);
    const hint = this.#word(CONTROL_BASE + HEADER_RETIRED_OFFSET) & RETIRED_INDEX_MASK;
    return ((word >>> (page & 31)) & 1) !== 0 && hint <= index;
  }

  #visitTokens(): void {
    const { tokensOffset, tokenCount } = this.#port.geometry;
    for (let i = 0; i < tokenCount; i++) {
      const token = tokensOffset + (i << TOKEN_SHIFT);
      if ((this.#word(token) & TOKEN_STATE_MASK) !== TOKEN_LENT) continue;
      this.#references.tokens += this.#travel(this.#word(token + TOKEN_HANDLE_OFFSET), 'a token');
    }
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
    const address = nodeOffset(channel.ring, node);
    const count = Math.min(this.#word(address + NODE_COUNT_OFFSET), channel.batch);
    for (let i = this.#word(address + NODE_TAKEN_OFFSET); i < count; i++) {
      const handle = this.#word(address + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT));
      this.#references.channels += this.#travel(handle, `channel "${channel.name}"`);
    }
  }

  #travel(handle: number, place: string): number {
    const page = pageOfHandle(this.#port, handle);
    if (page < 1 || page > this.#port.geometry.pageCount) {
      this.#error(`handle ${handle} in ${place} (expected one of this pool)`);
      return 0;
    }
    this.#travelling[page] = (this.#travelling[page] as number) + 1;
    return 1;
  }

  #checkPage(page: number): void {
    const descriptor = this.#descriptor(page);
    const home = this.#word(descriptor + DESCRIPTOR_HOME_OFFSET);
    const state = home & HOME_STATE_MASK;
    const place = this.#places.get(page);
    const references = this.#rows(page) + (this.#travelling[page] as number);
    const isSuspect = this.#word(descriptor + DESCRIPTOR_SUSPECT_OFFSET) !== 0;
    if (isSuspect) this.suspicions.push({ page, references, excess: 0 });
    if (state === HOME_HELD && place === undefined) {
      this.#counts.used++;
      this.#checkReferences(page, home, references);
      return;
    }
    if (state === HOME_LEFT) this.#counts.pinned++;
    else if (state !== HOME_HELD) this.#counts.provider++;
    if (references !== 0)
      this.#error(`page ${page} has ${references} references in ${place ?? `state ${state}`} (expected none)`);
    if (place !== undefined && state !== HOME_HELD) {
      this.#error(`page ${page} has state ${state} in ${place} (expected ${HOME_HELD}, in circulation)`);
    }
    if (state === HOME_RETIRED && !this.#isListed(page)) {
      this.#error(`page ${page} is retired and cannot be found (expected its bit to be set)`);
    }
    const count = this.#word(descriptor + DESCRIPTOR_COUNT_OFFSET);
    if (count !== 1) this.#error(`page ${page} counts ${count} in ${place ?? `state ${state}`} (expected 1)`);
    if (state === HOME_LEFT && (this.#word(descriptor + DESCRIPTOR_PINS_OFFSET) & PIN_COUNT_MASK) === 0) {
      this.#error(`page ${page} left the pool without a pin (expected a pin)`);
    }
    if (place !== undefined) this.#checkVacant(page, place);
  }

  /** A page that is out: its count against the references found. */
  #checkReferences(page: number, home: number, references: number): void {
    const count = this.#word(this.#descriptor(page) + DESCRIPTOR_COUNT_OFFSET);
    const expected = count >= BIAS_THRESHOLD ? this.#openReferences(page, home, count) : count;
    const suspicion = this.suspicions.at(-1);
    if (suspicion?.page === page && references < expected) {
      suspicion.excess = expected - references;
      return;
    }
    if (references === expected) return;
    this.#error(
      `page ${page} counts ${expected} references (expected ${references}, those of ledgers, channels and tokens)`,
    );
  }

  /** References on a fragment page that its opener has not left: its cuts, less what others gave back. */
  #openReferences(page: number, home: number, count: number): number {
    const opener = ((home & HOME_OPENER_MASK) >>> HOME_OPENER_SHIFT) - 1;
    const block = portOffset(this.#port.geometry, opener);
    if (opener < 0 || this.#word(block + PORT_FRAGMENT_PAGE_OFFSET) !== page) {
      this.#error(`page ${page} carries a bias without an opener (expected the port that opened it)`);
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
      sum += memory.u16[((geometry.ledgersOffset + id * geometry.ledgerBytes) >>> 1) + page] as number;
    }
    this.#references.ledgers += sum;
    return sum;
  }

  /** No fragment of a page in a container has a holder. */
  #checkVacant(page: number, place: string): void {
    const { wordsOffset, unitsShift } = this.#port.geometry;
    const first = page << unitsShift;
    for (let unit = first; unit < first + 2 ** unitsShift; unit++) {
      const holders = this.#word(wordsOffset + 4 * unit) & WORD_HOLDERS_MASK;
      if (holders !== 0) this.#error(`page ${page} has a fragment with ${holders} holders in ${place} (expected none)`);
    }
  }
}
