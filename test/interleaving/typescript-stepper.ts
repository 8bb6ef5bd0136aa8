// The TypeScript engine as a stepper: the rewritten engine (transform.ts), whose calls are generators.
//
// A call that stands at a yield goes on by what it has read since it began and by what the engine remembered before:
// the hash of both is what the rest of the call depends on.

import type { PoolMemory } from '../../src/control/memory.js';
import { ENGINE_CALLS } from '../../src/engine/closed.js';
import { Course, type Point } from './course.js';
import type { CallName, Calls, Mix, Stepper } from './stepper.js';
import type { SuspendableEngine, TypeScriptModel } from './suspend/bundle.js';
import { nothingRead, PLAIN, type Reads, suspension } from './suspend/suspension.js';
import type { Words } from './words.js';

/** Where an instance stands. */
interface State {
  readonly fields: readonly unknown[];
  readonly at: Point | undefined;
  readonly isAtPlain: boolean;
  readonly result: number;
  readonly a: number;
  readonly b: number;
}

/** An instance of the rewritten engine. */
export class TypeScriptStepper implements Stepper {
  readonly kind = 'typescript';
  isAtPlain = false;
  result = 0;
  private madeCalls: Calls | undefined;
  private engine!: SuspendableEngine;
  private readonly reads: Reads;
  private readonly course: Course;

  /** `reads`: what a thread has read so far that goes on with this engine's calls; without, each call begins anew. */
  constructor(
    private readonly model: TypeScriptModel,
    private readonly memory: PoolMemory,
    words: Words,
    private readonly threadReads?: Reads,
  ) {
    this.reads = threadReads ?? nothingRead();
    this.course = new Course(words, this.reads);
  }

  get calls(): Calls {
    this.madeCalls ??= Object.fromEntries(
      ENGINE_CALLS.map((name) => [name, (...args: number[]) => this.runThrough(name, args)]),
    ) as unknown as Calls;
    return this.madeCalls;
  }

  open(port: number): void {
    this.engine = this.model.open({ memory: this.memory, portId: port });
    this.course.at = undefined;
    this.isAtPlain = false;
    if (this.threadReads !== undefined) this.remember(this.threadReads);
  }

  call(name: CallName, args: readonly number[]): boolean {
    if (this.threadReads === undefined) {
      Object.assign(this.reads, nothingRead());
      this.remember(this.reads);
    }
    const fields = this.fields();
    this.course.at = undefined;
    const began = this.course.begin(() => {
      this.setFields(fields);
      return this.engine[name](...args);
    });
    // A call that takes no step is over at once.
    return typeof began === 'object' ? this.resume() : this.finish(began);
  }

  resume(): boolean {
    const { done, value } = this.course.next(undefined);
    if (done === true) return this.finish(value);
    this.isAtPlain = value === PLAIN;
    return false;
  }

  save(): State {
    const { isAtPlain, result } = this;
    const { a, b } = this.reads;
    return { fields: this.fields(), at: this.course.at, isAtPlain, result, a, b };
  }

  restore(state: unknown): void {
    const { fields, at, isAtPlain, result, a, b } = state as State;
    this.setFields(fields);
    this.course.at = at;
    this.isAtPlain = isAtPlain;
    this.result = result;
    this.reads.a = a;
    this.reads.b = b;
  }

  fingerprint(mix: Mix): void {
    mix(this.reads.a);
    mix(this.reads.b);
  }

  private fields(): unknown[] {
    return this.model.fields.map((field) => this.engine[field]);
  }

  private setFields(values: readonly unknown[]): void {
    for (let i = 0; i < values.length; i++) this.engine[this.model.fields[i]!] = values[i];
  }

  private finish(value: unknown): true {
    this.course.at = undefined;
    this.isAtPlain = false;
    this.result = (value as number | undefined) ?? 0;
    return true;
  }

  private runThrough(name: CallName, args: readonly number[]): number {
    suspension.enter(nothingRead());
    const began = this.engine[name](...args) as Iterator<unknown> | number | undefined;
    if (typeof began !== 'object') return began ?? 0;
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
