// Lints: faults that a pool's own words give away, each with its name, what was seen, and what helps.
//
// Pure functions of the last snapshots. What can be so for a moment in a healthy pool counts when it was so in each of
// them, or for as long as an option says. Source of the idea: tokio-console's warnings.

import {
  DESCRIPTOR_HOME_OFFSET,
  ENTRY_HANDLE_OFFSET,
  ENTRY_LENGTH_OFFSET,
  ENTRY_SHIFT,
  HOME_FRAGMENTED,
  HOME_HELD,
  HOME_STATE_MASK,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  WORD_HOLDERS_MASK,
} from '../../assembly/layout.js';
import type { SharedWords } from '../control/claims.js';
import { type ChannelGeometry, titleOf } from '../control/geometry.js';
import { filledNodes, loadWord, nodeOffset } from '../control/nodes.js';
import { descriptorAt } from '../control/places.js';
import { requireMilliseconds, requireRecord } from '../errors.js';
import { type Holder, portName } from '../reports/holders.js';
import { remedyForCalls } from '../reports/servers.js';
import { STALL_MS } from '../reports/stall.js';
import type { CallsStats } from '../reports/stats.js';
import type { HeldPages } from './held-pages.js';
import type { Observed, ObservedPort, PoolSnapshot } from './snapshot.js';

/** The names of the lints; docs/inspect.md has an entry for each. */
export const LINTS = [
  'stalled-wait',
  'queue-can-hold-all',
  'port-not-reaped',
  'starving-port',
  'never-recycled',
  'pages-too-large',
  'pages-too-small',
  'leak-suspect',
  'lagging-owner',
  'slow-consumer',
  'many-ports-few-pages',
  'unserved-calls',
] as const;

/** The name of a lint. */
export type LintName = (typeof LINTS)[number];

/** Something wrong with a pool, or that may become so. */
export interface Lint {
  readonly name: LintName;
  /** What was seen, in a sentence. */
  readonly what: string;
  /** What helps. */
  readonly remedy: string;
  /** Whom it is about, where it is about one. */
  readonly portId?: number | undefined;
  readonly channel?: string | undefined;
  /** Pages that it is about, at most 10. */
  readonly pages?: readonly number[] | undefined;
}

/** From when on something is wrong. */
export interface LintOptions {
  /** A wait, or a want that the owner does not answer, of this length or longer; 10,000 if not given. */
  stallMs?: number | undefined;
  /** A page in the same hands for as long as this, or longer; 60,000 if not given. */
  leakMs?: number | undefined;
}

const LEAK_MS = 60_000;
const FIRST_PAGES = 10;
/** Fragments, or entries, below which nothing is said about their size. */
const SAMPLES_MIN = 8;
/** The part of a page that fragments may leave over. */
const WASTE_MAX = 0.25;
/** Pages that a message may have on average. */
const PARTS_MAX = 4;
/** The part of a whole page that messages should fill at least. */
const FILL_MIN = 0.25;

/**
 * The options, each with its value.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when one is not what it should be
 */
export function resolveLintOptions(call: string, options: unknown): { stallMs: number; leakMs: number } {
  const { leakMs = LEAK_MS, stallMs = STALL_MS } = requireRecord(call, 'options', options, ['leakMs', 'stallMs']);
  requireMilliseconds(call, 'leakMs', leakMs);
  requireMilliseconds(call, 'stallMs', stallMs);
  return { leakMs, stallMs };
}

interface Evidence {
  readonly observed: Observed;
  /** The last snapshots, the newest last; at least one. */
  readonly history: readonly PoolSnapshot[];
  readonly last: PoolSnapshot;
  readonly held: HeldPages;
  readonly holders: () => Holder[];
  readonly stallMs: number;
  readonly leakMs: number;
}

