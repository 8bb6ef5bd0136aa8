// Sockets into pages: TCP and TLS connections that this side opens, and those that a server accepts.
//
// `onread` of net and tls names memory before each read, and the kernel (or OpenSSL) writes straight into it. Node
// gives that option to connecting sockets alone. An accepted socket's handle takes it as well, when a socket of our own
// is put on the handle before anything was read: five times the bytes for the processor time of one copy. Handles are
// no public interface, so their shape is asked for first, and where it is another one the bytes are copied, once.

import { connect as connectNet, type NetConnectOpts, Socket } from 'node:net';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { invalidArgument, requireRecord } from '../errors.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { isSocket } from './brands.js';
import { Intake } from './intake.js';
import { type OnFragment, type ReadOptions, type ResolvedRead, requireOnFragment, resolveRead } from './options.js';
import { readStream } from './stream.js';

/**
 * Deno 2.9 never announces the end of a TLS connection with `onread` that comes while it is paused; nothing but a
 * connection shows that, so the runtime is asked for by its name.
 */
const LOSES_TLS_END = 'Deno' in globalThis;

/** Where to connect to: what `net.connect` takes, or `{ tls }` with what `tls.connect` takes. */
export type ConnectTarget = NetConnectOpts | { readonly tls: ConnectionOptions };

/** A socket whose bytes go into pages. */
export interface SocketReading {
  /** To write to, to end, to destroy, and for its events; there is no 'data'. */
  readonly socket: Socket;
  /**
   * Bytes that were delivered, when the other side has ended; rejects with the first error of the socket, the pool or
   * the user's function.
   */
  readonly finished: Promise<number>;
  /** Whether the socket reads straight into pages; otherwise each byte is copied once. */
  readonly isDirect: boolean;
}

/** How an accepted socket is read. */
export interface ServeOptions extends ReadOptions {
  /** `false`: the bytes are copied, and the socket stays the one that was accepted. `true` if not given. */
  direct?: boolean | undefined;
}

/**
 * Connects, and reads straight into pages: no copy (TLS in Deno, and over a socket that is given: one). A connection
 * holds two of them (of `readBytes` each, if that is less), the one that is filled and one in reserve. Where the pool
 * is empty the socket pauses until a page is released. Fragments of one page follow each other without a gap.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for wrong options; POOL_ERR_CLOSING when no page will ever come; what
 *   `net.connect` throws
 * @example
 * const { finished } = connectInto(pool, { port: 7000 }, (fragment) => {
 *   if (!work.sendFragment(fragment)) fragment.release();
 * });
 */
export function connectInto(
  pool: AttachedPool,
  target: ConnectTarget,
  onFragment: OnFragment,
  options?: ReadOptions,
): SocketReading {
  const call = 'connectInto';
  requireOnFragment(call, onFragment);
  const read = resolveRead(call, pool, options);
  const where = requireRecord(call, 'target', target) as unknown as ConnectTarget;
  if ('onread' in where)
    throw invalidArgument(call, 'target.onread', where.onread, 'none: pages are what is read into');
  // Over a socket that is given, Node reads into memory of its own in spite of `onread`.
  const tls = 'tls' in where ? where.tls : undefined;
  if (tls !== undefined && (LOSES_TLS_END || tls.socket !== undefined))
    return copied(call, pool, connectTls(tls), onFragment, read);
  return attach(
    (source) => new Intake(call, pool, onFragment, read, false, source),
    (onread) =>
      tls !== undefined
        ? connectTls({ ...tls, onread } as ConnectionOptions)
        : connectNet({ ...(where as NetConnectOpts), onread }),
  );
}

/**
 * Reads an accepted socket into pages. Call it in the server's 'connection' listener, before anything else is done with
 * the socket, and use the socket that is returned: where the platform allows it, that is another one on the same
 * connection, which reads without a copy. TLS sockets, and sockets that have been read from, are copied.
 *
 * @throws PagePoolError as `connectInto`
 */
export function serveInto(
  pool: AttachedPool,
  socket: Socket,
  onFragment: OnFragment,
  options?: ServeOptions,
): SocketReading {
  const call = 'serveInto';
  requireOnFragment(call, onFragment);
  const { direct = true, ...read } = resolveRead(call, pool, options, ['direct']);
  if (typeof direct !== 'boolean') throw invalidArgument(call, 'direct', direct, 'a boolean');
  if (!isSocket(socket)) throw invalidArgument(call, 'socket', socket, 'a socket of node:net');
  if (!direct || !canTakeOver(socket)) return copied(call, pool, socket, onFragment, read);
  return attach(
    (source) => new Intake(call, pool, onFragment, read, false, source),
    (onread) => takeOver(socket, onread),
  );
}

/** Reads the socket's stream, with one copy. */
function copied(
  call: string,
  pool: AttachedPool,
  socket: Socket,
  onFragment: OnFragment,
  read: ResolvedRead,
): SocketReading {
  return { socket, finished: readStream(call, pool, socket, onFragment, read), isDirect: false };
}

/** What the option `onread` of net takes. */
interface OnRead {
  buffer(): Uint8Array;
  callback(count: number, memory: Uint8Array): boolean;
}

/** Makes a socket that reads into an intake. */
function attach(
  open: (source: { resume(): void; stop(): void }) => Intake,
  connect: (onread: OnRead) => Socket,
): SocketReading {
  let socket: Socket | undefined;
  const intake = open({ resume: () => socket?.resume(), stop: () => socket?.destroy() });
  const { delivery } = intake;
  try {
    socket = connect({
      buffer: () => intake.room(),
      callback: (count, memory) => intake.received(count, memory),
    });
  } catch (error) {
    delivery.finished.catch(() => {}); // reported by the exception
    delivery.fail(error);
    intake.closed();
    throw error;
  }
  socket.on('error', (error) => delivery.fail(error));
  socket.on('end', () => intake.ended());
  socket.on('close', () => intake.closed());
  delivery.begin();
  return { socket, finished: delivery.finished, isDirect: true };
}

/** The part of a socket that is Node's own business. */
interface Inner {
  _handle: { readonly useUserBuffer?: unknown } | null;
}

/**
 * Whether a socket of ours can go on with the connection: nobody has read from it, and its handle takes memory to read
 * into.
 */
function canTakeOver(socket: Socket): boolean {
  const { _handle: handle } = socket as unknown as Inner;
  return (
    Object.getPrototypeOf(socket) === Socket.prototype &&
    typeof handle === 'object' &&
    typeof handle?.useUserBuffer === 'function' &&
    socket.bytesRead === 0 &&
    socket.readableLength === 0 &&
    socket.listenerCount('data') === 0 &&
    socket.listenerCount('readable') === 0
  );
}

/**
 * A socket that reads into our memory, on the accepted one's connection; the server counts the connection until both
 * are closed.
 */
function takeOver(accepted: Socket, onread: OnRead): Socket {
  const inner = accepted as unknown as Inner;
  const handle = inner._handle;
  const { allowHalfOpen } = accepted;
  inner._handle = null;
  let socket: Socket;
  try {
    socket = new Socket({ handle, allowHalfOpen, onread } as never);
  } catch (error) {
    inner._handle = handle;
    throw error;
  }
  socket.on('close', () => accepted.destroy());
  accepted.on('close', () => socket.destroy());
  socket.resume();
  return socket;
}
