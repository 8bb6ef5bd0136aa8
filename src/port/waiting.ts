// Waiting: until a condition is true, with a signal, a timeout, and a check by a timer.
//
// On any event that can be armed and listened to: one of the pool (waits.ts), or another one of the same shape. The
// port is parked meanwhile, so that nobody waits for pages in the cache of a thread that stands still.

import { callError, invalidArgument, type PagePoolError, requireMilliseconds, requireRecord } from '../errors.js';
import { monotonicMs } from '../platform/clock.js';
import { touchStack } from '../platform/stack.js';
import { hold, letGo, startTimer } from '../platform/timers.js';
import { markTurn, turnDue } from '../platform/turns.js';
import type { Signal, Timer } from '../platform/types.js';
import { destroyedError, ownsPort, type Port, park, unpark, type WatchedWait } from './port.js';
import type { Probe } from './spin.js';
import type { Units, WaitEvent } from './waits.js';

/** How to wait. */
export interface WaitOptions {
  /** Ends the wait with the signal's reason. */
  signal?: Signal | undefined;
  /** Ends the wait with POOL_ERR_TIMEOUT; no limit if not given. */
  timeoutMs?: number | undefined;
  /** In Node, Bun and Deno: false lets the process end while this waits. A wait holds it if this is not given. */
  ref?: boolean | undefined;
}

const TIMER_MS_MAX = 2 ** 31 - 1;
const CHECK_MS_MIN = 1;
const CHECK_MS_MAX = 10;
/** The error of a timeout as long reports where the pages are, which reads all of them: whoever polls pays nothing. */
const DESCRIBED_MS_MIN = 10;

/** The options, checked. */
export function requireWaitOptions(call: string, options: unknown, ...more: readonly string[]): WaitOptions {
  if (options === undefined) return {};
  const given = requireRecord(call, 'options', options, ['signal', 'timeoutMs', 'ref', ...more]) as WaitOptions;
  requireTimeout(call, given.timeoutMs);
  const { signal, ref } = given;
  if (signal !== undefined && !isSignal(signal)) throw invalidArgument(call, 'signal', signal, 'an AbortSignal');
  if (ref !== undefined && typeof ref !== 'boolean') throw invalidArgument(call, 'ref', ref, 'a boolean');
  return given;
}

