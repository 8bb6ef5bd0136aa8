// Where a call that found no page searches further: one order for all of them.
//
// The port's own thread only. A page may be left in the open fragment page of this very thread, or with a
// provider. The engine knows neither: it asks its caches, the ring, the provider's side and the other ports.

import { touchDeepStack } from '../platform/stack.js';
import { returnIdleFragmentPage } from './fragment-page.js';
import { exhausted, type Port } from './port.js';

/**
 * Searches further for `count` pages, and asks the engine again wherever there may be some: the one way, for all calls.
 * The last answer of `ask`, which is 0 as long as it lacks something.
 *
 * @throws PagePoolError POOL_ERR_CLOSING or POOL_ERR_DESTROYED when no page will ever come; POOL_ERR_PROVIDER when this
 *   thread is the owner, and the provider failed
 */
export function seekPages(port: Port, call: string, count: number, ask: () => number): number {
  touchDeepStack();
  exhausted(port, call);
  if (returnIdleFragmentPage(port)) {
    const found = ask();
    if (found !== 0) return found;
  }
  // The owner asks itself, and there may be pages now.
  port.areas?.want(count, port.supply !== undefined);
  return port.supply?.serve(call) === true ? ask() : 0;
}
