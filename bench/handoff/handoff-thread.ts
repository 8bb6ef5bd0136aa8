// A thread that is one end of a hand-off.

import type { Round } from '../harness/results.js';
import { quantileOf } from '../harness/statistics.js';
import type { OpenEnd } from '../threads/jobs.js';
import type { Caller, Receive, Sender } from './ends.js';
import { latencyVariants, rateVariants } from './variants.js';

export class HandoffThread {
  #sender: Sender | undefined;
  #caller: Caller | undefined;
  #receive: Receive | undefined;

  /** Answers with what the other end needs. */
  async open({ measure, end, variant, scenario, port, shared }: OpenEnd): Promise<unknown> {
    if (measure === 'rate') {
      const ways = rateVariants[variant];
      if (end === 'first') this.#sender = await ways?.sender(scenario, port);
      else this.#receive = ways?.receiver(scenario, port, shared);
    } else {
      const ways = latencyVariants[variant];
      if (end === 'first') this.#caller = await ways?.caller(scenario, port);
      else this.#receive = ways?.answerer(scenario, port, shared);
    }
    const opened = this.#sender ?? this.#caller;
    if (opened === undefined && this.#receive === undefined) throw new Error(`variant=${variant} (expected a variant)`);
    return opened?.shared ?? null;
  }

  async send(first: number, count: number): Promise<void> {
    await this.#sender?.send(first, count);
  }

  async receive(first: number, count: number): Promise<void> {
    await this.#receive?.(first, count);
  }

  /** Round trips, each a sample; where the clock is coarse, `perSample` of them are one. */
  async call(first: number, count: number, perSample: number): Promise<Round> {
    const samples: number[] = [];
    let turns = 0;
    let last = performance.now();
    await this.#caller?.call(first, count, () => {
      if (++turns % perSample !== 0) return;
      const now = performance.now();
      samples.push(((now - last) * 1e6) / perSample);
      last = now;
    });
    return { median: quantileOf(samples, 0.5), p99: quantileOf(samples, 0.99), samples: samples.length };
  }
}
