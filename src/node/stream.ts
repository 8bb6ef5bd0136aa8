// Readable streams into pages: one copy, since a stream's chunks lie where their maker put them.

import type { Readable } from 'node:stream';
import { invalidArgument } from '../errors.js';
import { isBytes } from '../platform/buffers.js';
import type { PagePool } from '../pool/page-pool.js';
import { Intake } from './intake.js';
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
  pool: PagePool,
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
  pool: PagePool,
  stream: Readable,
  onFragment: OnFragment,
  read: ResolvedRead,
): Promise<number> {
  requireBytes(call, stream);
  const intake: Intake = new Intake(call, pool, onFragment, read, true, {
    resume: () => stream.resume(),
    stop: () => {
      stop();
      stream.destroy();
      intake.closed(); // chunks are copied: nobody writes to pages later
    },
  });
  const { delivery } = intake;
  const onData = (chunk: unknown): void => {
    if (!isBytes(chunk)) delivery.fail(notBytes(call, chunk));
    else if (!intake.put(chunk)) stream.pause();
  };
  const onEnd = (): void => {
    stop();
    intake.ended();
  };
  const onClose = (): void => intake.closed();
  const onError = (error: Error): void => delivery.fail(error);
  const stop = (): void => {
    stream.off('data', onData).off('end', onEnd).off('close', onClose);
  };
  // Stays: an error after the end, or one that comes late, has a listener.
  stream.on('error', onError);
  if (stream.readableEnded) intake.ended();
  else if (stream.destroyed) intake.closed();
  else stream.on('data', onData).on('end', onEnd).on('close', onClose);
  delivery.begin();
  return delivery.finished;
}

/** Throws unless it is a readable stream of bytes. */
function requireBytes(call: string, stream: Readable): void {
  if (typeof (stream as Partial<Readable> | null)?.on !== 'function' || typeof stream.pause !== 'function') {
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
