// A frame of the same origin: its objects are of another realm, and are taken where the platform takes them.

import { decodeText } from '../pagepool/border.js';
import { PagePool } from '../pagepool/index.js';
import { copyChunk, copyFrame, copyImage, copySound, frameOf, readStreamInto } from '../pagepool/web.js';
import { endPool } from './ending.js';

const pixels = { format: 'RGBA', codedWidth: 16, codedHeight: 8, timestamp: 0 };
const sound = { format: 'u8', sampleRate: 8000, numberOfChannels: 1, numberOfFrames: 4, timestamp: 0 };

async function readAll(pool, stream) {
  let bytes = 0;
  for await (const fragment of readStreamInto(pool, stream)) {
    bytes += fragment.length;
    fragment.release();
  }
  return bytes;
}

/** What is released, and what came with it. */
async function taken(made) {
  const fragment = await made;
  const { length } = fragment;
  fragment.release();
  return length > 0;
}

/** What each call does with an object of that window. */
async function calls(pool, window) {
  return {
    frame: async () => {
      const frame = new window.VideoFrame(new Uint8Array(512), pixels);
      const isTaken = await taken(copyFrame(pool, frame));
      frame.close();
      return [frame instanceof VideoFrame, isTaken];
    },
    sound: async () => {
      const data = new window.AudioData({ ...sound, data: new Uint8Array(4) });
      const isTaken = await taken(copySound(pool, data));
      data.close();
      return isTaken;
    },
    chunk: () =>
      taken(copyChunk(pool, new window.EncodedVideoChunk({ type: 'key', timestamp: 0, data: new Uint8Array(4) }))),
    canvas: async () => {
      const canvas = Object.assign(window.document.createElement('canvas'), { width: 4, height: 4 });
      canvas.getContext('2d').fillRect(0, 0, 4, 4);
      const fragment = await copyImage(pool, canvas);
      const { width, height } = frameOf(fragment);
      fragment.release();
      return [width, height];
    },
    text: () => decodeText(new window.Uint8Array([65, 66])),
    body: async () => readAll(pool, (await window.fetch('/body')).body),
    stream: () => {
      const start = (controller) => {
        controller.enqueue(new window.Uint8Array(3));
        controller.close();
      };
      return readAll(pool, new window.ReadableStream({ start }));
    },
    words: () => {
      const count = pool.channel('c').sendBurst(new window.Uint32Array([pool.alloc(), 0, 8, 0]), 1);
      pool.channel('c').receive().release();
      return count;
    },
    signal: async () => {
      const controller = new window.AbortController();
      const waiting = pool.channel('c').next({ signal: controller.signal });
      controller.abort();
      return waiting.catch(({ name }) => name);
    },
    share: async () => {
      const script = window.document.createElement('script');
      script.type = 'module';
      const entry = new URL('../pagepool/index.js', import.meta.url).href;
      script.textContent = `import { PagePool } from ${JSON.stringify(entry)};
        window.use = (share) => {
          const pool = PagePool.attach(share);
          pool.take().release();
          pool.detach();
          return [pool.mode, pool.engine];
        };
        window.ready();`;
      const isReady = new Promise((resolve) => {
        window.ready = resolve;
      });
      window.document.body.append(script);
      await isReady;
      return window.use(pool.share());
    },
  };
}

export async function realm() {
  const pool = await PagePool.create({ pageBytes: 65536, pageCount: 16, channels: { c: {} } });
  const frame = document.createElement('iframe');
  frame.src = new URL('realm.html', import.meta.url);
  const isLoaded = new Promise((resolve) => {
    frame.onload = resolve;
  });
  document.body.append(frame);
  await isLoaded;
  const found = {};
  for (const [name, call] of Object.entries(await calls(pool, frame.contentWindow))) {
    try {
      found[name] = await call();
    } catch (error) {
      found[name] = `threw ${error}`;
    }
  }
  frame.remove();
  return { found, end: await endPool(pool) };
}
