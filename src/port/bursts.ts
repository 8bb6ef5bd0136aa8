// Bursts of handles on arrays that lie outside the pool's memory: copied through the port's scratch, chunk by chunk.
//
// The same results as on `words()`, at the price of the copy. A bulk that needs several chunks stays all or nothing:
// what the first chunks brought is released when a later one fails.

import type { Port } from './port.js';
import { seekPages } from './want.js';

/** Allocates up to `count` pages into `out`; how many. */
export function allocCopied({ engine, scratch }: Port, out: Uint32Array, count: number): number {
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
export function allocMore(port: Port, out: Uint32Array, got: number, count: number): number {
  let done = got;
  const ask = (): number => {
    done += allocCopied(port, out.subarray(done, count), count - done);
    return done === count ? count : 0;
  };
  try {
    seekPages(port, 'allocBurst', count - got, ask);
  } catch (error) {
    if (done === 0) throw error; // else the next call is told
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
export function allocBulkCopied(port: Port, out: Uint32Array, count: number): boolean {
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

/** The same where the engine found too few. */
export function allocBulkLater(port: Port, out: Uint32Array, count: number): boolean {
  return seekPages(port, 'allocBulk', count, () => (allocBulkCopied(port, out, count) ? count : 0)) !== 0;
}

/** Releases handles from the front until one is refused; how many. */
export function releaseCopied({ engine, scratch }: Port, handles: Uint32Array, count: number): number {
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
