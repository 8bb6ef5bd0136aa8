// Room on the stack: asked for before a call changes anything, so that the stack cannot end in its middle.
//
// A function whose frame does not fit throws the platform's RangeError when it is entered. So a call that is going to
// enter others while it changes words enters a function with a very large frame first: if that one fits, the others do,
// and if it does not, nothing has changed. The function is Wasm, made here: it has a call that it never makes, of a
// thousand results, which all have their place in the frame. 16 KiB a level when optimised, more before; it neither
// writes there nor clears it, so it costs 2 ns, and 2 ns for each level more. What is asked for covers functions that
// run for the first time as well: V8 compiles them on the same stack, and throws where it has less than 40 KiB left.
// Rejected: a JavaScript function of many locals (its frame is gone when it is optimised), an array as the arguments of
// a call (2,000 ns), one function with the whole frame (Wasm allows a thousand results; locals take 40 ms to compile).
// Where a realm refuses Wasm nothing is asked for, nor in a web page that has the TypeScript engine alone.

/** Levels that one step of an engine needs, or the call around it. */
const STEP_LEVELS = 2;
/** Levels that a call of several steps needs, each of which asks for itself: behind the first none may be refused. */
const DEEP_LEVELS = 3;

/** Kinds of results: 16 bytes each, and 8 where there are no vectors. */
const V128 = 0x7b;
const F64 = 0x7c;

/** Enters `levels` + 1 functions with large frames, one in the other. */
export type Touch = (levels: number) => void;

const nothing: Touch = () => {};
let touch = nothing;

/**
 * Throws the platform's RangeError when the stack has less room than one step of a pool may need, or a call around it.
 * Called before the first change.
 *
 * @throws RangeError
 */
export function touchStack(): void {
  touch(STEP_LEVELS);
}

/** The same before several steps, each of which asks again: none of them is refused then. @throws RangeError */
export function touchDeepStack(): void {
  touch(DEEP_LEVELS);
}

/** The same before two bursts, which are all that follows: the frames of the Wasm core are small. @throws RangeError */
export function touchBulk(kind: 'wasm' | 'typescript'): void {
  touch(kind === 'wasm' ? 1 : DEEP_LEVELS);
}

/**
 * Makes the function, once a realm; it does nothing where there is no Wasm. Before the first pool of the realm.
 *
 * @throws RangeError when the stack has no room for the function itself
 */
export function prepareStack(): Touch {
  if (touch !== nothing || typeof WebAssembly !== 'object') return touch;
  for (const kind of [V128, F64]) {
    try {
      // What is imported is never called, and cannot be inlined, and with it the frame.
      const module = new WebAssembly.Module(moduleOf(kind));
      touch = new WebAssembly.Instance(module, { '': { '': nothing } }).exports[''] as Touch;
      break;
    } catch {
      // Refused here, or the stack ends here: the next pool asks again.
    }
  }
  touch(0); // V8 compiles it where it is first called: 1 ms, which belongs here and not to a program's first call
  return touch;
}

/**
 * A function of a thousand results, as many as Wasm allows, and one that does not call it. Both have empty names:
 *
 *     (import "" "" (func $never (result kind ...)))
 *     (func $touch (export "") (param i32)
 *       (if (i32.lt_s (local.get 0) (i32.const 0)) (then (call $never) drop ...))
 *       (if (local.get 0) (then (call $touch (i32.sub (local.get 0) (i32.const 1))))))
 */
function moduleOf(kind: number): Uint8Array<ArrayBuffer> {
  const thousand = (byte: number): number[] => Array<number>(1000).fill(byte);
  return Uint8Array.of(
    ...[0, 0x61, 0x73, 0x6d, 1, 0, 0, 0], // magic, version
    ...[1, 0xf1, 7, 2, 0x60, 1, 0x7f, 0, 0x60, 0, 0xe8, 7, ...thousand(kind)], // types: i32 -> none; none -> results
    ...[2, 5, 1, 0, 0, 0, 1, 3, 2, 1, 0, 7, 4, 1, 0, 0, 1], // the import, the function's type, the export
    ...[10, 0x83, 8, 1, 0x80, 8, 0, 0x20, 0, 0x41, 0, 0x48, 4, 0x40, 0x10, 0, ...thousand(0x1a)],
    ...[0x0b, 0x20, 0, 4, 0x40, 0x20, 0, 0x41, 1, 0x6b, 0x10, 1, 0x0b, 0x0b],
  );
}
