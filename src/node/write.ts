// Packets out: one writev for all fragments, and the references go back when the write is done, not before.
//
// "Done" is what the platform's own callback says: until then libuv may read from the pages. A write that fails half
// way is done too. HTTP messages and UDP sockets forget the callbacks of what they drop when they are closed; there the
// close says it.

import { Socket as DatagramSocket } from 'node:dgram';
import { type EventEmitter, errorMonitor } from 'node:events';
import type { FileHandle } from 'node:fs/promises';
import { OutgoingMessage } from 'node:http';
import { PassThrough, type Writable } from 'node:stream';
import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import { Packet } from '../packet/packet.js';
import { dispose } from '../platform/symbols.js';
import { Fragment } from '../pool/fragment.js';

/**
 * What packets are written to: a socket or a stream of bytes, an HTTP response, a file handle, a UDP socket. A stream
 * has to be done with a chunk when it calls back: one that hands the chunk itself on, as `PassThrough` does, would show
 * what its page holds later.
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
}

/**
 * Writes a packet, or a fragment, without a copy, and releases it when the platform is done with its pages, also when
 * the write fails. Its references move to the call: the packet is empty, the fragment spent. Resolves with the number
 * of bytes. Memory is bounded by who awaits it.
 *
 * @throws (rejects) what the target says: EPIPE, ECONNRESET, ENOSPC, ERR_STREAM_DESTROYED; PagePoolError
 *   POOL_ERR_UNREADABLE when the bytes cannot be read; POOL_ERR_INVALID_ARGUMENT for a wrong target or option: nothing
 *   was taken over then
 */
export async function writePacket(
  target: PacketTarget,
  data: Packet | Fragment,
  options?: WriteOptions,
): Promise<number> {
  const call = 'writePacket';
  const { position, port, address } = requireRecord(call, 'options', options ?? {}, [
    'position',
    'port',
    'address',
  ]) as WriteOptions;
  const write = writer(call, target, position, port, address);
  if (!(data instanceof Packet || data instanceof Fragment)) {
    throw invalidArgument(call, 'data', data, 'a Packet or a Fragment');
  }
  const packet = new Packet().append(data);
  try {
    const { length } = packet;
    await write(packet.toBuffers());
    return length;
  } finally {
    packet[dispose]();
  }
}

type Write = (views: Uint8Array[]) => Promise<void>;

/** How to write to the target. @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when nobody can */
export function writer(call: string, target: unknown, position?: number, port?: number, address?: string): Write {
  if (position !== undefined) requireInteger(call, 'position', position, 0, Number.MAX_SAFE_INTEGER);
  if (target instanceof PassThrough) {
    const expected = 'a stream that is done with a chunk when it calls back';
    throw invalidArgument(call, 'target', target, expected, 'write to where its bytes go');
  }
  if (target instanceof DatagramSocket) return (views) => sendDatagram(target, views, port, address);
  const { writev, write, cork } = (target ?? {}) as { writev?: unknown; write?: unknown; cork?: unknown };
  if (typeof cork === 'function' && typeof write === 'function')
    return (views) => writeStream(target as Writable, views);
  if (typeof writev === 'function') return (views) => writeFile(target as FileHandle, views, position);
  throw invalidArgument(call, 'target', target, 'a Writable, a FileHandle or a dgram.Socket');
}

function writeStream(stream: Writable, views: readonly Uint8Array[]): Promise<void> {
  if (views.length === 0) return Promise.resolve();
  return new Promise((resolve, reject) => {
    let left = views.length;
    let failure: Error | null | undefined;
    const giveUp = (): void => {
      left = 1;
      onDone(destroyedStream());
    };
    const onDone = (error?: Error | null): void => {
      failure ??= error;
      if (--left !== 0) return;
      forgotten?.delete(giveUp);
      // A socket that was destroyed meanwhile calls back without an error, whatever became of the bytes.
      if (stream.destroyed && !stream.writableFinished) failure ??= stream.errored ?? destroyedStream();
      if (failure == null) resolve();
      else reject(failure);
    };
    const forgotten = stream instanceof OutgoingMessage ? callbacksOf(stream) : undefined;
    forgotten?.add(giveUp);
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

/** A file may take a part alone (a full disk, a signal): goes on behind it, until it has all or says why not. */
async function writeFile(handle: FileHandle, views: Uint8Array[], position: number | undefined): Promise<void> {
  let at = position;
  for (let rest = views; rest.length > 0; ) {
    const { bytesWritten } = await handle.writev(rest, at);
    if (at !== undefined) at += bytesWritten;
    rest = behind(rest, bytesWritten);
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
    const forgotten = callbacksOf(socket);
    const giveUp = (): void => onDone(destroyedStream());
    const onDone = (error?: Error | null): void => {
      forgotten.delete(giveUp);
      if (error === null || error === undefined) resolve();
      else reject(error);
    };
    const data = views.length === 0 ? [new Uint8Array(0)] : views;
    forgotten.add(giveUp);
    try {
      if (port === undefined) socket.send(data, onDone);
      else socket.send(data, port, address, onDone);
    } catch (error) {
      onDone(error as Error);
    }
  });
}

const waiting = new WeakMap<EventEmitter, Set<() => void>>();

/**
 * Writes of a target that forgets callbacks: those that are left are called when it is closed and has called back what
 * it will.
 */
function callbacksOf(target: EventEmitter): Set<() => void> {
  const known = waiting.get(target);
  if (known !== undefined) return known;
  const callbacks = new Set<() => void>();
  waiting.set(target, callbacks);
  // 'close' comes before libuv has called back the writes that it cancels: those come until the turn after the next.
  const afterwards = (): void => {
    const forgotten = [...callbacks];
    setImmediate(() =>
      setImmediate(() => {
        for (const callback of forgotten) if (callbacks.has(callback)) callback();
      }),
    );
  };
  target.once('close', afterwards);
  if (target instanceof DatagramSocket) {
    // A socket that could not be bound drops what waits for that, and is not closed.
    (target as EventEmitter).on(errorMonitor, () => {
      if (!isBound(target)) afterwards();
    });
  }
  return callbacks;
}

function isBound(socket: DatagramSocket): boolean {
  try {
    return socket.address().port !== 0;
  } catch {
    return false;
  }
}

export function destroyedStream(): Error {
  return Object.assign(new Error('the stream was destroyed before the write was done'), {
    code: 'ERR_STREAM_DESTROYED',
  });
}
