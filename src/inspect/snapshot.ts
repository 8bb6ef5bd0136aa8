// One reading of a pool from outside: its pages, ports, channels and calls, by words that any thread may read.
//
// Stops nobody and writes nothing, so it works on a pool whose creator hangs or died. Threads work meanwhile: a digest
// of what they write with every page and entry that moves, taken before and after, says whether anything did.

import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  CLAIM_FREE,
  CLAIM_QUARANTINED,
  CLAIM_REAPING,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  COUNTER_COUNT,
  HEADER_BYTES,
  HEADER_FREED_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  PORT_RECORD_KIND_OFFSET,
  PORT_WANT_OFFSET,
  RECORD_NONE,
  STATE_ACTIVE,
  STATE_CLOSING,
} from '../../assembly/layout.js';
import { claimOf, reaperOf, type SharedWords, threadOf } from '../control/claims.js';
import { digestOf } from '../control/digest.js';
import { titleOf } from '../control/geometry.js';
import { isWaiting, laneOffset, loadWord } from '../control/nodes.js';
import { ownerState } from '../control/owner.js';
import { portOffset } from '../control/places.js';
import { inflight, poolState } from '../control/state.js';
import { monotonicMs } from '../platform/clock.js';
import {
  type CallsStats,
  type ChannelStats,
  type CounterStats,
  counterStats,
  type PortStats,
  readCalls,
  readChannel,
  readPort,
} from '../reports/stats.js';
import type { MissingPages } from './missing-pages.js';
import { mapPages, type PageMap, PLACES, type Place } from './page-map.js';

/** What a port waits for. */
export interface ObservedWait {
  /** `a page`, `room in channel "work"`, `an entry of channel "work"`. */
  readonly what: string;
  /** For how long this observer has seen it wait, milliseconds; 0 when it is new. */
  readonly forMs: number;
}

/** One port, as others see it. */
export interface ObservedPort extends PortStats {
  /** `set aside`: its thread was reported dead, and might live. `reaped`: another port takes back what it has. */
  readonly state: 'free' | 'attached' | 'set aside' | 'reaped';
  /** The port that reaps it; null where none does. */
  readonly reaper: number | null;
  /** The thread's number in node:worker_threads, where that is known. */
  readonly thread: number | null;
  /** Pages on which it is the first to have references. */
  readonly held: number;
  /** Pages that it has asked the owner for, and not got. */
  readonly wanted: number;
  /** It was in the middle of a step. */
  readonly isInStep: boolean;
  /**
   * Entries that it sent and took out, in the order of `channels`, modulo 2^32, dropped ones included. They go
   * on when another thread claims the port.
   */
  readonly lanes: readonly { readonly sent: number; readonly received: number }[];
  readonly waits: readonly ObservedWait[];
}

/** Changes between two snapshots, a second. */
export interface ObservedRates {
  /** Between the two, milliseconds. */
  readonly overMs: number;
  /** Pages allocated, whole or to cut fragments from. */
  readonly allocated: number;
  readonly fragments: number;
  /** Last releases: pages that went back into circulation. */
  readonly recycled: number;
  /** Pages taken from the provider. */
  readonly taken: number;
  /** Allocations that found nothing. */
  readonly failed: number;
  /** Entries sent and received, in the order of `channels`. */
  readonly channels: readonly { readonly sent: number; readonly received: number; readonly dropped: number }[];
  /** Calls asked and answered, in the order of `calls`. */
  readonly calls: readonly { readonly asked: number; readonly answered: number }[];
}

/** Where pages come from. */
export interface ObservedProvider {
  readonly kind: string;
  /** `own`: any thread grows the pool's memory. `serving`: the thread that calls the provider is attached. */
  readonly state: 'own' | 'serving' | 'gone';
  /** Pages that the ports have asked for, and not got. */
  readonly wanted: number;
  /**
   * What the provider, and the reserve, report of themselves: `describe()`. Their thread alone can ask them, with an
   * observer of the pool and not of its share; null in others.
   */
  readonly description: Readonly<Record<string, unknown>> | null;
  readonly reserve: Readonly<Record<string, unknown>> | null;
}

