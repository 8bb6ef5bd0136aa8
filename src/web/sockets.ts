// WebSocket: pages as messages, and messages into pages.
//
// A socket takes no shared memory and its messages come in buffers of their own: one copy each way. It has no way to
// slow the other side down, so what waits for pages is bounded in bytes.

import { sendableBy } from '../border/copies.js';
import { invalidArgument, is, PagePoolError, requireInteger, requireRecord } from '../errors.js';
import { isPacket, Packet } from '../packet/packet.js';
import { copyBytes } from '../platform/copy.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { type Fragment, isFragment } from '../pool/fragment.js';
import type { WaitOptions } from '../port/waiting.js';
import type { Socket } from './platform-types.js';
import { fillRoom } from './room.js';

/** How to send. */
export interface SocketSendOptions {
  /** Bytes that may wait in the socket, this message's not among them; 1 MiB if not given. */
  maxBufferedBytes?: number | undefined;
}

/** How to receive. */
export interface MessageOptions extends Pick<WaitOptions, 'signal' | 'timeoutMs'> {
  /** Bytes of messages that may wait for pages and for the loop, 64 at least for each; 16 MiB if not given. */
  maxQueuedBytes?: number | undefined;
}

/** What a message counts at least. */
const MESSAGE_BYTES_MIN = 64;
const OPEN = 1;
const CLOSED = 3;
const MAX_BUFFERED_BYTES = 1024 * 1024;
const MAX_QUEUED_BYTES = 16 * 1024 * 1024;

/**
 * Sends a fragment or a packet as one message. True: it went, and the reference is released; false: the socket is not
 * open, or too much waits in it, and the caller keeps the reference.
 */
export function sendOver(socket: Socket, message: Fragment | Packet, options?: SocketSendOptions): boolean {
  requireSocket('sendOver', socket);
  const given = requireRecord('sendOver', 'options', options ?? {}, ['maxBufferedBytes']) as SocketSendOptions;
  const { maxBufferedBytes = MAX_BUFFERED_BYTES } = given;
  requireInteger('sendOver', 'maxBufferedBytes', maxBufferedBytes, 0, Number.MAX_SAFE_INTEGER);
  if (!isFragment(message) && !isPacket(message)) {
    throw invalidArgument('sendOver', 'message', message, 'a Fragment or a Packet');
  }
  const bytes = sendableBy('sendOver', message, 'WebSocket.send');
  if (socket.readyState !== OPEN || socket.bufferedAmount > maxBufferedBytes) return false;
  socket.send(bytes as never);
  message[dispose]();
  return true;
}

/**
 * The messages of a socket, each a packet, which the loop's body releases; text as UTF-8. Waits while the pool is
 * empty. Ends when the socket is closed; a loop that ends early, and whatever fails, closes the socket.
 *
 * @throws PagePoolError POOL_ERR_MEMORY_LIMIT when more than `maxQueuedBytes` wait; POOL_ERR_TIMEOUT when there was no
 *   page in `timeoutMs`; an aborted signal's reason; an Error when the connection breaks
 */
export function messagesInto(
  pool: AttachedPool,
  socket: Socket,
  options?: MessageOptions,
): AsyncGenerator<Packet, void, undefined> {
  portOf('messagesInto', pool);
  requireSocket('messagesInto', socket);
  const names = ['maxQueuedBytes', 'signal', 'timeoutMs'];
  const given = requireRecord('messagesInto', 'options', options ?? {}, names) as MessageOptions;
  const { maxQueuedBytes = MAX_QUEUED_BYTES, ...wait } = given;
  requireInteger('messagesInto', 'maxQueuedBytes', maxQueuedBytes, 1, Number.MAX_SAFE_INTEGER);
  // From here on messages are kept, also before the loop begins.
  return receive(pool, new Inbox(socket, maxQueuedBytes, wait.signal), wait);
}

async function* receive(pool: AttachedPool, inbox: Inbox, wait: WaitOptions): AsyncGenerator<Packet, void, undefined> {
  try {
    for (;;) {
      const message = await inbox.next();
      if (message === undefined) return;
      yield await packetOf(pool, message, wait);
    }
  } finally {
    inbox.close();
  }
}

