// What pages give to the web's APIs and take from them, in Chromium and Firefox: the border, pagepool/web and pagepool/worklet.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox } from '../support/browsers.js';
import { startEcho } from '../support/echo.js';
import { HOME, openStage, play, type Stage } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { ISOLATION } from '../support/serve.js';

const seed = chooseSeed('web');

const VIDEO = ['VideoFrame', 'VideoFrame.copyTo', 'EncodedVideoChunk', 'EncodedVideoChunk.copyTo'];
const AUDIO = ['AudioData', 'AudioData.copyTo', 'EncodedAudioChunk', 'EncodedAudioChunk.copyTo'];
const FILES = ['FileSystemSyncAccessHandle.write', 'FileSystemSyncAccessHandle.read'];
const WEBGL = ['WebGL.bufferData', 'WebGL.texImage2D'];
const CHANNELS = ['AudioBuffer.copyToChannel', 'AudioBuffer.copyFromChannel'];
const STREAMS = ['CompressionStream', 'ReadableStream.enqueue', 'ReadableStreamBYOBReader.read'];
const CRYPTO = ['crypto.getRandomValues', 'crypto.subtle.digest'];
const REFUSED = ['TextDecoder.decode', 'TextEncoder.encodeInto', ...CRYPTO, 'Blob', ...STREAMS, 'ImageData'];
const UNTRIED = ['WebSocket.send', 'RTCDataChannel.send'];

interface Verdicts {
  readonly [verdict: string]: unknown;
}

/** What was found, in any order. */
function sorted(found: Verdicts): object {
  return Object.fromEntries(
    Object.entries(found).map(([name, value]) => [name, Array.isArray(value) ? [...value].sort() : value]),
  );
}

describe.each([
  ['Chromium', launchChromium],
  ['Firefox', launchFirefox],
] as const)('%s', (name, launch) => {
  const isChromium = name === 'Chromium';
  let browser: Browser;
  let stage: Stage;
  let server: Awaited<ReturnType<typeof startEcho>>;
  beforeAll(async () => {
    server = await startEcho();
    browser = await launch();
    stage = await openStage(browser, ISOLATION);
  }, 90_000);
  afterAll(async () => {
    await stage?.close();
    await browser?.close();
    await server?.close();
  });

  describe('the border', () => {
    const right = { text: true, fatal: true, digest: true, copy: true, body: true, blob: true, clone: true };
    const rounds = Array(2).fill({ ...right, isRight: true });

    test('is where it was found, in the page and in a worker, and what is copied there arrives', async () => {
      const { page, worker, ...rest } = await stage.play<{ page: Verdicts; worker: { found: Verdicts } }>('border', {
        echoUrl: server.url,
      });
      expect(rest).toEqual({ mode: 'shared', rounds, isEchoed: true, end: HOME });
      const facts = { memory: 'wasm', reason: '', isIsolated: true, wasm: true, waitAsync: true, locks: true };
      const body = ['fetch body'];
      const taken = [...VIDEO, ...AUDIO, ...(isChromium ? [...WEBGL, ...body] : [])];
      const refused = [...REFUSED, ...(isChromium ? [] : body)];
      const common = { ...facts, runtime: 'browser', later: ['structuredClone'] };
      expect(sorted(page)).toMatchObject(
        sorted({ ...common, canBlock: false, taken, refused: [...refused, ...CHANNELS], untried: UNTRIED }),
      );
      expect(sorted(worker.found)).toMatchObject(
        sorted({ ...common, canBlock: true, taken: [...taken, ...FILES], refused }),
      );
      expect(worker).toMatchObject({ rounds });
    });

    test('is gone where pools are local, but for streams that would take the memory away', async () => {
      const { page, ...rest } = await play<{ page: Verdicts }>(browser, {}, 'border', {});
      expect(rest).toEqual({ mode: 'local', rounds, end: HOME });
      expect(page).toMatchObject({
        memory: 'local',
        reason: 'this page is not cross-origin isolated',
        isIsolated: false,
        corrupted: ['ReadableStream.enqueue', 'ReadableStreamBYOBReader.read'],
      });
      expect(page).not.toHaveProperty('refused');
    });
  });
});
