// advice(): what to do about what capabilities() found, in sentences for people: the doctor prints them, and so may a
// page.

import { invalidArgument, REMEDIES, requireRecord } from '../errors.js';
import type { Capabilities } from './capabilities.js';
import type { BorderApi, Verdict } from './verdict.js';

/** The call of this package that stands between pages and an API; `sendable` for the others. */
const HELPERS: Partial<Record<BorderApi, string>> = {
  'TextDecoder.decode': 'decodeText',
  'crypto.subtle.digest': 'digest',
  'ReadableStreamBYOBReader.read': 'readStreamInto',
  VideoFrame: 'toVideoFrame',
  'VideoFrame.copyTo': 'copyFrame',
  AudioData: 'toAudioData',
  'AudioData.copyTo': 'copySound',
};

/** APIs that fill a view: nothing is sent to them. */
const FILLING: ReadonlySet<BorderApi> = new Set<BorderApi>([
  'TextEncoder.encodeInto',
  'crypto.getRandomValues',
  'fs.read',
  'EncodedVideoChunk.copyTo',
  'EncodedAudioChunk.copyTo',
  'AudioBuffer.copyFromChannel',
  'FileSystemSyncAccessHandle.read',
]);

/** What to do here, the most urgent first: a sentence each, none where all is well. */
export function advice(found: Capabilities): string[] {
  const { runtime, views } = requireRecord('advice', 'found', found) as Partial<Capabilities>;
  if (typeof runtime?.version !== 'string' || typeof views !== 'object' || views === null) {
    throw invalidArgument('advice', 'found', found, 'what capabilities() resolved with');
  }
  return [...adviceOnMemory(found), ...adviceOnRealm(found), ...adviceOnThreads(found), ...adviceOnViews(found)];
}

function adviceOnMemory({ memory, reason, isIsolated, runtime, wasm }: Capabilities): string[] {
  const sentences: string[] = [];
  if (memory === 'local' && isIsolated === false) {
    sentences.push(
      `Memory cannot be shared: ${reason}. Send "Cross-Origin-Opener-Policy: same-origin" and "Cross-Origin-Embedder-Policy: require-corp" with the page and its workers.`,
    );
  } else if (memory === 'local') {
    sentences.push(`Memory cannot be shared: ${reason}. Pools are local here; ${REMEDIES.POOL_ERR_NOT_SHARED}.`);
  }
  if (!wasm) {
    sentences.push(
      "Wasm does not compile, so pools take the TypeScript engine. Allow it: Content-Security-Policy: script-src 'self' 'wasm-unsafe-eval'.",
    );
  }
  const [major = 0, minor = 0] = runtime.version.split('.').map(Number);
  if (runtime.name === 'node' && (major < 20 || (major === 20 && minor < 19))) {
    sentences.push(`Node ${runtime.version} is not supported: use 20.19 or newer.`);
  }
  return sentences;
}

function adviceOnRealm({ isForeignRealm, sandbox }: Capabilities): string[] {
  const sentences: string[] = [];
  if (sandbox !== '') sentences.push(`This is a sandbox: ${sandbox} lifts that.`);
  if (isForeignRealm) {
    sentences.push(
      "The platform's objects are of another realm (jest, node:vm): their classes are not those of this realm. pagepool takes both.",
    );
  }
  return sentences;
}

function adviceOnThreads({ waitAsync, canBlock, locks, locksReason, runtime }: Capabilities): string[] {
  const sentences: string[] = [];
  if (!waitAsync) sentences.push('There is no Atomics.waitAsync: waits probe by a timer every 1 to 10 ms.');
  if (!canBlock) sentences.push('This thread may not block: use next() and takeAsync(), and waitSync() in workers.');
  if (!locks && runtime.name === 'browser') {
    sentences.push(
      `No Web Locks, ${locksReason}: pool.watch(worker) asks whether threads live, and does not hear of pages.`,
    );
  } else if (!locks) {
    const newer = runtime.name === 'node' ? ', or use Node 24 or newer' : '';
    sentences.push(
      `There are no Web Locks to show that threads died: call pool.watch(worker) for each worker${newer}.`,
    );
  }
  return sentences;
}

function adviceOnViews({ views }: Capabilities): string[] {
  const named = (...verdicts: Verdict[]): [BorderApi, string][] =>
    (Object.keys(views) as BorderApi[])
      .filter((api) => views[api].copies && verdicts.includes(views[api].verdict))
      .map((api) => [api, FILLING.has(api) ? 'fill a copy' : (HELPERS[api] ?? `sendable(fragment, '${api}')`)]);
  const list = (rows: [BorderApi, string][]): string => rows.map(([api, helper]) => `${api} (${helper})`).join(', ');
  const sentences: string[] = [];
  const wrong = named('corrupted');
  if (wrong.length > 0) sentences.push(`Wrong bytes without an error, never give these a view: ${list(wrong)}.`);
  const late = named('later');
  if (late.length > 0) sentences.push(`These see what the page holds later: ${list(late)}.`);
  const refused = named('refused', 'untried');
  if (refused.length > 0) sentences.push(`These refuse a view, or could not be tried: ${list(refused)}.`);
  return sentences;
}
