// Steps: code that acts for a port which may be another thread's, as generators that stop before each atomic access and
// yield the engine calls they want made.
//
// Shipping code and explored code are the same: `runSteps` runs a generator straight through, an explorer runs it a
// step at a time against other threads. Plain accesses touch words of the dead port, which the claim word has made the
// reaper's alone.

import type { Engine } from '../engine/engine.js';

/** An engine call wanted for the port that the steps are about. */
export interface EngineCall {
  readonly call: readonly [name: Exclude<keyof Engine, 'kind' | 'lastError'>, ...args: number[]];
}

/** `undefined`: an atomic access follows. A call is answered with its result. */
export type Steps<Result> = Generator<EngineCall | undefined, Result, number>;

/** Runs steps to their end; `engine` acts for the port that they are about. */
export function runSteps<Result>(steps: Steps<Result>, engine: () => Engine): Result {
  let answer = 0;
  for (;;) {
    const { done, value } = steps.next(answer);
    if (done === true) return value;
    answer = value === undefined ? 0 : perform(engine(), value);
  }
}

function perform(engine: Engine, { call: [name, ...args] }: EngineCall): number {
  return (engine[name] as (...args: number[]) => number | undefined)(...args) ?? 0;
}
