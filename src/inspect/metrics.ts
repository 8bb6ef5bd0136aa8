// A pool's figures as OpenTelemetry instruments: names and units by its semantic conventions.
//
// Nothing of OpenTelemetry is imported: a meter is told apart by what it does, so that no version of the API is asked
// for. One callback reads the pool once a collection, whatever the number of instruments.

import { invalidArgument, is } from '../errors.js';
import type { PagePool } from '../pool/page-pool.js';
import type { PoolShare } from '../pool/share.js';
import { observe } from './observer.js';
import { PLACES } from './page-map.js';
import type { PoolSnapshot } from './snapshot.js';

type Attributes = Record<string, string>;

/** What is used of a `BatchObservableResult` of `@opentelemetry/api`. */
export interface MetricResult<Instrument> {
  observe(instrument: Instrument, value: number, attributes: Record<string, string>): void;
}

/** What is used of a `Meter` of `@opentelemetry/api`. */
export interface MetricMeter<Instrument = unknown> {
  createObservableCounter(name: string, options: { description: string; unit: string }): Instrument;
  createObservableUpDownCounter(name: string, options: { description: string; unit: string }): Instrument;
  addBatchObservableCallback(callback: (result: MetricResult<Instrument>) => void, instruments: Instrument[]): void;
  removeBatchObservableCallback(callback: (result: MetricResult<Instrument>) => void, instruments: Instrument[]): void;
}

type Samples = (snapshot: PoolSnapshot) => readonly (readonly [value: number, attributes: Attributes])[];

interface MetricPlan {
  readonly kind: 'counter' | 'usage';
  readonly name: string;
  readonly unit: string;
  readonly description: string;
  readonly samples: Samples;
}

const isStuck = (what: string): boolean => !what.startsWith('an entry');

/** Every instrument; counters only go up, usage goes up and down. */
const PLANS: readonly MetricPlan[] = [
  {
    kind: 'usage',
    name: 'pagepool.page.usage',
    unit: '{page}',
    description: 'Pages by where they are.',
    samples: ({ places }) => PLACES.map((place) => [places[place], { 'pagepool.page.state': place }]),
  },
  {
    kind: 'usage',
    name: 'pagepool.page.limit',
    unit: '{page}',
    description: 'Pages that the pool has.',
    samples: ({ pageCount }) => [[pageCount, {}]],
  },
  {
    kind: 'usage',
    name: 'pagepool.memory.usage',
    unit: 'By',
    description: 'Bytes of the pages that are not with the provider.',
    samples: ({ inflight, pageBytes }) => [[inflight * pageBytes, {}]],
  },
  {
    kind: 'counter',
    name: 'pagepool.allocations',
    unit: '{allocation}',
    description: 'Allocations by where their pages came from.',
    samples: ({ counters: { alloc } }) => [
      [alloc.fast, { 'pagepool.allocation.tier': 'cache' }],
      [alloc.refill, { 'pagepool.allocation.tier': 'ring' }],
      [alloc.slow, { 'pagepool.allocation.tier': 'provider' }],
    ],
  },
  {
    kind: 'counter',
    name: 'pagepool.allocation.failures',
    unit: '{allocation}',
    description: 'Allocations that found no page.',
    samples: ({ counters: { alloc } }) => [[alloc.fail, {}]],
  },
  {
    kind: 'usage',
    name: 'pagepool.port.usage',
    unit: '{port}',
    description: 'Ports by their state.',
    samples: ({ ports }) =>
      ['free', 'attached', 'set aside', 'reaped'].map((state) => [
        ports.filter((port) => port.state === state).length,
        { 'pagepool.port.state': state },
      ]),
  },
  {
    kind: 'usage',
    name: 'pagepool.pending_requests',
    unit: '{request}',
    description: 'Threads that wait for a page, or for room in a channel.',
    samples: ({ ports }) => [[ports.flatMap(({ waits }) => waits).filter(({ what }) => isStuck(what)).length, {}]],
  },
  {
    kind: 'counter',
    name: 'pagepool.channel.handoffs',
    unit: '{entry}',
    description: 'Entries received from a channel.',
    samples: ({ channels }) => channels.map(({ name, received }) => [received, { 'pagepool.channel.name': name }]),
  },
  {
    kind: 'counter',
    name: 'pagepool.channel.drops',
    unit: '{entry}',
    description: 'Entries that a channel dropped.',
    samples: ({ channels }) => channels.map(({ dropped, name }) => [dropped, { 'pagepool.channel.name': name }]),
  },
  {
    kind: 'usage',
    name: 'pagepool.channel.usage',
    unit: '{entry}',
    description: 'Entries in a channel.',
    samples: ({ channels }) => channels.map(({ name, pending }) => [pending, { 'pagepool.channel.name': name }]),
  },
  {
    kind: 'usage',
    name: 'pagepool.channel.limit',
    unit: '{entry}',
    description: 'Entries that a channel takes.',
    samples: ({ channels }) => channels.map(({ capacity, name }) => [capacity, { 'pagepool.channel.name': name }]),
  },
];

/** The name of the metric of standstills: it comes from lints, not from a snapshot. */
const STALLS: MetricPlan = {
  kind: 'usage',
  name: 'pagepool.stalls',
  unit: '{wait}',
  description: 'Waits for a page or for room that have not been answered for stallMs.',
  samples: () => [],
};

/**
 * Registers a pool's figures with a meter of OpenTelemetry: pages by state and their limit, allocations, hand-offs,
 * waits, standstills. The pool is read once a collection, and never else. Every figure has the attribute
 * `pagepool.name`.
 *
 * @param meter a `Meter` of `@opentelemetry/api`; nothing of that package is imported here
 * @param source the pool, or its share
 * @returns what takes the figures out of the meter again
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when `meter` is none; the errors of `observe`
 * @example
 * const unregister = registerMetrics(metrics.getMeter('app'), pool);
 */
export function registerMetrics<Instrument>(meter: MetricMeter<Instrument>, source: PoolShare | PagePool): () => void {
  const isMeter = is(() =>
    (['createObservableCounter', 'createObservableUpDownCounter', 'addBatchObservableCallback'] as const).every(
      (name) => typeof meter[name] === 'function',
    ),
  );
  if (!isMeter) throw invalidArgument('registerMetrics', 'meter', meter, 'a Meter of @opentelemetry/api');
  const observer = observe(source);
  const make = ({ description, kind, name, unit }: MetricPlan): Instrument =>
    kind === 'counter'
      ? meter.createObservableCounter(name, { description, unit })
      : meter.createObservableUpDownCounter(name, { description, unit });
  const instruments = PLANS.map(make);
  const stalls = make(STALLS);
  const callback = (result: MetricResult<Instrument>): void => {
    const stalled = observer.lints().filter(({ name }) => name === 'stalled-wait').length;
    const snapshot = observer.snapshot();
    const common = { 'pagepool.name': snapshot.name };
    for (const [i, { samples }] of PLANS.entries()) {
      for (const [value, attributes] of samples(snapshot)) {
        result.observe(instruments[i] as Instrument, value, { ...common, ...attributes });
      }
    }
    result.observe(stalls, stalled, common);
  };
  const all = [...instruments, stalls];
  meter.addBatchObservableCallback(callback, all);
  return () => meter.removeBatchObservableCallback(callback, all);
}