/** Everything that is found. */
export function lintsOf(given: Omit<Evidence, 'last'>): Lint[] {
  const last = given.history.at(-1) as PoolSnapshot;
  if (last.state === 'destroyed') return [];
  const evidence = { ...given, last };
  return [
    stalledWaits,
    queuesCanHoldAll,
    portsNotReaped,
    starvingPorts,
    neverRecycled,
    pagesTooLarge,
    pagesTooSmall,
    leakSuspects,
    laggingOwner,
    slowConsumers,
    manyPortsFewPages,
    unservedCalls,
  ].flatMap((find) => find(evidence));
}

/** Enough snapshots, and so in each of them. */
function isLasting({ history }: Evidence, isSo: (snapshot: PoolSnapshot) => boolean): boolean {
  return history.length >= 3 && history.every(isSo);
}

/** The same for what lies between two of them. */
function isRepeated({ history }: Evidence, isSo: (before: PoolSnapshot, after: PoolSnapshot) => boolean): boolean {
  return history.length >= 3 && history.slice(1).every((after, i) => isSo(history[i] as PoolSnapshot, after));
}

function nameOf({ label, portId }: ObservedPort): string {
  return portName(portId, label, 0);
}

function stalledWaits({ holders: find, last, stallMs }: Evidence): Lint[] {
  const isForWork = (what: string): boolean => what.startsWith('an entry of');
  const stalled = last.ports.flatMap((port) =>
    port.waits.filter(({ forMs, what }) => !isForWork(what) && forMs >= stallMs).map((wait) => ({ port, wait })),
  );
  if (stalled.length === 0) return [];
  const holders = find().map(({ text }) => text);
  return stalled.map(({ port, wait: { forMs, what } }) => ({
    name: 'stalled-wait',
    what: `${nameOf(port)} has waited for ${what} for ${(forMs / 1000).toFixed(1)} s; ${holders.join('; ')}`,
    remedy: what.startsWith('room')
      ? 'receive there, and watch() the threads that do: a dead one receives nothing'
      : 'release what is held, reap dead threads, or create the pool with more pages',
    portId: port.portId,
  }));
}

function queuesCanHoldAll({ last, observed }: Evidence): Lint[] {
  // Calls answer in the pages that they have: a server needs none.
  const channels = observed.geometry.channels.filter(({ isCalls }) => !isCalls);
  const entries = channels.reduce((sum, { capacity }) => sum + capacity, 0);
  if (channels.length === 0 || entries < last.pageCount) return [];
  const each = Math.max(1, Math.floor(last.pageCount / (2 * channels.length)));
  const largest = [...channels].sort((one, other) => other.capacity - one.capacity)[0] as (typeof channels)[number];
  return [
    {
      name: 'queue-can-hold-all',
      what:
        `channels have room for ${entries} entries together, ${titleOf(largest)} for ${largest.capacity}, and the ` +
        `pool has ${last.pageCount} pages: all of them can wait in queues, with none left to answer in`,
      remedy: `give each a capacity of ${each} or less, or create the pool with more than ${entries} pages`,
      channel: largest.name,
    },
  ];
}

/** In each snapshot the same calls wait, and nothing was taken between them. */
function unservedCalls(evidence: Evidence): Lint[] {
  const { last, observed } = evidence;
  const channels = observed.geometry.channels.filter(({ isCalls }) => isCalls);
  return last.calls.flatMap(({ name, waiting }, i) => {
    const at = (snapshot: PoolSnapshot): CallsStats => snapshot.calls[i] as CallsStats;
    const begun = (stats: CallsStats): number => stats.asked - stats.waiting - stats.cancelled;
    const isStill = isLasting(
      evidence,
      (snapshot) => at(snapshot).waiting > 0 && begun(at(snapshot)) === begun(at(last)),
    );
    const remedy = isStill ? remedyForCalls(observed, channels[i] as ChannelGeometry) : undefined;
    if (remedy === undefined) return [];
    return {
      name: 'unserved-calls',
      what: `${waiting} of calls ${JSON.stringify(name)} wait, and none is taken`,
      remedy,
    };
  });
}

