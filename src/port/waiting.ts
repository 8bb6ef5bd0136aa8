// Waiting: for a condition that other threads make true, on eventcounts, with a signal, a timeout, and a look on a timer.
//
// A waiter arms (sets its port's bit, then reads the sequence), looks again, and only then waits for the sequence to change;
// whoever makes the condition true publishes first and looks for bits after: one of the two sees the other. Everybody is
// woken, each looks for itself: an aborted waitAsync stays queued, and could swallow a wake-up meant for one. So a thread
// keeps one waitAsync an eventcount for all its waits. Where waitAsync is missing, or memory is not shared, a timer looks.

import {
  CHANNEL_NOT_EMPTY_OFFSET,
  CONTROL_BASE,
  EVENT_SEQ_OFFSET,
  EVENT_WAITERS_OFFSET,
  HEADER_FREED_OFFSET,
} from '../../assembly/layout.js';
import { invalidArgument, PagePoolError, requireRecord } from '../errors.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { startTimer } from '../platform/timers.js';
import type { Signal, Timer } from '../platform/types.js';
import { ownsPort, type Port } from './port.js';

/** How to wait. */
export interface WaitOptions {
  /** Ends the wait with the signal's reason. */
  signal?: Signal;
  /** Ends the wait with POOL_ERR_TIMEOUT; no limit if not given. */
  timeoutMs?: number;
  /** In Node: keeps the event loop alive while waiting. A wait alone does not. */
  ref?: boolean;
}

/** A look at the condition: its result, or undefined to go on waiting. It may throw. */
export type Probe<T> = () => T | undefined;

const TIMEOUT_MS_MAX = 2 ** 31 - 1;
/** Tells the processor that this is a loop that waits, where the platform can (`Atomics.pause`). */
const { pause } = Atomics as { readonly pause?: () => void };
/**
 * Looks that a wait takes before it sleeps: at most as long as sleep and wake-up take, some 50 microseconds, which is never worse
 * than twice the best choice (Karlin and others, competitive spinning, SODA 1990). A thread with an event loop has other things to
 * do: where looking did not help it is halved for the next wait, until it helps again.
 */
const SPIN_LOOKS_MAX = { sync: 4096, async: 512 };
const SPIN_LOOKS_MIN = { sync: 4096, async: 32 };
const LOOK_MS_MIN = 1;
const LOOK_MS_MAX = 10;

/** What a wait asks of the event it waits for. */
export interface WaitEvent {
  begin(): void;
  end(listener?: () => void): void;
  arm(): number;
  listen(sequence: number, listener: () => void): boolean;
  spin<T>(kind: 'sync' | 'async', probe: Probe<T>): T | undefined;
}

/** One thread's side of an eventcount: its bit, its one waitAsync, and those to call when the sequence changes. */
export class EventCount implements WaitEvent {
  readonly #port: Port;
  readonly #seq: number;
  readonly #waiters: number;
  readonly #bit: number;
  readonly #listeners = new Set<() => void>();
  readonly #spinLooks = { ...SPIN_LOOKS_MAX };
  #isQueued = false;
  #isClosed = false;
  #waits = 0;

  /** @param offset where the eventcount lies */
  constructor(port: Port, offset: number) {
    this.#port = port;
    this.#seq = (offset + EVENT_SEQ_OFFSET) >>> 2;
    this.#waiters = ((offset + EVENT_WAITERS_OFFSET) >>> 2) + (port.id >>> 5);
    this.#bit = 1 << (port.id & 31);
  }

  /** A wait begins: its thread's bit is set from here on. */
  begin(): void {
    this.#waits++;
  }

