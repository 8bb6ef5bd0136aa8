// Packets out: one writev for all fragments, and the references go back when the write is done, not before.
//
// "Done" is when the platform's own callback is called: until then libuv may read from the pages. A write that fails
// half way is done too. Whether its callback can be trusted depends on the kind of target (target.ts); whether one will
// come at all is watched beside it (pending.ts).

import type { Socket as DatagramSocket } from 'node:dgram';
import type { FileHandle } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { invalidArgument, PagePoolError, reasonOf, requireInteger, requireRecord } from '../errors.js';
import { isPacket, Packet } from '../packet/packet.js';
import { dispose } from '../platform/symbols.js';
import { type Fragment, isFragment } from '../pool/fragment.js';
import { isLater, LATER_MAX_MS, LATER_MS, later } from './later.js';
import { requireSignal } from './options.js';
import { type PendingWrite, PendingWrites } from './pending.js';
import { type TargetKind, targetKind } from './target.js';

/**
 * What packets are written to: a socket or a stream of bytes, an HTTP response, a file handle, a UDP socket. What is
 * known to pass its chunks on, or may never call back, gets a copy. A Writable of your own has to be done with a chunk
 * when it calls back: one that keeps it would show what its page holds later.
 */
export type PacketTarget = Writable | FileHandle | DatagramSocket;

/** Where a packet goes to. */
export interface WriteOptions {
  /** File handles: where in the file; where the last write ended if not given. */
  position?: number | undefined;
  /** UDP sockets that are not connected: to which port. */
  port?: number | undefined;
  /** UDP sockets: to which address; this machine if not given. */
  address?: string | undefined;
  /**
   * File handles that do not block: ends the wait for room with the signal's reason. A part may be written by then.
   * Streams are destroyed instead.
   */
  signal?: AbortSignal | undefined;
}

/**
 * Writes a packet, or a fragment, and releases it when the platform is done with its pages, also when the write fails
 * or the target is gone. No copy; one for targets that may show the bytes later (a Transform that is no compressor or
 * cipher, a worker's standard output, a stream that is not Node's): the pages are released at once there. Its
 * references move to the call: the packet is empty, the fragment spent. Resolves with the number of bytes. Memory is
 * bounded by who awaits it.
 *
 * @throws (rejects) the target's error: EPIPE, ECONNRESET, ENOSPC, ERR_STREAM_DESTROYED (a file's error has
 *   `bytesWritten`: how much of the packet it took); PagePoolError
 *   POOL_ERR_UNREADABLE when the bytes cannot be read; POOL_ERR_INVALID_ARGUMENT for a wrong target or option: nothing
 *   was taken over then
 */
export async function writePacket(
  target: PacketTarget,
  data: Packet | Fragment,
  options?: WriteOptions,
): Promise<number> {
  const call = 'writePacket';
  const given = requireRecord(call, 'options', options ?? {}, ['position', 'port', 'address', 'signal']);
  const { kind, write } = writer(call, target, given as WriteOptions);
  if (!(isPacket(data) || isFragment(data))) {
    throw invalidArgument(call, 'data', data, 'a Packet or a Fragment');
  }
  const packet = new Packet().append(data);
  try {
    const { length } = packet;
    if (kind === 'copy' || kind === 'foreign') {
      const bytes = Buffer.allocUnsafe(length);
      packet.copyTo(bytes);
      packet[dispose]();
      await write(length === 0 ? [] : [bytes]);
    } else {
      await write(packet.toBuffers());
    }
    return length;
  } finally {
    packet[dispose]();
  }
}

/** How to write to a target. */
interface Writer {
  readonly kind: TargetKind;
  write(views: Uint8Array[]): Promise<void>;
}

/** How to write to the target. @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when nobody can */
export function writer(call: string, target: unknown, { position, port, address, signal }: WriteOptions): Writer {
  if (position !== undefined) requireInteger(call, 'position', position, 0, Number.MAX_SAFE_INTEGER);
  requireSignal(call, signal);
  const kind = kindOf(call, target);
  if (kind === 'datagrams')
    return { kind, write: (views) => sendDatagram(target as DatagramSocket, views, port, address) };
  if (kind === 'file') return { kind, write: (views) => writeFile(target as FileHandle, views, position, signal) };
  if (kind === 'foreign') return { kind, write: (views) => writeForeign(target as Writable, views) };
  return { kind, write: (views) => writeStream(target as Writable, views) };
}

/** What runs the caller's code, and fails, is no target. */
function kindOf(call: string, target: unknown): Writer['kind'] {
  try {
    return targetKind(call, target);
  } catch (error) {
    if (error instanceof PagePoolError) throw error;
    throw invalidArgument(call, 'target', target, 'a Writable, a FileHandle or a dgram.Socket', reasonOf(error));
  }
}

