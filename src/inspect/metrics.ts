// A pool's figures as OpenTelemetry instruments: names and units by its semantic conventions.
//
// Nothing of OpenTelemetry is imported: a meter is told apart by what it does, so that no version of the API is asked
// for. One callback reads the pool once a collection, whatever the number of instruments.

import { invalidArgument, is } from '../errors.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import type { PoolShare } from '../pool/share.js';
import { FIGURES, type Figure } from './figures.js';
import { observe } from './observer.js';

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

/** A figure that has an instrument. */
type Measured = Figure & { readonly instrument: NonNullable<Figure['instrument']> };

const MEASURED = FIGURES.filter((figure): figure is Measured => figure.instrument !== undefined);

/** The instrument of standstills: they come from lints, not from a snapshot. */
const STALLS: Pick<Measured, 'description' | 'instrument' | 'kind'> = {
  kind: 'usage',
  description: 'Waits for a page or for room that have not been answered for stallMs.',
  instrument: { name: 'pagepool.stalls', unit: '{wait}' },
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
export function registerMetrics<Instrument>(
  meter: MetricMeter<Instrument>,
  source: PoolShare | AttachedPool,
): () => void {
  const isMeter = is(() =>
    (['createObservableCounter', 'createObservableUpDownCounter', 'addBatchObservableCallback'] as const).every(
      (name) => typeof meter[name] === 'function',
    ),
  );
  if (!isMeter) throw invalidArgument('registerMetrics', 'meter', meter, 'a Meter of @opentelemetry/api');
  const observer = observe(source);
  const make = ({ description, instrument: { name, unit }, kind }: typeof STALLS): Instrument =>
    kind === 'counter'
      ? meter.createObservableCounter(name, { description, unit })
      : meter.createObservableUpDownCounter(name, { description, unit });
  const instruments = MEASURED.map(make);
  const stalls = make(STALLS);
  const callback = (result: MetricResult<Instrument>): void => {
    const stalled = observer.lints().filter(({ name }) => name === 'stalled-wait').length;
    const snapshot = observer.snapshot();
    const common = { 'pagepool.name': snapshot.name };
    for (const [i, { instrument, samples }] of MEASURED.entries()) {
      for (const [value, labels] of samples(snapshot)) {
        const named = Object.entries(labels).map(([label, text]) => [instrument.labels?.[label] ?? label, text]);
        result.observe(instruments[i] as Instrument, value, { ...common, ...Object.fromEntries(named) });
      }
    }
    result.observe(stalls, stalled, common);
  };
  const all = [...instruments, stalls];
  meter.addBatchObservableCallback(callback, all);
  return () => meter.removeBatchObservableCallback(callback, all);
}
