// Statistics: the kernel's counters by their names, summed over all ports, and where every page is now.
//
// Read without stopping anybody: counters of other threads may be one step old, and the parts of one report need not
// belong to one moment. No call here writes to the pool.

import {
  CLAIM_FREE,
  CLAIM_STATE_MASK,
  COUNTER_CACHE_FULL,
  COUNTER_COUNT,
  COUNTER_EMPTY,
  COUNTER_FAIL,
  COUNTER_FAST,
  COUNTER_FRAGMENTS,
  COUNTER_RECYCLED,
  COUNTER_REFILL,
  COUNTER_REJECTED,
  COUNTER_RELEASED_REFCNT,
  COUNTER_REPAIRED,
  COUNTER_RING,
  COUNTER_RING_FULL,
  COUNTER_SLOW,
  COUNTER_STOLEN,
  COUNTER_SUSPECT,
  COUNTER_WAIVE,
  HOME_HELD,
  HOME_LEFT,
  LANE_ANSWERED_OFFSET,
  LANE_ASKED_OFFSET,
  LANE_CANCELLED_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_FAILED_OFFSET,
  LANE_RECEIVED_OFFSET,
  LANE_SENT_OFFSET,
  PORT_HOLD_OFFSET,
  PORT_RELEASE_OFFSET,
  REPLY_CHANNEL_OFFSET,
  REPLY_OUT,
  REPLY_SERVING,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import { replyOffset } from '../control/calls.js';
import { claimOf, type SharedWords } from '../control/claims.js';
import { type ChannelGeometry, totalBytesOf } from '../control/geometry.js';
import { readLabel } from '../control/label.js';
import {
  cachedPages,
  counterAt,
  homeState,
  laneSum,
  loadWord,
  pendingEntries,
  ringPages,
  waitingThreads,
} from '../control/nodes.js';
import { ownerState } from '../control/owner.js';
import { portOffset } from '../control/places.js';
import { inflight } from '../control/state.js';
import type { Port } from '../port/port.js';
import type { SupplyReport } from '../supply/supply.js';

/** Where allocations found their pages; the first six are the kernel's. */
export interface AllocStats {
  /** From the port's own cache, or from the rest of its open fragment page. */
  readonly fast: number;
  /** From the provider: fresh pages, or pages that had left circulation. */
  readonly slow: number;
  /** Always 0: there are no pages of a higher order. */
  readonly slowHighOrder: number;
  /** The recycle ring was empty. */
  readonly empty: number;
  /** Magazines taken from the ring or from another port. */
  readonly refill: number;
  /**
   * Pages that a refill found in the ring and returned, because their provider wants their area back; 0 with Wasm
   * memory.
   */
  readonly waive: number;
  /** Ours: no page anywhere; the allocation returned 0. */
  readonly fail: number;
  /** Ours: magazines taken from another port's cache. */
  readonly stolen: number;
  /** Ours: fragments cut. */
  readonly fragments: number;
}

/** Where last releases put their pages. */
export interface RecycleStats {
  /** Pages that stayed in the port's cache. */
  readonly cached: number;
  /** Times that the cache was full. */
  readonly cacheFull: number;
  /** Pages that an overflowing cache moved on to the ring. */
  readonly ring: number;
  /** Times that the ring was full. */
  readonly ringFull: number;
  /** Pages that left the pool because somebody had them pinned, or because they were of the reserve. */
  readonly releasedRefcnt: number;
}

/** Where every page is now; the sum of the others is `total`. */
export interface PageStats {
  readonly total: number;
  /**
   * Held by users, or open for fragments. While a thread moves pages between its cache and the ring, they may be
   * counted here: `audit().references` tells what is held.
   */
  readonly used: number;
  readonly cached: number;
  readonly ring: number;
  /** Fresh, or retired. */
  readonly provider: number;
  /** Left the pool while pinned. */
  readonly pinned: number;
}

/** Counters of all ports together, or of one. */
export interface CounterStats {
  readonly alloc: AllocStats;
  readonly recycle: RecycleStats;
  /** Pages taken from the provider. */
  readonly hold: number;
  /** Pages returned to it. */
  readonly release: number;
  /** Ours: handles that were refused. */
  readonly rejected: number;
  /** Ours: steps of dead threads that were finished. */
  readonly repaired: number;
  /** Ours: pages that a death left with one reference too many, perhaps. */
  readonly suspect: number;
}

/** One port's part. A port's counters go on when another thread claims it. */
export interface PortStats extends CounterStats {
  readonly portId: number;
  /** What the thread called itself when it attached. */
  readonly label: string;
  /** A thread is attached. */
  readonly isClaimed: boolean;
  readonly cached: number;
}

/** The calls of one name. What was asked is answered, failed or cancelled, waits, or is served. */
export interface CallsStats {
  readonly name: string;
  readonly capacity: number;
  /** Sent, and not taken by a server. */
  readonly waiting: number;
  readonly serving: number;
  readonly asked: number;
  readonly answered: number;
  /** Their handler failed, or their server is gone. */
  readonly failed: number;
  /** Given up by who asked: a signal, or a timeout. */
  readonly cancelled: number;
}

/** What `stats()` returns. */
export interface PoolStats extends CounterStats {
  readonly name: string;
  readonly engine: 'wasm' | 'typescript';
  readonly pageBytes: number;
  readonly unitBytes: number;
  /** A stale handle is refused with probability 1 - 2^-generationBits. */
  readonly generationBits: number;
  /**
   * Pages that are not with the provider, those in caches and ring among them: `pages.used` are those that are held.
   */
  readonly inflight: number;
  readonly pages: PageStats;
  /** Bytes of memory that the pool has itself, its control region included; a provider's areas are not. */
  readonly memoryBytes: number;
  readonly provider: ProviderStats;
  readonly calls: readonly CallsStats[];
  readonly ports: readonly PortStats[];
  /** Ours: the channels, in the order of their declaration. */
  readonly channels: readonly ChannelStats[];
}

/** Ours: what goes on in a channel. */
export interface ChannelStats {
  readonly name: string;
  readonly capacity: number;
  /** Entries inside now. */
  readonly pending: number;
  /** Threads that wait now: for room, and for an entry. */
  readonly waiting: { readonly senders: number; readonly receivers: number };
  /** Entries that were sent since the pool was created, modulo 2^32; also those dropped later to make room. */
  readonly sent: number;
  /** Entries that were received, modulo 2^32. */
  readonly received: number;
  /** Entries that the channel's policy, or its end, dropped. */
  readonly dropped: number;
}

/** Ours: where pages come from. */
export interface ProviderStats {
  readonly kind: string;
  /**
   * `'own'`: the pool's own memory, which any thread grows. `'serving'`: the thread that calls the provider is
   * attached. `'gone'`: it is not, and pages circulate, but none is added.
   */
  readonly state: 'own' | 'serving' | 'gone';
  /** What only the thread that calls the provider knows; null in others. */
  readonly owner: SupplyReport | null;
}

/** Reads the statistics, and every page's descriptor for it: microseconds for a thousand pages. */
export function readStats(port: Port, engine: 'wasm' | 'typescript'): PoolStats {
  const { memory, geometry, name } = port;
  const totals = new Float64Array(COUNTER_COUNT);
  let hold = 0;
  let release = 0;
  let cached = 0;
  const ports = Array.from({ length: geometry.maxPorts }, (_, id) => {
    const stats = readPort(port, id, totals);
    hold = (hold + stats.hold) >>> 0;
    release = (release + stats.release) >>> 0;
    cached += stats.cached;
    return stats;
  });
  return {
    name,
    engine,
    pageBytes: geometry.pageBytes,
    unitBytes: geometry.unitBytes,
    generationBits: geometry.generationBits,
    ...counterStats(totals, hold, release),
    inflight: inflight(memory, geometry),
    pages: placePages(port, cached),
    memoryBytes: memory.reach(totalBytesOf(geometry)).byteLength,
    provider: readProvider(port),
    calls: readCalls(port),
    ports,
    channels: geometry.channels.filter(({ isCalls }) => !isCalls).map((channel) => readChannel(port, channel)),
  };
}

/** What goes on in the calls of each name. */
export function readCalls({ memory, geometry }: SharedWords): CallsStats[] {
  const states = geometry.channels.map(() => ({ waiting: 0, serving: 0 }));
  for (let id = 0; id < geometry.maxPorts; id++) {
    for (let slot = 0; slot < geometry.replyCount; slot++) {
      const reply = replyOffset(geometry, id, slot);
      const state = loadWord(memory, reply) & REPLY_STATE_MASK;
      const counts = states[loadWord(memory, reply + REPLY_CHANNEL_OFFSET)];
      if (counts !== undefined && state === REPLY_OUT) counts.waiting++;
      if (counts !== undefined && state === REPLY_SERVING) counts.serving++;
    }
  }
  return geometry.channels.flatMap((channel, index) => {
    if (!channel.isCalls) return [];
    const sum = (counter: number): number => laneSum(memory, geometry, channel, counter);
    return {
      name: channel.name,
      capacity: channel.capacity,
      ...(states[index] as { waiting: number; serving: number }),
      asked: sum(LANE_ASKED_OFFSET),
      answered: sum(LANE_ANSWERED_OFFSET),
      failed: sum(LANE_FAILED_OFFSET),
      cancelled: sum(LANE_CANCELLED_OFFSET),
    };
  });
}

function readProvider(port: Port): ProviderStats {
  const state = ownerState(port);
  const owner = port.isGone ? null : (port.supply?.report() ?? null);
  return {
    kind: port.kind,
    state: state === 'none' ? 'own' : state,
    owner,
  };
}

/** What goes on in a channel. */
export function readChannel(words: SharedWords, channel: ChannelGeometry): ChannelStats {
  const { memory, geometry } = words;
  const sum = (counter: number): number => laneSum(memory, geometry, channel, counter);
  const dropped = sum(LANE_DROPPED_OFFSET);
  // What is dropped from inside was taken out by whoever dropped it; what a full channel does not take never was
  // inside.
  const taken = sum(LANE_RECEIVED_OFFSET) - (channel.whenFull === 'drop-newest' ? 0 : dropped);
  return {
    name: channel.name,
    capacity: channel.capacity,
    pending: pendingEntries(memory, geometry, channel),
    waiting: waitingThreads(words, channel),
    sent: sum(LANE_SENT_OFFSET),
    received: taken >>> 0,
    dropped,
  };
}

/** One port's part; its counters are added to `totals`. */
export function readPort({ memory, geometry }: SharedWords, id: number, totals: Float64Array): PortStats {
  const block = portOffset(geometry, id);
  // Without an iterator and without a spread: an observer reads every port each time it looks.
  const counters = new Float64Array(COUNTER_COUNT);
  for (let i = 0; i < COUNTER_COUNT; i++) {
    const count = counterAt(memory, block, i << 3);
    counters[i] = count;
    totals[i] = (totals[i] as number) + count;
  }
  const isClaimed = (claimOf(memory, geometry, id) & CLAIM_STATE_MASK) !== CLAIM_FREE;
  const hold = loadWord(memory, block + PORT_HOLD_OFFSET);
  const release = loadWord(memory, block + PORT_RELEASE_OFFSET);
  const { alloc, recycle, rejected, repaired, suspect } = counterStats(counters, hold, release);
  return {
    portId: id,
    label: isClaimed ? readLabel(memory, geometry, id) : '',
    isClaimed,
    cached: cachedPages(memory, geometry, id),
    alloc,
    recycle,
    hold,
    release,
    rejected,
    repaired,
    suspect,
  };
}

/** Counters by their names. */
export function counterStats(counters: Float64Array, hold: number, release: number): CounterStats {
  const get = (counter: number): number => counters[counter >>> 3] as number;
  return {
    alloc: {
      fast: get(COUNTER_FAST),
      slow: get(COUNTER_SLOW),
      slowHighOrder: 0,
      empty: get(COUNTER_EMPTY),
      refill: get(COUNTER_REFILL),
      waive: get(COUNTER_WAIVE),
      fail: get(COUNTER_FAIL),
      stolen: get(COUNTER_STOLEN),
      fragments: get(COUNTER_FRAGMENTS),
    },
    recycle: {
      cached: Math.max(0, get(COUNTER_RECYCLED) - get(COUNTER_RING)),
      cacheFull: get(COUNTER_CACHE_FULL),
      ring: get(COUNTER_RING),
      ringFull: get(COUNTER_RING_FULL),
      releasedRefcnt: get(COUNTER_RELEASED_REFCNT),
    },
    hold,
    release,
    rejected: get(COUNTER_REJECTED),
    repaired: get(COUNTER_REPAIRED),
    suspect: get(COUNTER_SUSPECT),
  };
}

/** Where the pages are: their home states show who has them, the magazines show which of the pool's own are idle. */
function placePages(port: Port, cached: number): PageStats {
  const { memory, geometry } = port;
  let held = 0;
  let pinned = 0;
  for (let page = 1; page <= geometry.pageCount; page++) {
    const state = homeState(port, page);
    if (state === HOME_HELD) held++;
    else if (state === HOME_LEFT) pinned++;
  }
  const ring = ringPages(memory, geometry);
  return {
    total: geometry.pageCount,
    used: Math.max(0, held - cached - ring),
    cached,
    ring,
    provider: geometry.pageCount - held - pinned,
    pinned,
  };
}
