// Waiting: until a condition is true, with a signal, a timeout, and a look on a timer.
//
// On any event that can be armed and listened to: an eventcount (eventcount.ts), or another one of the same shape. The
// port is parked meanwhile, so that nobody waits for pages in the cache of a thread that stands still.

import { CHANNEL_NOT_EMPTY_OFFSET, CONTROL_BASE, HEADER_FREED_OFFSET } from '../../assembly/layout.js';
import { callEvent } from '../control/calls.js';
import { callError, invalidArgument, type PagePoolError, requireMilliseconds, requireRecord } from '../errors.js';
import { startTimer } from '../platform/timers.js';
import type { Signal, Timer } from '../platform/types.js';
import type { Probe, WaitEvent } from './eventcount.js';
import { ownsPort, type Port, park, unpark } from './port.js';

/** How to wait. */
export interface WaitOptions {
  /** Ends the wait with the signal's reason. */
  signal?: Signal;
  /** Ends the wait with POOL_ERR_TIMEOUT; no limit if not given. */
  timeoutMs?: number;
  /** In Node: keeps the event loop alive while waiting. A wait alone does not. */
  ref?: boolean;
}

const TIMEOUT_MS_MAX = 2 ** 31 - 1;
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 10;

/** The options, checked. */
export function requireWaitOptions(call: string, options: unknown): WaitOptions {
  if (options === undefined) return {};
  const given = requireRecord(call, 'options', options, ['signal', 'timeoutMs', 'ref']) as WaitOptions;
  requireTimeout(call, given.timeoutMs);
  const { signal, ref } = given;
  if (signal !== undefined && (typeof signal !== 'object' || typeof signal?.addEventListener !== 'function')) {
    throw invalidArgument(call, 'signal', signal, 'an AbortSignal');
  }
  if (ref !== undefined && typeof ref !== 'boolean') throw invalidArgument(call, 'ref', ref, 'a boolean');
  return given;
}

/** Throws unless `timeoutMs` is undefined, Infinity, or a number of milliseconds. */
export function requireTimeout(call: string, timeoutMs: unknown): void {
  if (timeoutMs !== undefined) requireMilliseconds(call, 'timeoutMs', timeoutMs);
}

/**
 * What a thread of a pool with a provider does whenever it wakes: follows its areas, and serves others if it is the
 * owner.
 */
export function catchUp({ areas, supply }: Port): void {
  areas?.follow();
  supply?.serveQuietly();
}

/** Lets this thread's waits look again: something that it does not wait for has changed. */
export function wakeAll({ engine, geometry, id }: Port): void {
  engine.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  engine.wake(callEvent(geometry, id));
  for (const { offset } of geometry.channels) engine.wake(offset + CHANNEL_NOT_EMPTY_OFFSET);
}

/** What a wait needs beside its options. */
export interface Wait<T> {
  /** For messages: `takeAsync`. */
  readonly call: string;
  readonly port: Port;
  readonly event: WaitEvent;
  readonly probe: Probe<T>;
  /** Whether the condition can come true without a wake-up, so that a growing timer (1 to 10 ms) must look as well. */
  readonly looks: boolean;
}

/**
 * Resolves with the first result of the probe that is not undefined. The port is parked meanwhile.
 *
 * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; the signal's reason when it is aborted; what the
 *   probe throws
 */
export async function waitFor<T>(wait: Wait<T>, options: WaitOptions): Promise<T> {
  options.signal?.throwIfAborted();
  const first = options.timeoutMs === 0 ? wait.probe() : wait.event.spin('async', wait.probe);
  if (first !== undefined) return first;
  if (options.timeoutMs === 0) throw timeoutError(wait.call, 0);
  // Later looks come from timers and wake-ups: what they bring was asked for here.
  const carried = wait.port.leaks?.carry(wait.probe);
  const asked = carried === undefined ? wait : { ...wait, probe: carried };
  return new Promise<T>((resolve, reject) => new AsyncWait(asked, options, resolve, reject).look());
}

/** One wait under way: woken by its eventcount, its timers and its signal, whichever is first. */
class AsyncWait<T> {
  readonly #wait: Wait<T>;
  readonly #options: WaitOptions;
  readonly #resolve: (result: T) => void;
  readonly #reject: (reason: unknown) => void;
  #timeout: Timer | undefined;
  #lookTimer: Timer | undefined;
  #keepAlive: Timer | undefined;
  #lookMs = LOOK_MS_MIN;
  #isOver = false;

  constructor(wait: Wait<T>, options: WaitOptions, resolve: (result: T) => void, reject: (reason: unknown) => void) {
    this.#wait = wait;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, timeoutMs, ref } = options;
    wait.event.begin();
    park(wait.port);
    signal?.addEventListener('abort', this.#abort, { once: true });
    if (timeoutMs !== undefined && timeoutMs <= TIMEOUT_MS_MAX) {
      this.#timeout = startTimer(() => this.#fail(timeoutError(wait.call, timeoutMs)), timeoutMs, ref);
    }
    if (ref === true) this.#keepAlive = setInterval(() => {}, TIMEOUT_MS_MAX) as unknown as Timer;
  }

  /** Looks at the condition; waits on when it is not true. */
  readonly look = (): void => {
    if (this.#isOver) return;
    clearTimeout(this.#lookTimer);
    try {
      const { event, probe, port, looks } = this.#wait;
      ownsPort(port); // a thread that was taken for dead meanwhile: its calls refuse from here on
      catchUp(port);
      const sequence = event.arm();
      const result = probe();
      if (result !== undefined) {
        this.#end();
        this.#resolve(result);
        return;
      }
      // A look may have filled the cache: nothing stays there while the thread waits.
      port.engine.park();
      if (!event.listen(sequence, this.look) || looks) {
        this.#lookTimer = startTimer(this.look, this.#lookMs, this.#options.ref);
        this.#lookMs = Math.min(this.#lookMs * 2, LOOK_MS_MAX);
      }
    } catch (error) {
      this.#fail(error);
    }
  };

  readonly #abort = (): void => this.#fail(this.#options.signal?.reason);

  #fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#end();
    this.#reject(reason);
  }

  #end(): void {
    this.#isOver = true;
    clearTimeout(this.#timeout);
    clearTimeout(this.#lookTimer);
    clearInterval(this.#keepAlive);
    this.#options.signal?.removeEventListener('abort', this.#abort);
    this.#wait.event.end(this.look);
    unpark(this.#wait.port);
  }
}

function timeoutError(call: string, timeoutMs: number): PagePoolError {
  return callError('POOL_ERR_TIMEOUT', call, `timeoutMs=${timeoutMs}`, 'what was waited for within that time');
}
