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
// Where a realm refuses Wasm nothing is asked for.

/** Levels that one step of an engine needs, or the call around it. */
const STEP_LEVELS = 2;
/** Levels that a call of several steps needs, each of which asks for itself: behind the first none may be refused. */
const DEEP_LEVELS = 3;

/** As many results as a Wasm function may have. */
const RESULTS = 1000;
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

/** The same for bursts, whose step is all that they do: the Wasm core's frames are small, and compiled elsewhere. */
export function touchStackFor(kind: 'wasm' | 'typescript'): void {
  touch(kind === 'wasm' ? 0 : STEP_LEVELS);
}

/** The same before several steps, each of which asks again: none of them is refused then. @throws RangeError */
export function touchDeepStack(): void {
  touch(DEEP_LEVELS);
}

/** Makes the function, once a realm; it does nothing where there is no Wasm. Before the first pool of the realm. */
export function prepareStack(): Touch {
  if (touch !== nothing || typeof WebAssembly !== 'object') return touch;
  try {
    const kind = WebAssembly.validate(moduleOf(V128)) ? V128 : F64;
    // Never called: what is imported cannot be inlined, and with it the frame.
    const imports = { env: { never: () => [] } };
    const { exports } = new WebAssembly.Instance(new WebAssembly.Module(moduleOf(kind)), imports);
    touch = exports.touch as Touch;
  } catch {
    // Refused here, or the stack ends here: the next pool asks again.
  }
  return touch;
}

/**
 * (func $touch (export "touch") (param i32)
 *   (if (i32.lt_s (local.get 0) (i32.const 0)) (then (call $never) drop ...))
 *   (if (local.get 0) (then (call $touch (i32.sub (local.get 0) (i32.const 1))))))
 */
function moduleOf(kind: number): Uint8Array<ArrayBuffer> {
  const body = [
    ...[0x00, 0x20, 0x00, 0x41, 0x00, 0x48, 0x04, 0x40, 0x10, 0x00], // if (levels < 0) never()
    ...new Array<number>(RESULTS).fill(0x1a), // drop
    ...[0x0b, 0x20, 0x00, 0x04, 0x40, 0x20, 0x00, 0x41, 0x01, 0x6b, 0x10, 0x01, 0x0b], // if (levels) touch(levels - 1)
    0x0b,
  ];
  const results = [...leb(RESULTS), ...new Array<number>(RESULTS).fill(kind)];
  return Uint8Array.from([
    ...[0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00], // magic, version
    ...section(1, [0x02, 0x60, 0x01, 0x7f, 0x00, 0x60, 0x00, ...results]), // i32 -> none; none -> results
    ...section(2, [0x01, 0x03, ...ascii('env'), 0x05, ...ascii('never'), 0x00, 0x01]),
    ...section(3, [0x01, 0x00]),
    ...section(7, [0x01, 0x05, ...ascii('touch'), 0x00, 0x01]),
    ...section(10, [0x01, ...leb(body.length), ...body]),
  ]);
}

function section(id: number, content: readonly number[]): number[] {
  return [id, ...leb(content.length), ...content];
}

function ascii(text: string): number[] {
  return Array.from(text, (each) => each.charCodeAt(0));
}

/** An unsigned LEB128 number below 2^14. */
function leb(value: number): number[] {
  return value < 0x80 ? [value] : [(value & 0x7f) | 0x80, value >>> 7];
}
