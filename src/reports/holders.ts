// Who keeps a closing pool from its end: by port, channel and token, with the first page numbers, and in a sentence.
//
// Reads the control region and writes nothing; approximate while threads work. What it reports of a page is where its
// references are, so a page that several hold is named with each of them.

import {
  CLAIM_QUARANTINED,
  CLAIM_REAPING,
  CLAIM_SEQ_SHIFT,
  CLAIM_STATE_MASK,
  HOME_HELD,
  LANE_INBOX_OFFSET,
  LANE_OUTBOX_OFFSET,
  PORT_FRAGMENT_PAGE_OFFSET,
} from '../../assembly/layout.js';
import { claimOf, reaperOf, type SharedWords } from '../control/claims.js';
import { type ChannelGeometry, titleOf } from '../control/geometry.js';
import { readLabel } from '../control/label.js';
import {
  answeredHandles,
  entryHandles,
  filledNodes,
  heldPages,
  homeState,
  laneOffset,
  lentHandles,
  loadWord,
  magazinePages,
  portMagazines,
} from '../control/nodes.js';
import { pageOfHandle, portOffset } from '../control/places.js';
import { isRunning } from '../control/state.js';

/** Somebody, or something, that keeps a closing pool from its end. */
export interface Holder {
  /**
   * `'references'`: a thread has not released them. `'cache'`: pages in a thread's cache. `'running'`: a thread that
   * has not run since the closing began. `'channel'`: entries that nobody received. `'token'`: lent, not adopted.
   * `'reply'`: answers of calls that were not collected. `'nobody'`: no reference is to be found, as on a page that a
   * thread was just releasing when it died.
   */
  readonly kind: 'references' | 'cache' | 'running' | 'channel' | 'token' | 'reply' | 'nobody';
  /** The port, where it is one. */
  readonly portId: number | null;
  /** What its thread calls itself. */
  readonly label: string;
  /** How many threads have had the port, this one included. */
  readonly claim: number;
  /** The channel, where the references are in one. */
  readonly channel: string | null;
  readonly pageCount: number;
  /** The first ten of them. */
  readonly firstPages: readonly number[];
  /** The same as a sentence. */
  readonly text: string;
}

const FIRST_PAGES = 10;

/**
 * Everybody who keeps the pool from its end.
 *
 * @param isLost whether a page that nobody was found to have is nobody's, and not on its way
 */
export function findHolders(words: SharedWords, isLost: (page: number) => boolean = () => true): Holder[] {
  return new Search(words, isLost).run();
}

/** One search under way. */
class Search {
  readonly #words: SharedWords;
  readonly #isLost: (page: number) => boolean;
  readonly #holders: Holder[] = [];
  /** Pages that somebody was found to have. */
  readonly #found = new Set<number>();

  constructor(words: SharedWords, isLost: (page: number) => boolean) {
    this.#words = words;
    this.#isLost = isLost;
  }

  run(): Holder[] {
    const { geometry, memory } = this.#words;
    for (let id = 0; id < geometry.maxPorts; id++) {
      if (claimOf(memory, geometry, id) !== 0) this.#visitPort(id);
    }
    for (const channel of geometry.channels) this.#visitRing(channel);
    this.#visitTokens();
    this.#visitReplies();
    this.#visitRest();
    return this.#holders;
  }

  #word(address: number): number {
    return loadWord(this.#words.memory, address);
  }

