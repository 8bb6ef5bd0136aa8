// WebCodecs and pages: what is copied into a page, sent to a worker, looked at there and made into frames again, byte
// by byte.

import { capabilities } from '../pagepool/border.js';
import {
  chunkOf,
  copyChunk,
  copyFrame,
  copySound,
  frameOf,
  soundOf,
  toAudioData,
  toChunk,
  toVideoFrame,
} from '../pagepool/web.js';
import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';
import { ask, startWorker } from './threads.js';

const same = (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]);
const pattern = (length, seed) => Uint8Array.from({ length }, (_, i) => (i * 31 + seed * 17) & 255);

/** Bytes of a frame: all planes, without gaps. */
async function bytesOfFrame(frame) {
  const bytes = new Uint8Array(frame.allocationSize());
  await frame.copyTo(bytes);
  return bytes;
}

function bytesOfSound(sound) {
  const planes = sound.format.endsWith('-planar') ? sound.numberOfChannels : 1;
  return Array.from({ length: planes }, (_, planeIndex) => {
    const bytes = new Uint8Array(sound.allocationSize({ planeIndex }));
    sound.copyTo(bytes, { planeIndex });
    return [...bytes];
  }).flat();
}

/** Each kind of frame, through a page and a channel to the worker and back, against what went in. */
async function frames(pool, worker) {
  const results = {};
  const kinds = [
    ['RGBA', 4 * 8 * 6, 1],
    ['I420', 8 * 6 + 2 * (4 * 3), 3],
    ['NV12', 8 * 6 + 8 * 3, 2],
  ];
  for (const [format, length, planes] of kinds) {
    const bytes = pattern(length, planes);
    const init = { format, codedWidth: 8, codedHeight: 6, timestamp: 123456789012, duration: 40000 };
    const colorSpace = { primaries: 'bt709', transfer: 'bt709', matrix: 'bt709', fullRange: false };
    const frame = new VideoFrame(bytes, { ...init, colorSpace, displayWidth: 16, displayHeight: 12 });
    const fragment = await copyFrame(pool, frame);
    const view = frameOf(fragment);
    const whole = await bytesOfFrame(frame);
    const isInPage = same(view.data, whole);
    const answer = ask(worker, {});
    if (!pool.channel('there').sendFragment(fragment)) throw new Error('full');
    const { sum, planes: found } = await answer;
    const back = pool.channel('back').receive();
    const made = toVideoFrame(back);
    back.release();
    const { codedWidth, codedHeight, displayWidth, timestamp, duration } = made;
    results[format] = {
      planes: view.planes.length === planes && found === planes,
      isSame:
        isInPage &&
        same(
          await bytesOfFrame(made),
          whole.map((byte) => byte ^ 255),
        ),
      isSummed: sum === whole.reduce((total, byte) => total + byte, 0),
      isDescribed:
        made.format === format &&
        codedWidth === 8 &&
        codedHeight === 6 &&
        displayWidth === 16 &&
        timestamp === 123456789012 &&
        duration === 40000,
      color:
        made.colorSpace.matrix === frame.colorSpace.matrix && made.colorSpace.fullRange === frame.colorSpace.fullRange,
    };
    made.close();
    frame.close();
  }
  return results;
}

function sounds(pool) {
  const results = {};
  for (const [format, bytes] of [
    ['f32-planar', 4],
    ['s16', 2],
    ['u8-planar', 1],
  ]) {
    const [numberOfChannels, numberOfFrames] = [2, 480];
    const data = new Uint8Array(numberOfChannels * numberOfFrames * bytes);
    const samples = { f32: Float32Array, s16: Int16Array, u8: Uint8Array }[format.split('-')[0]];
    const views = new samples(data.buffer);
    for (let i = 0; i < views.length; i++) views[i] = i % 100;
    const init = { format, sampleRate: 44100, numberOfFrames, numberOfChannels, timestamp: -5 };
    const sound = new AudioData({ ...init, data });
    const fragment = copySound(pool, sound);
    const { planes, sampleRate, channels, frames, timestamp, format: found, data: inPage } = soundOf(fragment);
    const made = toAudioData(fragment);
    results[format] =
      planes.length === (format.endsWith('planar') ? 2 : 1) &&
      sampleRate === 44100 &&
      channels === 2 &&
      frames === 480 &&
      timestamp === -5 &&
      found === format &&
      same(inPage, data) &&
      same(
        planes.flatMap(({ bytes: plane }) => [...plane]),
        data,
      ) &&
      made.format === format &&
      same(bytesOfSound(made), [...data]);
    fragment.release();
    made.close();
    sound.close();
  }
  return results;
}

function chunks(pool) {
  const results = {};
  for (const [name, of] of Object.entries({ video: EncodedVideoChunk, audio: EncodedAudioChunk })) {
    const data = pattern(1000, 3);
    const chunk = new of({ type: 'key', timestamp: 7000, duration: 20, data });
    const fragment = copyChunk(pool, chunk);
    const { kind, type, timestamp, duration, data: inPage } = chunkOf(fragment);
    const made = toChunk(fragment);
    const copy = new Uint8Array(made.byteLength);
    made.copyTo(copy);
    results[name] =
      kind === name &&
      [type, timestamp, duration].join() === 'key,7000,20' &&
      same(inPage, data) &&
      made instanceof of &&
      made.type === 'key' &&
      same(copy, data);
    fragment.release();
  }
  return results;
}

