// Code outside the engine as one thread runs it: a generator which yields before each of its steps.
//
//   yield undefined             an atomic access follows: others may come between
//   yield 'plain'               a plain write follows: the thread may die here (rewritten code yields it)
//   yield { call, port }        an engine call, performed step by step as this thread; its result comes back. Without a
//                               port it is for the one that the procedure acts for
//   yield { call: ['sleep', index, seen] }   it sleeps until the word has changed (0), or its wait is given up (1)
//   yield { actFor }            the procedure acts for that port from now on

import { Course, type Point } from './course.js';
import type { ModelPool } from './model.js';
import type { CallName, Mix, Stepper } from './stepper.js';
import { nothingRead, PLAIN, type Reads, suspension } from './suspend/suspension.js';

/** What a procedure asks for with a yield. */
export type Request =
  | undefined
  | typeof PLAIN
  | { readonly call: readonly [name: CallName | 'sleep', ...args: number[]]; readonly port?: number }
  | { readonly actFor: number };

/** The steps of a procedure and, at last, its result. */
export type Steps<Result = unknown> = Generator<Request, Result, number>;

/** Where a procedure stands. */
export interface ProcedureState {
  readonly result: unknown;
  readonly port: number;
  readonly call: Stepper | undefined;
  readonly isStandingAtPlain: boolean;
  readonly sleep: Sleep | undefined;
  readonly isGivenUp: boolean;
  readonly name: string;
  readonly at: Point | undefined;
  readonly a: number;
  readonly b: number;
}

/** The word that a procedure sleeps on, and as what it was seen. */
interface Sleep {
  readonly index: number;
  readonly seen: number;
}

/** A procedure under way. */
export class Procedure {
  result: unknown;
  private call: Stepper | undefined;
  private isStandingAtPlain = false;
  private sleep: Sleep | undefined;
  private isGivenUp = false;
  private name = 'begins';
  private readonly isRewritten: boolean;

  /**
   * `begin`: makes its steps; `port`: for which it acts at first; `engineOf` gives the engine that does; `reads`: what
   * the thread has read before; `course`: of the procedures that it goes on with.
   */
  constructor(
    private readonly pool: ModelPool,
    begin: () => Steps,
    private port: number,
    private readonly engineOf: (port: number) => Stepper,
    private readonly reads: Reads = nothingRead(),
    private readonly course = new Course(pool.words, reads),
  ) {
    this.isRewritten = suspension.isRewritten(course.begin(begin) as Steps);
  }

  save(): ProcedureState {
    const { result, port, call, isStandingAtPlain, sleep, isGivenUp, name } = this;
    const { a, b } = this.reads;
    return { result, port, call, isStandingAtPlain, sleep, isGivenUp, name, at: this.course.at, a, b };
  }

  restore({ result, port, call, isStandingAtPlain, sleep, isGivenUp, name, at, a, b }: ProcedureState): void {
    this.result = result;
    this.port = port;
    this.call = call;
    this.isStandingAtPlain = isStandingAtPlain;
    this.sleep = sleep;
    this.isGivenUp = isGivenUp;
    this.name = name;
    this.course.at = at;
    this.reads.a = a;
    this.reads.b = b;
  }

  get isAtPlain(): boolean {
    return this.call?.isAtPlain ?? this.isStandingAtPlain;
  }

  /** It stands where it sleeps, or has been woken. */
  get isAtSleep(): boolean {
    return this.sleep !== undefined;
  }

  /** It cannot go on: the word is as it was seen. */
  get isAsleep(): boolean {
    const { sleep } = this;
    return sleep !== undefined && !this.isGivenUp && this.pool.memory.i32[sleep.index] === sleep.seen;
  }

  /** The wait is given up, by its signal or its time: the next step is one of somebody awake. */
  giveUp(): void {
    this.isGivenUp = true;
  }

  get doing(): string {
    return this.name;
  }

  /** Performs the step before which it stands, and what follows up to the next one. True: it is over. */
  goOn(): boolean {
    let sent: number | undefined;
    if (this.sleep !== undefined) {
      sent = this.isGivenUp ? 1 : 0;
      this.sleep = undefined;
      this.isGivenUp = false;
    }
    if (this.call !== undefined) {
      if (!this.call.resume()) return false;
      sent = this.call.result;
      this.call = undefined;
    }
    for (;;) {
      const { done, value } = this.next(sent);
      sent = undefined;
      if (done === true) {
        this.result = value;
        return true;
      }
      if (typeof value === 'object' && 'actFor' in value) {
        this.port = value.actFor;
        sent = 0;
        continue;
      }
      this.isStandingAtPlain = value === PLAIN;
      this.name = typeof value === 'object' ? value.call[0] : String(value ?? 'atomic');
      if (typeof value !== 'object') return false;
      const [name, ...args] = value.call;
      if (name === 'sleep') {
        this.sleep = { index: args[0] as number, seen: args[1] as number };
        return false;
      }
      const engine = this.engineOf(value.port ?? this.port);
      if (!engine.call(name, args)) {
        this.call = engine;
        return false;
      }
      sent = engine.result;
    }
  }

  /** Everything that decides how it goes on, apart from the pool's words. */
  fingerprint(mix: Mix): void {
    mix(this.port);
    mix(this.sleep === undefined ? 0 : this.isGivenUp ? 1 : 2);
    mix(this.reads.a);
    mix(this.reads.b);
    this.call?.fingerprint(mix);
  }

  private next(sent: number | undefined): IteratorResult<Request, unknown> {
    if (!this.isRewritten) {
      // Code that is not rewritten does not tell what it reads: then it has read everything.
      suspension.enter(this.reads);
      suspension.read(this.pool.hashWords());
      suspension.read(sent);
      suspension.leave(this.reads);
    }
    return this.course.next(sent) as IteratorResult<Request, unknown>;
  }
}
