// The public entry pagepool/inspect: re-exports only.

export { LINTS, type Lint, type LintName, type LintOptions } from './inspect/lints.js';
export { type MetricMeter, type MetricResult, registerMetrics } from './inspect/metrics.js';
export { type Observer, observe } from './inspect/observer.js';
export { type PageMap, PLACES, type Place } from './inspect/page-map.js';
export type {
  ObservedPort,
  ObservedProvider,
  ObservedRates,
  ObservedWait,
  PoolSnapshot,
} from './inspect/snapshot.js';
export type { Holder } from './reports/holders.js';