/** The bytes in pages; what was taken goes back when the rest cannot be had. */
async function packetOf(pool: AttachedPool, { bytes, count }: Message, wait: WaitOptions): Promise<Packet> {
  const packet = new Packet();
  try {
    for (let at = 0; at < count; at += pool.pageBytes) {
      const length = Math.min(pool.pageBytes, count - at);
      const fragment = fillRoom(await pool.takeAsync(length, wait), (room) => {
        copyBytes(room.bytes, new Uint8Array(bytes.buffer, bytes.byteOffset + at, length));
        return room;
      });
      packet.append(fragment);
    }
    return packet;
  } catch (error) {
    packet.release();
    throw error;
  }
}

/** A message and its length when it came: another listener may take its buffer away. */
interface Message {
  readonly bytes: Uint8Array;
  readonly count: number;
}

/** What came and was not asked for yet. */
class Inbox {
  readonly #socket: Socket;
  readonly #maxBytes: number;
  readonly #signal: WaitOptions['signal'];
  readonly #queue: Message[] = [];
  #bytes = 0;
  #failure: { reason: unknown } | undefined;
  /** The socket is closed; broken by this, if it is. */
  #ending: { readonly broken: Error | undefined } | undefined;
  #wake: (() => void) | undefined;

  constructor(socket: Socket, maxBytes: number, signal: WaitOptions['signal']) {
    this.#socket = socket;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    socket.binaryType = 'arraybuffer';
    socket.addEventListener('message', this.#onMessage);
    socket.addEventListener('close', this.#onClose);
    signal?.addEventListener('abort', this.#onAbort);
    if (socket.readyState === CLOSED) this.#ending = { broken: undefined };
    if (signal?.aborted === true) this.#onAbort();
  }

  /** The next message; undefined when there will be none. */
  async next(): Promise<Message | undefined> {
    for (;;) {
      if (this.#failure !== undefined) throw this.#failure.reason;
      const message = this.#queue.shift();
      if (message !== undefined) {
        this.#bytes -= Math.max(message.count, MESSAGE_BYTES_MIN);
        return message;
      }
      if (this.#ending?.broken !== undefined) throw this.#ending.broken;
      if (this.#ending !== undefined) return undefined;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.removeEventListener('message', this.#onMessage);
    this.#socket.removeEventListener('close', this.#onClose);
    this.#signal?.removeEventListener('abort', this.#onAbort);
    this.#queue.length = 0;
    if (this.#socket.readyState <= OPEN) this.#socket.close();
  }

  readonly #onMessage = ({ data }: { data: ArrayBuffer | string }): void => {
    const bytes = typeof data === 'string' ? new TextEncoder().encode(data) : new Uint8Array(data);
    // An empty message takes memory, too: the other side must not be able to send them without end.
    const count = Math.max(bytes.length, MESSAGE_BYTES_MIN);
    if (this.#bytes + count > this.#maxBytes) {
      const rule = `at most maxQueuedBytes=${this.#maxBytes}`;
      this.#fail(
        new PagePoolError(
          'POOL_ERR_MEMORY_LIMIT',
          `messagesInto failed: queued bytes=${this.#bytes + count} (expected ${rule}); release sooner, or allow more to wait`,
        ),
      );
      return;
    }
    this.#bytes += count;
    this.#queue.push({ bytes, count: bytes.length });
    this.#wake?.();
  };

  readonly #onClose = ({ wasClean, code }: { wasClean: boolean; code: number }): void => {
    // What arrived before is delivered first.
    const broken = wasClean ? undefined : new Error(`messagesInto failed: the connection broke, code=${code}`);
    this.#ending = { broken };
    this.#wake?.();
  };

  readonly #onAbort = (): void => this.#fail(this.#signal?.reason);

  #fail(reason: unknown): void {
    this.#failure ??= { reason };
    this.close(); // also where nobody reads the result
    this.#wake?.();
  }
}

function requireSocket(call: string, socket: Socket): void {
  const isSocket = is(() => typeof socket?.send === 'function' && typeof socket.addEventListener === 'function');
  if (!isSocket) throw invalidArgument(call, 'socket', socket, 'a WebSocket');
}
