// Pictures: canvases, images and bitmaps into pages, and frames in pages to canvases, bitmaps and WebGL.
//
// By way of VideoFrame, which takes pages and knows every format; WebGL takes the page itself where its pixels are
// RGBA.

import { copiesFor } from '../border/known.js';
import { type ByteSource, copyOf, windowsOf } from '../border/source.js';
import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import type { Fragment } from '../pool/fragment.js';
import { type PagePool, portOf } from '../pool/page-pool.js';
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
  pool: PagePool,
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

/**
 * Loads the frame in a page into the texture that is bound to TEXTURE_2D: the page itself where its pixels are RGBA
 * without a gap, else by a VideoFrame, which the platform converts. The fragment may be released.
 */
export function uploadTexture(gl: GlContext, fragment: Fragment, level = 0): void {
  requireContext('uploadTexture', gl);
  requireInteger('uploadTexture', 'level', level, 0, 32);
  const context = gl as unknown as WebGLRenderingContext;
  const { format, width, height, data, planes } = frameOf(fragment);
  const { TEXTURE_2D, RGBA, UNSIGNED_BYTE } = context;
  if (format === 'RGBA' && planes[0]?.stride === 4 * width) {
    const bytes = copiesFor('WebGL.texImage2D') ? data.slice() : data;
    context.texImage2D(TEXTURE_2D, level, RGBA, width, height, 0, RGBA, UNSIGNED_BYTE, bytes);
    return;
  }
  const frame = toVideoFrame(fragment) as VideoFrame;
  try {
    context.texImage2D(TEXTURE_2D, level, RGBA, RGBA, UNSIGNED_BYTE, frame);
  } finally {
    frame.close();
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
