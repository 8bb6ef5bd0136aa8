// From a handle to bytes: where its fragment starts, and views of it.
//
// The engine checks the handle; the rest is arithmetic on the geometry. Views are made on the thread's own buffer,
// which is made anew when another thread has grown the memory past it.

import { ERR_REF_OVERFLOW, PIN_COUNT_MASK } from '../../assembly/layout.js';
import { startOfHandle } from '../control/places.js';
import { callError, invalidArgument, invalidHandle, invalidRange, requireInteger } from '../errors.js';
import { isHandleNumber } from '../numbers.js';
import { type Port, refusal } from './port.js';

/** The area that the handle's fragment lies in; throws when the handle is refused. */
export function areaOf(port: Port, call: string, handle: number): Uint8Array {
  const extent = extentOf(port, call, handle);
  return port.areas?.viewOf(call, handle) ?? port.memory.reach(startOfHandle(port, handle) + extent);
}

/** Where in its area the handle's fragment starts, of a pool that has areas; throws when the handle is refused. */
export function offsetOf(port: Port, call: string, handle: number): number {
  extentOf(port, call, handle);
  return port.areas?.startOf(call, handle) ?? startOfHandle(port, handle);
}

/** Bytes reserved for the handle's fragment; throws when the handle is refused. */
export function extentOf(port: Port, call: string, handle: number): number {
  if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
  const extent = port.engine.extent(handle);
  if (extent < 0) throw refusal(extent, call, 'handle', handle);
  return extent;
}

/** Whether the processor may read the bytes of the handle's fragment; throws when the handle is refused. */
export function isReadableHandle(port: Port, call: string, handle: number): boolean {
  extentOf(port, call, handle);
  return port.areas?.isReadable(handle) ?? true;
}

/** A view of `length` bytes from `offset` of the handle's fragment; the rest of it when `length` is not given. */
export function fragmentView(port: Port, call: string, handle: number, offset = 0, length?: number): Uint8Array {
  const extent = extentOf(port, call, handle);
  requireInteger(call, 'offset', offset, 0, extent);
  if (length !== undefined) requireInteger(call, 'length', length, 0, extent - offset);
  const bytes = length ?? extent - offset;
  const window = port.areas?.window(call, handle, offset, bytes);
  if (window !== undefined) return window;
  const start = startOfHandle(port, handle) + offset;
  return new Uint8Array(port.memory.reach(start + bytes).buffer, start, bytes);
}

/** The error for a size that no fragment can have. */
export function sizeError(call: string, bytes: number, pageBytes: number): Error {
  const rule = `an integer, 1..${pageBytes}`;
  if (!Number.isInteger(bytes) || bytes <= pageBytes) return invalidArgument(call, 'bytes', bytes, rule);
  return invalidRange(call, 'bytes', bytes, rule, 'take whole pages, or create the pool with larger ones');
}

/** The error for a pin that was refused: also for a page that has as many as can be counted. */
export function pinError(code: number, handle: number): Error {
  if (code !== ERR_REF_OVERFLOW) return refusal(code, 'pin', 'handle', handle);
  const rule = `at most ${PIN_COUNT_MASK} pins on its page`;
  return callError('POOL_ERR_REF_OVERFLOW', 'pin', `handle=${handle}`, rule, 'unpin() what is pinned');
}
