// Serving: one thread's side of the calls that others ask, from the entry that comes to the answer that goes.
//
// A call that is served has its references in this thread's row. What a handler gives goes into the asker's slot; where
// it throws, gives what is no answer, or has spent what the answer would lie in, the call fails with a message. The
// references that do not go along are released, whatever the handler did with them.

import { ERR_CALL_OVER, OK, REPLY_SERVING, STATUS_DONE, STATUS_REFUSED } from '../../assembly/layout.js';
import { askerOf, replyOfCall, servedWord } from '../control/calls.js';
import { loadWord } from '../control/nodes.js';
import { reasonOf, show } from '../errors.js';
import { dispose } from '../platform/symbols.js';
import type { Signal } from '../platform/types.js';
import { type Port, park, unpark } from '../port/port.js';
import { waitFor } from '../port/waiting.js';
import { Fragment, requireOwnFragment, spendFragment } from './fragment.js';
import type { Replies } from './replies.js';

/** A call as its handler sees it. */
export interface Call {
  /** What was asked. It belongs to the call: it is released, or goes back, when the handler is done. */
  readonly request: Fragment;
  /** The room for the answer, which the asker brought; the request itself where it brought none. */
  readonly reply: Fragment;
  /** Aborted when the asker wants no answer any more, or this thread is done with the pool. */
  readonly signal: Signal;
  /** The port that asked. */
  readonly from: number;
}

/**
 * Answers a call: returns how many bytes of `call.reply` it wrote, or a fragment of its own, which goes along. What it
 * throws fails the call with its message.
 */
export type CallHandler = (call: Call) => number | Fragment | Promise<number | Fragment>;

/** A call under way in this thread. */
export class ServedCall implements Call {
  readonly request: Fragment;
  readonly reply: Fragment;
  readonly from: number;
  readonly #port: Port;
  readonly #replies: Replies;
  readonly #number: number;
  #aborter: AbortController | undefined;
  /** Ends the watch behind `signal`. */
  #ender: AbortController | undefined;

  /** @param count entries that `accept` wrote into the scratch */
  constructor(port: Port, replies: Replies, count: number) {
    const { own } = port.scratch;
    const fragmentAt = (at: number): Fragment =>
      new Fragment(port, own[at] as number, own[at + 1] as number, own[at + 2] as number, 0);
    this.#port = port;
    this.#replies = replies;
    this.#number = own[3] as number;
    this.from = askerOf(this.#number);
    this.request = fragmentAt(0);
    this.reply = count === 1 ? this.request : fragmentAt(4);
  }

  get signal(): Signal {
    if (this.#aborter === undefined) {
      this.#aborter = new AbortController();
      this.#watch(this.#aborter);
    }
    return this.#aborter.signal as Signal;
  }

  /** Has the handler answer it: a promise only where the handler gives one. Neither throws nor rejects. */
  serve(handler: CallHandler): Promise<void> | undefined {
    try {
      const result = handler(this);
      if (typeof result === 'object' && !(result instanceof Fragment)) return this.#serveLater(result);
      this.#answer(result);
    } catch (error) {
      this.#refuse(reasonOf(error));
    }
    this.#ender?.abort();
    return undefined;
  }

  async #serveLater(later: Promise<number | Fragment>): Promise<void> {
    // Nobody waits for pages in the cache of a thread that stands still.
    park(this.#port);
    try {
      this.#answer(await later);
    } catch (error) {
      this.#refuse(reasonOf(error));
    }
    unpark(this.#port);
    this.#ender?.abort();
  }

  /** Throws where the result is no answer; nothing has changed then. */
  #answer(result: number | Fragment): void {
    if (this.#port.isGone) return;
    const room = this.reply.length;
    const reply = result instanceof Fragment ? result : this.reply;
    const length = result instanceof Fragment ? result.length : result;
    if (!Number.isInteger(length) || length < 0 || length > room) {
      if (reply === this.reply) {
        const rule = `expected how many bytes of reply it wrote, 0..${room}, or a Fragment`;
        throw new Error(`the handler returned ${show(result)} (${rule})`);
      }
    }
    requireOwnFragment(reply, this.#port, 'serve');
    for (const other of [this.request, this.reply]) if (other !== reply) releaseQuietly(other);
    this.#send(reply, length, STATUS_DONE);
  }

  /** Fails the call; the message travels in the room for the reply, where that is still here, cut if it is too long. */
  #refuse(message: string): void {
    if (this.#port.isGone) return;
    const { reply, request } = this;
    let text: Uint8Array | undefined;
    try {
      text = encodeWithin(message, reply.length);
      reply.bytes.set(text);
    } catch {
      text = undefined; // spent by the handler: the call fails without its message
    }
    if (reply !== request) releaseQuietly(request);
    if (text !== undefined) {
      this.#send(reply, text.length, STATUS_REFUSED);
      return;
    }
    releaseQuietly(reply);
    this.#fail();
  }

  /** The reference goes along, or, where the asker wants it no more, back to the pool. */
  #send(reply: Fragment, length: number, status: number): void {
    const code = this.#port.engine.reply(this.#number, reply.handle, reply.offset, length, status);
    if (code === OK) {
      spendFragment(reply);
      return;
    }
    releaseQuietly(reply);
    // The reference was gone, whatever the object shows: a handler released it by its number.
    if (code !== ERR_CALL_OVER) this.#fail();
  }

  /** Fails the call without a message. */
  #fail(): void {
    this.#port.engine.reply(this.#number, 0, 0, 0, STATUS_REFUSED);
  }

  #watch(aborter: AbortController): void {
    const port = this.#port;
    const { geometry, id } = port;
    const word = replyOfCall(geometry, this.#number);
    const served = servedWord(this.#number, id, REPLY_SERVING);
    const isOver = (): boolean => loadWord(port.memory, word) !== served;
    const ender = new AbortController();
    this.#ender = ender;
    // Without spinning: a cancellation is rare, and the handler is to go on at once.
    const wait = { call: 'serve', port, event: this.#replies.event(isOver), probe: () => isOver() || undefined };
    const abort = (): void => {
      if (!ender.signal.aborted) aborter.abort();
    };
    waitFor(wait, { signal: ender.signal as Signal, ref: false }).then(abort, abort);
  }
}

/** The text, or as much of it as the room has, with an ellipsis behind it: 3 bytes. */
function encodeWithin(text: string, room: number): Uint8Array {
  const bytes = new Uint8Array(Math.min(room, 3 * text.length));
  const encoder = new TextEncoder();
  const { read, written } = encoder.encodeInto(text, bytes);
  if (read === text.length || room < 3) return bytes.subarray(0, written);
  const { written: end } = encoder.encodeInto(text, bytes.subarray(0, room - 3));
  bytes.set(encoder.encode('…'), end);
  return bytes.subarray(0, end + 3);
}

/** Releases a fragment, if it still has its reference. */
function releaseQuietly(fragment: Fragment): void {
  try {
    fragment[dispose]();
  } catch {
    // a handler released it by its number
  }
}
