// Calls: one thread's end of the requests of one name, which are answered.
//
// As with io_uring's provided buffers, whoever asks brings the room for the answer: the request's own fragment, or a
// reply that was taken together with it. Both references travel as one message, and the answer comes back in a slot of
// the asker's port, so a server needs neither page nor room in a ring to answer. The steps stand in assembly/call.ts.

import {
  CHANNEL_CLOSED_OFFSET,
  CHANNEL_NOT_EMPTY_OFFSET,
  CHANNEL_NOT_FULL_OFFSET,
  EMPTY,
  ERR_CHANNEL_CLOSED,
  ERR_NO_REPLY_SLOT,
  FULL,
  LANE_ANSWERED_OFFSET,
  LANE_ASKED_OFFSET,
  LANE_CANCELLED_OFFSET,
  LANE_FAILED_OFFSET,
  OK,
  REPLY_FREE,
  REPLY_OUT,
  REPLY_SEQ_MASK,
  REPLY_SERVING,
  REPLY_STATE_MASK,
  STATE_ACTIVE,
  STATUS_REFUSED,
} from '../../assembly/layout.js';
import { replyOfCall, replyOffset } from '../control/calls.js';
import type { ChannelGeometry } from '../control/geometry.js';
import { ENTRY_WORDS } from '../control/messages.js';
import { laneOffset, loadWord } from '../control/nodes.js';
import { poolState } from '../control/state.js';
import { callError, invalidArgument, type PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { monotonicMs } from '../platform/clock.js';
import { touchDeepStack } from '../platform/stack.js';
import { dispose } from '../platform/symbols.js';
import { hold, letGo } from '../platform/timers.js';
import { markTurn, turnDue } from '../platform/turns.js';
import type { Signal } from '../platform/types.js';
import { destroyedError, type Port, refusal } from '../port/port.js';
import type { Takers } from '../port/takers.js';
import { rejecting, requireWaitOptions, type WaitOptions, waitFor } from '../port/waiting.js';
import type { PoolEvent, Waits } from '../port/waits.js';
import { Fragment, requireOwnFragment, spendFragment } from './fragment.js';
import type { Replies } from './replies.js';
import { requestSources } from './request-sources.js';
import { type CallHandler, ServedCall } from './serving.js';

/** How a thread serves calls. */
export interface ServeOptions {
  /** Ends serving: no more calls are taken, and `serve` resolves when those under way are answered. */
  signal?: Signal | undefined;
  /** Calls that are served at one time, for handlers that wait for something: 1..1024; 1 if not given. */
  concurrency?: number | undefined;
}

/** How a request is sent with the room for its reply. */
export interface SendOptions extends WaitOptions {
  /** Bytes of the request that the server gets, from its start: 0 to its length; all of them if not given. */
  requestBytes?: number | undefined;
}

/** A request and the room for its reply, taken together. */
export interface CallRoom {
  /** To be filled: the request. */
  readonly request: Fragment;
  /**
   * Sends both, and resolves with the reply, a fragment that the caller releases.
   *
   * @throws PagePoolError as `Calls.call`; POOL_ERR_INVALID_ARGUMENT for more bytes than the request has; nothing is
   *   sent then
   * @example
   * const room = await calls.take(65_536, 32); // at most so many
   * const reply = await room.send({ requestBytes: await read(room.request.bytes) });
   */
  send(options?: SendOptions): Promise<Fragment>;
  /** Gives both back, unsent. */
  release(): void;
  [Symbol.dispose](): void;
}

/** A packet, as far as a call can have one for its request. */
export interface RequestPacket {
  readonly parts: number;
  readonly length: number;
  windows(): { readonly handle: number; readonly offset: number; readonly length: number }[];
}

/** What the attachment shares of itself with its calls. */
export interface CallsSeat {
  readonly port: Port;
  readonly waits: Waits;
  readonly replies: Replies;
  readonly takers: Takers;
  take(bytes: number): Fragment | null;
}

const CONCURRENCY_MAX = 1024;

/**
 * One thread's end of the calls of one name. Any thread of the pool may ask, and any may serve. A call is answered by
 * whoever takes it first; a pool with room for one call serves any number of askers, one after the other. That ends
 * where a handler takes pages itself, or calls somebody else.
 *
 * @example
 * // In a worker:
 * await pool.calls('resize').serve((call) => resizeInPlace(call.reply.bytes));
 * // In any other thread:
 * using reply = await pool.calls('resize').call(await pool.takeAsync(65536));
 */
export class Calls {
  /** As it was declared in the pool's options. */
  readonly name: string;
  /** Calls that may wait to be served. */
  readonly capacity: number;
  readonly #answer: string;
  readonly #room: string;
  readonly #seat: CallsSeat;
  readonly #index: number;
  readonly #channel: ChannelGeometry;
  readonly #notEmpty: PoolEvent;
  readonly #notFull: PoolEvent;

  /** The pool makes calls: nobody else calls this. */
  constructor(seat: CallsSeat, index: number) {
    const { port, waits } = seat;
    const channel = port.geometry.channels[index] as ChannelGeometry;
    this.#seat = seat;
    this.#index = index;
    this.#channel = channel;
    const mayServe = (): boolean => port.engine.canReceive(index) !== 0 || this.#isClosed();
    const maySend = (): boolean => port.engine.canSend(index, 1) !== 0 || this.#isClosed();
    this.#notEmpty = waits.event(channel.offset + CHANNEL_NOT_EMPTY_OFFSET, mayServe);
    this.#notFull = waits.event(channel.offset + CHANNEL_NOT_FULL_OFFSET, maySend);
    this.name = channel.name;
    this.#answer = `an answer of calls ${JSON.stringify(channel.name)}`;
    this.#room = `room in calls ${JSON.stringify(channel.name)}`;
    this.capacity = channel.capacity;
  }

  /**
   * Sends a request and resolves with the reply, a fragment that the caller releases. It is answered in place, in the
   * request's own fragment, or in one that the server gives. The request is spent from here on, whatever comes: it goes
   * along, or is released where the call ends before it was sent. Nine locked operations a call, and no copy.
   *
   * @param request a fragment, or a packet of one window
   * @throws PagePoolError POOL_ERR_CALL_FAILED when the handler throws, with its message in `cause`;
   *   POOL_ERR_PEER_GONE when the thread that served it ended or left; POOL_ERR_TIMEOUT when `timeoutMs` is over, an
   *   aborted signal's reason: the server is notified, and what it answers is released; POOL_ERR_CLOSING when the pool
   *   closes; POOL_ERR_STALE_HANDLE, POOL_ERR_FOREIGN_HANDLE or POOL_ERR_INVALID_ARGUMENT for what is no request:
   *   nothing changed then
   */
  call(request: Fragment | RequestPacket, options?: WaitOptions): Promise<Fragment> {
    return rejecting(() => {
      touchDeepStack();
      const waiting = requireWaitOptions('call', options);
      const fragment = this.#fragmentOf(request);
      requireOwnFragment(fragment, this.#seat.port, 'call');
      return this.#ask('call', [fragment], waiting);
    });
  }

  #fragmentOf(request: unknown): Fragment {
    for (const source of request instanceof Fragment ? [] : requestSources) {
      const fragment = source(request, 'call', this.#seat.port);
      if (fragment !== undefined) return fragment;
    }
    return request as Fragment;
  }

  /**
   * Takes a request and the room for its reply, both or neither: who waits holds nothing. This thread's cached pages go
   * to the others meanwhile. It may wait for as long as others take single pages.
   *
   * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; POOL_ERR_CLOSING when the pool closes; an aborted
   *   signal's reason
   */
  take(requestBytes: number, replyBytes: number, options?: WaitOptions): Promise<CallRoom> {
    return rejecting(() => {
      const { port, takers } = this.#seat;
      const { pageBytes } = port.geometry;
      requireInteger('take', 'requestBytes', requestBytes, 1, pageBytes);
      requireInteger('take', 'replyBytes', replyBytes, 1, pageBytes);
      const take = (): CallRoom | undefined => this.#takeBoth(requestBytes, replyBytes);
      // Fragments of at most half a page fit into one.
      const pages = Math.max(requestBytes, replyBytes) * 2 <= pageBytes ? 1 : 2;
      return takers.take({ call: 'take', pages, take }, requireWaitOptions('take', options));
    });
  }

  #takeBoth(requestBytes: number, replyBytes: number): CallRoom | undefined {
    touchDeepStack();
    const request = this.#seat.take(requestBytes);
    if (request === null) return undefined;
    let reply: Fragment | null = null;
    try {
      reply = this.#seat.take(replyBytes);
    } finally {
      if (reply === null) request.release();
    }
    if (reply === null) return undefined;
    const room = reply;
    const releaseBoth = (): void => {
      touchDeepStack();
      room[dispose]();
      request[dispose]();
    };
    return {
      request,
      send: (options) =>
        rejecting(() => {
          const { port } = this.#seat;
          const given: SendOptions = requireWaitOptions('send', options, 'requestBytes');
          const { requestBytes: bytes = request.length } = given;
          requireInteger('send', 'requestBytes', bytes, 0, request.length);
          for (const each of [request, room]) requireOwnFragment(each, port, 'send');
          let sent = request;
          if (bytes < request.length) {
            sent = new Fragment(port, request.handle, request.offset, bytes, 0);
            spendFragment(request);
          }
          return this.#ask('send', [sent, room], given);
        }),
      release: releaseBoth,
      [dispose]: releaseBoth,
    };
  }

  /**
   * Serves calls: has each answered by the handler, and resolves when the pool closes, this thread detaches, or the
   * signal is aborted. It needs no page. The process is held meanwhile, as by a server that listens.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an argument is wrong; POOL_ERR_REF_OVERFLOW when this thread
   *   already holds 65,535 references on a page of the next call, which stays where it is
   */
  async serve(handler: CallHandler, options?: ServeOptions): Promise<void> {
    if (typeof handler !== 'function') throw invalidArgument('serve', 'handler', handler, 'a function');
    const given = requireRecord('serve', 'options', options ?? {}, ['signal', 'concurrency']) as ServeOptions;
    const { concurrency = 1 } = given;
    requireInteger('serve', 'concurrency', concurrency, 1, CONCURRENCY_MAX);
    const { signal } = requireWaitOptions('serve', { signal: given.signal });
    if (this.#seat.port.isGone) throw destroyedError('serve');
    // Once for all of its waits: each would start a timer for that.
    hold();
    await Promise.all(Array.from({ length: concurrency }, () => this.#serveAll(handler, signal))).finally(letGo);
  }

  async #serveAll(handler: CallHandler, signal: Signal | undefined): Promise<void> {
    const { port } = this.#seat;
    const wait = { call: 'serve', port, event: this.#notEmpty, probe: this.#acceptOrEnd };
    for (;;) {
      let served: ServedCall | null;
      try {
        // A call that is there already needs no wait, until the event loop is due.
        const isDue = (signal ?? turnDue()) !== undefined;
        const first = isDue ? undefined : this.#acceptOrEnd();
        if (first) markTurn();
        served = first || (await waitFor(wait, { signal, ref: false }));
      } catch (error) {
        if (signal?.aborted || port.isGone) return;
        throw error;
      }
      if (served === null) return;
      const later = served.serve(handler);
      if (later !== undefined) await later;
    }
  }

  #isClosed(): boolean {
    return loadWord(this.#seat.port.memory, this.#channel.offset + CHANNEL_CLOSED_OFFSET) !== 0;
  }

  /** A call; null at the end; undefined while there is neither. */
  readonly #acceptOrEnd = (): ServedCall | null | undefined => {
    touchDeepStack();
    const { port, replies } = this.#seat;
    // Closed first: what was sent before is still received.
    const isClosed = port.isGone || this.#isClosed();
    const count = port.engine.accept(this.#index, port.scratch.ownAddress);
    if (count > 0) return new ServedCall(port, replies, count);
    const code = port.isGone ? OK : port.engine.lastError();
    if (code !== EMPTY && code !== OK) throw refusal(code, 'serve', 'calls', this.name);
    return isClosed ? null : undefined;
  };

  /** Sends the fragments, which are the call's from here on, and waits for the answer. */
  #ask(call: string, fragments: readonly Fragment[], options: WaitOptions): Promise<Fragment> {
    const { port, replies } = this.#seat;
    const startMs = options.timeoutMs && monotonicMs();
    const answered = (number: number): Promise<Fragment> => {
      for (const fragment of fragments) spendFragment(fragment);
      this.#count(LANE_ASKED_OFFSET);
      const probe = (): Fragment | undefined => this.#collect(call, number);
      const giveUp = (): void => this.#giveUp(number);
      const event = replies.event(() => isOver(port, number), replies.spin);
      return waitFor({ call, port, event, probe, startMs, giveUp, what: this.#answer, isAnswer: true }, options);
    };
    // Usually there is room; the wait for the answer gives the event loop its turns.
    const number = options.signal?.aborted ? FULL : this.#send(fragments);
    return number < 0 ? this.#sendLater(call, fragments, options).then(answered) : answered(number);
  }

  /** The number of the call, when there is room. Where there is none to come the fragments are released. */
  async #sendLater(call: string, fragments: readonly Fragment[], options: WaitOptions): Promise<number> {
    const { port, replies } = this.#seat;
    const startMs = monotonicMs();
    const probe = (): number | undefined => {
      const number = this.#send(fragments);
      if (number >= 0 || number === ERR_NO_REPLY_SLOT) return number;
      if (number === FULL) return undefined;
      throw number === ERR_CHANNEL_CLOSED ? this.#closed(call) : refusal(number, call, 'request', fragments[0]?.handle);
    };
    const hasSlot = this.#hasSlot;
    try {
      for (;;) {
        const wait = { call, port, event: this.#notFull, probe, startMs, what: this.#room, isReported: true };
        const number = await waitFor(wait, options);
        if (number !== ERR_NO_REPLY_SLOT) return number;
        const event = replies.event(hasSlot);
        const free = { call, port, event, probe: () => hasSlot() || undefined, startMs, what: 'a reply slot' };
        await waitFor(free, options);
      }
    } catch (error) {
      for (const fragment of fragments) fragment[dispose]();
      throw error;
    }
  }

  /** The number of the call, or why it was not sent: a code. */
  #send(fragments: readonly Fragment[]): number {
    const { port } = this.#seat;
    const { own, ownAddress } = port.scratch;
    let at = 0;
    for (const { handle, offset, length } of fragments) {
      own[at] = handle;
      own[at + 1] = offset;
      own[at + 2] = length;
      at += ENTRY_WORDS;
    }
    return port.engine.ask(this.#index, ownAddress, fragments.length);
  }

  /** Whether this thread may wait for one more answer. */
  readonly #hasSlot = (): boolean => {
    const { geometry, id, isGone, memory } = this.#seat.port;
    for (let slot = 0; slot < geometry.replyCount; slot++) {
      if ((loadWord(memory, replyOffset(geometry, id, slot)) & REPLY_STATE_MASK) === REPLY_FREE) return true;
    }
    return isGone;
  };

  /** The reply, or its error; undefined while there is no answer. */
  #collect(call: string, number: number): Fragment | undefined {
    const { port } = this.#seat;
    const { engine, isGone, scratch } = port;
    const { own } = scratch;
    const code = engine.collect(number, scratch.ownAddress);
    if (code !== OK) {
      if (code === EMPTY || isGone) return undefined;
      throw refusal(code, call, 'calls', this.name);
    }
    const handle = own[0] as number;
    const status = own[3];
    const isAnswered = handle !== 0 && status !== STATUS_REFUSED;
    this.#count(isAnswered ? LANE_ANSWERED_OFFSET : LANE_FAILED_OFFSET);
    const reply = handle === 0 ? undefined : new Fragment(port, handle, own[1] as number, own[2] as number, 0);
    if (isAnswered) return reply as Fragment;
    if (status === STATUS_REFUSED) throw this.#refused(call, reply);
    if (poolState(port.memory) !== STATE_ACTIVE) throw this.#closed(call);
    throw callError('POOL_ERR_PEER_GONE', call, `calls="${this.name}"`, 'a thread that serves them to the end');
  }

  /** The error of a handler, whose message is the reply, if there is one. */
  #refused(call: string, reply: Fragment | undefined): PagePoolError {
    let message = 'the handler failed, and the room for its message is gone';
    if (reply !== undefined) {
      // Copied first: decoders take no shared memory.
      message = new TextDecoder().decode(reply.bytes.slice());
      reply.release();
    }
    const found = `calls="${this.name}": ${message}`;
    const cause = new Error(message);
    return callError('POOL_ERR_CALL_FAILED', call, found, 'a handler that answers', undefined, { cause });
  }

  /** The caller wants no answer any more: one that has come already is released. */
  #giveUp(number: number): void {
    const { engine, isGone, scratch } = this.#seat.port;
    if (isGone) return;
    const isAnswered = engine.cancel(number) !== OK;
    // One that failed was collected before.
    if (isAnswered && engine.collect(number, scratch.ownAddress) !== OK) return;
    this.#count(LANE_CANCELLED_OFFSET);
    const handle = scratch.own[0] as number;
    if (isAnswered && handle !== 0) engine.release(handle);
  }

  #closed(call: string): PagePoolError {
    return callError('POOL_ERR_CLOSING', call, `calls="${this.name}" of a closing pool`, 'an open pool');
  }

  /** Plain: a lane's counters are its port's own. */
  #count(counter: number): void {
    const { id, memory } = this.#seat.port;
    const word = (laneOffset(this.#channel, id) + counter) >>> 2;
    memory.u32[word] = (memory.u32[word] as number) + 1;
  }
}

/** Whether nobody will write the call's slot any more. */
function isOver({ geometry, memory }: Port, call: number): boolean {
  const word = loadWord(memory, replyOfCall(geometry, call));
  const state = word & REPLY_STATE_MASK;
  return ((word ^ call) & REPLY_SEQ_MASK) !== 0 || (state !== REPLY_OUT && state !== REPLY_SERVING);
}
