// Pictures: canvases, images and bitmaps into pages, and frames in pages to canvases, bitmaps and WebGL.
//
// By way of VideoFrame, which takes pages and knows every format; WebGL takes the page itself where its pixels are
// RGBA.

import { copiesFor } from '../border/known.js';
import { type ByteSource, copyOf, windowsOf } from '../border/source.js';
import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import { copyFrame, type FrameCopyOptions, frameOf, toVideoFrame } from './media.js';
import type { BitmapOf, DrawingContext, GlContext } from './platform-types.js';

/**
 * Copies what a canvas, an image, a video element or an ImageBitmap shows into a page, as a frame; null when the pool
 * is empty.
 *
 * @param options as for `copyFrame`, and the frame's `timestamp` in microseconds, 0 if not given
 * @throws what `copyFrame` throws, and the platform for a source that it cannot read
 */
export async function copyImage(
  pool: AttachedPool,
  source: object,
  options?: FrameCopyOptions & { timestamp?: number | undefined },
): Promise<Fragment | null> {
  portOf('copyImage', pool);
  const names = ['rect', 'format', 'timestamp'];
  const given = requireRecord('copyImage', 'options', options ?? {}, names) as { timestamp?: number };
  const { timestamp = 0, ...copyOptions } = given;
  requireInteger('copyImage', 'timestamp', timestamp, Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER);
  if (typeof source !== 'object' || source === null) {
    throw invalidArgument('copyImage', 'source', source, 'a canvas, an image, a video or an ImageBitmap');
  }
  const frame = new VideoFrame(source as ImageBitmap, { timestamp });
  try {
    return await copyFrame(pool, frame, copyOptions);
  } finally {
    frame.close();
  }
}

/** An ImageBitmap of the frame in a page, which the caller closes; the fragment may be released when it is there. */
export async function toBitmap(fragment: Fragment): Promise<BitmapOf> {
  const frame = toVideoFrame(fragment) as VideoFrame;
  try {
    return await createImageBitmap(frame);
  } finally {
    frame.close();
  }
}

/** Draws the frame in a page on a canvas, in its display size if no other is given; the fragment may be released. */
export function drawFrame(
  context: DrawingContext,
  fragment: Fragment,
  x = 0,
  y = 0,
  width?: number,
  height?: number,
): void {
  if (typeof context?.drawImage !== 'function') {
    throw invalidArgument('drawFrame', 'context', context, 'a 2d context of a canvas');
  }
  const frame = toVideoFrame(fragment) as VideoFrame;
  try {
    context.drawImage(frame as never, x, y, width ?? frame.displayWidth, height ?? frame.displayHeight);
  } finally {
    frame.close();
  }
}

/** How a frame becomes a texture. */
export interface TextureOptions {
  /** Which level of its mipmaps, 0 if not given. */
  level?: number | undefined;
  /**
   * Where in storage that the texture has: nothing is allocated then. An immutable texture, of `texStorage2D`, takes
   * no frame without it.
   */
  at?: { readonly x: number; readonly y: number } | undefined;
  /** Whether the last row comes first. */
  flipY?: boolean | undefined;
  premultiplyAlpha?: boolean | undefined;
}

/**
 * Loads the frame in a page into the texture that is bound to TEXTURE_2D of the active unit: the page itself where its
 * pixels are RGBA without a gap, else by a VideoFrame, which the platform converts, and turns where it knows turned
 * frames. A texel is a pixel, also of a frame that is shown in another shape. How the context unpacks plays no part,
 * and stays as it was. The fragment may be released.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there is no frame in the page, or an option is wrong
 * @example
 * gl.texStorage2D(gl.TEXTURE_2D, 1, gl.RGBA8, width, height); // once
 * uploadTexture(gl, fragment, { at: { x: 0, y: 0 } }); // for each frame
 */
