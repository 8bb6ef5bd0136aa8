// Which port a PagePool has, for the package's other entries: they ask here and do not import the class, so that a
// bundler can leave the pool and its engines out of a program that only has packets or adapters.

import { invalidArgument } from '../errors.js';
import type { Port } from '../port/port.js';
import type { Takers } from '../port/takers.js';

/** What the other entries use of a pool. */
interface Enrolled {
  readonly port: Port;
  /** Waits for several pages at one time. */
  readonly takers: Takers;
}

const pools = new WeakMap<object, Enrolled>();

/** For PagePool: from here on the other entries know the pool. */
export function enrol(pool: object, enrolled: Enrolled): void {
  pools.set(pool, enrolled);
}

/** Whether the value is a pool of this package. A proxy of one is none, and its code is not run. */
export function isPagePool(value: unknown): boolean {
  return pools.has(value as object);
}

/** The pool's port in this thread. Throws unless it is a pool of this package. */
export function portOf(call: string, pool: object): Port {
  const enrolled = pools.get(pool);
  if (enrolled === undefined) throw invalidArgument(call, 'pool', pool, 'a PagePool');
  return enrolled.port;
}

/** This thread's waits for several pages of the pool. Ask `portOf` first. */
export function takersOf(pool: object): Takers {
  return (pools.get(pool) as Enrolled).takers;
}
