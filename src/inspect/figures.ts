// The figures of a pool: one list for OpenTelemetry and for OpenMetrics text.
//
// Names and units are by OpenTelemetry's semantic conventions, and by Prometheus's for the text. Counters of channels
// and calls wrap at 2^32, as a restart looks like; rate() takes that.

import { PLACES } from './page-map.js';
import type { PoolSnapshot } from './snapshot.js';

/** A value with its labels. */
export type Sample = readonly [value: number, labels: Readonly<Record<string, string>>];

/** One figure. */
export interface Figure {
  /** Counters only go up, usage goes up and down. */
  readonly kind: 'counter' | 'usage';
  readonly description: string;
  /** The name in OpenMetrics text, without `_total`; its unit, where the name has one. */
  readonly text: string;
  readonly textUnit?: 'bytes';
  /** Its instrument; none where it is for the text alone. `labels` are the names of attributes. */
  readonly instrument?: {
    readonly name: string;
    readonly unit: string;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly samples: (snapshot: PoolSnapshot) => readonly Sample[];
}

type Channel = PoolSnapshot['channels'][number];
type Calls = PoolSnapshot['calls'][number];
type Port = PoolSnapshot['ports'][number];

const one = (pick: (snapshot: PoolSnapshot) => number): Figure['samples'] => {
  return (snapshot) => [[pick(snapshot), {}]];
};
const ofChannels = (pick: (channel: Channel) => number): Figure['samples'] => {
  return ({ channels }) => channels.map((channel) => [pick(channel), { channel: channel.name }]);
};
const ofCalls = (pick: (calls: Calls) => number): Figure['samples'] => {
  return ({ calls }) => calls.map((each) => [pick(each), { calls: each.name }]);
};
const ofPorts = (pick: (port: Port) => number): Figure['samples'] => {
  return ({ ports }) =>
    ports
      .filter(({ state }) => state !== 'free')
      .map((port) => [pick(port), { port: String(port.portId), label: port.label }]);
};
const channelLabel = { channel: 'pagepool.channel.name' };

function waitsFor({ ports }: PoolSnapshot, prefixes: readonly string[]): number {
  const waits = ports.flatMap((port) => port.waits);
  return waits.filter(({ what }) => prefixes.some((prefix) => what.startsWith(prefix))).length;
}

/** Every figure. */
export const FIGURES: readonly Figure[] = [
  {
    kind: 'usage',
    description: 'Pages by where they are.',
    text: 'pagepool_pages',
    instrument: { name: 'pagepool.page.usage', unit: '{page}', labels: { place: 'pagepool.page.state' } },
    samples: ({ places }) => PLACES.map((place) => [places[place], { place }]),
  },
  {
    kind: 'usage',
    description: 'Pages that the pool has.',
    text: 'pagepool_pages_limit',
    instrument: { name: 'pagepool.page.limit', unit: '{page}' },
    samples: one(({ pageCount }) => pageCount),
  },
  {
    kind: 'usage',
    description: 'Pages that are not with the provider.',
    text: 'pagepool_pages_inflight',
    samples: one(({ inflight }) => inflight),
  },
  {
    kind: 'usage',
    description: 'Bytes of the pages that are not with the provider.',
    text: 'pagepool_memory_bytes',
    textUnit: 'bytes',
    instrument: { name: 'pagepool.memory.usage', unit: 'By' },
    samples: one(({ inflight, pageBytes }) => inflight * pageBytes),
  },
  {
    kind: 'usage',
    description: 'Bytes of a page.',
    text: 'pagepool_page_size_bytes',
    textUnit: 'bytes',
    samples: one(({ pageBytes }) => pageBytes),
  },
  {
    kind: 'usage',
    description: 'Whether pages can still be added.',
    text: 'pagepool_provider_serving',
    samples: ({ provider: { kind, state } }) => [[state === 'gone' ? 0 : 1, { kind }]],
  },
  {
    kind: 'counter',
    description: 'Allocations by where their pages came from; ring counts magazines.',
    text: 'pagepool_allocations',
    instrument: { name: 'pagepool.allocations', unit: '{allocation}', labels: { tier: 'pagepool.allocation.tier' } },
    samples: ({ counters: { alloc } }) => [
      [alloc.fast, { tier: 'cache' }],
      [alloc.refill, { tier: 'ring' }],
      [alloc.slow, { tier: 'provider' }],
    ],
  },
  {
    kind: 'counter',
    description: 'Allocations that found no page.',
    text: 'pagepool_allocations_failed',
    instrument: { name: 'pagepool.allocation.failures', unit: '{allocation}' },
    samples: one(({ counters }) => counters.alloc.fail),
  },
  {
    kind: 'counter',
    description: 'Magazines taken from the caches of other threads.',
    text: 'pagepool_magazines_stolen',
    samples: one(({ counters }) => counters.alloc.stolen),
  },
  {
    kind: 'counter',
    description: 'Fragments cut.',
    text: 'pagepool_fragments',
    samples: one(({ counters }) => counters.alloc.fragments),
  },
  {
    kind: 'counter',
    description: 'Last releases by where their pages went.',
    text: 'pagepool_pages_recycled',
    samples: ({ counters: { recycle } }) => [
      [recycle.cached, { to: 'cache' }],
      [recycle.ring, { to: 'ring' }],
      [recycle.releasedRefcnt, { to: 'provider' }],
    ],
  },
  {
    kind: 'counter',
    description: 'Pages taken from the provider.',
    text: 'pagepool_pages_taken',
    samples: one(({ counters }) => counters.hold),
  },
  {
    kind: 'counter',
    description: 'Pages returned to the provider.',
    text: 'pagepool_pages_returned',
    samples: one(({ counters }) => counters.release),
  },
  {
    kind: 'counter',
    description: 'Handles that were refused.',
    text: 'pagepool_handles_rejected',
    samples: one(({ counters }) => counters.rejected),
  },
  {
    kind: 'counter',
    description: 'Steps of dead threads that were finished.',
    text: 'pagepool_steps_repaired',
    samples: one(({ counters }) => counters.repaired),
  },
  {
    kind: 'usage',
    description: 'Pages that a thread holds.',
    text: 'pagepool_port_pages_held',
    samples: ofPorts(({ held }) => held),
  },
  {
    kind: 'usage',
    description: 'Pages in the cache of a thread.',
    text: 'pagepool_port_pages_cached',
    samples: ofPorts(({ cached }) => cached),
  },
  {
    kind: 'usage',
    description: 'Ports by their state.',
    text: 'pagepool_ports',
    instrument: { name: 'pagepool.port.usage', unit: '{port}', labels: { state: 'pagepool.port.state' } },
    samples: ({ ports }) =>
      ['free', 'attached', 'set aside', 'reaped'].map((state) => [
        ports.filter((port) => port.state === state).length,
        { state },
      ]),
  },
  {
    kind: 'usage',
    description: 'Threads that wait for a page, or for room in a channel.',
    text: 'pagepool_pending_requests',
    instrument: { name: 'pagepool.pending_requests', unit: '{request}' },
    samples: one((snapshot) => waitsFor(snapshot, ['a page', 'room'])),
  },
  {
    kind: 'usage',
    description: 'Threads that wait for a page, for room or for an entry.',
    text: 'pagepool_waiting_threads',
    samples: (snapshot) => [
      [waitsFor(snapshot, ['a page']), { for: 'page' }],
      [waitsFor(snapshot, ['room']), { for: 'room' }],
      [waitsFor(snapshot, ['an entry']), { for: 'entry' }],
    ],
  },
  {
    kind: 'usage',
    description: 'Entries in a channel.',
    text: 'pagepool_channel_entries',
    instrument: { name: 'pagepool.channel.usage', unit: '{entry}', labels: channelLabel },
    samples: ofChannels(({ pending }) => pending),
  },
  {
    kind: 'usage',
    description: 'Entries that a channel takes.',
    text: 'pagepool_channel_capacity',
    instrument: { name: 'pagepool.channel.limit', unit: '{entry}', labels: channelLabel },
    samples: ofChannels(({ capacity }) => capacity),
  },
  {
    kind: 'counter',
    description: 'Entries sent to a channel.',
    text: 'pagepool_channel_sent',
    samples: ofChannels(({ sent }) => sent),
  },
  {
    kind: 'counter',
    description: 'Entries received from a channel.',
    text: 'pagepool_channel_received',
    instrument: { name: 'pagepool.channel.handoffs', unit: '{entry}', labels: channelLabel },
    samples: ofChannels(({ received }) => received),
  },
  {
    kind: 'counter',
    description: 'Entries that a channel dropped.',
    text: 'pagepool_channel_dropped',
    instrument: { name: 'pagepool.channel.drops', unit: '{entry}', labels: channelLabel },
    samples: ofChannels(({ dropped }) => dropped),
  },
  {
    kind: 'usage',
    description: 'Calls that no server has taken.',
    text: 'pagepool_calls_waiting',
    samples: ofCalls(({ waiting }) => waiting),
  },
  {
    kind: 'usage',
    description: 'Calls that are served.',
    text: 'pagepool_calls_serving',
    samples: ofCalls(({ serving }) => serving),
  },
  {
    kind: 'counter',
    description: 'Calls asked.',
    text: 'pagepool_calls_asked',
    samples: ofCalls(({ asked }) => asked),
  },
  {
    kind: 'counter',
    description: 'Calls answered.',
    text: 'pagepool_calls_answered',
    samples: ofCalls(({ answered }) => answered),
  },
  {
    kind: 'counter',
    description: 'Calls that failed.',
    text: 'pagepool_calls_failed',
    samples: ofCalls(({ failed }) => failed),
  },
  {
    kind: 'counter',
    description: 'Calls that were given up.',
    text: 'pagepool_calls_cancelled',
    samples: ofCalls(({ cancelled }) => cancelled),
  },
];