/** A pool at one moment, as far as others can see it. */
export interface PoolSnapshot {
  readonly name: string;
  readonly state: 'active' | 'closing' | 'destroyed';
  /** Something moved while it was read: its parts may belong to different moments. */
  readonly hasMoved: boolean;
  /** When it was read, milliseconds of this thread's monotonic clock, and how long that took. */
  readonly atMs: number;
  readonly readMs: number;
  readonly pageBytes: number;
  readonly unitBytes: number;
  readonly pageCount: number;
  /** Where each page is. */
  readonly map: PageMap;
  /** How many are in each place; the sum is `pageCount`. */
  readonly places: Readonly<Record<Place, number>>;
  /** Pages that are not with the provider: held, or in a cache or the ring. */
  readonly inflight: number;
  /** Of all ports together. */
  readonly counters: CounterStats;
  readonly ports: readonly ObservedPort[];
  readonly channels: readonly ChannelStats[];
  readonly calls: readonly CallsStats[];
  readonly provider: ObservedProvider;
  /** Against the snapshot before it; null in the first one. */
  readonly rates: ObservedRates | null;
}

/** Which pool, and what its share says of it. */
export interface Observed extends SharedWords {
  readonly name: string;
  readonly kind: string;
  /** Asks the providers to describe themselves, where this thread can. */
  readonly describe?: (() => Pick<ObservedProvider, 'description' | 'reserve'>) | undefined;
}

/** Since when something has been so, as this observer has seen it. */
export type Since = (key: string) => number;

/** Reads everything but the rates, which need two readings. */
export function readPool(observed: Observed, since: Since, missing: MissingPages): Omit<PoolSnapshot, 'rates'> {
  const { geometry, memory, name } = observed;
  const atMs = monotonicMs();
  const hasRested = watchRest(observed);
  const { byPlace, heldBy, missing: pages, ...map } = mapPages(observed);
  const totals = new Float64Array(COUNTER_COUNT);
  const ports = Array.from({ length: geometry.maxPorts }, (_, id) =>
    observePort(observed, id, heldBy[id] as number, totals, since),
  );
  const sum = (pick: (port: ObservedPort) => number): number =>
    ports.reduce((before, port) => (before + pick(port)) >>> 0, 0);
  const channels = geometry.channels.filter(({ isCalls }) => !isCalls).map((channel) => readChannel(observed, channel));
  const calls = readCalls(observed);
  const { hasMoved, isInStep } = hasRested();
  missing.follow(pages, { isStill: !hasMoved && !isInStep, byPlace, places: map.places });
  return {
    name,
    state: stateName(poolState(memory)),
    atMs,
    pageBytes: geometry.pageBytes,
    unitBytes: geometry.unitBytes,
    pageCount: geometry.pageCount,
    map,
    places: Object.fromEntries(PLACES.map((place, i) => [place, byPlace[i]])) as Record<Place, number>,
    inflight: inflight(memory, geometry),
    counters: counterStats(
      totals,
      sum(({ hold }) => hold),
      sum(({ release }) => release),
    ),
    ports,
    channels,
    calls,
    provider: observeProvider(observed, ports),
    hasMoved,
    readMs: monotonicMs() - atMs,
  };
}

function observeProvider(observed: Observed, ports: readonly ObservedPort[]): ObservedProvider {
  const owner = ownerState(observed);
  return {
    kind: observed.kind,
    state: owner === 'none' ? 'own' : owner,
    wanted: ports.reduce((sum, { wanted }) => sum + wanted, 0),
    ...(observed.describe?.() ?? { description: null, reserve: null }),
  };
}

function stateName(state: number): PoolSnapshot['state'] {
  if (state === STATE_ACTIVE) return 'active';
  return state === STATE_CLOSING ? 'closing' : 'destroyed';
}