  /** A wait is over: the last one clears the thread's bit. */
  end(listener?: () => void): void {
    if (listener !== undefined) this.#listeners.delete(listener);
    if (--this.#waits === 0 && !this.#isClosed) this.#clearBit();
  }

  /** The thread is done with the pool: its waits look once more, and its bit is another thread's from now on. */
  close(): void {
    this.#clearBit();
    this.#isClosed = true;
    void Promise.resolve().then(this.#callListeners);
    // N4 no ordering needed: lets go of a waitAsync that is still queued; others that wait here look once for nothing.
    Atomics.notify(this.#port.memory.i32, this.#seq);
  }

  #clearBit(): void {
    if (this.#port.isLost) return;
    // N3 no ordering needed: a bit that stays a moment longer costs a wake-up, no more.
    Atomics.and(this.#port.memory.i32, this.#waiters, ~this.#bit);
  }

  /** Sets the bit and returns the sequence to wait on. Look at the condition after this. */
  arm(): number {
    const { i32 } = this.#port.memory;
    if (this.#isClosed) return 0;
    // X1 pairs with A1 in assembly/event.ts wake: whoever publishes after this sees the bit.
    Atomics.or(i32, this.#waiters, this.#bit);
    // A2 pairs with R3 in assembly/event.ts wake: a sequence that moves after this ends the wait.
    return Atomics.load(i32, this.#seq);
  }

  /** Calls `listener` once after the sequence has moved from `sequence`; false where only a timer can tell. */
  listen(sequence: number, listener: () => void): boolean {
    this.#listeners.add(listener);
    return this.#isQueued || this.#queue(sequence);
  }

  /** Blocks until the sequence moves from `sequence`, at most `timeoutMs`. Throws TypeError where a thread may not block. */
  block(sequence: number, timeoutMs: number): void {
    Atomics.wait(this.#port.memory.i32, this.#seq, sequence, timeoutMs);
  }

  /** Looks for a moment, since a thread that is about to publish is faster than sleep and wake-up. Undefined: it did not help. */
  spin<T>(kind: 'sync' | 'async', probe: Probe<T>): T | undefined {
    const most = this.#spinLooks[kind];
    for (let looks = 0; looks < most; looks++) {
      const result = probe();
      if (result !== undefined) {
        if (looks > 0) this.#spinLooks[kind] = SPIN_LOOKS_MAX[kind];
        return result;
      }
      pause?.();
    }
    this.#spinLooks[kind] = Math.max(most >> 1, SPIN_LOOKS_MIN[kind]);
    return undefined;
  }

  #queue(sequence: number): boolean {
    if (!this.#port.memory.isShared || !hasWaitAsync()) return false;
    const { async, value } = Atomics.waitAsync(this.#port.memory.i32, this.#seq, sequence);
    this.#isQueued = true;
    // Always on a fresh stack: a listener must not run inside the call that adds it.
    void (async ? value : Promise.resolve()).then(() => {
      this.#isQueued = false;
      this.#callListeners();
    });
    return true;
  }

  readonly #callListeners = (): void => {
    const listeners = [...this.#listeners];
    this.#listeners.clear();
    for (const listener of listeners) listener();
  };
}

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
  if (timeoutMs === undefined) return;
  if (typeof timeoutMs !== 'number' || !(timeoutMs >= 0)) {
    throw invalidArgument(call, 'timeoutMs', timeoutMs, 'a number of milliseconds, 0 or more');
  }
}

/** What a thread of a pool with a provider does whenever it wakes: follows its areas, and serves others if it is the owner. */
export function lookUp({ areas, supply }: Port): void {
  areas?.follow();
  supply?.serveQuietly();
}

/** Lets this thread's waits look again: something that it does not wait for has changed. */
export function wakeAll({ engine, geometry }: Port): void {
  engine.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
  for (const { offset } of geometry.channels) engine.wake(offset + CHANNEL_NOT_EMPTY_OFFSET);
}

/** Hands this port's cached pages back before its thread may stand still. */
export function park(port: Port): void {
  port.waits++;
  port.engine.park();
}

/** Lets the port cache again, when no other wait is under way. */
export function unpark(port: Port): void {
  if (--port.waits === 0) port.engine.unpark();
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
 * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; the signal's reason when it is aborted; what the probe throws
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
      lookUp(port);
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
  return new PagePoolError(
    'POOL_ERR_TIMEOUT',
    `${call} failed: timeoutMs=${timeoutMs} (expected what was waited for within that time); wait longer, or find who holds the pages: stats() and audit() tell`,
  );
}
