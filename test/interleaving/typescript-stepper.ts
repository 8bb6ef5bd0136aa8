// The TypeScript engine as a stepper: the rewritten engine (transform.ts), whose calls are generators.
//
// A call that stands at a yield goes on by what it has read since it began and by what the engine remembered before:
// the hash of both is what the rest of the call depends on.

import type { PoolMemory } from '../../src/control/memory.js';
import { ENGINE_CALLS } from '../../src/engine/closed.js';
import type { CallName, Calls, Mix, Stepper } from './stepper.js';
import type { SuspendableEngine, TypeScriptModel } from './suspend/bundle.js';
import { nothingRead, PLAIN, type Reads, suspension } from './suspend/suspension.js';

type Steps = Iterator<unknown, unknown, unknown>;

/** An instance of the rewritten engine. */
export class TypeScriptStepper implements Stepper {
  readonly kind = 'typescript';
  isAtPlain = false;
  result = 0;
  private madeCalls: Calls | undefined;
  private engine!: SuspendableEngine;
  private steps: Steps | undefined;
  private reads: Reads = nothingRead();

  /** `reads`: what a thread has read so far that goes on with this engine's calls; without, each call begins anew. */
  constructor(
    private readonly model: TypeScriptModel,
    private readonly memory: PoolMemory,
    private readonly threadReads?: Reads,
  ) {}

  get calls(): Calls {
    this.madeCalls ??= Object.fromEntries(
      ENGINE_CALLS.map((name) => [name, (...args: number[]) => this.runThrough(name, args)]),
    ) as unknown as Calls;
    return this.madeCalls;
  }

  open(port: number): void {
    this.engine = this.model.open({ memory: this.memory, portId: port });
    this.steps = undefined;
    this.isAtPlain = false;
    if (this.threadReads !== undefined) this.remember(this.threadReads);
  }

  call(name: CallName, args: readonly number[]): boolean {
    this.reads = this.threadReads ?? nothingRead();
    if (this.threadReads === undefined) this.remember(this.reads);
    const began = this.begin(name, args, this.reads);
    if (typeof began !== 'object') return this.finish(began);
    this.steps = began;
    return this.resume();
  }

  resume(): boolean {
    suspension.enter(this.reads);
    const { done, value } = this.steps!.next();
    suspension.leave(this.reads);
    if (done === true) return this.finish(value);
    this.isAtPlain = value === PLAIN;
    return false;
  }

  fingerprint(mix: Mix): void {
    mix(this.reads.a);
    mix(this.reads.b);
  }

  private finish(value: unknown): true {
    this.steps = undefined;
    this.isAtPlain = false;
    this.result = (value as number | undefined) ?? 0;
    return true;
  }

  /** A call that takes no step is over at once. */
  private begin(name: CallName, args: readonly number[], reads: Reads): Steps | number | undefined {
    suspension.enter(reads);
    const began = this.engine[name](...args) as Steps | number | undefined;
    suspension.leave(reads);
    return began;
  }

  private runThrough(name: CallName, args: readonly number[]): number {
    const reads = nothingRead();
    const began = this.begin(name, args, reads);
    if (typeof began !== 'object') return began ?? 0;
    suspension.enter(reads);
    for (;;) {
      const { done, value } = began.next();
      if (done === true) return (value as number | undefined) ?? 0;
    }
  }

  /** What the engine keeps from call to call is part of what a call begins with. */
  remember(reads: Reads): void {
    suspension.enter(reads);
    for (const field of this.model.fields) {
      const value = this.engine[field] as unknown;
      if (typeof value !== 'number' && typeof value !== 'boolean')
        throw new Error(`the engine assigns ${field}=${typeof value} in a method (expected a number or a boolean)`);
      suspension.read(value);
    }
    suspension.leave(reads);
  }
}
