// Frames of every format, from buffers, canvases and decoders, through pages: what each becomes, how it is turned, and
// that it may be closed when the call is back.

import { copyFrame, copyImage, drawFrame, frameOf, pagesFor, toVideoFrame } from '../pagepool/web.js';
import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';

const WIDTH = 8;
const HEIGHT = 6;

/** Bytes of a frame, whatever its format. */
const bytesPerPixel = { I420: 1.5, I420A: 2.5, I422: 2, I422A: 3, I444: 3, I444A: 4, NV12: 1.5 };
const deep = ['P10', 'P12'].flatMap((depth) =>
  ['I420', 'I420A', 'I422', 'I422A', 'I444', 'I444A'].map((kind) => [kind + depth, 2 * bytesPerPixel[kind]]),
);
const FORMATS = Object.entries({ ...bytesPerPixel, ...Object.fromEntries(deep), RGBA: 4, RGBX: 4, BGRA: 4, BGRX: 4 });
const CODECS = { VP8: 'vp8', VP9: 'vp09.00.10.08', AV1: 'av01.0.04M.08' };
/** What a browser may not encode, and that there is none. */
const RARE = { 'H.264': 'avc1.42001f', none: 'none' };

async function bytesOf(frame) {
  const bytes = new Uint8Array(frame.allocationSize());
  await frame.copyTo(bytes);
  return bytes;
}

const same = (one, other) => one.length === other.length && one.every((byte, i) => byte === other[i]);

/** Copies, closes at once, and makes a frame of it again; what became of its format. */
async function throughPage(pool, frame, options) {
  const { format } = frame;
  const whole = format === null || options !== undefined ? undefined : await bytesOf(frame);
  const copying = copyFrame(pool, frame, options);
  frame.close();
  const fragment = await copying;
  const view = frameOf(fragment);
  const made = toVideoFrame(fragment);
  const isKept =
    made.format === view.format &&
    (await bytesOf(made)).length === view.data.length &&
    (whole === undefined || (same(view.data, whole) && same(await bytesOf(made), whole)));
  made.close();
  fragment.release();
  return isKept ? view.format : `${view.format}, changed`;
}

/** What a frame becomes, by itself; it becomes RGBA on demand. */
async function fate(pool, makeFrame) {
  let frame;
  try {
    frame = await makeFrame();
  } catch {
    return 'not made';
  }
  const converted = frame.clone();
  const kept = await throughPage(pool, frame);
  const turned = await throughPage(pool, converted, { format: 'RGBA' });
  return turned === 'RGBA' ? kept : `${kept}, not as RGBA: ${turned}`;
}

/** A frame that a decoder of the codec made here. */
async function decoded(codec, size = [64, 48]) {
  const [width, height] = size;
  let [found, failure] = [];
  const fail = (error) => {
    failure = error;
  };
  const decoder = new VideoDecoder({
    output: (frame) => {
      found = frame;
    },
    error: fail,
  });
  const encoder = new VideoEncoder({
    output: (chunk, { decoderConfig }) => {
      decoder.configure(decoderConfig);
      decoder.decode(chunk);
    },
    error: fail,
  });
  encoder.configure({ codec, width, height });
  const gray = new Uint8Array(1.5 * width * height).fill(128);
  const frame = new VideoFrame(gray, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0 });
  encoder.encode(frame, { keyFrame: true });
  frame.close();
  await encoder.flush();
  await decoder.flush();
  encoder.close();
  decoder.close();
  if (found === undefined) throw failure;
  return found;
}

function canvasFrame(settings) {
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d', settings);
  context.fillStyle = '#f00';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  return new VideoFrame(canvas, { timestamp: 0 });
}

export async function formats() {
  const pool = await PagePool.create({ pageBytes: 16384, pageCount: 4 });
  const found = {};
  const init = { codedWidth: WIDTH, codedHeight: HEIGHT, timestamp: 0 };
  for (const [format, perPixel] of FORMATS) {
    const bytes = Uint8Array.from({ length: perPixel * WIDTH * HEIGHT }, (_, i) => (i * 31) & 255);
    if (/P1/.test(format)) for (let i = 1; i < bytes.length; i += 2) bytes[i] &= 3;
    const became = await fate(pool, () => new VideoFrame(bytes, { ...init, format }));
    found[format] = became === format ? 'kept' : became;
  }
  const canvases = { canvas: {}, 'opaque canvas': { alpha: false }, 'float16 canvas': { colorType: 'float16' } };
  for (const [name, settings] of Object.entries(canvases)) found[name] = await fate(pool, () => canvasFrame(settings));
  for (const [name, codec] of Object.entries(CODECS)) found[`${name} decoder`] = await fate(pool, () => decoded(codec));
  return { found, end: await endPool(pool) };
}

