// The Wasm core as a stepper: an instance of the model binary, which calls env.yieldPoint before each atomic.
//
// While a call is explored, yieldPoint unwinds the instance's stack into a stretch of memory behind the pool
// (asyncify); `resume` winds it back, performs the atomic and runs to the next one. The unwound stack has the locals of
// every frame, so it is what the rest of the call depends on. Outside explored calls yields are ignored. A binary that
// was built for it calls env.plainPoint before each plain store, and stops there, too.

import { KEPT } from './build-model.js';
import type { CallName, Calls, Mix, Stepper } from './stepper.js';
import type { Words } from './words.js';

/** Bytes of memory behind the pool that an instance needs for its stack. */
export const STACK_BYTES = 4096;

interface ModelExports extends Calls, Record<(typeof KEPT)[number], WebAssembly.Global> {
  open(port: number): void;
  asyncify_start_unwind(stack: number): void;
  asyncify_stop_unwind(): void;
  asyncify_start_rewind(stack: number): void;
  asyncify_stop_rewind(): void;
}

/** Where an instance stands. */
interface State {
  readonly name: CallName;
  readonly args: readonly number[];
  readonly result: number;
  /** The unwound stack; undefined: no call. */
  readonly stack: Uint32Array | undefined;
  readonly kept: readonly number[];
  readonly isAtPlain: boolean;
}

/** An instance of the model binary. */
export class WasmStepper implements Stepper {
  readonly kind = 'wasm';
  isAtPlain = false;
  result = 0;
  private readonly exports: ModelExports;
  private readonly u32: Uint32Array;
  private isExploring = false;
  private isRewinding = false;
  private isUnwinding = false;
  private isCalled = false;
  private name: CallName = 'alloc';
  private args: readonly number[] = [];

  /** `stack`: where the instance's stack goes, STACK_BYTES long; instances share it of which one has a call. */
  constructor(
    module: WebAssembly.Module,
    memory: WebAssembly.Memory,
    private readonly words: Words,
    private readonly stack: number,
  ) {
    this.u32 = new Uint32Array(memory.buffer);
    const env = { memory, yieldPoint: () => this.yieldPoint(false), plainPoint: () => this.yieldPoint(true) };
    this.exports = new WebAssembly.Instance(module, { env }).exports as unknown as ModelExports;
  }

  get calls(): Calls {
    return this.exports;
  }

  open(port: number): void {
    this.isRewinding = false;
    this.isUnwinding = false;
    this.isCalled = false;
    this.isAtPlain = false;
    this.exports.open(port);
  }

  call(name: CallName, args: readonly number[]): boolean {
    this.name = name;
    this.args = args;
    this.u32[this.stack >>> 2] = this.stack + 8;
    this.u32[(this.stack >>> 2) + 1] = this.stack + STACK_BYTES;
    return this.run();
  }

  resume(): boolean {
    this.isRewinding = true;
    this.exports.asyncify_start_rewind(this.stack);
    return this.run();
  }

  save(): State {
    const { name, args, result, u32, isAtPlain } = this;
    const first = this.stack >>> 2;
    const stack = this.isCalled ? u32.slice(first, u32[first]! >>> 2) : undefined;
    const kept = KEPT.map((global) => this.exports[global].value as number);
    return { name, args, result, stack, kept, isAtPlain };
  }

  restore(state: unknown): void {
    const { name, args, result, stack, kept, isAtPlain } = state as State;
    this.name = name;
    this.args = args;
    this.result = result;
    this.isCalled = stack !== undefined;
    this.isAtPlain = isAtPlain;
    for (const [i, global] of KEPT.entries()) this.exports[global].value = kept[i];
    if (stack !== undefined) this.u32.set(stack, this.stack >>> 2);
  }

  /** All that it keeps follows from the port and from why its last burst stopped, which no explored code asks for. */
  remember(): void {}

  fingerprint(mix: Mix): void {
    const end = this.u32[this.stack >>> 2]! >>> 2;
    for (let i = (this.stack + 8) >>> 2; i < end; i++) mix(this.u32[i]!);
  }

  private run(): boolean {
    this.words.touch();
    this.isExploring = true;
    this.isAtPlain = false;
    const call = this.exports[this.name] as (...args: number[]) => number | undefined;
    const result = call(...this.args);
    this.isExploring = false;
    this.isCalled = this.isUnwinding;
    if (this.isUnwinding) {
      this.isUnwinding = false;
      this.exports.asyncify_stop_unwind();
      return false;
    }
    this.result = result ?? 0;
    return true;
  }

  private yieldPoint(isPlain: boolean): void {
    if (!this.isExploring) return;
    if (this.isRewinding) {
      this.isRewinding = false;
      this.exports.asyncify_stop_rewind();
      return;
    }
    this.isUnwinding = true;
    this.isAtPlain = isPlain;
    this.exports.asyncify_start_unwind(this.stack);
  }
}
