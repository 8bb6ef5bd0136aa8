// A thread of explored schedules that reaps dead ports: a generator which yields before each of its steps.
//
//   yield undefined             an atomic access follows: others may come between
//   yield 'plain'               a plain write follows: the reaper may die here (rewritten code yields it, see transform.ts)
//   yield { call, port }        an engine call, performed step by step as this thread; its result comes back. Without a port
//                               it is for the one that is reaped
//
// The engine that acts for a dead port is a new instance opened on it, since a thread's instance is gone with the thread. A
// reaper that is killed leaves the same ports to the next reaper, and those that it acted for itself.

import type { ModelPool } from './model.js';
import type { CallName, Mix, Stepper } from './stepper.js';
import { nothingRead, PLAIN, type Reads, suspension } from './suspend/suspension.js';
import type { Instance } from './thread.js';

/** What a reaper asks for with a yield. */
export type Request =
  | undefined
  | typeof PLAIN
  | { readonly call: readonly [name: CallName, ...args: number[]]; readonly port?: number };

/** Reaps a port whose thread is dead. */
export type Reap = (pool: ModelPool, dead: number) => Generator<Request, unknown, number>;

/** A thread that reaps. */
export class ReaperThread implements Instance {
  isFinished = false;
  isDead = false;
  /** What the reaper returned, a value for each port. */
  readonly reports: unknown[] = [];
  private readonly reads: Reads = nothingRead();
  private readonly engines = new Map<number, Stepper>();
  private readonly left: number[];
  private steps: Generator<Request, unknown, number> | undefined;
  private call: Stepper | undefined;
  private isStandingAtPlain = false;
  private name = 'begins';

  /** `openEngine` opens a new instance on a port; an engine of rewritten code goes on with the reads that it is given. */
  constructor(
    readonly id: number,
    private readonly pool: ModelPool,
    private readonly reap: Reap,
    private readonly ports: readonly number[],
    private readonly openEngine: (port: number, reads: Reads) => Stepper,
  ) {
    this.left = [...ports];
  }

  /** Dead ports that are not reaped to the end, and those that this thread acted for. */
  get unfinished(): readonly number[] {
    return [...this.left, ...[...this.engines.keys()].filter((port) => !this.ports.includes(port))];
  }

  get isAtPlain(): boolean {
    return this.call?.isAtPlain ?? this.isStandingAtPlain;
  }

  get doing(): string {
    return `reap ${this.left[0] ?? '-'}: ${this.name}`;
  }

  step(): void {
    let sent: number | undefined;
    if (this.call !== undefined) {
      if (!this.call.resume()) return;
      sent = this.call.result;
      this.call = undefined;
    }
    this.goOn(sent);
  }

  kill(): void {
    this.isDead = true;
  }

  fingerprint(mix: Mix): void {
    mix((this.isDead ? 4 : 0) + (this.isFinished ? 2 : 0) + (this.steps === undefined ? 1 : 0));
    if (this.isDead || this.isFinished) return;
    for (const port of this.left) mix(port);
    mix(this.reads.a);
    mix(this.reads.b);
    this.call?.fingerprint(mix);
  }

  /** Resumes the generator, with the result of its call if it made one, and runs it to its next step. */
  private goOn(result: number | undefined): void {
    let sent = result;
    for (let dead = this.left[0]; dead !== undefined; dead = this.left[0]) {
      this.steps ??= this.reap(this.pool, dead);
      const { done, value } = this.next(this.steps, sent);
      sent = undefined;
      if (done === true) {
        this.reports.push(value);
        this.left.shift();
        this.steps = undefined;
        continue;
      }
      this.isStandingAtPlain = value === PLAIN;
      this.name = typeof value === 'object' ? value.call[0] : String(value ?? 'atomic');
      if (typeof value !== 'object') return;
      const engine = this.engineOf(value.port ?? dead);
      const [name, ...args] = value.call;
      if (!engine.call(name, args)) {
        this.call = engine;
        return;
      }
      sent = engine.result;
    }
    this.isFinished = true;
  }

  private next(steps: Generator<Request, unknown, number>, sent: number | undefined): IteratorResult<Request, unknown> {
    suspension.enter(this.reads);
    if (!suspension.isRewritten(steps)) {
      // Code that is not rewritten does not tell what it reads: then it has read everything.
      suspension.read(this.pool.hashWords());
      suspension.read(sent);
    }
    const next = steps.next(sent as number);
    suspension.leave(this.reads);
    return next;
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