export function uploadTexture(gl: GlContext, fragment: Fragment, options?: TextureOptions): void {
  requireContext('uploadTexture', gl);
  const names = ['level', 'at', 'flipY', 'premultiplyAlpha'];
  const given = requireRecord('uploadTexture', 'options', options ?? {}, names) as TextureOptions;
  const { level = 0, at, flipY = false, premultiplyAlpha = false } = given;
  requireInteger('uploadTexture', 'level', level, 0, 32);
  const place = at === undefined ? undefined : requireRecord('uploadTexture', 'at', at, ['x', 'y']);
  const [x, y] = [place?.x ?? 0, place?.y ?? 0] as [number, number];
  requireInteger('uploadTexture', 'at.x', x, 0, MAX_TEXTURE);
  requireInteger('uploadTexture', 'at.y', y, 0, MAX_TEXTURE);
  const context = gl as unknown as WebGL2RenderingContext;
  const { TEXTURE_2D, RGBA, UNSIGNED_BYTE } = context;
  const { format, width, height, rotation, flip, data, planes } = frameOf(fragment);
  const isPlain = format === 'RGBA' && planes[0]?.stride === 4 * width && rotation === 0 && !flip;
  const unpacking = {
    UNPACK_FLIP_Y_WEBGL: flipY === true,
    UNPACK_PREMULTIPLY_ALPHA_WEBGL: premultiplyAlpha === true,
  };
  if (isPlain) {
    const bytes = copiesFor('WebGL.texImage2D') ? data.slice() : data;
    whileUnpacking(context, unpacking, () => {
      if (at === undefined) context.texImage2D(TEXTURE_2D, level, RGBA, width, height, 0, RGBA, UNSIGNED_BYTE, bytes);
      else context.texSubImage2D(TEXTURE_2D, level, x, y, width, height, RGBA, UNSIGNED_BYTE, bytes);
    });
    return;
  }
  const frame = toVideoFrame(fragment) as VideoFrame;
  try {
    whileUnpacking(context, unpacking, () => {
      if (at === undefined) context.texImage2D(TEXTURE_2D, level, RGBA, RGBA, UNSIGNED_BYTE, frame);
      else context.texSubImage2D(TEXTURE_2D, level, x, y, RGBA, UNSIGNED_BYTE, frame);
    });
  } finally {
    frame.close();
  }
}

/** No texture is as large. */
const MAX_TEXTURE = 0xffff;

/** How bytes are unpacked if nobody says otherwise; what WebGL 1 lacks is left out. */
const UNPACKING = {
  UNPACK_ALIGNMENT: 4,
  UNPACK_ROW_LENGTH: 0,
  UNPACK_IMAGE_HEIGHT: 0,
  UNPACK_SKIP_PIXELS: 0,
  UNPACK_SKIP_ROWS: 0,
  UNPACK_SKIP_IMAGES: 0,
} as const;

type Unpacking = Partial<Record<keyof WebGL2RenderingContext, number | boolean>>;

/**
 * Calls `load` while the context unpacks as said, from memory of this thread, and puts back what it found. A browser
 * keeps these values where it is asked for them: nothing waits for the device.
 */
function whileUnpacking(gl: WebGL2RenderingContext, wanted: Unpacking, load: () => void): void {
  const values: Unpacking = {
    ...UNPACKING,
    UNPACK_COLORSPACE_CONVERSION_WEBGL: gl.BROWSER_DEFAULT_WEBGL,
    ...wanted,
  };
  const names = (Object.keys(values) as (keyof WebGL2RenderingContext)[]).filter((name) => gl[name] !== undefined);
  const found = names.map((name) => gl.getParameter(gl[name] as number) as number | boolean);
  const { PIXEL_UNPACK_BUFFER } = gl;
  const bound = PIXEL_UNPACK_BUFFER === undefined ? null : gl.getParameter(gl.PIXEL_UNPACK_BUFFER_BINDING);
  const set = (name: keyof WebGL2RenderingContext, value: number | boolean): void =>
    gl.pixelStorei(gl[name] as number, value);
  for (const name of names) set(name, values[name] as number | boolean);
  if (bound !== null) gl.bindBuffer(PIXEL_UNPACK_BUFFER, null);
  try {
    load();
  } finally {
    names.forEach((name, i) => {
      set(name, found[i] as number | boolean);
    });
    if (bound !== null) gl.bindBuffer(PIXEL_UNPACK_BUFFER, bound);
  }
}

/** Loads bytes of pages into the buffer that is bound to `target`; the fragment may be released. */
export function uploadBuffer(gl: GlContext, target: number, source: ByteSource, usage: number): void {
  requireContext('uploadBuffer', gl);
  const windows = windowsOf('uploadBuffer', source);
  const [only] = windows;
  const isTaken = only !== undefined && windows.length === 1 && !copiesFor('WebGL.bufferData');
  gl.bufferData(target, (isTaken ? only : copyOf(windows)) as never, usage);
}

function requireContext(call: string, gl: GlContext): void {
  if (typeof gl?.bufferData !== 'function') throw invalidArgument(call, 'gl', gl, 'a WebGL context');
}