/** A part of a frame, and copies in other formats. */
async function changed(pool) {
  const bytes = pattern(4 * 8 * 6, 1);
  for (let i = 3; i < bytes.length; i += 4) bytes[i] = 255;
  const frame = new VideoFrame(bytes, { format: 'RGBA', codedWidth: 8, codedHeight: 6, timestamp: 0 });
  const cut = await copyFrame(pool, frame, { rect: { x: 2, y: 4, width: 4, height: 2 } });
  const { width, height, displayWidth, displayHeight, data, duration } = frameOf(cut);
  const rows = [4, 5].flatMap((y) => [...bytes.subarray(4 * (8 * y + 2), 4 * (8 * y + 6))]);
  const part = { size: [width, height], shown: [displayWidth, displayHeight], isSame: same(data, rows), duration };
  cut.release();
  frame.close();
  const gray = new VideoFrame(new Uint8Array(24).fill(128), {
    format: 'I420',
    codedWidth: 4,
    codedHeight: 4,
    timestamp: 0,
  });
  const turned = await copyFrame(pool, gray, { format: 'RGBA' });
  const rgba = frameOf(turned);
  const isGray =
    rgba.data.length === 64 && rgba.data.every((byte, i) => (i % 4 === 3 ? byte === 255 : Math.abs(byte - 130) < 8));
  const converted = { format: rgba.format, color: rgba.colorSpace, isGray };
  turned.release();
  gray.close();
  const samples = Float32Array.from({ length: 64 }, (_, i) => (i - 32) / 64);
  const init = { format: 'f32-planar', sampleRate: 44100, numberOfFrames: 64, numberOfChannels: 1, timestamp: 0 };
  const heard = new AudioData({ ...init, data: samples });
  const fragment = copySound(pool, heard, { format: 's16' });
  const { format, data: short } = soundOf(fragment);
  const found = new Int16Array(short.buffer, short.byteOffset, short.length / 2);
  const isSame = found.length === 64 && found.every((value, i) => Math.abs(value - 512 * (i - 32)) <= 1);
  fragment.release();
  heard.close();
  return { part, converted, sound: { format, isSame } };
}

/** The thread leaves its pool while a frame is on its way into a page. */
async function leave() {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 4 });
  const init = { format: 'RGBA', codedWidth: 4, codedHeight: 4, timestamp: 0 };
  const frame = new VideoFrame(new Uint8Array(64), init);
  const { copyTo } = frame;
  let left = false;
  // Behind the platform's own copy.
  frame.copyTo = async (...args) => {
    const layout = await copyTo.apply(frame, args);
    pool.detach({ release: true });
    left = true;
    return layout;
  };
  const copying = refusalOf(() => copyFrame(pool, frame));
  const { code } = await copying;
  frame.close();
  return left ? code : 'never left';
}

/** What is refused, and what an empty pool says; all pages are home afterwards. */
async function refusals(pool) {
  const frame = (width, height) =>
    new VideoFrame(new Uint8Array(4 * width * height), {
      format: 'RGBA',
      codedWidth: width,
      codedHeight: height,
      timestamp: 0,
    });
  const closed = frame(4, 4);
  closed.close();
  const large = frame(200, 200);
  const small = frame(4, 4);
  const other = pool.take(256);
  other.bytes.fill(0xff);
  const codes = {};
  const calls = {
    'a closed frame': () => copyFrame(pool, closed),
    'no frame': () => copyFrame(pool, {}),
    'too large': () => copyFrame(pool, large),
    'a part outside': () => copyFrame(pool, small, { rect: { x: 0, y: 0, width: 40, height: 4 } }),
    'a wrong option': () => copyFrame(pool, small, { size: 1 }),
    'no pool': () => copyFrame({}, small),
    'no sound': () => copySound(pool, small),
    'no chunk': () => copyChunk(pool, small),
    'other bytes': () => frameOf(other),
    'other bytes as sound': () => toAudioData(other),
    'no fragment': () => frameOf({ bytes: other.bytes }),
  };
  for (const [name, call] of Object.entries(calls)) {
    codes[name] = await refusalOf(call).then(({ code }) => code);
  }
  other.release();
  const all = [];
  for (let page = pool.take(); page !== null; page = pool.take()) all.push(page);
  const empty = [
    await copyFrame(pool, small),
    copyChunk(pool, new EncodedVideoChunk({ type: 'key', timestamp: 0, data: new Uint8Array(9) })),
  ];
  for (const page of all) page.release();
  for (const one of [large, small]) one.close();
  return { codes, empty };
}

export async function media({ isKnown }) {
  if (isKnown) await capabilities();
  const channels = { there: {}, back: {} };
  const pool = await PagePool.create({ pageBytes: 16384, pageCount: 16, channels });
  const worker = startWorker('media-worker.js');
  await ask(worker, { share: pool.share() });
  const results = {
    frames: await frames(pool, worker),
    sounds: sounds(pool),
    chunks: chunks(pool),
    ...(await changed(pool)),
    left: await leave(),
    ...(await refusals(pool)),
  };
  await ask(worker, { isOver: true });
  worker.terminate();
  return { ...results, end: await endPool(pool) };
}
