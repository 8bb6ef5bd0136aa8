// What an API of the platform does with a view on a pool's memory: the names of the APIs, and the words for what was
// found.
//
// Types and one rule, no code of the platform. Any thread.

/** An API that bytes of a page may be given to. */
export type BorderApi =
  | 'TextDecoder.decode'
  | 'TextEncoder.encodeInto'
  | 'crypto.getRandomValues'
  | 'crypto.subtle.digest'
  | 'crypto.createHash'
  | 'zlib.gzipSync'
  | 'fs.write'
  | 'fs.read'
  | 'Blob'
  | 'fetch body'
  | 'structuredClone'
  | 'WebSocket.send'
  | 'RTCDataChannel.send'
  | 'CompressionStream'
  | 'ReadableStream.enqueue'
  | 'ReadableStreamBYOBReader.read'
  | 'VideoFrame'
  | 'VideoFrame.copyTo'
  | 'AudioData'
  | 'AudioData.copyTo'
  | 'EncodedVideoChunk'
  | 'EncodedVideoChunk.copyTo'
  | 'EncodedAudioChunk'
  | 'EncodedAudioChunk.copyTo'
  | 'ImageData'
  | 'AudioBuffer.copyToChannel'
  | 'AudioBuffer.copyFromChannel'
  | 'FileSystemSyncAccessHandle.write'
  | 'FileSystemSyncAccessHandle.read'
  | 'WebGL.bufferData'
  | 'WebGL.texImage2D';

/**
 * What was found:
 *
 * - `taken`: it has the right bytes when the call returns, whatever is written to the page afterwards;
 * - `later`: it has the right bytes if nobody writes to the page before the API is done with it;
 * - `refused`: it throws;
 * - `corrupted`: it goes on with wrong bytes and reports nothing;
 * - `absent`: this realm does not have it;
 * - `untried`: it cannot be tried without a peer, or without a right that was not given.
 */
export type Verdict = 'taken' | 'later' | 'refused' | 'corrupted' | 'absent' | 'untried';

/** APIs that report when they are done, by a callback or a promise. */
const COMPLETES: ReadonlySet<BorderApi> = new Set<BorderApi>(['crypto.subtle.digest', 'fs.write']);

/**
 * APIs with a queue: a chunk is read when those before it are done, and the promise of its write may be settled before
 * that (Node's is).
 */
const QUEUES: ReadonlySet<BorderApi> = new Set<BorderApi>(['CompressionStream']);

/**
 * What a probe's finding means: an API that goes on after its call may read at any time, however fast it was when it
 * was tried.
 */
export function verdictFrom(api: BorderApi, found: Verdict): Verdict {
  return found === 'taken' && (COMPLETES.has(api) || QUEUES.has(api)) ? 'later' : found;
}

/**
 * Whether one copy stands between a page and this API: where the view itself would be refused, or could become other
 * bytes.
 */
export function needsCopy(api: BorderApi, verdict: Verdict | undefined): boolean {
  return !(verdict === 'taken' || (verdict === 'later' && COMPLETES.has(api)));
}