function writeStream(stream: Writable, views: readonly Uint8Array[]): Promise<void> {
  if (views.length === 0) return Promise.resolve();
  const pending = PendingWrites.of(stream);
  if (pending.isGone) return Promise.reject(destroyedStream());
  return new Promise((resolve, reject) => {
    let left = views.length;
    let failure: Error | null | undefined;
    const waiting: PendingWrite = {
      giveUp: () => {
        left = 1;
        onDone(stream.errored ?? destroyedStream());
      },
    };
    const onDone = (error?: Error | null): void => {
      failure ??= error;
      if (--left !== 0) return;
      pending.delete(waiting);
      // A socket that was destroyed meanwhile calls back without an error, whatever became of the bytes.
      if (stream.destroyed && !stream.writableFinished) failure ??= stream.errored ?? destroyedStream();
      if (failure == null) resolve();
      else reject(failure);
    };
    pending.add(waiting);
    if (views.length > 1) stream.cork();
    for (const view of views) {
      try {
        stream.write(view, onDone);
      } catch (error) {
        onDone(error as Error); // those before it are on their way
      }
    }
    if (views.length > 1) stream.uncork();
  });
}

const drained = new WeakSet<Writable>();

/** The stream takes more as soon as one of them is there: the callback, what `write` returns, or 'drain'. */
function writeForeign(stream: Writable, views: readonly Uint8Array[]): Promise<void> {
  const [bytes] = views;
  if (bytes === undefined) return Promise.resolve();
  const pending = PendingWrites.of(stream);
  if (stream.destroyed || stream.closed || pending.isGone) return Promise.reject(destroyedStream());
  return new Promise((resolve, reject) => {
    if (!drained.has(stream)) {
      drained.add(stream);
      stream.on('drain', () => pending.drained());
    }
    const onDone = (error?: Error | null): void => {
      pending.delete(waiting);
      if (error === null || error === undefined) resolve();
      else reject(error);
    };
    const waiting: PendingWrite = {
      giveUp: () => onDone(stream.errored ?? destroyedStream()),
      onDrain: () => onDone(),
    };
    pending.add(waiting);
    try {
      if (stream.write(bytes, onDone)) onDone();
    } catch (error) {
      onDone(error as Error);
    }
  });
}

/**
 * A file may take a part alone (a full disk, a signal), and one that does not block nothing at all: goes on behind
 * that, until it has all or throws.
 */
async function writeFile(
  handle: FileHandle,
  views: Uint8Array[],
  position: number | undefined,
  signal: AbortSignal | undefined,
): Promise<void> {
  let done = 0;
  let delayMs = LATER_MS;
  for (let rest = views; rest.length > 0; ) {
    const bytesWritten = await writeSome(handle, rest, position === undefined ? undefined : position + done, done);
    if (bytesWritten === null) {
      await later(delayMs, signal);
      delayMs = Math.min(2 * delayMs, LATER_MAX_MS);
      continue;
    }
    delayMs = LATER_MS;
    done += bytesWritten;
    rest = behind(rest, bytesWritten);
  }
}

/** Bytes that the file took; null: none now. An error names how many of the packet it took `before`. */
async function writeSome(
  handle: FileHandle,
  views: Uint8Array[],
  position: number | undefined,
  before: number,
): Promise<number | null> {
  try {
    return (await handle.writev(views, position)).bytesWritten;
  } catch (error) {
    if (isLater(error)) return null;
    throw Object.assign(error as Error, { bytesWritten: before });
  }
}

/** What is left of the views behind their first `bytes` bytes. */
function behind(views: readonly Uint8Array[], bytes: number): Uint8Array[] {
  let skip = bytes;
  const rest: Uint8Array[] = [];
  for (const view of views) {
    if (skip < view.length) rest.push(skip === 0 ? view : view.subarray(skip));
    skip = Math.max(0, skip - view.length);
  }
  return rest;
}

function sendDatagram(socket: DatagramSocket, views: Uint8Array[], port?: number, address?: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const pending = PendingWrites.of(socket);
    const waiting: PendingWrite = { giveUp: () => onDone(destroyedStream()) };
    const onDone = (error?: Error | null): void => {
      pending.delete(waiting);
      if (error === null || error === undefined) resolve();
      else reject(error);
    };
    const data = views.length === 0 ? [new Uint8Array(0)] : views;
    pending.add(waiting);
    try {
      if (port === undefined) socket.send(data, onDone);
      else socket.send(data, port, address, onDone);
    } catch (error) {
      onDone(error as Error);
    }
  });
}

export function destroyedStream(): Error {
  return Object.assign(new Error('the stream was destroyed before the write was done'), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
