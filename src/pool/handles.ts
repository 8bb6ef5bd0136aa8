// From a handle to bytes: where its fragment starts, and views of it.
//
// The engine checks the handle; the rest is arithmetic on the geometry. Views are made on the thread's own buffer, which is
// made anew when another thread has grown the memory past it.

import { FLAG_READABLE } from '../../assembly/layout.js';
import { invalidHandle, requireInteger } from '../errors.js';
import { isHandleNumber } from './numbers.js';
import { type Port, refusal } from './port.js';

/** The number of the page that a checked handle's fragment lies in. */
export function pageOfHandle(port: Port, handle: number): number {
  const { unitBits, unitsShift } = port.geometry;
  return (handle & ((1 << unitBits) - 1)) >>> unitsShift;
}

/** Where a checked handle's fragment starts in the memory, bytes. */
export function startOfHandle(port: Port, handle: number): number {
  const { pagesOffset, unitBits, unitsShift, unitBytes } = port.geometry;
  return pagesOffset + ((handle & ((1 << unitBits) - 1)) - (1 << unitsShift)) * unitBytes;
}

/** Bytes reserved for the handle's fragment; throws when the handle is refused. */
export function extentOf(port: Port, call: string, handle: number): number {
  if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
  const extent = port.engine.extent(handle);
  if (extent < 0) throw refusal(extent, call, 'handle', handle);
  return extent;
}

/** Whether the processor may look at the bytes of the handle's fragment; throws when the handle is refused. */
export function isReadableHandle(port: Port, call: string, handle: number): boolean {
  extentOf(port, call, handle);
  return (port.geometry.flags & FLAG_READABLE) !== 0;
}

/** A view of `length` bytes from `offset` of the handle's fragment; the rest of it when `length` is not given. */
export function fragmentView(
  port: Port,
  call: string,
  handle: number,
  offset: number,
  length: number | undefined,
): Uint8Array {
  const extent = extentOf(port, call, handle);
  requireInteger(call, 'offset', offset, 0, extent);
  if (length !== undefined) requireInteger(call, 'length', length, 0, extent - offset);
  const bytes = length ?? extent - offset;
  const start = startOfHandle(port, handle) + offset;
  return new Uint8Array(port.memory.reach(start + bytes).buffer, start, bytes);
}
