// WorkletChannel: one thread's end of a channel, by calls that return at once, make no garbage and throw on misuse
// alone.
//
// What was received stands in the object's own fields until the next receipt: an entry is no object.

import { CHANNEL_CLOSED_OFFSET, EMPTY, ERR_CHANNEL_CLOSED, FULL, OK } from '../../assembly/layout.js';
import { loadWord } from '../control/nodes.js';
import { ERR_CLOSED } from '../engine/closed.js';
import { invalidArgument, invalidHandle } from '../errors.js';
import { isHandleNumber, isWord } from '../numbers.js';
import { type Port, refusal } from '../port/port.js';

/** A channel as an audio thread uses it. Made by `WorkletPool`. */
export class WorkletChannel {
  /** What `tryReceive` received last: its handle, which this thread holds a reference on; 0 before the first. */
  handle = 0;
  /** Where its window starts in the fragment, bytes. */
  offset = 0;
  /** Bytes of its window. */
  length = 0;
  /** The sender's word. */
  tag = 0;
  readonly #port: Port;
  readonly #index: number;
  /** Where the channel's word lies that says that it is closed. */
  readonly #closed: number;

  constructor(port: Port, index: number) {
    const channel = port.geometry.channels[index];
    if (channel === undefined) throw invalidArgument('WorkletChannel', 'channel', index, "one of a pool's");
    this.#port = port;
    this.#index = index;
    this.#closed = channel.offset + CHANNEL_CLOSED_OFFSET;
  }

  /** Whether nothing more can be sent; what is inside can still be received. */
  get isClosed(): boolean {
    return loadWord(this.#port.memory, this.#closed) !== 0;
  }

  /**
   * Sends one entry. True: the reference went along; false: the channel is full or closed, or the pool
   * closes, and the reference stays; or the port is gone, with the reference.
   *
   * @throws PagePoolError as `Channel.send` when the entry is refused
   */
  trySend(handle: number, offset: number, length: number, tag = 0): boolean {
    if (!isHandleNumber(handle)) throw invalidHandle('trySend', handle);
    if (!isWord(offset) || !isWord(length) || !isWord(tag)) {
      throw invalidArgument('trySend', 'entry', `${offset}, ${length}, ${tag}`, 'offset, length and tag: u32 each');
    }
    const code = this.#port.engine.send(this.#index, handle, offset, length, tag);
    if (code === OK) return true;
    if (code === FULL || code === ERR_CHANNEL_CLOSED || code === ERR_CLOSED) return false;
    throw refusal(code, 'trySend', 'handle', handle);
  }

  /** Receives the oldest entry into `handle`, `offset`, `length` and `tag`; false: there is none, and they stay. */
  tryReceive(): boolean {
    const { engine, scratch } = this.#port;
    if (engine.receiveBurst(this.#index, scratch.ownAddress, 1) === 0) return this.#requireEmpty();
    const { own } = scratch;
    this.handle = own[0] as number;
    this.offset = own[1] as number;
    this.length = own[2] as number;
    this.tag = own[3] as number;
    return true;
  }

  /** Ends the channel for every thread. */
  close(): void {
    this.#port.engine.closeChannel(this.#index);
  }

  #requireEmpty(): false {
    const code = this.#port.engine.lastError();
    if (code !== EMPTY && code !== OK && code !== ERR_CLOSED) throw refusal(code, 'tryReceive', 'channel', this.#index);
    return false;
  }
}
