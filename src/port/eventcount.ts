// Eventcounts: how a thread waits for a condition that other threads make true, and is woken.
//
// A waiter arms (sets its port's bit, then reads the sequence), looks again, and only then waits for the sequence to
// change; whoever makes the condition true publishes first and looks for bits after: one of the two sees the other.
// Everybody is woken, each looks for itself: an aborted waitAsync stays queued, and could swallow a wake-up meant for
// one. So a thread keeps one waitAsync an eventcount for all its waits. Where waitAsync is missing, or memory is not
// shared, only a timer can look (waiting.ts).

import { EVENT_SEQ_OFFSET, EVENT_WAITERS_OFFSET } from '../../assembly/layout.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { Looks } from './looks.js';
import type { Port } from './port.js';

/** What a wait asks of the event it waits for. */
export interface WaitEvent {
  begin(): void;
  end(listener?: () => void): void;
  arm(): number;
  listen(sequence: number, listener: () => void): boolean;
  /** How looking went so far; without it is not worth the processor's time. */
  readonly looks?: Looks;
}

/** One thread's side of an eventcount: its bit, its one waitAsync, and those to call when the sequence changes. */
export class EventCount implements WaitEvent {
  readonly #port: Port;
  readonly #seq: number;
  readonly #waiters: number;
  readonly #bit: number;
  readonly #listeners = new Set<() => void>();
  readonly looks: Looks = new Looks();
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

  /**
   * Blocks until the sequence moves from `sequence`, at most `timeoutMs`. Throws TypeError where a thread may not
   * block.
   */
  block(sequence: number, timeoutMs: number): void {
    Atomics.wait(this.#port.memory.i32, this.#seq, sequence, timeoutMs);
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