function portsNotReaped(evidence: Evidence): Lint[] {
  const { history, last } = evidence;
  return last.ports.flatMap((port) => {
    const at = (snapshot: PoolSnapshot): ObservedPort => snapshot.ports[port.portId] as ObservedPort;
    if (port.state === 'set aside') {
      return {
        name: 'port-not-reaped' as const,
        what: `${nameOf(port)} was reported dead and is set aside: its thread might live, so nobody takes what it has`,
        remedy:
          `audit() takes it back when nothing moves; reap(${port.portId}, { force: true }) when the thread is known ` +
          'to be dead',
        portId: port.portId,
      };
    }
    // A step takes microseconds: a thread that was in one in each snapshot, and counted nothing meanwhile, ended there.
    const isStill = isLasting(
      evidence,
      (snapshot) => at(snapshot).isInStep && isSameCount(at(snapshot), at(history[0] as PoolSnapshot)),
    );
    if (port.state !== 'attached' || !isStill) return [];
    return {
      name: 'port-not-reaped' as const,
      what:
        `${nameOf(port)} was in the middle of a step in each of the last ${history.length} snapshots, with no count ` +
        'moved: its thread has stopped there, or is dead',
      remedy: `watch() workers when they are started, or reap(${port.portId}) when the thread is dead`,
      portId: port.portId,
    };
  });
}

function isSameCount(one: ObservedPort, other: ObservedPort): boolean {
  return (
    one.alloc.fast === other.alloc.fast &&
    one.alloc.refill === other.alloc.refill &&
    one.recycle.cached === other.recycle.cached &&
    one.hold === other.hold &&
    one.release === other.release
  );
}

function starvingPorts(evidence: Evidence): Lint[] {
  const { last } = evidence;
  return last.ports.flatMap((port) => {
    const isStarving = isRepeated(evidence, (before, after) => {
      const [then, now] = [before.ports[port.portId], after.ports[port.portId]] as [ObservedPort, ObservedPort];
      const stolen = now.alloc.stolen - then.alloc.stolen;
      return stolen > 0 && 2 * stolen >= now.alloc.refill - then.alloc.refill;
    });
    if (!isStarving) return [];
    return {
      name: 'starving-port' as const,
      what: `${nameOf(port)} finds most of its pages in the spare magazines of other ports: the ring has none`,
      remedy: 'create the pool with more pages, or let the threads that release call trim()',
      portId: port.portId,
    };
  });
}

function neverRecycled(evidence: Evidence): Lint[] {
  const handedOut = ({ counters: { alloc } }: PoolSnapshot): number => alloc.fast + alloc.slow + alloc.refill;
  const isSo = isRepeated(evidence, (before, after) => {
    const allocated = handedOut(after) - handedOut(before);
    const taken = (after.counters.hold - before.counters.hold) >>> 0;
    const given = (after.counters.release - before.counters.release) >>> 0;
    return allocated > 0 && 2 * taken >= allocated && 2 * given >= taken;
  });
  if (!isSo) return [];
  return [
    {
      name: 'never-recycled',
      what: 'at least half of what is allocated comes from the provider and goes back to it, instead of being recycled',
      remedy:
        'release pages before they are unpinned, call trim() less often, and size the first provider so that the ' +
        'reserve is for peaks alone',
    },
  ];
}

function pagesTooLarge({ last, observed }: Evidence): Lint[] {
  let [entries, bytes] = [0, 0];
  for (const { extent, length } of queuedEntries(observed)) {
    if (extent < last.pageBytes) continue;
    entries++;
    bytes += length;
  }
  const mean = bytes / entries;
  if (entries < SAMPLES_MIN || mean >= FILL_MIN * last.pageBytes) return [];
  return [
    {
      name: 'pages-too-large',
      what:
        `${entries} messages in channels have ${Math.round(mean)} bytes on average, and a whole page of ` +
        `${last.pageBytes} each`,
      remedy: 'cut them with allocFragment(bytes) or take(bytes), or create the pool with smaller pages',
    },
  ];
}