  #add(
    kind: Holder['kind'],
    portId: number | null,
    channel: string | null,
    pages: readonly number[],
    verb: string,
  ): void {
    const { memory, geometry } = this.#words;
    for (const page of pages) this.#found.add(page);
    if (pages.length === 0 && kind !== 'running') return;
    const claim = portId === null ? 0 : claimOf(memory, geometry, portId);
    const label = portId === null ? '' : readLabel(memory, geometry, portId);
    const who = portId === null ? '' : `${portName(portId, label, claim)} `;
    this.#holders.push({
      kind,
      portId,
      label,
      claim: claim >>> CLAIM_SEQ_SHIFT,
      channel,
      pageCount: pages.length,
      firstPages: pages.slice(0, FIRST_PAGES),
      text: `${who}${verb.replace('%', pageList(pages))}`,
    });
  }

  #visitPort(id: number): void {
    const { memory, geometry } = this.#words;
    const isBusy = isRunning(memory, geometry, id);
    const since = isBusy ? ' and has not run since' : '';
    this.#add('references', id, null, heldPages(this.#words, id), 'holds %');
    for (const channel of geometry.channels) {
      const pages = [LANE_INBOX_OFFSET, LANE_OUTBOX_OFFSET].flatMap((holder) =>
        this.#pagesIn(channel, this.#word(laneOffset(channel, id) + holder)),
      );
      this.#add('channel', id, channel.name, unique(pages), `has %, received from ${titleOf(channel)} and not taken`);
    }
    const cached = this.#cacheOf(id);
    this.#add('cache', id, null, cached, `caches %${since}`);
    if (isBusy && cached.length === 0) this.#add('running', id, null, [], 'has not run since');
  }

  #cacheOf(id: number): number[] {
    const { memory, geometry } = this.#words;
    const pages = portMagazines(memory, geometry, id).flatMap((node) => magazinePages(this.#words, node));
    const open = this.#word(portOffset(geometry, id) + PORT_FRAGMENT_PAGE_OFFSET);
    return open === 0 ? pages : [...pages, open];
  }

  #visitRing(channel: ChannelGeometry): void {
    const pages = [...filledNodes(this.#words.memory, channel.ring)].flatMap((node) => this.#pagesIn(channel, node));
    this.#add('channel', null, channel.name, unique(pages), `${titleOf(channel)} has %, not received`);
  }

  /** Pages of a node's entries that nobody has taken. */
  #pagesIn(channel: ChannelGeometry, node: number): number[] {
    return entryHandles(this.#words.memory, channel, node).map((handle) => pageOfHandle(this.#words, handle));
  }

  #visitTokens(): void {
    const pages = lentHandles(this.#words).map((handle) => pageOfHandle(this.#words, handle));
    this.#add(
      'token',
      null,
      null,
      unique(pages),
      'tokens lent and not adopted have %: reclaimTokens(0) takes them back',
    );
  }

  #visitReplies(): void {
    const pages = answeredHandles(this.#words).map((handle) => pageOfHandle(this.#words, handle));
    this.#add('reply', null, null, unique(pages), 'answers that nobody has collected have %');
  }

  /** Pages in circulation that nobody was found to have. */
  #visitRest(): void {
    const { memory, geometry } = this.#words;
    for (const node of filledNodes(memory, geometry.ring)) {
      for (const page of magazinePages(this.#words, node)) this.#found.add(page);
    }
    const rest: number[] = [];
    for (let page = 1; page <= geometry.pageCount; page++) {
      const isOut = homeState(this.#words, page) === HOME_HELD && !this.#found.has(page);
      if (isOut && this.#isLost(page)) rest.push(page);
    }
    this.#add('nobody', null, null, rest, 'nobody has %: audit() settles what a death left, when nothing moves');
  }
}

function unique(pages: readonly number[]): number[] {
  return [...new Set(pages)].sort((one, other) => one - other);
}

/** `2 pages (4, 7)`. */
function pageList(pages: readonly number[]): string {
  const first = pages.slice(0, FIRST_PAGES).join(', ');
  const more = pages.length > FIRST_PAGES ? ', ...' : '';
  return `${pages.length} ${pages.length === 1 ? 'page' : 'pages'} (${first}${more})`;
}

/** `port 1 "parser"`, and what is to be reported of its claim. */
export function portName(id: number, label: string, claim: number): string {
  const state = claim & CLAIM_STATE_MASK;
  const name = label === '' ? `port ${id}` : `port ${id} ${JSON.stringify(label)}`;
  if (state === CLAIM_QUARANTINED) return `${name}, which is set aside,`;
  if (state === CLAIM_REAPING) return `${name}, which port ${reaperOf(claim)} reaps,`;
  return name;
}
