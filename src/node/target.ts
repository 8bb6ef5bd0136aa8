// Targets: what becomes of bytes that are written to an object, by what it is.
//
// A page may be released when nobody can read it any more. For Node's own sockets, files, messages, compressors and
// ciphers the callback of a write means that, and so do Writables that call back when they are done. What passes its
// chunks on (a Transform of somebody's, a worker's standard output, whose chunks are posted) gets a copy. So does what
// is not Node's stream, or has another `write` put over Node's: whether it calls back is not known.
//
// The names of classes that only Node's own modules have stand for those classes: they cannot be imported.

import { Duplex, PassThrough, Transform, Writable } from 'node:stream';
import { invalidArgument } from '../errors.js';
import { isDatagramSocket, isFileHandle, isHttp2Stream, isMadeBy, isMessage, isSocket } from './brands.js';

/**
 * What a target is:
 *
 * - `datagrams`, `file`: a socket of node:dgram, a file handle;
 * - `direct`: a stream that is done with a chunk when it calls back;
 * - `copy`: a stream that calls back, and may show the chunk to somebody later;
 * - `foreign`: a stream that may never call back: its return value and 'drain' decide when to go on.
 */
export type TargetKind = 'datagrams' | 'file' | 'direct' | 'copy' | 'foreign';

/** What of streams is asked for. */
interface StreamShape {
  readonly write?: unknown;
  readonly cork?: unknown;
  readonly on?: unknown;
  readonly _transform?: unknown;
  readonly writableObjectMode?: unknown;
}

/** What targets were found to be, with the `write` that they had: another one may be put over it. */
const known = new WeakMap<object, { readonly kind: TargetKind; readonly write: unknown }>();

/** What the target is. @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when packets cannot be written to it */
export function targetKind(call: string, target: unknown): TargetKind {
  const { write } = (target ?? {}) as StreamShape;
  const found = known.get(target as object);
  if (found !== undefined && found.write === write) return found.kind;
  const kind = findKind(call, target);
  known.set(target as object, { kind, write });
  return kind;
}

function findKind(call: string, target: unknown): TargetKind {
  if (isDatagramSocket(target)) return 'datagrams';
  if (isFileHandle(target)) return 'file';
  const { write, on, _transform } = (target ?? {}) as StreamShape;
  if (typeof write !== 'function' || typeof on !== 'function') {
    throw invalidArgument(call, 'target', target, 'a Writable, a FileHandle or a dgram.Socket');
  }
  if (_transform !== undefined && _transform === PassThrough.prototype._transform) {
    const expected = 'a stream that is done with a chunk when it calls back';
    throw invalidArgument(call, 'target', target, expected, 'write to where its bytes go');
  }
  const object = target as object;
  if (Object.hasOwn(object, 'write') || !isNodes(object) || isWorkerStream(object)) return 'foreign';
  return handsOn(object) ? 'copy' : 'direct';
}

/** Whether it is a stream, which can end and be destroyed. */
export function isStreamKind(kind: TargetKind): boolean {
  return kind !== 'datagrams' && kind !== 'file';
}

/** Whether its `write` is Node's, or one that a class of Node's stream has: those call back. */
function isNodes(target: object): boolean {
  return isA(Writable, target) || isA(Duplex, target) || isMessage(target);
}

/** Whether it may show a chunk to somebody after it has called back. */
function handsOn(target: object): boolean {
  if (isMessage(target) || isSocket(target) || isHttp2Stream(target)) return false;
  if ((target as StreamShape).writableObjectMode === true) return true;
  // Compressors and ciphers are done with what they have called back for. Nobody knows it of others.
  if (isA(Transform, target)) return !(isMadeBy(target, 'ZlibBase') || isMadeBy(target, 'LazyTransform'));
  return isA(Duplex, target);
}

/**
 * Whether it is a worker's standard stream, on either side. It posts its chunks to the other thread, where a view of
 * shared memory arrives as another view of it, and calls nobody back when that thread ends.
 */
export function isWorkerStream(target: object): boolean {
  return isMadeBy(target, 'WritableWorkerStdio');
}

/** Node's own modules are one for all realms, and so are the classes of its streams. */
function isA({ prototype }: { readonly prototype: object }, value: object): boolean {
  return Object.prototype.isPrototypeOf.call(prototype, value);
}
