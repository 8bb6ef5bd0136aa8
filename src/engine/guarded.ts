// Engines that stand in for a port's own for a while: during a provider's callback, and before its areas have arrived.
//
// The fast paths need no check for either: they call the engine that is there. Only pools with a provider of other
// memory than their own ever have one of these.

import { EMPTY } from '../../assembly/layout.js';
import { callError, type PagePoolError } from '../errors.js';
import { blockUntil } from '../platform/blocking.js';
import { ENGINE_CALLS } from './closed.js';
import type { Engine } from './engine.js';

/** The error of a call of the pool inside a provider's callback. */
export function reentryError(call: string, callback: string): PagePoolError {
  return callError('POOL_ERR_PROVIDER', call, `called inside the provider's ${callback}`, 'no call of the pool there');
}

/** An engine that refuses every call by an error: a provider's callback must not call the pool. */
export function reentrantEngine(kind: Engine['kind'], callback: string): Engine {
  const calls = ENGINE_CALLS.map((call) => [
    call,
    () => {
      throw reentryError(call, `${callback}()`);
    },
  ]);
  return { ...Object.fromEntries(calls), kind };
}

/** The error of a call that lacks memory which only the event loop brings to this thread. */
export function lateError(call: string, remedy: string): PagePoolError {
  return callError(
    'POOL_ERR_PROVIDER',
    call,
    'this thread waits for memory of the pool that was added while it attached',
    'it to have arrived: the thread that created the pool has not answered for a second',
    remedy,
  );
}

/**
 * An engine that allocates and receives nothing: all else works.
 *
 * @param fetchNow fetches what the thread waits for, where that can be had at once: a thread that never returns to its
 *   event loop asks again and again, and finds out no other way
 */
export function waitingEngine(engine: Engine, fetchNow: () => boolean): Engine {
  const calls = ENGINE_CALLS.map((call) => [
    call,
    (...args: never[]) => (engine[call] as (...args: never[]) => unknown)(...args),
  ]);
  const none = (): number => {
    fetchNow();
    isOwn = false;
    return 0;
  };
  // Whose result `lastError()` is asked about: what allocates nothing here has none.
  let isOwn = false;
  return {
    ...Object.fromEntries(calls),
    kind: engine.kind,
    alloc: none,
    allocFragment: none,
    allocBurst: none,
    receiveBurst: none,
    accept: none,
    collect: () => {
      fetchNow();
      return EMPTY;
    },
    hasPages: none,
    canReceive: none,
    sendBurst: (...args) => {
      isOwn = true;
      return engine.sendBurst(...args);
    },
    lastError: () => (isOwn ? engine.lastError() : 0),
    adopt: (...args) => {
      // A token cannot be waited for: whoever has it would have to keep it and come again.
      if (fetchNow() || blockUntil(fetchNow)) return engine.adopt(...args);
      throw lateError('adopt', 'return to the event loop first; the token stays good');
    },
  };
}
