// Readable streams into pages: one copy, since a stream's chunks lie where their maker put them.

import type { Readable } from 'node:stream';
import { invalidArgument, is } from '../errors.js';
import { isBytes } from '../platform/buffers.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { Intake, prematureClose } from './intake.js';
import { type OnFragment, type ReadOptions, type ResolvedRead, requireOnFragment, resolveRead } from './options.js';

/**
 * Copies a stream of bytes into pages, each byte once: bodies of HTTP requests and responses, pipes, standard input,
 * TLS sockets. It pauses while the pool is empty, and is destroyed when the reading fails. Resolves with the number of
 * bytes when it has ended.
 *
 * @throws (rejects) the stream's error, ERR_STREAM_PREMATURE_CLOSE when it is closed before its end, what the user's
 *   function throws; PagePoolError POOL_ERR_MEMORY_LIMIT above `maxBytes`; POOL_ERR_INVALID_ARGUMENT for a stream of
 *   strings or objects
 */
export async function readStreamInto(
  pool: AttachedPool,
  stream: Readable,
  onFragment: OnFragment,
  options?: ReadOptions,
): Promise<number> {
  const call = 'readStreamInto';
  requireOnFragment(call, onFragment);
  return readStream(call, pool, stream, onFragment, resolveRead(call, pool, options));
}

/** The same, for the package's other calls. */
export function readStream(
  call: string,
  pool: AttachedPool,
  stream: Readable,
  onFragment: OnFragment,
  read: ResolvedRead,
): Promise<number> {
  requireBytes(call, stream);
  const intake: Intake = new Intake(call, pool, onFragment, read, true, {
    resume: () => stream.resume(),
    stop: () => {
      stop();
      leave(stream);
      intake.closed(); // chunks are copied: nobody writes to pages later
    },
  });
  const { delivery } = intake;
  const onData = (chunk: unknown): void => {
    if (!isBytes(chunk)) delivery.fail(notBytes(call, chunk));
    else if (!intake.put(chunk) && !delivery.isOver) stream.pause();
  };
  const onEnd = (): void => {
    stop();
    const cause = causeOf(stream);
    if (cause === undefined) intake.ended();
    else delivery.fail(cause);
  };
  const onClose = (): void => intake.closed(causeOf(stream));
  const onError = (error: Error): void => delivery.fail(error);
  const stop = (): void => {
    stream.off('data', onData).off('end', onEnd).off('close', onClose);
  };
  // Stays: an error after the end, or one that comes late, has a listener.
  stream.on('error', onError);
  if (stream.readableEnded) onEnd();
  else if (isOver(stream)) onClose();
  else {
    stream.on('data', onData).on('end', onEnd).on('close', onClose);
    stream.resume(); // a stream that was paused is not resumed by who listens
  }
  delivery.begin();
  return delivery.finished;
}

/** What streams of several kinds have of their end; each has some of it. */
interface EndState {
  /** HTTP: the other side, or this one, gave up. */
  readonly aborted?: unknown;
  /** HTTP/1: the whole message came. */
  readonly complete?: unknown;
  readonly errored?: unknown;
  readonly closed?: unknown;
  /** HTTP/2: with which code the stream was reset. */
  readonly rstCode?: unknown;
  /** HTTP/2: the stream of a request. */
  readonly stream?: { readonly rstCode?: unknown } | null;
}

/**
 * Why the stream has not come to its end, by all that Node's own `finished()` asks; undefined: nothing speaks against
 * it. HTTP/2 emits 'end' for a body that was cut off, and shows that beside it alone.
 */
function causeOf(stream: Readable): unknown {
  const { errored, aborted, complete, rstCode, stream: inner } = stream as EndState;
  if (errored !== undefined && errored !== null && typeof errored !== 'boolean') return errored;
  const code = rstCode ?? inner?.rstCode;
  if (typeof code === 'number' && code !== 0) return prematureClose(`rstCode=${code}`);
  if (aborted === true) return prematureClose('aborted=true');
  return complete === false ? prematureClose('complete=false') : undefined;
}

/** Whether nothing will come any more, and nobody will be notified again. */
function isOver(stream: Readable): boolean {
  const { closed, errored } = stream as EndState;
  return stream.destroyed || closed === true || (errored != null && !stream.readable);
}

/**
 * After a failure: the rest is for nobody. What has to be answered flows away, so that it can be (a 413), since the
 * answer has the same connection; everything else is destroyed.
 */
function leave(stream: Readable): void {
  if (isAnswerable(stream) && !stream.destroyed) stream.resume();
  else stream.destroy();
}

/** Whether it is a request that a server got, HTTP/1 or 2, or the stream of one. */
function isAnswerable(stream: Readable): boolean {
  const { method, url, respond } = stream as { method?: unknown; url?: unknown; respond?: unknown };
  return typeof respond === 'function' || (typeof method === 'string' && typeof url === 'string');
}

/** Throws unless it is a readable stream of bytes. */
function requireBytes(call: string, stream: Readable): void {
  if (!is(() => typeof stream?.on === 'function' && typeof stream.pause === 'function')) {
    throw invalidArgument(call, 'stream', stream, 'a Readable of node:stream');
  }
  if (stream.readableObjectMode === true) {
    throw invalidArgument(call, 'stream.readableObjectMode', true, 'a stream of bytes');
  }
  if (typeof stream.readableEncoding === 'string') {
    throw invalidArgument(call, 'stream.readableEncoding', stream.readableEncoding, 'none: bytes, not strings');
  }
}

function notBytes(call: string, chunk: unknown): Error {
  return invalidArgument(call, 'chunk', chunk, 'a Uint8Array', 'read a stream of bytes');
}
