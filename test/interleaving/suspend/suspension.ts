// What rewritten TypeScript calls at run time: it remembers what a thread has read, and says where a thread may stop.
//
// One object for all rewritten code (transform.ts), since threads take turns in one JavaScript thread: whoever lets a
// thread run puts that thread's memory in first and takes it out afterwards. The memory is a hash of every value the
// thread has read since its call began: code that reads nothing else goes on by those values alone, so they stand for
// its state.
//
// What is read inside a call matters afterwards by the result alone, and what is read in one turn of a loop by the
// variables that the loop assigns (and both by the fields that methods assign): so the memory goes back to what it was
// when the call or the loop began, and takes in those.

/**
 * What rewritten code yields before a plain write of a shared word: it may die there, and nobody else goes on
 * meanwhile.
 */
export const PLAIN = 'plain';

/** What a thread has read, as two words. */
export interface Reads {
  a: number;
  b: number;
}

/** A thread that has read nothing. Not 0: a 0 that is read would change nothing then, as if the thread stood still. */
export function nothingRead(): Reads {
  return { a: 0x9e3779b9, b: 0x7f4a7c15 };
}

/** What a thread had read when a loop began. */
interface Begun {
  readonly a: number;
  readonly b: number;
  readonly place: number;
}

const scratch = new DataView(new ArrayBuffer(8));

/** Whether a value is more than what a hash takes in. */
function isWhole(value: unknown): boolean {
  return typeof value === 'function' || (typeof value === 'object' && value !== null);
}

class Suspension {
  /** Whether threads stop before plain writes. */
  deaths = false;
  /** Whether the thread came from a yield and has not used it for an atomic access. */
  private isArmed = false;
  private a = 0;
  private b = 0;
  private calls: number[] = [];
  private readonly rewritten = new WeakSet<object>();

  /** A generator of rewritten code: what it reads is remembered. */
  mark<Generated extends object>(generator: Generated): Generated {
    this.rewritten.add(generator);
    return generator;
  }

  isRewritten(generator: object): boolean {
    return this.rewritten.has(generator);
  }

  /** The thread with these reads goes on. `calls`: its own, what the calls that it is in began with. */
  enter(reads: Reads, calls: number[] = []): void {
    this.a = reads.a;
    this.b = reads.b;
    this.calls = calls;
    this.isArmed = false;
  }

  /** The thread stops. */
  leave(reads: Reads): void {
    reads.a = this.a;
    reads.b = this.b;
  }

  private mix(word: number): void {
    this.a = Math.imul(this.a ^ word, 0x85ebca6b);
    this.a = (this.a << 13) | (this.a >>> 19);
    this.b = Math.imul((this.b + word) | 0, 0xc2b2ae35);
    this.b ^= this.b >>> 15;
  }

  /** A value that the thread has read, wherever from. Objects are as constant as what they were found by. */
  read<Value>(value: Value): Value {
    switch (typeof value) {
      case 'number':
        if ((value | 0) === value) this.mix(value);
        else this.mixDouble(value);
        break;
      case 'boolean':
        this.mix(value ? 0x3c6ef372 : 0x5bd1e995);
        break;
      case 'string':
        for (let i = 0; i < value.length; i++) this.mix(value.charCodeAt(i));
        break;
      case 'bigint':
        this.read(String(value));
        break;
      default:
        this.mix(value === undefined ? 0x1b873593 : 0x68bc21eb);
    }
    return value;
  }

  private mixDouble(value: number): void {
    scratch.setFloat64(0, value);
    this.mix(scratch.getInt32(0));
    this.mix(scratch.getInt32(4));
  }

  /** The result of an atomic access: a step, so a yield must have come right before. */
  atomic<Value>(value: Value): Value {
    if (!this.isArmed)
      throw new Error('an atomic access without a yield before it: other threads could not come between');
    this.isArmed = false;
    return this.read(value);
  }

  /** The same, where the yield was put in. */
  stepped<Value>(_arm: unknown, value: Value): Value {
    return this.atomic(value);
  }

  /** The yield before an atomic access is over. */
  arm(_address?: unknown): void {
    this.isArmed = true;
  }

  /** What a yield that stands in the source came back with: nothing before an atomic access, or a call's result. */
  resume<Value>(value: Value): Value {
    this.isArmed = value === undefined;
    if (value !== undefined) this.read(value);
    return value;
  }

  /** A call that suspends begins, at that place of the code: what is read inside is not what is read after it. */
  begin(place: number): void {
    this.calls.push(this.a, this.b, place);
    this.mix(place);
  }

  /** The call is over: what it read is forgotten, apart from its result and the fields that it may have assigned. */
  end<Value>(_begin: unknown, result: Value, ...fields: readonly unknown[]): Value {
    const place = this.calls.pop() as number;
    const b = this.calls.pop() as number;
    const a = this.calls.pop() as number;
    if (isWhole(result)) return result; // it may hold anything that was read
    this.a = a;
    this.b = b;
    this.mix(0x165667b1);
    this.mix(place);
    this.read(result);
    for (const field of fields) this.read(field);
    return result;
  }

  /** A loop begins, at that place of the code. */
  loop(place: number): Begun {
    const { a, b } = this;
    return { a, b, place };
  }

  /**
   * One more turn: what earlier ones read is forgotten, apart from the variables and fields that they may have
   * assigned.
   */
  turn(begun: Begun, ...variables: readonly unknown[]): void {
    if (variables.some(isWhole)) return;
    this.a = begun.a;
    this.b = begun.b;
    this.mix(0x27d4eb2f);
    this.mix(begun.place);
    for (const variable of variables) this.read(variable);
  }

  /** The value to be written, after the yield for a death before the write. */
  value<Value>(value: Value, _death: unknown): Value {
    this.mix(0x2545f491); // the write may change nothing, and the thread is further all the same
    return value;
  }

  /** What a call of code that is not rewritten came back with. */
  outside<Value>(value: Value): Value {
    this.mix(0x7f4a7c15); // likewise
    if (Object.prototype.toString.call(value) === '[object Generator]') {
      throw new Error('a rewritten method is called as if it were one of the language: give it another name');
    }
    return value;
  }

  /** The result of a call that is of rewritten code or not: a generator of the former is run. */
  *either(value: unknown): Generator<unknown, unknown, unknown> {
    return Object.prototype.toString.call(value) === '[object Generator]' ? yield* value as Generator : value;
  }

  /** The object of a call of the language, or what is iterated: reads of words that way would not be seen. */
  object<Value>(value: Value): Value {
    if (ArrayBuffer.isView(value))
      throw new Error('words are read by a method or an iterator (expected: by their index)');
    return value;
  }
}

/** The one object that rewritten code calls. */
export const suspension = new Suspension();
