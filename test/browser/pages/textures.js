// Frames as textures of contexts that unpack in every unusual way: the pixels are right, and the context is as before.

import { copyFrame, uploadTexture } from '../pagepool/web.js';
import { PagePool } from './both.js';
import { endPool, refusalOf } from './ending.js';

// Rows of 12 bytes: an alignment of 8 would read past them.
const [WIDTH, HEIGHT] = [3, 2];
const PIXELS = Uint8Array.from({ length: 4 * WIDTH * HEIGHT }, (_, i) => (i % 4 === 3 ? 128 : 40 + 6 * i));
const flipped = Uint8Array.from(PIXELS, (_, i) => PIXELS[(i + 4 * WIDTH) % PIXELS.length]);
const premultiplied = PIXELS.map((byte, i) => (i % 4 === 3 ? byte : Math.round((byte * 128) / 255)));

const UNUSUAL = {
  UNPACK_ALIGNMENT: 8,
  UNPACK_FLIP_Y_WEBGL: true,
  UNPACK_PREMULTIPLY_ALPHA_WEBGL: true,
  UNPACK_COLORSPACE_CONVERSION_WEBGL: 0,
  UNPACK_ROW_LENGTH: 16,
  UNPACK_IMAGE_HEIGHT: 16,
  UNPACK_SKIP_PIXELS: 2,
  UNPACK_SKIP_ROWS: 1,
  UNPACK_SKIP_IMAGES: 0,
};

/** Everything that an upload could leave otherwise. */
function stateOf(gl) {
  const names = [...Object.keys(UNUSUAL), 'TEXTURE_BINDING_2D', 'ACTIVE_TEXTURE', 'PIXEL_UNPACK_BUFFER_BINDING'];
  return names.filter((name) => gl[name] !== undefined).map((name) => [name, gl.getParameter(gl[name])]);
}

function isAsBefore(before, after) {
  return before.length === after.length && before.every(([, value], i) => value === after[i][1]);
}

/** The texture's pixels, straight. */
function pixelsOf(gl, texture, width = WIDTH, height = HEIGHT) {
  const framebuffer = gl.createFramebuffer();
  gl.bindFramebuffer(gl.FRAMEBUFFER, framebuffer);
  gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
  const bytes = new Uint8Array(4 * width * height);
  gl.readPixels(0, 0, width, height, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
  gl.bindFramebuffer(gl.FRAMEBUFFER, null);
  gl.deleteFramebuffer(framebuffer);
  return bytes;
}

const near = (one, other) => one.length === other.length && one.every((byte, i) => Math.abs(byte - other[i]) <= 2);

async function inContext(pool, kind) {
  const gl = new OffscreenCanvas(4, 4).getContext(kind);
  if (gl === null) return null;
  for (const [name, value] of Object.entries(UNUSUAL)) if (gl[name] !== undefined) gl.pixelStorei(gl[name], value);
  if (gl.PIXEL_UNPACK_BUFFER !== undefined) {
    gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, gl.createBuffer());
    gl.bufferData(gl.PIXEL_UNPACK_BUFFER, 1024, gl.STATIC_DRAW);
  }
  const wrong = [];
  const bgra = PIXELS.map((_, i) => PIXELS[i % 4 === 0 ? i + 2 : i % 4 === 2 ? i - 2 : i]);
  const init = { codedWidth: WIDTH, codedHeight: HEIGHT, timestamp: 0, colorSpace: { matrix: 'rgb', fullRange: true } };
  for (const [format, bytes] of Object.entries({ RGBA: PIXELS, BGRA: bgra })) {
    const frame = new VideoFrame(bytes, { ...init, format });
    let fragment = await copyFrame(pool, frame);
    frame.close();
    const upload = (name, expected, options, prepare = () => {}, read = pixelsOf) => {
      gl.activeTexture(gl.TEXTURE3);
      const texture = gl.createTexture();
      gl.bindTexture(gl.TEXTURE_2D, texture);
      prepare();
      const before = stateOf(gl);
      uploadTexture(gl, fragment, options);
      const error = gl.getError();
      if (error !== 0) wrong.push([format, name, `error ${error}`]);
      if (!isAsBefore(before, stateOf(gl))) wrong.push([format, name, 'state', String(stateOf(gl))]);
      const found = read(gl, texture);
      if (!near(found, expected)) wrong.push([format, name, String(found), String(expected)]);
      gl.deleteTexture(texture);
    };
    const level = (width, height) => () => {
      const buffer = gl.PIXEL_UNPACK_BUFFER === undefined ? null : gl.getParameter(gl.PIXEL_UNPACK_BUFFER_BINDING);
      if (buffer !== null) gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, null);
      gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, width, height, 0, gl.RGBA, gl.UNSIGNED_BYTE, null);
      if (buffer !== null) gl.bindBuffer(gl.PIXEL_UNPACK_BUFFER, buffer);
    };
    upload('a new texture', PIXELS);
    upload('upside down', flipped, { flipY: true });
    upload('premultiplied', premultiplied, { premultiplyAlpha: true });
    upload('an existing texture', PIXELS, { at: { x: 0, y: 0 } }, level(WIDTH, HEIGHT));
    const inside = new Uint8Array(4 * 5 * 4);
    for (let y = 0; y < HEIGHT; y++)
      inside.set(PIXELS.subarray(4 * WIDTH * y, 4 * WIDTH * (y + 1)), 4 * (5 * (y + 1) + 2));
    upload('a part of a texture', inside, { at: { x: 2, y: 1 } }, level(5, 4), (...of) => pixelsOf(...of, 5, 4));
    if (kind === 'webgl2') {
      const storage = () => gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, WIDTH, HEIGHT);
      upload('an immutable texture', PIXELS, { at: { x: 0, y: 0 } }, storage);
    }
    fragment.release();
    // A texel is a pixel, whatever shape the frame is shown in.
    const stretched = new VideoFrame(bytes, { ...init, format, displayWidth: 2 * WIDTH, displayHeight: HEIGHT });
    fragment = await copyFrame(pool, stretched);
    stretched.close();
    upload('a stretched frame', PIXELS);
    fragment.release();
  }
  gl.getExtension('WEBGL_lose_context')?.loseContext();
  return wrong;
}

export async function unpacking() {
  const pool = await PagePool.create({ pageCount: 4 });
  const found = { webgl: await inContext(pool, 'webgl'), webgl2: await inContext(pool, 'webgl2') };
  const gl = new OffscreenCanvas(4, 4).getContext('webgl');
  const frame = new VideoFrame(PIXELS, { format: 'RGBA', codedWidth: WIDTH, codedHeight: HEIGHT, timestamp: 0 });
  const fragment = await copyFrame(pool, frame);
  frame.close();
  const codes = [];
  for (const options of [1, { level: -1 }, { at: 3 }, { at: { x: 0.5, y: 0 } }, { flip: true }]) {
    const context = gl ?? { bufferData() {} };
    codes.push((await refusalOf(() => uploadTexture(context, fragment, options))).code);
  }
  fragment.release();
  return { found, codes, end: await endPool(pool) };
}