/**
 * Watches from now on; what it returns says whether anything moved, and whether a thread is within a step: that one
 * may have a page in its hand.
 */
export function watchRest(words: SharedWords): () => { readonly hasMoved: boolean; readonly isInStep: boolean } {
  const before = movement(words);
  return () => ({
    hasMoved: before !== movement(words),
    isInStep: Array.from({ length: words.geometry.maxPorts }, (_, id) => id).some((id) => isPortInStep(words, id)),
  });
}

function isPortInStep({ geometry, memory }: SharedWords, id: number): boolean {
  return loadWord(memory, portOffset(geometry, id) + PORT_RECORD_KIND_OFFSET) !== RECORD_NONE;
}

/** What threads write with all that moves: the header, their port blocks with the counters, rings, and lanes. */
function movement({ geometry, memory }: SharedWords): number {
  const { channels, ledgersOffset, portsOffset, ring } = geometry;
  return digestOf(memory, [
    [CONTROL_BASE, CONTROL_BASE + HEADER_BYTES],
    [portsOffset, ledgersOffset],
    [ring.offset, ring.slotsOffset],
    ...channels.map((channel) => [channel.offset, channel.ring.slotsOffset] as const),
  ]);
}

function observePort(words: SharedWords, id: number, held: number, totals: Float64Array, since: Since): ObservedPort {
  const { geometry, memory } = words;
  const claim = claimOf(memory, geometry, id);
  const block = portOffset(geometry, id);
  const claimState = claim & CLAIM_STATE_MASK;
  const thread = threadOf(memory, geometry, id, claim);
  const isFree = claimState === CLAIM_FREE;
  const whats = isFree ? [] : waitsOf(words, id);
  // Field by field: a spread of so many makes a slow object, which costs each port five microseconds a look.
  const { alloc, cached, hold, isClaimed, label, recycle, rejected, release, repaired, suspect } = readPort(
    words,
    id,
    totals,
  );
  return {
    portId: id,
    label,
    isClaimed,
    cached,
    alloc,
    recycle,
    hold,
    release,
    rejected,
    repaired,
    suspect,
    state: claimName(claimState),
    reaper: claimState === CLAIM_REAPING ? reaperOf(claim) : null,
    thread: thread === 0 || isFree ? null : thread - 1,
    held,
    wanted: isFree ? 0 : loadWord(memory, block + PORT_WANT_OFFSET),
    isInStep: isPortInStep(words, id),
    lanes: geometry.channels
      .filter(({ isCalls }) => !isCalls)
      .map((channel) => ({
        sent: loadWord(memory, laneOffset(channel, id) + LANE_SENT_OFFSET),
        received: loadWord(memory, laneOffset(channel, id) + LANE_RECEIVED_OFFSET),
      })),
    waits: whats.map((what) => ({ what, forMs: since(`port ${id}, claim ${claim}: ${what}`) })),
  };
}

function claimName(state: number): ObservedPort['state'] {
  if (state === CLAIM_FREE) return 'free';
  if (state === CLAIM_QUARANTINED) return 'set aside';
  return state === CLAIM_REAPING ? 'reaped' : 'attached';
}

/** What a port waits for, by the bits that it has set. */
function waitsOf(words: SharedWords, id: number): string[] {
  const isAt = (event: number): boolean => isWaiting(words, event, id);
  return [
    ...(isAt(CONTROL_BASE + HEADER_FREED_OFFSET) ? ['a page'] : []),
    ...words.geometry.channels.flatMap((channel) => [
      ...(isAt(channel.offset + CHANNEL_NOT_FULL_OFFSET) ? [`room in ${titleOf(channel)}`] : []),
      ...(isAt(channel.offset + CHANNEL_NOT_EMPTY_OFFSET) ? [`an entry of ${titleOf(channel)}`] : []),
    ]),
  ];
}
