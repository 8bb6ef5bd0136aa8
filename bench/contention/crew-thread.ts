// A thread that does its part of a contention case.

import { PagePool, type PoolShare } from 'pagepool';
import { ENGINES, type EngineName } from '../rows/row.js';
import type { OpenCrew } from '../threads/jobs.js';
import { BASELINE, caseOf, type Step } from './cases.js';

/**
 * Words that the threads share: how often a thread has come to the start, and the last round that is over. Both only
 * grow.
 */
const READY = 0;
const OVER = 1;
/** The word that the baseline adds to, on a cache line of its own. */
const BASELINE_WORD = 32;
export const CONTROL_BYTES = 256;
const STEPS = 16;

/** What one thread did in a round. */
export interface Part {
  readonly operations: number;
  readonly elapsedMs: number;
}

export class CrewThread {
  #step!: Step;
  #index = 0;
  #threads = 0;
  #control!: Int32Array;
  #round = 0;

  /** Thread 0 makes the pool and answers with its share. */
  open({ id, variant, index, threads, control, share }: OpenCrew): PoolShare | null {
    this.#index = index;
    this.#threads = threads;
    this.#control = new Int32Array(control);
    if (variant === BASELINE) {
      this.#step = this.#adding();
      return null;
    }
    if (!(ENGINES as readonly string[]).includes(variant)) throw new Error(`variant=${variant} (expected an engine)`);
    const item = caseOf(id);
    const pool =
      share === null ? PagePool.createSync({ ...item.pool, engine: variant as EngineName }) : PagePool.attach(share);
    this.#step = item.prepare(pool, index, threads);
    return index === 0 ? pool.share() : null;
  }

  #adding(): Step {
    const control = this.#control;
    return () => {
      for (let i = 0; i < 64; i++) Atomics.add(control, BASELINE_WORD, 1);
      return 64;
    };
  }

  /** Some steps between two looks at the clock, which costs as much as an operation. */
  #steps(): number {
    let operations = 0;
    for (let i = 0; i < STEPS; i++) operations += this.#step();
    return operations;
  }

  /** Starts with the others; thread 0 says when it is over. */
  run(timeMs: number): Part {
    const control = this.#control;
    const round = ++this.#round;
    Atomics.add(control, READY, 1);
    Atomics.notify(control, READY);
    for (;;) {
      const ready = Atomics.load(control, READY);
      if (ready >= round * this.#threads) break;
      Atomics.wait(control, READY, ready);
    }
    const started = performance.now();
    let operations = 0;
    if (this.#index === 0) {
      while (performance.now() - started < timeMs) operations += this.#steps();
      Atomics.store(control, OVER, round);
    } else {
      while (Atomics.load(control, OVER) < round) operations += this.#steps();
    }
    return { operations, elapsedMs: performance.now() - started };
  }
}
