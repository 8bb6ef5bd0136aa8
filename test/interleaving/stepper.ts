// One engine instance of either kind whose calls can be stopped at every step, as the threads of explored schedules see
// it.

import type { Engine } from '../../src/engine/engine.js';
import type { Reads } from './suspend/suspension.js';

/** What an engine does, each call run to its end. */
export type Calls = Omit<Engine, 'kind'>;
export type CallName = keyof Calls;
/** Where an instance stands: what its `restore` takes. */
export type StepperState = unknown;
/** Takes in one word of a state. */
export type Mix = (word: number) => void;

/** An engine instance that performs one call at a time, step by step. */
export interface Stepper {
  readonly kind: Engine['kind'];
  /** The same instance's calls, each run to its end: for what happens before schedules. */
  readonly calls: Calls;
  /** Becomes a new instance that serves the port, which a thread has claimed. */
  open(port: number): void;
  /** Begins a call and goes on to before its first step. True: the call is over, its result is there. */
  call(name: CallName, args: readonly number[]): boolean;
  /** Performs the step before which the call stands, and what follows up to the next one. True: the call is over. */
  resume(): boolean;
  readonly result: number;
  save(): StepperState;
  restore(state: StepperState): void;
  /** The call stands before a plain write, where it can only die or go on. */
  readonly isAtPlain: boolean;
  /** Adds what the instance keeps from call to call, apart from the pool's words. */
  remember(reads: Reads): void;
  /** What the rest of the call depends on, apart from the pool's words. */
  fingerprint(mix: Mix): void;
}
