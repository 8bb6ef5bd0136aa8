// Channel: one end, in one thread, of a bounded queue that carries fragments from thread to thread.
//
// Any thread of the pool may send and receive. The entries and their references move in the engine; this file adds
// arguments' checks, Fragment objects, and waiting. A channel is declared when the pool is created and is the same in
// every thread.

import {
  CHANNEL_CLOSED_OFFSET,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  EMPTY,
  FULL,
  LANE_DROPPED_OFFSET,
  OK,
} from '../../assembly/layout.js';
import type { ChannelGeometry } from '../control/geometry.js';
import { ENTRY_WORDS } from '../control/messages.js';
import { laneOffset, laneSum, loadWord, pendingEntries, waitingThreads } from '../control/nodes.js';
import { callError, invalidArgument, invalidHandle, type PagePoolError, requireInteger } from '../errors.js';
import { isHandleNumber, isWord } from '../numbers.js';
import { monotonicMs } from '../platform/clock.js';
import { isHeard, publish } from '../platform/console.js';
import { type Inspect, inspectCustom, shown, type Unclonable } from '../platform/shown.js';
import { touchDeepStack, touchStack } from '../platform/stack.js';
import { Line } from '../port/line.js';
import { destroyedError, ownsPort, type Port, park, refusal, unpark } from '../port/port.js';
import { BLOCKING, Spin } from '../port/spin.js';
import {
  catchUp,
  requireTimeout,
  requireWaitOptions,
  type TimedWait,
  type WaitOptions,
  waitFor,
} from '../port/waiting.js';
import type { PoolEvent, Waits } from '../port/waits.js';
import { Fragment, requireOwnFragment, spendFragment } from './fragment.js';
import { CHANNEL_NOT_POSTED } from './posting.js';

const WORD_MAX = 0xffffffff;
/** What the end of a channel is made of, for those that move messages of several entries. */
export interface ChannelEnd {
  readonly port: Port;
  readonly index: number;
  readonly geometry: ChannelGeometry;
  /** The channel's name as messages have it. */
  readonly quoted: string;
  readonly notEmpty: PoolEvent;
  readonly notFull: PoolEvent;
  /** The sends of this thread that wait. */
  readonly line: Line;
  /** Tells those who listen what this thread's sends have dropped. */
  readonly tellDrops: () => void;
}

/** For packets: what the end is made of. */
export let endOfChannel: (channel: Channel) => ChannelEnd;

/**
 * One thread's end of a channel; an entry is 4 words: handle, offset, length, tag. A reference goes along with each
 * entry.
 *
 * @example
 * // In one thread:
 * const fragment = pool.take(1500);
 * if (fragment !== null && !channel.sendFragment(fragment)) fragment.release(); // full
 * // In another:
 * for await (const fragment of channel) {
 *   consume(fragment.bytes);
 *   fragment.release();
 * }
 */
export class Channel {
  /** As it was declared in the pool's options. */
  readonly name: string;
  /** Entries that the channel has room for, each sent by itself. */
  readonly capacity: number;
  protected readonly notPosted: Unclonable = CHANNEL_NOT_POSTED;
  readonly #port: Port;
  readonly #index: number;
  readonly #end: ChannelEnd;
  readonly #blockingSpin = new Spin(BLOCKING);
  /** Its policy drops entries. */
  readonly #drops: boolean;
  /** Drops of this port's lane that were told. */
  #toldDrops = 0;

