// The ways to hand a message over that are compared, by the names that they are shown with.

import type { LatencyVariant, RateVariant } from './ends.js';
import { poolLatency, poolNext, postedLatency } from './latency.js';
import { poolBursts, poolSingle } from './pool-numbers.js';
import { poolObjects } from './pool-objects.js';
import { batched, copied, returned, transferred } from './posting.js';
import { ringbuf, ringbufLatency } from './ringbuf.js';

export const rateVariants: Readonly<Record<string, RateVariant>> = {
  wasm: poolSingle('wasm'),
  typescript: poolSingle('typescript'),
  'wasm, bursts': poolBursts('wasm'),
  'typescript, bursts': poolBursts('typescript'),
  'wasm, objects': poolObjects('wasm'),
  'postMessage, copied': copied,
  'postMessage, transferred': transferred,
  'postMessage, transferred and sent back': returned,
  'postMessage, arrays copied': batched(false),
  'postMessage, arrays transferred': batched(true),
  'ringbuf.js': ringbuf,
};

export const latencyVariants: Readonly<Record<string, LatencyVariant>> = {
  wasm: poolLatency('wasm', 'waitSync'),
  typescript: poolLatency('typescript', 'waitSync'),
  'wasm, next()': poolNext('wasm'),
  'wasm, polling': poolLatency('wasm', 'polling'),
  'typescript, polling': poolLatency('typescript', 'polling'),
  'postMessage, copied': postedLatency(false),
  'postMessage, transferred': postedLatency(true),
  'ringbuf.js, polling': ringbufLatency,
};
