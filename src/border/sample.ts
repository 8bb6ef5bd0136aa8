// Sample: known bytes in the kind of memory that a pool has here, and what an API made of them.
//
// The bytes lie inside a larger memory, so that an API which takes the whole buffer for the view is found out; one that
// takes the buffer away takes the pool's memory away. An API that did right is asked again while the bytes are
// overwritten right after its call: that shows whether it reads them later.

import { spareAddresses, WASM_ADDRESS_BYTES } from '../platform/addresses.js';
import { chooseMemory } from '../platform/capabilities.js';
import type { Verdict } from './verdict.js';

const BYTES = 64;
/** From one sample to the next: what lies between them belongs to none. */
const STEP = 2 * BYTES;
const BUFFER_BYTES = 65536;

let shared: ArrayBufferLike | undefined;
let nextOffset = STEP;

/** A buffer of the kind that pools have here: the same for all samples, unless an API can take it away. */
function sampleBuffer(): ArrayBufferLike {
  if (shared !== undefined) return shared;
  const { kind } = chooseMemory();
  const isShared = kind !== 'local';
  // Where addresses are few a pool has a plain buffer as well, and is not to lose them to a sample.
  const isWasm =
    (kind === 'wasm' || !isShared) && typeof WebAssembly === 'object' && spareAddresses() >= 2 * WASM_ADDRESS_BYTES;
  if (!isWasm && !isShared) return new ArrayBuffer(BUFFER_BYTES);
  shared = isWasm
    ? new WebAssembly.Memory({ initial: 1, maximum: 1, shared: isShared }).buffer
    : new SharedArrayBuffer(BUFFER_BYTES);
  return shared;
}

/** The bytes of every sample: ASCII, so that they are text as well, and no two neighbours alike. */
export function sampleBytes(): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: BYTES }, (_, i) => 48 + i);
}

/** A view of pool memory with zeros in it, for APIs that write; a place of its own, since probes run side by side. */
export function emptyView(): Uint8Array {
  const view = new Uint8Array(sampleBuffer(), nextOffset, BYTES).fill(0);
  nextOffset = nextOffset + STEP < BUFFER_BYTES ? nextOffset + STEP : STEP;
  return view;
}

/** Whether the bytes are the sample. */
export function isSample(bytes: ArrayLike<number>): boolean {
  return bytes.length === BYTES && sampleBytes().every((byte, i) => bytes[i] === byte);
}

/** What an API that fills the view did to it. */
export function writeVerdict(call: (view: Uint8Array) => void): Verdict {
  const view = emptyView();
  try {
    call(view);
  } catch {
    return 'refused';
  }
  return isSample(view) ? 'taken' : 'corrupted';
}

/**
 * What an API made of the view, where its result is there at once: the verdict of a call that returns the bytes it saw.
 *
 * @param makeView where the sample is to lie, for tests
 */
export function readVerdict(call: (view: Uint8Array) => ArrayLike<number>, makeView = emptyView): Verdict {
  const view = makeView();
  view.set(sampleBytes());
  try {
    return isSample(call(view)) && !isDetached(view) ? 'taken' : 'corrupted';
  } catch {
    return 'refused';
  }
}

/**
 * The same for a result that comes later; `call` begins at once, and what it resolves with are the bytes that the API
 * saw. What makes something that is compared afterwards comes in two parts: the bytes are overwritten between them.
 *
 * @param read what was made, in bytes
 * @param makeView as there
 */
export async function lateVerdict<Made>(
  call: (view: Uint8Array) => Made,
  read: (made: Awaited<Made>) => Promise<ArrayLike<number>> | ArrayLike<number>,
  makeView = emptyView,
): Promise<Verdict> {
  const undisturbed = makeView();
  undisturbed.set(sampleBytes());
  try {
    if (!isSample(await read(await call(undisturbed))) || isDetached(undisturbed)) return 'corrupted';
  } catch {
    return 'refused';
  }
  const disturbed = makeView();
  disturbed.set(sampleBytes());
  try {
    const made = call(disturbed);
    disturbed.fill(33);
    return isSample(await read(await made)) ? 'taken' : 'later';
  } catch {
    return 'later';
  }
}

/** Whether the API took the view's memory away. */
function isDetached({ length }: Uint8Array): boolean {
  return length === 0;
}
