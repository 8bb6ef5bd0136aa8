// The lanes of the hand-off: two threads each, with a MessageChannel between them and what the variant shares.

import { sizeName } from '../harness/format.js';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import type { Round, RowInfo, Settings } from '../harness/results.js';
import { startThread, type Thread } from '../threads/endpoint.js';
import { type Scenario, SIZES, scenarioOf } from './scenario.js';
import { latencyVariants, rateVariants } from './variants.js';

type Measure = 'rate' | 'latency';

/** A family for each size, flavour and measure: what is compared takes its rounds in turn. */
export function planHandoff(isQuick: boolean): Family[] {
  const sizes = isQuick ? [2048] : SIZES;
  return (['rate', 'latency'] as const).flatMap((measure) =>
    [false, true].flatMap((isFilled) => sizes.map((bytes) => planFamily(measure, scenarioOf(bytes, isFilled)))),
  );
}

function planFamily(measure: Measure, scenario: Scenario): Family {
  const { bytes, isFilled, window, batch } = scenario;
  const flavour = isFilled ? 'filled and read' : 'hand-off only';
  const row: RowInfo = {
    id: `handoff.${measure}.${isFilled ? 'filled' : 'only'}.${bytes}`,
    group: `handoff-${measure}`,
    name: `${sizeName(bytes)} ${measure === 'rate' ? 'to another thread' : 'there and back'}, ${flavour}`,
    per: measure === 'rate' ? 'message' : 'round trip',
    place: { series: flavour, value: bytes },
    touches: isFilled ? 'every byte' : 'one word a page',
    ...(measure === 'rate'
      ? { note: `${sizeName(bytes)}: at most ${window} messages on their way, ${batch} in a burst or an array.` }
      : {}),
  };
  const variants = Object.keys(measure === 'rate' ? rateVariants : latencyVariants);
  return variants.map(
    (variant): LanePlan => ({ row, variant, open: (settings) => openLane(measure, variant, scenario, settings) }),
  );
}

async function openLane(measure: Measure, variant: string, scenario: Scenario, settings: Settings): Promise<Lane> {
  const pair = new Pair(scenario, settings);
  await pair.open(measure, variant);
  return {
    round: (timeMs) => pair.round(measure, timeMs),
    end: () => pair.end(),
  };
}

/** Two threads and how fast they were last time. */
class Pair {
  readonly #first: Thread = startThread();
  readonly #second: Thread = startThread();
  readonly #scenario: Scenario;
  readonly #settings: Settings;
  #next = 0;
  #messageMs = 0;

  constructor(scenario: Scenario, settings: Settings) {
    this.#scenario = scenario;
    this.#settings = settings;
  }

  async open(measure: Measure, variant: string): Promise<void> {
    const { port1, port2 } = new MessageChannel();
    const job = { type: 'end.open', measure, variant, scenario: this.#scenario } as const;
    const shared = await this.#first.ask<unknown>({ ...job, end: 'first', port: port1, shared: null }, [port1]);
    await this.#second.ask({ ...job, end: 'second', port: port2, shared }, [port2]);
    // A first look, then as long as the compilers need.
    await this.#run(measure, measure === 'rate' ? this.#scenario.window : 8);
    const end = performance.now() + this.#settings.warmUpMs;
    do await this.round(measure, this.#settings.warmUpMs / 2);
    while (performance.now() < end);
  }

  round(measure: Measure, timeMs: number): Promise<Round> {
    const wanted = Math.round(timeMs / this.#messageMs);
    return this.#run(measure, Math.min(Math.max(wanted, 8), 4_000_000));
  }

  async #run(measure: Measure, count: number): Promise<Round> {
    const first = this.#next;
    this.#next += count;
    const started = performance.now();
    const received = this.#second.ask({ type: 'end.receive', first, count });
    const perSample = Math.max(1, Math.ceil(this.#settings.sampleUs / 1000 / (this.#messageMs || Infinity)));
    const sent =
      measure === 'rate'
        ? this.#first.ask<Round>({ type: 'end.send', first, count })
        : this.#first.ask<Round>({ type: 'end.call', first, count, perSample: Math.min(perSample, count) });
    const [timed] = await Promise.all([sent, received]);
    const elapsedMs = performance.now() - started;
    this.#messageMs = elapsedMs / count;
    return measure === 'latency' ? timed : { median: this.#messageMs * 1e6, p99: null, samples: 1 };
  }

  end(): void {
    this.#first.end();
    this.#second.end();
  }
}
