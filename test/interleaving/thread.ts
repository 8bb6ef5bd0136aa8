// A thread of explored schedules: a program of engine calls on one port, performed step by step.

import type { CallName, Mix, Stepper } from './stepper.js';

/** An argument of a call: a number, the result of an earlier call of the same program, or a word of memory at that moment. */
export type Argument = number | { readonly resultOf: number } | { readonly wordAt: number };
/** One call of an engine. */
export type Call = readonly [name: CallName, ...Argument[]];
/** A call made only when the result of an earlier call is above 0, or when it is exactly 0. */
export type ConditionalCall =
  | { readonly ifPositive: number; readonly call: Call }
  | { readonly ifOk: number; readonly call: Call };
export type ProgramStep = Call | ConditionalCall;
/** What one thread does while schedules are explored. */
export type Program = readonly ProgramStep[];
/** Results by call; null for one that was not made. */
export type Results = readonly (number | null)[];

/** What the explorer steps and kills, whatever runs in it. */
export interface Instance {
  readonly id: number;
  readonly isFinished: boolean;
  readonly isDead: boolean;
  /** It stands before a plain write: it goes on or dies, and nobody comes between. */
  readonly isAtPlain: boolean;
  /** What it is doing, for a trace. */
  readonly doing: string;
  /** Performs the step before which the thread stands, and what follows up to the next one. */
  step(): void;
  /** The thread never steps again. */
  kill(): void;
  /** Everything that decides how the thread goes on, apart from the pool's words. */
  fingerprint(mix: Mix): void;
}

/** A thread with a program. */
export class ProgramThread implements Instance {
  program: Program = [];
  results: (number | null)[] = [];
  isFinished = true;
  isDead = false;
  private call = 0;
  private isBegun = true;

  constructor(
    readonly id: number,
    readonly stepper: Stepper,
    private readonly u32: Uint32Array,
  ) {}

  /** Starts the program and stops before its first step; `atStart`: before anything, where the thread can already die. */
  begin(program: Program, atStart: boolean): void {
    this.program = program;
    this.results = [];
    this.call = 0;
    this.isDead = false;
    this.isFinished = program.length === 0;
    this.stepper.open(this.id);
    this.isBegun = this.isFinished || !atStart;
    if (this.isBegun) this.next();
  }

  get isAtPlain(): boolean {
    return !this.isBegun || this.stepper.isAtPlain;
  }

  get doing(): string {
    const step = this.program[this.call];
    return step === undefined ? '-' : callOf(step)[0];
  }

  step(): void {
    if (!this.isBegun) {
      this.isBegun = true;
      this.next();
    } else if (this.stepper.resume()) {
      this.finishCall();
      this.next();
    }
  }

  kill(): void {
    this.isDead = true;
  }

  fingerprint(mix: Mix): void {
    mix(this.call * 8 + (this.isFinished ? 4 : 0) + (this.isDead ? 2 : 0) + (this.isBegun ? 1 : 0));
    for (const result of this.results) mix(result ?? 0x5bd1e995);
    if (!this.isDead && !this.isFinished && this.isBegun) this.stepper.fingerprint(mix);
  }

  private finishCall(): void {
    this.results.push(this.stepper.result);
    this.call += 1;
  }

  /** Makes the calls that come next, up to the first step of one. */
  private next(): void {
    for (; this.call < this.program.length; ) {
      const step = this.program[this.call]!;
      if ('call' in step && !this.isMet(step)) {
        this.results.push(null);
        this.call += 1;
        continue;
      }
      const [name, ...args] = callOf(step);
      if (
        !this.stepper.call(
          name,
          args.map((arg) => this.evaluate(arg)),
        )
      )
        return;
      this.finishCall();
    }
    this.isFinished = true;
  }

  private isMet(step: ConditionalCall): boolean {
    if ('ifOk' in step) return this.results[step.ifOk] === 0;
    return (this.results[step.ifPositive] ?? 0) > 0;
  }

  private evaluate(arg: Argument): number {
    if (typeof arg === 'number') return arg;
    return 'resultOf' in arg ? (this.results[arg.resultOf] ?? 0) : this.u32[arg.wordAt >>> 2]!;
  }
}

function callOf(step: ProgramStep): Call {
  return 'call' in step ? step.call : step;
}
