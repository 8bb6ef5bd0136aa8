// Bursts of handles: in place where their array is the pool's `words()`; else copied through the port's scratch, chunk
// by chunk.
//
// The results are the same, at the price of the copy. A bulk that needs several chunks stays all or nothing:
// what the first chunks brought is released when a later one fails.

import { touchBulk, touchDeepStack } from '../platform/stack.js';
import { type Port, refusal } from './port.js';
import { seekPages } from './want.js';

/** Allocates `count` pages into `out`, or none. */
export function allocBulk(port: Port, call: string, out: Uint32Array, count: number): boolean {
  touchBulk(port.engine.kind);
  const address = port.scratch.addressOf(call, 'out', out, count, 1);
  const isDone = address !== 0 ? allocBulkAt(port, address, count) : allocBulkCopied(port, out, count);
  return isDone || seekBulk(port, call, out, count);
}

/** A bulk that found too few pages looks on. Apart: its closure would cost every call an object. */
function seekBulk(port: Port, call: string, out: Uint32Array, count: number): boolean {
  return seekPages(port, call, count, () => (allocBulkCopied(port, out, count) ? count : 0)) !== 0;
}

/** Allocates up to `count` pages into `out`; how many. */
export function allocBurst(port: Port, out: Uint32Array, count: number): number {
  const address = port.scratch.addressOf('allocBurst', 'out', out, count, 1);
  const got = address !== 0 ? port.engine.allocBurst(address, count) : allocCopied(port, out, count);
  if (got === count) return got;
  try {
    return allocMore(port, out, got, count);
  } catch (error) {
    if (got === 0) throw error; // else the next call throws it; here the stack may have ended
    return got;
  }
}

/** Releases the handles from the front; throws at the first one that is refused. */
export function releaseBulk(port: Port, handles: Uint32Array, count: number): void {
  const { engine, scratch } = port;
  const address = scratch.addressOf('releaseBulk', 'handles', handles, count, 1);
  const done = address !== 0 ? engine.releaseBulk(address, count) : releaseCopied(port, handles, count);
  if (done === count) return;
  const handle = handles[done] as number;
  try {
    // Asking again changes nothing, since it is refused again.
    throw refusal(engine.release(handle), 'releaseBulk', 'handle', handle, done);
  } catch (error) {
    (error as { index?: number }).index = done; // also where the stack ended
    throw error;
  }
}

/** Allocates up to `count` pages into `out`; how many. */
function allocCopied({ engine, scratch }: Port, out: Uint32Array, count: number): number {
  touchDeepStack();
  const { own, ownAddress } = scratch;
  for (let done = 0; done < count; ) {
    const part = Math.min(own.length, count - done);
    const got = engine.allocBurst(ownAddress, part);
    for (let i = 0; i < got; i++) out[done + i] = own[i] as number;
    done += got;
    if (got < part) return done;
  }
  return count;
}

/** The rest of a burst that found `got` pages; how many there are now. Those are the caller's, whatever happens. */
function allocMore(port: Port, out: Uint32Array, got: number, count: number): number {
  let done = got;
  const ask = (): number => {
    done += allocCopied(port, out.subarray(done, count), count - done);
    return done === count ? count : 0;
  };
  try {
    seekPages(port, 'allocBurst', count - got, ask);
  } catch (error) {
    if (done === 0) throw error; // else the next call throws it
  }
  return done;
}

/** Allocates `count` pages at `address`, or none. */
export function allocBulkAt({ engine }: Port, address: number, count: number): boolean {
  const got = engine.allocBurst(address, count);
  if (got === count) return true;
  engine.releaseBulk(address, got);
  return false;
}

/** Allocates `count` pages into `out`, or none. */
function allocBulkCopied(port: Port, out: Uint32Array, count: number): boolean {
  const { scratch } = port;
  if (count <= scratch.own.length) {
    if (!allocBulkAt(port, scratch.ownAddress, count)) return false;
    for (let i = 0; i < count; i++) out[i] = scratch.own[i] as number;
    return true;
  }
  const handles = new Uint32Array(count);
  const got = allocCopied(port, handles, count);
  if (got < count) {
    releaseCopied(port, handles, got);
    return false;
  }
  out.set(handles);
  return true;
}

/** Releases handles from the front until one is refused; how many. */
function releaseCopied({ engine, scratch }: Port, handles: Uint32Array, count: number): number {
  touchDeepStack();
  const { own, ownAddress } = scratch;
  for (let done = 0; done < count; ) {
    const part = Math.min(own.length, count - done);
    for (let i = 0; i < part; i++) own[i] = handles[done + i] as number;
    const released = engine.releaseBulk(ownAddress, part);
    done += released;
    if (released < part) return done;
  }
  return count;
}