function manyParts({ last, observed }: Evidence): Lint[] {
  let [entries, messages] = [0, 0];
  for (const { hasMore } of queuedEntries(observed)) {
    entries++;
    if (!hasMore) messages++;
  }
  const mean = entries / messages;
  if (messages < SAMPLES_MIN || mean <= PARTS_MAX) return [];
  return [
    {
      name: 'pages-too-small',
      what:
        `${messages} messages in channels have ${mean.toFixed(1)} fragments each on average, on pages of ` +
        `${last.pageBytes} bytes`,
      remedy: 'create the pool with larger pages',
    },
  ];
}

/**
 * What is in the channels' queues: whether the next entry is of the same message, bytes of each entry, and of the
 * fragment that it is on.
 */
function* queuedEntries({
  geometry,
  memory,
}: SharedWords): Generator<{ hasMore: boolean; extent: number; length: number }> {
  const { extentsOffset, pageBytes, unitBits, unitBytes } = geometry;
  for (const { batch, ring } of geometry.channels) {
    for (const node of filledNodes(memory, ring)) {
      const address = nodeOffset(ring, node);
      const count = Math.min(loadWord(memory, address + NODE_COUNT_OFFSET), batch);
      const more = loadWord(memory, address + NODE_MORE_OFFSET);
      for (let i = 0; i < count; i++) {
        const entry = address + NODE_ENTRIES_OFFSET + (i << ENTRY_SHIFT);
        const unit = loadWord(memory, entry + ENTRY_HANDLE_OFFSET) & ((1 << unitBits) - 1);
        const units = memory.u16[(extentsOffset >>> 1) + unit] as number;
        yield {
          hasMore: ((more >>> i) & 1) !== 0,
          extent: units === 0 ? pageBytes : units * unitBytes,
          length: loadWord(memory, entry + ENTRY_LENGTH_OFFSET),
        };
      }
    }
  }
}

function pagesTooSmall(evidence: Evidence): Lint[] {
  return [...leftOver(evidence), ...manyParts(evidence)];
}

function leftOver({ last, observed }: Evidence): Lint[] {
  let [fragments, bytes] = [0, 0];
  for (const extent of cutFragments(observed)) {
    fragments++;
    bytes += extent;
  }
  if (fragments < SAMPLES_MIN) return [];
  const mean = bytes / fragments;
  const perPage = Math.floor(last.pageBytes / mean);
  const waste = 1 - (perPage * mean) / last.pageBytes;
  if (waste < WASTE_MAX) return [];
  return [
    {
      name: 'pages-too-small',
      what:
        `${fragments} fragments have ${Math.round(mean)} bytes on average, so a page of ${last.pageBytes} has ` +
        `${perPage} of them, and ${Math.round(100 * waste)} % of it is left over`,
      remedy: 'create the pool with larger pages',
    },
  ];
}

/** The extents of fragments that somebody holds, on pages that were opened for fragments. */
function* cutFragments(words: SharedWords): Generator<number> {
  const { geometry, memory } = words;
  const { extentsOffset, fragmentWordsOffset, pageCount, unitBytes, unitsPerPageShift } = geometry;
  for (let page = 1; page <= pageCount; page++) {
    const home = loadWord(memory, descriptorAt(geometry, page) + DESCRIPTOR_HOME_OFFSET);
    if ((home & HOME_STATE_MASK) !== HOME_HELD || (home & HOME_FRAGMENTED) === 0) continue;
    const first = page << unitsPerPageShift;
    for (let unit = first; unit < first + 2 ** unitsPerPageShift; unit++) {
      const units = memory.u16[(extentsOffset >>> 1) + unit] as number;
      const holders = loadWord(memory, fragmentWordsOffset + 4 * unit) & WORD_HOLDERS_MASK;
      if (units !== 0 && holders !== 0) yield units * unitBytes;
    }
  }
}