/** What a canvas of floats shows, in a page and on another canvas. */
export async function floats() {
  const pool = await PagePool.create({ pageCount: 4 });
  const canvas = new OffscreenCanvas(WIDTH, HEIGHT);
  const context = canvas.getContext('2d', { colorType: 'float16' });
  context.fillStyle = '#f00';
  context.fillRect(0, 0, WIDTH, HEIGHT);
  const fragment = await copyImage(pool, canvas);
  const { format, width, height } = frameOf(fragment);
  const target = new OffscreenCanvas(WIDTH, HEIGHT).getContext('2d');
  drawFrame(target, fragment);
  fragment.release();
  return { format, size: [width, height], shown: [...target.getImageData(3, 3, 1, 1).data], end: await endPool(pool) };
}

/** Pages that are asked for by decoder, and whether its frames fit. */
export async function pageSizes() {
  const [codedWidth, codedHeight] = [320, 180];
  const sizes = {};
  for (const [name, codec] of Object.entries({ ...CODECS, ...RARE })) {
    const pageBytes = await pagesFor({ codec, codedWidth, codedHeight });
    const frame = await decoded(codec, [codedWidth, codedHeight]).catch(() => undefined);
    if (frame === undefined) {
      sizes[name] = { pageBytes, isLeast: pageBytes === 262144 };
      continue;
    }
    const bytes = 128 + frame.allocationSize();
    const pool = await PagePool.create({ pageBytes, pageCount: 1 });
    const fragment = await copyFrame(pool, frame);
    frame.close();
    fragment.release();
    sizes[name] = { pageBytes, isLeast: bytes <= pageBytes && 2 * bytes > pageBytes };
    await pool.close();
  }
  const size = { codedWidth: 5, codedHeight: 3 };
  const named = {};
  for (const [format] of FORMATS) named[format] = await pagesFor({ ...size, codedWidth: 500, format });
  const codes = {};
  const wrong = {
    'no width': { codedHeight: 3 },
    'no format': { ...size, format: 'I42' },
    'no such codec': { ...size, codec: 'none' },
    'too large': { codedWidth: 8192, codedHeight: 8192 },
  };
  for (const [name, config] of Object.entries(wrong)) codes[name] = (await refusalOf(() => pagesFor(config))).code;
  return { sizes, named, unknown: await pagesFor(size), codes };
}

/** Each turn, mirrored and not, and pixels that are not square, whole and in part, through a page and back. */
export async function orientation() {
  const pool = await PagePool.create({ pageCount: 4 });
  const wrong = [];
  const hasTurns = 'rotation' in VideoFrame.prototype;
  const turns = hasTurns
    ? [0, 90, 180, 270].flatMap((rotation) => [false, true].map((flip) => [rotation, flip]))
    : [[0, false]];
  for (const [rotation, flip] of turns) {
    const isOnSide = rotation % 180 !== 0;
    const shape = { displayWidth: 2 * WIDTH, displayHeight: HEIGHT };
    const pixels = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (i % 4 === 3 ? 255 : (i * 5) & 255));
    const init = { format: 'RGBA', codedWidth: WIDTH, codedHeight: HEIGHT, timestamp: 0, rotation, flip, ...shape };
    const frame = new VideoFrame(pixels, init);
    for (const rect of [undefined, { x: 4, y: 2, width: 4, height: 2 }]) {
      const fragment = await copyFrame(pool, frame, rect === undefined ? {} : { rect });
      const view = frameOf(fragment);
      const made = toVideoFrame(fragment);
      const whole = rect ?? { width: WIDTH, height: HEIGHT };
      const expected = {
        rotation,
        flip,
        displayWidth: isOnSide ? whole.height : 2 * whole.width,
        displayHeight: isOnSide ? 2 * whole.width : whole.height,
      };
      const all = rect === undefined ? [frame, view, made] : [view, made];
      for (const each of all) {
        for (const [name, value] of Object.entries(expected)) {
          const isThere = hasTurns || !['rotation', 'flip'].includes(name) || each === view;
          if (isThere && each[name] !== value)
            wrong.push([rotation, flip, rect !== undefined, name, each[name], value]);
        }
      }
      if (
        rect === undefined &&
        !same(
          drawn((context) => drawFrame(context, fragment)),
          drawn((context) => context.drawImage(frame, 0, 0)),
        )
      )
        wrong.push([rotation, flip, 'drawn otherwise']);
      made.close();
      fragment.release();
    }
    frame.close();
  }
  return { hasTurns, wrong, end: await endPool(pool) };
}

function drawn(draw) {
  const context = new OffscreenCanvas(2 * WIDTH, 2 * WIDTH).getContext('2d');
  draw(context);
  return context.getImageData(0, 0, 2 * WIDTH, 2 * WIDTH).data;
}
