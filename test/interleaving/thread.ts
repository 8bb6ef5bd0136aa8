// A thread of explored schedules: a program of engine calls on one port, and of code around the engine, performed step
// by step.

import { Course, type Point } from './course.js';
import type { ModelPool } from './model.js';
import { Procedure, type ProcedureState, type Steps } from './procedure.js';
import type { CallName, Mix, Stepper, StepperState } from './stepper.js';
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
  /** Where the thread stands: what its `restore` takes. */
  save(): unknown;
  restore(state: unknown): void;
  /** Whatever was done with the thread since, it is not where it was saved. */
  forget(): void;
  /** Everything that decides how the thread goes on, apart from the pool's words. */
  fingerprint(mix: Mix): void;
}

/** Engines by which a thread acts for other ports, and where each stands. */
export type Engines = readonly (readonly [port: number, engine: Stepper, state: StepperState])[];

export function saveEngines(engines: ReadonlyMap<number, Stepper>): Engines {
  return [...engines].map(([port, engine]) => [port, engine, engine.save()]);
}

export function restoreEngines(engines: Map<number, Stepper>, saved: Engines): void {
  engines.clear();
  for (const [port, engine, state] of saved) {
    engines.set(port, engine);
    engine.restore(state);
  }
}

/** Where a thread with a program stands. */
interface State {
  readonly results: Results;
  readonly isFinished: boolean;
  readonly isDead: boolean;
  readonly call: number;
  readonly isBegun: boolean;
  readonly keptReads: Reads;
  readonly keptAt: Point | undefined;
  readonly stepper: StepperState;
  readonly engines: Engines;
  readonly procedure: Procedure | undefined;
  readonly procedureState: ProcedureState | undefined;
}

/** A thread with a program. */
export class ProgramThread implements Instance {
  program: Program = [];
  results: Results = [];
  isFinished = true;
  isDead = false;
  private keptNow: unknown;
  private readonly keptReads: Reads = nothingRead();
  private readonly keptCourse: Course;
  private saved: State | undefined;
  private call = 0;
  private isBegun = true;
  private procedure: Procedure | undefined;
  private readonly engines = new Map<number, Stepper>();

  constructor(
    readonly id: number,
    readonly stepper: Stepper,
    private readonly pool: ModelPool,
  ) {
    this.keptCourse = new Course(pool.words, this.keptReads, () => {
      this.keptNow = undefined;
    });
  }

  /** What code around the engine keeps from run to run: it follows from what these runs have read, and begins anew. */
  get kept(): unknown {
    this.keptCourse.show();
    return this.keptNow;
  }

  set kept(kept: unknown) {
    this.keptNow = kept;
  }

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
    this.keptNow = undefined;
    this.keptCourse.at = undefined;
    Object.assign(this.keptReads, nothingRead());
    this.saved = undefined;
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
    this.saved = undefined;
    this.procedure?.giveUp();
  }

  save(): State {
    if (this.saved === undefined) {
      const { results, isFinished, isDead, call, isBegun, procedure } = this;
      this.saved = {
        results,
        isFinished,
        isDead,
        call,
        isBegun,
        keptReads: { ...this.keptReads },
        keptAt: this.keptCourse.at,
        stepper: this.stepper.save(),
        engines: saveEngines(this.engines),
        procedure,
        procedureState: procedure?.save(),
      };
    }
    return this.saved;
  }

  restore(given: unknown): void {
    const state = given as State;
    if (state === this.saved) return;
    this.saved = state;
    this.results = state.results;
    this.isFinished = state.isFinished;
    this.isDead = state.isDead;
    this.call = state.call;
    this.isBegun = state.isBegun;
    this.stepper.restore(state.stepper);
    restoreEngines(this.engines, state.engines);
    this.keptCourse.at = state.keptAt;
    this.keptReads.a = state.keptReads.a;
    this.keptReads.b = state.keptReads.b;
    this.procedure = state.procedure;
    if (state.procedureState !== undefined) this.procedure?.restore(state.procedureState);
  }

  forget(): void {
    this.saved = undefined;
  }

  get doing(): string {
    const given = this.program[this.call];
    if (given === undefined) return '-';
    const step = 'ifGaveUp' in given ? given.run : given;
    return 'run' in step ? `${step.name}: ${this.procedure?.doing ?? 'begins'}` : callOf(step)[0];
  }

  step(): void {
    this.saved = undefined;
    if (!this.isBegun) {
      this.isBegun = true;
      this.next();
    } else if (this.procedure !== undefined) {
      if (this.procedure.goOn()) this.finish(Number(this.procedure.result ?? 0));
    } else if (this.stepper.resume()) this.finish(this.stepper.result);
  }

  kill(): void {
    this.saved = undefined;
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
    this.results = [...this.results, result];
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
    const course = isContinued ? this.keptCourse : new Course(this.pool.words, reads);
    // Also what the thread's engine remembers from the calls before.
    this.stepper.remember(reads);
    const begin = () => run(this.pool, this.id);
    return new Procedure(this.pool, begin, about, (port) => this.engineOf(port, reads), reads, course);
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