function leakSuspects({ held, last, leakMs }: Evidence): Lint[] {
  return groupByPort(held.since(last.atMs - leakMs)).map(([portId, pages, sinceMs]) => {
    const port = last.ports[portId] as ObservedPort;
    return {
      name: 'leak-suspect' as const,
      what:
        `${nameOf(port)} has held ${pages.length} ${pages.length === 1 ? 'page' : 'pages'} without a move for ` +
        `${((last.atMs - sinceMs) / 1000).toFixed(1)} s or longer`,
      remedy: "release what is not needed; leaks: 'all' in that thread has the stacks of what it holds",
      portId,
      pages: pages.slice(0, FIRST_PAGES),
    };
  });
}

function groupByPort(
  pages: ReturnType<HeldPages['since']>,
): (readonly [portId: number, pages: readonly number[], sinceMs: number])[] {
  const groups = new Map<number, { pages: number[]; sinceMs: number }>();
  for (const { page, portId, sinceMs } of pages) {
    const group = groups.get(portId) ?? { pages: [], sinceMs };
    group.pages.push(page);
    group.sinceMs = Math.max(group.sinceMs, sinceMs);
    groups.set(portId, group);
  }
  return [...groups].map(([portId, group]) => [portId, group.pages, group.sinceMs] as const);
}

function laggingOwner(evidence: Evidence): Lint[] {
  const { last } = evidence;
  if (last.provider.state === 'own') return [];
  return last.ports.flatMap((port) => {
    const wants = (snapshot: PoolSnapshot): boolean => (snapshot.ports[port.portId] as ObservedPort).wanted > 0;
    if (!isLasting(evidence, wants)) return [];
    const isGone = last.provider.state === 'gone';
    return {
      name: 'lagging-owner' as const,
      what:
        `${nameOf(port)} has asked for ${port.wanted} pages, and the thread that calls the provider ` +
        `${isGone ? 'is gone' : 'has not answered'}`,
      remedy: isGone
        ? 'create the pool in a thread that lives as long as the pool: no other one can call its provider'
        : 'let the thread that created the pool return to its event loop, or call poll() there',
      portId: port.portId,
    };
  });
}

function slowConsumers(evidence: Evidence): Lint[] {
  return evidence.last.channels.flatMap((channel, i) => {
    const isFull = isLasting(evidence, ({ channels }) => {
      const { capacity, pending, waiting } = channels[i] as (typeof channels)[number];
      return pending >= capacity || waiting.senders > 0;
    });
    const dropsAgain = isRepeated(
      evidence,
      (before, after) => after.channels[i]?.dropped !== before.channels[i]?.dropped,
    );
    if (!isFull && !dropsAgain) return [];
    const { capacity, name, pending, waiting } = channel;
    const isIdle = waiting.receivers > 0;
    const waits = `${waiting.senders} ${waiting.senders === 1 ? 'thread waits' : 'threads wait'} for room`;
    return {
      name: 'slow-consumer' as const,
      what:
        `channel ${JSON.stringify(name)} was full in each of the last snapshots: ${pending} of ${capacity} entries, ` +
        `${waits}${dropsAgain ? ', and entries are dropped' : ''}`,
      remedy: isIdle
        ? 'a receiver waits there all the same: let it return to its event loop'
        : 'receive in more threads, or with receiveBurst; or send less',
      channel: name,
    };
  });
}

function manyPortsFewPages({ last, observed }: Evidence): Lint[] {
  const attached = last.ports.filter(({ state }) => state === 'attached').length;
  // Each port may keep two magazines and an open fragment page to itself.
  const kept = attached * (2 * observed.geometry.magazineCapacity + 1);
  if (2 * kept <= last.pageCount) return [];
  return [
    {
      name: 'many-ports-few-pages',
      what: `${attached} attached threads may cache ${kept} of ${last.pageCount} pages`,
      remedy: `create the pool with ${2 * kept} pages or more, or attach fewer threads`,
    },
  ];
}
