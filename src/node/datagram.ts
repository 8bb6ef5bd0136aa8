// UDP into pages: one copy a datagram, since Node reads each into memory of its own.
//
// A socket that is not read loses datagrams in the kernel; an empty pool loses them here, counted. Nothing waits.

import type { RemoteInfo, Socket } from 'node:dgram';
import { invalidArgument, requireRecord } from '../errors.js';
import { copyBytes } from '../platform/copy.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import { Fragment, spendFragment } from '../pool/fragment.js';
import { isDatagramSocket } from './brands.js';
import { publish } from './events.js';
import { requireOnFragment } from './options.js';

/** What became of the datagrams. */
export interface DatagramReading {
  /** Delivered. */
  readonly received: number;
  /** Lost here: the pool was empty, or they were longer than a page. */
  readonly dropped: number;
  /**
   * Resolves when the socket is closed or `stop` was called; rejects with the first error of the socket, the pool or
   * the user's function.
   */
  readonly finished: Promise<void>;
  /** Takes no more of them; the socket stays open. */
  stop(): void;
}

/**
 * Copies each datagram of a socket into a fragment of its own, and delivers it with its sender. Where the pool is
 * empty, and above the size of a page, datagrams are dropped and counted. A promise of the user's function is not
 * waited for, but its rejection ends the reading.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it is not a socket of node:dgram
 */
export function receiveInto(
  pool: AttachedPool,
  socket: Socket,
  onFragment: (fragment: Fragment, from: RemoteInfo) => unknown,
): DatagramReading {
  const call = 'receiveInto';
  const port = portOf(call, pool);
  requireOnFragment(call, onFragment);
  requireRecord(call, 'socket', socket);
  if (!isDatagramSocket(socket)) throw invalidArgument(call, 'socket', socket, 'a socket of node:dgram');
  let received = 0;
  let dropped = 0;
  let bytes = 0;
  let end: (error?: unknown) => void = () => {};

  const refuse = (fragment: Fragment | null, error: unknown): void => {
    try {
      fragment?.[dispose]();
    } catch {
      // Released by its number: the user's error is the one to report.
    }
    end(error);
  };
  const onMessage = (message: Uint8Array, from: RemoteInfo): void => {
    let fragment: Fragment | null = null;
    try {
      fragment = message.length > pool.pageBytes ? null : pool.take(Math.max(1, message.length));
      if (fragment === null) {
        dropped++;
        publish('drop', call, pool.name, bytes);
        return;
      }
      if (message.length > 0) copyBytes(fragment.bytes, message);
      else {
        const { handle } = fragment;
        spendFragment(fragment);
        fragment = new Fragment(port, handle, 0, 0, 0);
      }
      received++;
      bytes += message.length;
      const given = fragment;
      const result = onFragment(given, from) as Partial<PromiseLike<unknown>> | null | undefined;
      if (typeof result?.then === 'function') result.then(undefined, (error) => refuse(given, error));
    } catch (error) {
      refuse(fragment, error);
    }
  };
  const finished = new Promise<void>((resolve, reject) => {
    const onError = (error: unknown): void => end(error);
    const onClose = (): void => end();
    end = (error) => {
      socket.off('message', onMessage).off('close', onClose);
      // stays after an error: more may come, one for each datagram
      if (error === undefined) socket.off('error', onError);
      end = () => {};
      publish('end', call, pool.name, bytes);
      if (error === undefined) resolve();
      else reject(error);
    };
    socket.on('message', onMessage).on('close', onClose).on('error', onError);
    if (isClosed(socket)) end(); // no event would follow
  });
  return {
    get received() {
      return received;
    },
    get dropped() {
      return dropped;
    },
    finished,
    stop: () => end(),
  };
}

/** Whether the socket is closed. One that is not bound yet throws as well, for another reason. */
function isClosed(socket: Socket): boolean {
  try {
    socket.address();
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ERR_SOCKET_DGRAM_NOT_RUNNING';
  }
}