  /** The pool makes channels: nobody else calls this. */
  constructor(port: Port, index: number, waits: Waits) {
    if (typeof port !== 'object') throw invalidArgument('Channel', 'port', port, "a call of a pool's channel()");
    const channel = port.geometry.channels[index] as ChannelGeometry;
    this.#port = port;
    this.#index = index;
    this.#end = {
      port,
      index,
      geometry: channel,
      quoted: JSON.stringify(channel.name),
      notEmpty: waits.event(channel.offset + CHANNEL_NOT_EMPTY_OFFSET, this.#mayReceive),
      notFull: waits.event(channel.offset + CHANNEL_NOT_FULL_OFFSET, this.#maySend),
      line: new Line(),
      tellDrops: () => {
        if (this.#drops) this.#tellDrops();
      },
    };
    this.name = channel.name;
    this.capacity = channel.capacity;
    this.#drops = channel.whenFull !== 'refuse';
    // Those of an earlier thread on this port are not this one's to tell.
    if (this.#drops) this.#toldDrops = this.#laneDrops();
  }

  /** Entries inside now, late by what other threads do meanwhile. */
  get pending(): number {
    return pendingEntries(this.#port.memory, this.#port.geometry, this.#end.geometry);
  }

  /** Threads that wait now: for room to send, and for an entry to receive. */
  get waiting(): { readonly senders: number; readonly receivers: number } {
    return waitingThreads(this.#port, this.#end.geometry);
  }

  /** Entries that the channel's policy dropped and released, since the pool was created. */
  get dropped(): number {
    return laneSum(this.#port.memory, this.#port.geometry, this.#end.geometry, LANE_DROPPED_OFFSET);
  }

  /** Whether somebody closed the channel. What is inside can still be received. */
  get isClosed(): boolean {
    return loadWord(this.#port.memory, this.#end.geometry.offset + CHANNEL_CLOSED_OFFSET) !== 0;
  }

  /**
   * Sends one entry. True: the caller's reference went along (or the channel's policy dropped an entry and released
   * it); false: the channel is full and the caller keeps its reference. No garbage; four locked operations with the
   * receipt.
   *
   * @param offset where the window starts in the fragment, bytes
   * @param length bytes of the window
   * @param tag a u32 for the receiver
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when it is closed; POOL_ERR_NOT_HELD, POOL_ERR_STALE_HANDLE or
   *   POOL_ERR_INVALID_ARGUMENT when the entry is refused; nothing changed then
   */
  send(handle: number, offset: number, length: number, tag = 0): boolean {
    return this.#send('send', handle, offset, length, tag);
  }

  #send(call: string, handle: number, offset: number, length: number, tag: number): boolean {
    if (!isHandleNumber(handle)) throw invalidHandle(call, handle);
    if (!isWord(offset) || !isWord(length) || !isWord(tag)) requireWords(call, { offset, length, tag });
    if (this.#drops) touchStack(); // it may tell of what was dropped
    const code = this.#port.engine.send(this.#index, handle, offset, length, tag);
    if (this.#drops) this.#tellDrops();
    if (code === OK) return true;
    if (code === FULL) return false;
    throw this.#refusal(code, call, handle);
  }

  /**
   * Sends a fragment's window and its reference. True: the object is spent; false: the channel is full.
   *
   * @throws PagePoolError as `send`
   */
  sendFragment(fragment: Fragment, tag = 0): boolean {
    return this.#sendFragment('sendFragment', fragment, tag);
  }

  #sendFragment(call: string, fragment: Fragment, tag: number): boolean {
    touchStack();
    requireOwnFragment(fragment, this.#port, call);
    if (!this.#send(call, fragment.handle, fragment.offset, fragment.length, tag)) return false;
    spendFragment(fragment);
    return true;
  }

  /**
   * The same, waiting for room. When it resolves the object is spent; when it rejects the fragment is still the
   * caller's, as it is until then: do not write to it meanwhile. What one thread sends this way arrives in the order of
   * its calls, whether it awaits each or not.
   *
   * @throws PagePoolError as `send`; POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
   * @example
   * for (const line of lines) {
   *   const fragment = await pool.takeAsync(line.length);
   *   fragment.bytes.set(line);
   *   await pool.channel('work').sendAsync(fragment);
   * }
   */
  async sendAsync(fragment: Fragment, tag = 0, options?: WaitOptions): Promise<void> {
    const waitOptions = requireWaitOptions('sendAsync', options);
    requireOwnFragment(fragment, this.#port, 'sendAsync');
    requireWords('sendAsync', { tag });
    const probe = (): true | undefined => this.#sendFragment('sendAsync', fragment, tag) || undefined;
    await this.#end.line.waitFor(this.#roomFor('sendAsync', probe, false), waitOptions);
  }

  /** A wait for room for one entry. */
  #roomFor<T>(call: string, probe: () => T | undefined, isPeek: boolean): TimedWait<T> {
    const what = `room in channel ${this.#end.quoted}`;
    const startMs = monotonicMs();
    const [port, event, ask] = [this.#port, this.#end.notFull, this.#maySend];
    return { call, port, event, probe, ask, startMs, what, isReported: true, isPeek };
  }

  /**
   * Sends entries of 4 words each from the front and returns how many went; fewer than `count` when the channel is
   * full. No garbage, and no copy when `entries` are the pool's `words()`.
   *
   * @throws PagePoolError with `index` when an entry is refused; those before it went
   */
  sendBurst(entries: Uint32Array, count: number): number {
    const { engine, scratch } = this.#port;
    if (this.#drops) touchStack(); // it may tell of what was dropped
    const address = scratch.addressOf('sendBurst', 'entries', entries, count, ENTRY_WORDS);
    const sent = address !== 0 ? engine.sendBurst(this.#index, address, count, 0) : this.#sendCopied(entries, count);
    if (this.#drops) this.#tellDrops();
    if (sent === count) return sent;
    try {
      this.#requireFull('sendBurst', entries, sent);
    } catch (error) {
      // Where the stack ended, the next call finds out what was wrong with its first entry.
      if (sent === 0 || 'code' in (error as object)) throw error;
    }
    return sent;
  }

  /** Tells those who listen what this thread's sends have dropped since it told last. */
  #tellDrops(): void {
    if (!isHeard('pagepool:drop')) return;
    const { name: pool } = this.#port;
    const dropped = this.#laneDrops();
    const entries = (dropped - this.#toldDrops) >>> 0;
    if (entries === 0) return;
    this.#toldDrops = dropped;
    const text = `channel ${this.#end.quoted} dropped ${entries} ${entries === 1 ? 'entry' : 'entries'}`;
    publish('pagepool:drop', { pool, channel: this.name, entries, text });
  }

  #laneDrops(): number {
    const { id, memory } = this.#port;
    return loadWord(memory, laneOffset(this.#end.geometry, id) + LANE_DROPPED_OFFSET);
  }

  #sendCopied(entries: Uint32Array, count: number): number {
    touchDeepStack();
    const { engine, scratch } = this.#port;
    const chunk = scratch.own.length / ENTRY_WORDS;
    for (let sent = 0; sent < count; ) {
      const part = Math.min(chunk, count - sent);
      for (let i = 0; i < part * ENTRY_WORDS; i++) scratch.own[i] = entries[sent * ENTRY_WORDS + i] as number;
      const taken = engine.sendBurst(this.#index, scratch.ownAddress, part, 0);
      sent += taken;
      if (taken < part) return sent;
    }
    return count;
  }

  /**
   * Receives up to `maxCount` entries of 4 words each and returns how many came; each brings a reference that the
   * caller holds from now on. No garbage, and no copy when `entries` are the pool's `words()`.
   *
   * @throws PagePoolError POOL_ERR_REF_OVERFLOW when this thread already holds 65,535 references on a page; nothing is
   *   lost
   */
  receiveBurst(entries: Uint32Array, maxCount: number): number {
    const { engine, scratch } = this.#port;
    if (this.#end.notEmpty.owes) touchStack();
    const address = scratch.addressOf('receiveBurst', 'entries', entries, maxCount, ENTRY_WORDS);
    const received =
      address !== 0 ? engine.receiveBurst(this.#index, address, maxCount) : this.#receiveCopied(entries, maxCount);
    if (this.#end.notEmpty.owes) this.#end.notEmpty.settle(false);
    if (received === 0 && maxCount !== 0) this.#requireEmpty('receiveBurst');
    return received;
  }

  #requireFull(call: string, entries: Uint32Array, index: number): void {
    const code = this.#port.engine.lastError();
    if (code !== FULL && code !== OK) throw this.#refusal(code, call, entries[index * ENTRY_WORDS], index);
  }

  #receiveCopied(entries: Uint32Array, maxCount: number): number {
    touchDeepStack();
    const { engine, scratch } = this.#port;
    const chunk = scratch.own.length / ENTRY_WORDS;
    for (let done = 0; done < maxCount; ) {
      const part = Math.min(chunk, maxCount - done);
      const received = engine.receiveBurst(this.#index, scratch.ownAddress, part);
      for (let i = 0; i < received * ENTRY_WORDS; i++) entries[done * ENTRY_WORDS + i] = scratch.own[i] as number;
      done += received;
      if (received < part) return done;
    }
    return maxCount;
  }

  /** The oldest entry as a fragment that the caller releases, or null when the channel is empty. */
  receive(): Fragment | null {
    touchStack();
    const { engine, scratch } = this.#port;
    const received = engine.receiveBurst(this.#index, scratch.ownAddress, 1);
    if (this.#end.notEmpty.owes) this.#end.notEmpty.settle(false);
    if (received === 0) {
      this.#requireEmpty('receive');
      return null;
    }
    const { own } = scratch;
    return new Fragment(this.#port, own[0] as number, own[1] as number, own[2] as number, own[3] as number);
  }

  #requireEmpty(call: string): void {
    const code = this.#port.engine.lastError();
    if (code !== EMPTY && code !== OK) throw this.#refusal(code, call, this.#index);
  }

  /**
   * The next entry as a fragment that the caller releases; null when the channel is closed and empty.
   *
   * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
   */
  async next(options?: WaitOptions): Promise<Fragment | null> {
    const wait = {
      call: 'next',
      port: this.#port,
      event: this.#end.notEmpty,
      probe: this.#receiveOrEnd,
      ask: this.#mayReceive,
      what: `an entry of channel ${this.#end.quoted}`,
    };
    return waitFor(wait, requireWaitOptions('next', options));
  }

  /** Whether `send` would answer now: that it took an entry, or that the channel is closed. */
  readonly #maySend = (): boolean => this.#port.engine.canSend(this.#index, 1) !== 0 || this.isClosed;

  /** Whether `next` would end now: with an entry, or at the end. */
  readonly #mayReceive = (): boolean => this.#port.engine.canReceive(this.#index) !== 0 || this.isClosed;

  /** A fragment; null at the end; undefined while there is neither. */
  readonly #receiveOrEnd = (): Fragment | null | undefined => {
    // Closed first: what was sent before the close is still received. A destroyed pool closed and drained its channels.
    const isClosed = this.isClosed;
    if (isClosed && this.#port.isGone) return null;
    return this.receive() ?? (isClosed ? null : undefined);
  };

  /**
   * Blocks this thread until something can be received: true. False when `timeoutMs` is over, or when the channel is
   * closed and empty, so that `while (channel.waitSync())` ends. Another thread may be faster: receive() can still
   * return null.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT where a thread may not block (a browser's main thread): use next();
   *   POOL_ERR_PROVIDER without `timeoutMs`, when memory was added while this thread attached, and only its event loop
   *   brings that here
   */
  waitSync(timeoutMs?: number): boolean {
    touchDeepStack();
    requireTimeout('waitSync', timeoutMs);
    const endMs = monotonicMs() + (timeoutMs ?? Infinity);
    if (this.#port.isGone && !this.isClosed) throw destroyedError('waitSync');
    // What was there when the pool was destroyed went with it.
    const isReady = (): boolean => !this.#port.isGone && this.#port.engine.canReceive(this.#index) !== 0;
    if (isReady()) return true;
    // In memory that is not shared nobody can send while this thread stands still.
    if (this.isClosed || timeoutMs === 0 || !this.#port.memory.isShared) return isReady();
    if (endMs === Infinity) this.#port.areas?.requireAll('waitSync');
    if (this.#blockingSpin.until(() => isReady() || undefined) === true) return true;
    const probe = (): boolean | undefined => {
      if (!ownsPort(this.#port)) throw destroyedError('waitSync');
      const { isClosed } = this;
      catchUp(this.#port);
      return isReady() ? true : isClosed ? false : undefined;
    };
    park(this.#port);
    const sinceMs = monotonicMs();
    try {
      const isAnswered = this.#end.notEmpty.block(probe, () => endMs - monotonicMs());
      if (isAnswered) this.#blockingSpin.slept(monotonicMs() - sinceMs);
      return isAnswered;
    } catch (cause) {
      if (!(cause instanceof TypeError)) throw cause;
      throw invalidArgument(
        'waitSync',
        'thread',
        'may not block',
        'a thread that may block',
        'use next() or receive() here',
      );
    } finally {
      unpark(this.#port);
    }
  }

  /**
   * Resolves when send() would take an entry. Another sender may be faster: send() can still return false. A channel
   * that drops entries takes one at any time.
   *
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the channel is closed; POOL_ERR_DESTROYED when this thread has
   *   left the pool; POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
   */
  async waitRoom(options?: WaitOptions): Promise<void> {
    const probe = (): true | undefined => {
      if (this.isClosed) throw closedChannelError(this, 'waitRoom');
      if (this.#port.isGone) throw destroyedError('waitRoom');
      return this.#port.engine.canSend(this.#index, 1) !== 0 || undefined;
    };
    const wait = this.#roomFor('waitRoom', probe, true);
    await waitFor(wait, requireWaitOptions('waitRoom', options));
  }

  /**
   * The entries as they come, each a fragment that the loop's body releases; ends when the channel is closed and empty.
   * Nothing is received ahead of the loop.
   *
   * @param options for the wait for each entry: `timeoutMs` counts anew for each
   * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over, in the loop; an aborted signal's reason
   */
  fragments(options?: WaitOptions): AsyncGenerator<Fragment, void, undefined> {
    return iterate(this, requireWaitOptions('fragments', options));
  }

  /** The same with the defaults: `for await (const fragment of channel)`. */
  [Symbol.asyncIterator](): AsyncGenerator<Fragment, void, undefined> {
    return iterate(this, {});
  }

  static {
    endOfChannel = (channel) => channel.#end;
  }

  /** Ends the channel for every thread: nothing more is sent, what is inside can still be received, waits end. */
  close(): void {
    touchStack();
    this.#port.engine.closeChannel(this.#index);
  }

  [inspectCustom](depth: number | null, options: object, inspect?: Inspect): string {
    const { name, capacity, pending, waiting, isClosed } = this;
    return shown('Channel', { name, capacity, pending, waiting, isClosed }, depth, options, inspect);
  }

  #refusal(code: number, call: string, value: unknown, index?: number): PagePoolError {
    return refusal(code, call, code === EMPTY ? 'channel' : 'handle', value, index);
  }
}

/** The error of a send on a closed channel. */
export function closedChannelError({ name }: Channel, call: string): PagePoolError {
  return callError('POOL_ERR_CHANNEL_CLOSED', call, `channel="${name}"`, 'an open channel');
}

/** A loop over what a channel carries. A function of its own: leak tracking knows it among the frames of a call. */
export async function* iterate(channel: Channel, options: WaitOptions): AsyncGenerator<Fragment, void, undefined> {
  for (let fragment = await channel.next(options); fragment !== null; fragment = await channel.next(options)) {
    yield fragment;
  }
}

/** Throws unless each of the numbers is a u32. */
function requireWords(call: string, numbers: object): void {
  for (const [name, value] of Object.entries(numbers)) requireInteger(call, name, value, 0, WORD_MAX);
}
