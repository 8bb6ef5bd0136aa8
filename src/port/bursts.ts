// Bursts of handles: in place where their array is the pool's `words()`, else copied through the port's scratch, chunk by
// chunk.
//
// The results are the same, at the price of the copy. A bulk that needs several chunks stays all or nothing: what the
// first chunks brought is released when a later one fails. Where nothing is found, one more look where pages may be.

import { exhausted, type Port, refusal } from './port.js';
import { OWN_PAGE, PROVIDER, seekPages } from './want.js';

/** Allocates `count` pages into `out`, all or none; false: none, and what `out` holds is no handle. */
export function allocBulk(port: Port, call: string, out: Uint32Array, count: number): boolean {
  const address = port.scratch.addressOf(call, 'out', out, count, 1);
  const isDone = address !== 0 ? allocBulkAt(port, address, count) : allocBulkCopied(port, out, count);
  if (isDone) return true;
  exhausted(port, call);
  const found = seekPages(port, call, count);
  if (found === OWN_PAGE) return allocBulk(port, call, out, count);
  return found !== 0 && allocBulkCopied(port, out, count);
}

/** Allocates up to `count` pages into `out`; how many. */
export function allocBurst(port: Port, out: Uint32Array, count: number): number {
  const call = 'allocBurst';
  const address = port.scratch.addressOf(call, 'out', out, count, 1);
  const got = address !== 0 ? port.engine.allocBurst(address, count) : allocCopied(port, out, count);
  if (got === count) return got;
  if (got === 0) exhausted(port, call);
  const found = seekPages(port, call, count - got, got === 0 ? OWN_PAGE + PROVIDER : PROVIDER);
  if (found === OWN_PAGE) return allocBurst(port, out, count);
  return found === 0 ? got : got + allocCopied(port, out.subarray(got, count), count - got);
}

/** Releases the handles from the front; throws at the first one that is refused. */
export function releaseBulk(port: Port, handles: Uint32Array, count: number): void {
  const call = 'releaseBulk';
  const address = port.scratch.addressOf(call, 'handles', handles, count, 1);
  const done = address !== 0 ? port.engine.releaseBulk(address, count) : releaseCopied(port, handles, count);
  if (done === count) return;
  const handle = handles[done] as number;
  // Asking again changes nothing, since it is refused again.
  throw refusal(port.engine.release(handle), call, 'handle', handle, done);
}

/** Allocates up to `count` pages into `out`; how many. */
function allocCopied({ engine, scratch }: Port, out: Uint32Array, count: number): number {
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
