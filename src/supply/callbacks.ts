// Callbacks of providers: what must not happen inside one, and the errors of those that fail.

import type { Seat } from '../control/claims.js';
import type { Engine } from '../engine/engine.js';
import { reentrantEngine } from '../engine/guarded.js';
import { callError, type PagePoolError, reasonOf, show } from '../errors.js';
import type { Context } from './context.js';

/** The port of the thread that calls the providers. */
export interface SupplySeat extends Seat {
  readonly name: string;
  readonly engine: Engine;
  /** Puts another engine in the place of the port's. */
  standIn(engine: Engine): void;
}

/** Runs a callback of a provider: the calls of the engine are refused meanwhile, since it must not call the pool. */
export function guarded<T>(port: SupplySeat, name: string, run: () => T): T {
  const { engine } = port;
  port.standIn(reentrantEngine(engine.kind, name));
  try {
    return run();
  } finally {
    port.standIn(engine);
  }
}

/** Whether a callback takes its time. */
export function isPromise(value: unknown): value is Promise<void> {
  return typeof (value as { then?: unknown } | undefined)?.then === 'function';
}

/** Runs a callback whose failure nobody can act on. */
export function quietly(run: () => void): void {
  try {
    run();
  } catch {
    // The provider is out of the pool either way, and no caller could catch it.
  }
}

/** The error where init() takes its time and the caller cannot wait. */
export function laterError(call: string): PagePoolError {
  return callError(
    'POOL_ERR_PROVIDER',
    call,
    "the provider's init() returned a promise",
    'it to be done at once',
    'use create()',
  );
}

/** The error of a callback that failed. */
export function providerError(call: string, name: string, { provider }: Context, cause: unknown): PagePoolError {
  const found = `provider=${show(provider.kind)} threw in ${name}(): ${reasonOf(cause)}`;
  return callError('POOL_ERR_PROVIDER', call, found, 'it to succeed', undefined, { cause });
}