/** Whether it is a signal, of whatever realm; other targets of events are not. */
function isSignal(signal: Signal): boolean {
  if (typeof signal !== 'object' || signal === null) return false;
  const { aborted, throwIfAborted, addEventListener, removeEventListener } = signal as Partial<Signal>;
  const isAsked = typeof aborted === 'boolean' || typeof throwIfAborted === 'function';
  return isAsked && typeof addEventListener === 'function' && typeof removeEventListener === 'function';
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

/**
 * The call's promise, which rejects with what the call throws. Hot calls are no async functions: each promise between
 * what resolves and who awaits costs as much as all that the call does.
 */
export function rejecting<T>(call: () => Promise<T>): Promise<T> {
  try {
    return call();
  } catch (error) {
    return Promise.reject(error);
  }
}

/**
 * What a wait needs beside its options. On hot paths it is written as one literal: one that begins with a spread gets a
 * shape of its own each time, and all that reads it is slow.
 */
export interface Wait<T> extends WatchedWait {
  readonly port: Port;
  readonly event: WaitEvent;
  /** The call that is waited for: its result, or undefined as long as it cannot be had. */
  readonly probe: Probe<T>;
  /**
   * The question whether it would succeed, as the call itself asks: cheap, and nothing is taken. Without, it is made.
   */
  readonly ask?: (() => boolean) | undefined;
  /** What it needs of the event's units; one if not given. */
  readonly units?: Units | undefined;
  /** It takes nothing: whoever waited makes the call then. */
  readonly isPeek?: boolean | undefined;
  /** What to do when the wait ends without a result. */
  readonly giveUp?: (() => void) | undefined;
}

/** A wait that has begun already: it may be the second part of one. */
export interface TimedWait<T> extends Wait<T> {
  readonly startMs: number;
}

/**
 * Resolves with the first result of the probe that is not undefined. The port is parked meanwhile. Time and signal
 * count from the first probe. A thread whose waits succeed one after the other lets its event loop run now and then.
 *
 * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; the signal's reason when it is aborted;
 *   POOL_ERR_DESTROYED when this thread is done with the pool, and the probe has no other result; what the probe throws
 */
export function waitFor<T>(wait: Wait<T>, options: WaitOptions): Promise<T> {
  touchStack();
  // Without a limit nobody asks when it began, and the clock costs as much as a probe.
  const { startMs = options.timeoutMs && monotonicMs() } = wait;
  const due = turnDue();
  if (due === undefined) return waitNow(wait, options, startMs);
  const later = carried(wait);
  return due.then(() => waitNow(later, options, startMs, later));
}

function waitNow<T>(wait: Wait<T>, options: WaitOptions, startMs: number | undefined, asleep?: Wait<T>): Promise<T> {
  return new Promise<T>((resolve, reject) => {
    const fail = (error: unknown): void => {
      markTurn(); // whoever asks again and again with a timeout of 0 never sleeps either
      wait.giveUp?.();
      reject(error);
    };
    try {
      const { ask, probe } = wait;
      const { timeoutMs = Infinity } = options;
      requireUnaborted(options.signal);
      let first = probeOnce(wait);
      // A thread that waits for something else as well goes on to that at once.
      if (first === undefined && timeoutMs > 0 && wait.port.waits === 0) {
        first = wait.event.spin?.until(ask === undefined ? probe : () => (ask() ? probe() : undefined));
      }
      if (first !== undefined) {
        markTurn();
        return resolve(first);
      }
      const leftMs = startMs === undefined ? timeoutMs : timeoutMs + startMs - monotonicMs();
      if (leftMs <= 0) throw timeoutError(wait, timeoutMs);
      new AsyncWait(asleep ?? carried(wait), options, leftMs, resolve, fail).check();
    } catch (error) {
      fail(error);
    }
  });
}

/** Later probes are made by timers and wake-ups: what they take was asked for here. */
function carried<T>(wait: Wait<T>): Wait<T> {
  const probe = wait.port.leaks?.carry(wait.probe);
  return probe === undefined ? wait : { ...wait, probe };
}

/** One probe. Where this thread is done with the pool there is nothing to wait for any more. */
function probeOnce<T>({ call, port, probe }: Wait<T>): T | undefined {
  const result = probe();
  if (result === undefined && port.isGone) throw destroyedError(call);
  return result;
}

function requireUnaborted(signal: Signal | undefined): void {
  if (signal?.aborted === true) throw signal.reason;
  // One that can only be asked this way.
  if (typeof signal?.aborted !== 'boolean') signal?.throwIfAborted();
}

/** One wait under way: woken by its event, its timers and its signal, whichever is first. */
class AsyncWait<T> {
  readonly #wait: Wait<T>;
  readonly #options: WaitOptions;
  readonly #resolve: (result: T) => void;
  readonly #reject: (reason: unknown) => void;
  #timeout: Timer | undefined;
  #checkTimer: Timer | undefined;
  #checkMs = CHECK_MS_MIN;
  /** When it went to sleep, for what its event's spin learns of that; a thread that waits in company does not spin. */
  readonly #sinceMs: number | undefined;
  /** It holds the process, not by its timeout. */
  readonly #holds: boolean;
  #isOver = false;

  constructor(
    wait: Wait<T>,
    options: WaitOptions,
    leftMs: number,
    resolve: (result: T) => void,
    reject: (reason: unknown) => void,
  ) {
    this.#wait = wait;
    this.#options = options;
    this.#resolve = resolve;
    this.#reject = reject;
    const { signal, ref } = options;
    // First of all: it may throw, and nothing may be left then.
    if (signal !== undefined) wait.port.signals.add(signal, this.#abort);
    if (wait.port.waits === 0) this.#sinceMs = monotonicMs();
    wait.event.begin(this.check, wait.units ?? 'one');
    park(wait.port);
    this.#wake(leftMs);
    wait.port.waitWatch?.begin(wait, leftMs);
    // A timeout holds the process as well: it needs no second timer.
    this.#holds = ref !== false && leftMs === Infinity;
    if (this.#holds) hold();
  }

  /** Probes the condition; waits on when it is not true. */
  readonly check = (): void => {
    if (this.#isOver) return;
    clearTimeout(this.#checkTimer);
    try {
      const { event, port, units = 'one' } = this.#wait;
      ownsPort(port); // a thread that was taken for dead meanwhile: its calls refuse from here on
      catchUp(port);
      const armed = event.arm(units);
      const result = probeOnce(this.#wait);
      if (result !== undefined) {
        markTurn(); // it may not have slept, and some wake-ups come within the turn
        this.#end(true);
        this.#resolve(result);
        return;
      }
      // A probe may have filled the cache: nothing stays there while the thread waits.
      port.engine.park();
      if (!event.listen(armed, this.check) || units === 'none') {
        this.#checkTimer = startTimer(this.check, this.#checkMs);
        this.#checkMs = Math.min(this.#checkMs * 2, CHECK_MS_MAX);
      }
    } catch (error) {
      this.#fail(error);
    }
  };

  /** Ends the wait when the time is over; timers reach 24 days. */
  #wake(leftMs: number): void {
    if (leftMs === Infinity) return;
    const stepMs = Math.min(leftMs, TIMER_MS_MAX);
    const wake = (): void => {
      if (stepMs < leftMs) this.#wake(leftMs - stepMs);
      else this.#fail(timeoutError(this.#wait, this.#options.timeoutMs as number));
    };
    this.#timeout = startTimer(wake, Math.ceil(stepMs), this.#options.ref !== false);
  }

  readonly #abort = (): void => this.#fail(this.#options.signal?.reason);

  #fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#end(false);
    this.#reject(reason);
  }

  #end(isAnswered: boolean): void {
    const { signal } = this.#options;
    const { event, isPeek, port, units = 'one' } = this.#wait;
    this.#isOver = true;
    if (isAnswered && this.#sinceMs) event.spin?.slept(monotonicMs() - this.#sinceMs);
    clearTimeout(this.#timeout);
    clearTimeout(this.#checkTimer);
    if (this.#holds) letGo();
    port.waitWatch?.end(this.#wait, isAnswered);
    event.end(this.check, units);
    unpark(port);
    event.settle?.(isAnswered && isPeek === true);
    if (signal !== undefined) port.signals.remove(signal, this.#abort);
  }
}

function timeoutError(wait: Wait<unknown>, timeoutMs: number): PagePoolError {
  const { call, isAnswer, isReported, port, what = 'an answer' } = wait;
  const rule = `${what} of pool ${JSON.stringify(port.name)} within that time`;
  const isWorth = (isReported === true || isAnswer === true) && timeoutMs >= DESCRIBED_MS_MIN && !port.isGone;
  const todo = isWorth ? port.waitWatch?.describe(wait) : undefined;
  return callError('POOL_ERR_TIMEOUT', call, `timeoutMs=${timeoutMs}`, rule, todo);
}
