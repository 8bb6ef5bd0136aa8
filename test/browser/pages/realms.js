// Objects of another realm, a frame of the same origin: frames, sound, chunks, arrays, streams and signals are taken
// for what they are, and the pool is shared with it.

import { decodeText, digest, toUnshared } from '../pagepool/border.js';
import { PagePool } from '../pagepool/index.js';
import {
  chunkOf,
  copyChunk,
  copyFrame,
  copyImage,
  copySound,
  frameOf,
  readStreamInto,
  soundOf,
} from '../pagepool/web.js';
import { endPool } from './ending.js';

async function openRealm() {
  const element = document.createElement('iframe');
  element.src = '/inner.html';
  const loaded = new Promise((resolve) => {
    element.onload = resolve;
  });
  document.body.append(element);
  await loaded;
  return element;
}

function releasing(fragment, look) {
  const found = look(fragment);
  fragment.release();
  return found;
}

async function drain(source) {
  const bytes = [];
  for await (const fragment of source) {
    bytes.push(...fragment.bytes);
    fragment.release();
  }
  return bytes.length;
}

export async function realms() {
  const pool = await PagePool.create({ pageCount: 16, channels: { work: {} } });
  const element = await openRealm();
  const realm = element.contentWindow;
  const found = {};
  const calls = {
    frame: async () => {
      const init = { format: 'RGBA', codedWidth: 4, codedHeight: 4, timestamp: 7 };
      const frame = new realm.VideoFrame(new Uint8Array(64), init);
      const copying = copyFrame(pool, frame);
      frame.close();
      return releasing(await copying, (fragment) => frameOf(fragment).timestamp);
    },
    sound: () => {
      const init = { format: 'u8', sampleRate: 8000, numberOfChannels: 1, numberOfFrames: 4, timestamp: 0 };
      const sound = new realm.AudioData({ ...init, data: new Uint8Array(4) });
      const fragment = copySound(pool, sound);
      sound.close();
      return releasing(fragment, () => soundOf(fragment).frames);
    },
    chunk: () => {
      const chunk = new realm.EncodedVideoChunk({ type: 'key', timestamp: 0, data: new Uint8Array(4) });
      return releasing(copyChunk(pool, chunk), (fragment) => chunkOf(fragment).data.length);
    },
    canvas: async () => {
      const canvas = realm.document.createElement('canvas');
      canvas.width = canvas.height = 4;
      canvas.getContext('2d').fillRect(0, 0, 4, 4);
      return releasing(await copyImage(pool, canvas), (fragment) => frameOf(fragment).width);
    },
    text: () => decodeText(new realm.Uint8Array([65, 66])),
    digest: async () => (await digest(new realm.Uint8Array(3))).byteLength,
    copy: () => toUnshared(new realm.Uint8Array(3)).length,
    body: async () => drain(readStreamInto(pool, (await realm.fetch('/inner.html')).body)),
    stream: () => {
      const stream = new realm.ReadableStream({
        start(controller) {
          controller.enqueue(new realm.Uint8Array(3));
          controller.close();
        },
      });
      return drain(readStreamInto(pool, stream));
    },
    bytes: () => {
      const stream = new realm.ReadableStream({
        type: 'bytes',
        start(controller) {
          controller.enqueue(new realm.Uint8Array(5));
          controller.close();
        },
      });
      return drain(readStreamInto(pool, stream));
    },
    words: () => {
      const words = new realm.Uint32Array([pool.alloc(), 0, 8, 0]);
      const sent = pool.channel('work').sendBurst(words, 1);
      pool.channel('work').receive().release();
      return sent;
    },
    signal: async () => {
      const stop = new realm.AbortController();
      const waiting = pool.channel('work').next({ signal: stop.signal });
      stop.abort();
      return waiting.catch(({ name }) => name);
    },
    share: async () => {
      const script = realm.document.createElement('script');
      script.type = 'module';
      script.textContent = `
        import { PagePool } from '/pagepool/index.js';
        loaded((share) => {
          const pool = PagePool.attach(share);
          pool.take().release();
          pool.detach();
          return pool.mode;
        });`;
      const loaded = new Promise((resolve) => {
        realm.loaded = resolve;
      });
      realm.document.body.append(script);
      return (await loaded)(pool.share());
    },
  };
  for (const [name, call] of Object.entries(calls)) {
    try {
      found[name] = await call();
    } catch (error) {
      found[name] = String(error);
    }
  }
  element.remove();
  return { found, end: await endPool(pool) };
}
