// A thread of explored schedules that reaps dead ports, one after the other, each as a procedure.
//
// The engine that acts for a dead port is a new instance opened on it, since a thread's instance is gone with the
// thread. A reaper that is killed leaves the same ports to the next reaper, and those that it acted for itself.

import type { ModelPool } from './model.js';
import { Procedure, type ProcedureState, type Steps } from './procedure.js';
import type { Mix, Stepper } from './stepper.js';
import { nothingRead, type Reads } from './suspend/suspension.js';
import { type Engines, type Instance, restoreEngines, saveEngines } from './thread.js';

/** Who reaps: the number that its claims name, and the threads that it knows to be dead. */
export interface Reaper {
  readonly id: number;
  readonly known: ReadonlySet<number>;
}

/** Reaps a port whose thread is dead. */
export type Reap = (pool: ModelPool, dead: number, reaper: Reaper) => Steps;

/** Where a thread that reaps stands. */
interface State {
  readonly isFinished: boolean;
  readonly isDead: boolean;
  readonly reports: readonly unknown[];
  readonly reads: Reads;
  readonly engines: Engines;
  readonly left: readonly number[];
  readonly procedure: Procedure | undefined;
  readonly procedureState: ProcedureState | undefined;
}

/** A thread that reaps. */
export class ReaperThread implements Instance {
  isFinished = false;
  isDead = false;
  readonly isAtSleep = false;
  readonly isAsleep = false;
  /** What the reaper returned, a value for each port. */
  reports: readonly unknown[] = [];
  private readonly reads: Reads = nothingRead();
  private readonly engines = new Map<number, Stepper>();
  private left: readonly number[];
  private saved: State | undefined;
  private procedure: Procedure | undefined;

  /**
   * `openEngine` opens a new instance on a port; an engine of rewritten code goes on with the reads that it is given.
   */
  constructor(
    readonly id: number,
    private readonly pool: ModelPool,
    private readonly reap: Reap,
    private readonly ports: readonly number[],
    readonly known: ReadonlySet<number>,
    private readonly openEngine: (port: number, reads: Reads) => Stepper,
  ) {
    this.left = ports;
  }

  /** Dead ports that are not reaped to the end, and those that this thread acted for. */
  get unfinished(): readonly number[] {
    return [...this.left, ...[...this.engines.keys()].filter((port) => !this.ports.includes(port))];
  }

  get isAtPlain(): boolean {
    return this.procedure?.isAtPlain ?? false;
  }

  get doing(): string {
    return `reap ${this.left[0] ?? '-'}: ${this.procedure?.doing ?? 'begins'}`;
  }

  step(): void {
    this.saved = undefined;
    for (let dead = this.left[0]; dead !== undefined; dead = this.left[0]) {
      this.procedure ??= new Procedure(
        this.pool,
        () => this.reap(this.pool, dead as number, this),
        dead,
        (other) => this.engineOf(other),
        this.reads,
      );
      if (!this.procedure.goOn()) return;
      this.reports = [...this.reports, this.procedure.result];
      this.left = this.left.slice(1);
      this.procedure = undefined;
    }
    this.isFinished = true;
  }

  giveUp(): void {}

  kill(): void {
    this.saved = undefined;
    this.isDead = true;
  }

  save(): State {
    if (this.saved === undefined) {
      const { isFinished, isDead, reports, left, procedure } = this;
      const engines = saveEngines(this.engines);
      const procedureState = procedure?.save();
      this.saved = { isFinished, isDead, reports, reads: { ...this.reads }, engines, left, procedure, procedureState };
    }
    return this.saved;
  }

  restore(given: unknown): void {
    const state = given as State;
    if (state === this.saved) return;
    this.saved = state;
    this.isFinished = state.isFinished;
    this.isDead = state.isDead;
    this.reports = state.reports;
    restoreEngines(this.engines, state.engines);
    this.left = state.left;
    this.procedure = state.procedure;
    if (state.procedureState !== undefined) this.procedure?.restore(state.procedureState);
    this.reads.a = state.reads.a;
    this.reads.b = state.reads.b;
  }

  forget(): void {
    this.saved = undefined;
  }

  fingerprint(mix: Mix): void {
    mix((this.isDead ? 4 : 0) + (this.isFinished ? 2 : 0) + (this.procedure === undefined ? 1 : 0));
    if (this.isDead || this.isFinished) return;
    for (const port of this.left) mix(port);
    for (const thread of this.known) mix(~thread);
    if (this.procedure !== undefined) this.procedure.fingerprint(mix);
    else mix(this.reads.a ^ this.reads.b);
  }

  private engineOf(port: number): Stepper {
    let engine = this.engines.get(port);
    if (engine === undefined) {
      const { isDead, program } = this.pool.instances[port]!;
      if (!isDead && program.length > 0)
        throw new Error(`a reaper acts for port=${port} (expected a dead one, or one without a program)`);
      engine = this.openEngine(port, this.reads);
      this.engines.set(port, engine);
    }
    return engine;
  }
}
