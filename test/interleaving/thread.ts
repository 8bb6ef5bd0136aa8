// A thread of explored schedules: a program of engine calls on one port, and of code around the engine, performed step
// by step.

import type { ModelPool } from './model.js';
import { Procedure, type Steps } from './procedure.js';
import type { CallName, Mix, Stepper } from './stepper.js';
import { nothingRead, type Reads } from './suspend/suspension.js';

/**
 * An argument of a call: a number, the result of an earlier call of the same program, or a word of memory at that
 * moment.
 */
export type Argument = number | { readonly resultOf: number } | { readonly wordAt: number };
/** One call of an engine. */
export type Call = readonly [name: CallName, ...Argument[]];
/** A call made only when the result of an earlier call is above 0, or when it is exactly 0. */
export type ConditionalCall =
  | { readonly ifPositive: number; readonly call: Call }
  | { readonly ifOk: number; readonly call: Call };
/**
 * Code outside the engine, run as this thread. `port`: the port it acts for, where that is a dead one's. Its result is
 * a number.
 */
export interface Run {
  readonly name: string;
  readonly run: (pool: ModelPool, id: number) => Steps<number>;
  readonly port?: number;
  /** It goes on with what the thread's earlier runs of this kind left in `kept`. */
  readonly isContinued?: boolean;
}
/** A run only when an earlier one says that its wait was given up. */
export interface ConditionalRun {
  readonly ifGaveUp: number;
  readonly run: Run;
}
export type ProgramStep = Call | ConditionalCall | Run | ConditionalRun;
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
  /** It stands where it sleeps: woken by now, or not. */
  readonly isAtSleep: boolean;
  /** It sleeps, and nobody has woken it. */
  readonly isAsleep: boolean;
  /** Its wait is given up. */
  giveUp(): void;
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
  /** What code around the engine keeps from run to run: it follows from what these runs have read, and begins anew. */
  kept: unknown;
  private keptReads: Reads = nothingRead();
  private call = 0;
  private isBegun = true;
  private procedure: Procedure | undefined;
  private readonly engines = new Map<number, Stepper>();

  constructor(
    readonly id: number,
    readonly stepper: Stepper,
    private readonly pool: ModelPool,
  ) {}

  /**
   * Starts the program and stops before its first step; `atStart`: before anything, where the thread can already die.
   */
  begin(program: Program, atStart: boolean): void {
    this.program = program;
    this.results = [];
    this.call = 0;
    this.isDead = false;
    this.isFinished = program.length === 0;
    this.stepper.open(this.id);
    this.procedure = undefined;
    this.engines.clear();
    this.kept = undefined;
    this.keptReads = nothingRead();
    this.isBegun = this.isFinished || !atStart;
    if (this.isBegun) this.next();
  }

  get isAtPlain(): boolean {
    return !this.isBegun || (this.procedure?.isAtPlain ?? this.stepper.isAtPlain);
  }

  get isAtSleep(): boolean {
    return this.procedure?.isAtSleep ?? false;
  }

  get isAsleep(): boolean {
    return this.procedure?.isAsleep ?? false;
  }

  giveUp(): void {
    this.procedure?.giveUp();
  }

  get doing(): string {
    const given = this.program[this.call];
    if (given === undefined) return '-';
    const step = 'ifGaveUp' in given ? given.run : given;
    return 'run' in step ? `${step.name}: ${this.procedure?.doing ?? 'begins'}` : callOf(step)[0];
  }

  step(): void {
    if (!this.isBegun) {
      this.isBegun = true;
      this.next();
    } else if (this.procedure !== undefined) {
      if (this.procedure.goOn()) this.finish(Number(this.procedure.result ?? 0));
    } else if (this.stepper.resume()) this.finish(this.stepper.result);
  }

  kill(): void {
    this.isDead = true;
  }

  fingerprint(mix: Mix): void {
    mix(this.call * 8 + (this.isFinished ? 4 : 0) + (this.isDead ? 2 : 0) + (this.isBegun ? 1 : 0));
    for (const result of this.results) mix(result ?? 0x5bd1e995);
    if (this.isDead || this.isFinished || !this.isBegun) return;
    mix(this.keptReads.a);
    mix(this.keptReads.b);
    if (this.procedure !== undefined) this.procedure.fingerprint(mix);
    else this.stepper.fingerprint(mix);
  }

  /** The call before is over: its result, and what comes next. */
  private finish(result: number): void {
    this.take(result);
    this.next();
  }

  private take(result: number | null): void {
    this.procedure = undefined;
    this.results.push(result);
    this.call += 1;
  }

  /** Makes the calls that come next, up to the first step of one. */
  private next(): void {
    for (; this.call < this.program.length; ) {
      const given = this.program[this.call]!;
      const step = 'ifGaveUp' in given ? given.run : given;
      if ('ifGaveUp' in given && this.results[given.ifGaveUp] !== -1) this.take(null);
      else if ('run' in step) {
        this.procedure = this.begun(step);
        if (!this.procedure.goOn()) return;
        this.take(Number(this.procedure.result ?? 0));
      } else if ('call' in step && !this.isMet(step)) this.take(null);
      else {
        const [name, ...args] = callOf(step);
        const values = args.map((arg) => this.evaluate(arg));
        if (!this.stepper.call(name, values)) return;
        this.take(this.stepper.result);
      }
    }
    this.isFinished = true;
  }

  private begun({ run, port: about = this.id, isContinued = false }: Run): Procedure {
    const reads = isContinued ? this.keptReads : nothingRead();
    // Also what the thread's engine remembers from the calls before.
    this.stepper.remember(reads);
    return new Procedure(this.pool, run(this.pool, this.id), about, (port) => this.engineOf(port, reads), reads);
  }

  private engineOf(port: number, reads: Reads): Stepper {
    if (port === this.id) return this.stepper;
    let engine = this.engines.get(port);
    if (engine === undefined) {
      engine = this.pool.openEngine(this.id, port, reads);
      this.engines.set(port, engine);
    }
    return engine;
  }

  private isMet(step: ConditionalCall): boolean {
    if ('ifOk' in step) return this.results[step.ifOk] === 0;
    return (this.results[step.ifPositive] ?? 0) > 0;
  }

  private evaluate(arg: Argument): number {
    if (typeof arg === 'number') return arg;
    return 'resultOf' in arg ? (this.results[arg.resultOf] ?? 0) : this.pool.read(arg.wordAt);
  }
}

function callOf(step: Call | ConditionalCall): Call {
  return 'call' in step ? step.call : step;
}
