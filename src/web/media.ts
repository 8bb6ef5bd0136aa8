// WebCodecs: frames, sound and encoded chunks, copied into pages and made from pages.
//
// copyTo() writes into the page itself where the platform takes its view (it does in Chromium and Firefox), else
// through one copy. What is made from a page has its own bytes: the platform copies, and the fragment may be released.
// Who copies closes the frame, and may do so when the call is back: the platform's own copy begins within it.

import { copiesFor } from '../border/known.js';
import { invalidArgument, requireRecord } from '../errors.js';
import { isKind } from '../platform/buffers.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf } from '../pool/enrolled.js';
import type { Fragment } from '../pool/fragment.js';
import {
  type ColorSpace,
  fitsHeader,
  HEADER_BYTES,
  KIND_AUDIO_CHUNK,
  KIND_FRAME,
  KIND_SOUND,
  KIND_VIDEO_CHUNK,
  readHeader,
  writeHeader,
} from './header.js';
import type { AudioChunkOf, AudioDataOf, VideoChunkOf, VideoFrameOf } from './platform-types.js';
import { fillRoom, fillRoomLater, requireAttached, takeRoom } from './room.js';

/** What of a frame is copied, and as what. */
export interface FrameCopyOptions {
  /** The part of it, in pixels; what is visible if not given. */
  rect?: { x: number; y: number; width: number; height: number } | undefined;
  /**
   * A format of pixels to convert into, such as `'RGBA'`, where the platform can; the frame's own if not given, and
   * RGBA for a frame that has none to name.
   */
  format?: string | undefined;
}

/** What sound is copied as. */
export interface SoundCopyOptions {
  /** A sample format to convert into, such as `'f32-planar'`; the data's own if not given. */
  format?: string | undefined;
}

/** One plane of a frame or of sound. */
export interface Plane {
  readonly bytes: Uint8Array;
  /** Bytes from row to row of a frame; of one sample of sound. */
  readonly stride: number;
}

/** A frame in a page. The views are the fragment's: not to be used after its release. */
export interface FrameView {
  readonly format: string;
  readonly width: number;
  readonly height: number;
  readonly displayWidth: number;
  readonly displayHeight: number;
  /** How it is to be turned when it is shown: degrees clockwise, 0, 90, 180 or 270. */
  readonly rotation: number;
  /** Whether it is to be mirrored when it is shown, behind the turn. */
  readonly flip: boolean;
  /** Microseconds. */
  readonly timestamp: number;
  readonly duration: number | null;
  readonly colorSpace: ColorSpace | undefined;
  readonly planes: readonly Plane[];
  /** All planes together, with what lies between them. */
  readonly data: Uint8Array;
}

/** Sound in a page. */
export interface SoundView {
  readonly format: string;
  readonly sampleRate: number;
  readonly channels: number;
  readonly frames: number;
  /** Microseconds. */
  readonly timestamp: number;
  /** One a channel, or a single one where the samples are interleaved. */
  readonly planes: readonly Plane[];
  readonly data: Uint8Array;
}

/** An encoded chunk in a page. */
export interface ChunkView {
  readonly kind: 'video' | 'audio';
  readonly type: 'key' | 'delta';
  /** Microseconds. */
  readonly timestamp: number;
  readonly duration: number | null;
  readonly data: Uint8Array;
}

// The platform takes shared views here or it does not: by its declarations it never does.
const own = (view: Uint8Array): Uint8Array<ArrayBuffer> => view as Uint8Array<ArrayBuffer>;

/** How a frame is turned, where the browser tells. */
type Turned = { readonly rotation?: number; readonly flip?: boolean };

/**
 * Copies a frame into a page, its layout, orientation and times with it; null when the pool is empty. The frame stays
 * the caller's to close, also as soon as the call is back: the copy goes on. The page is the copy's until the promise
 * is settled, so await it before `detach`.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for a frame that is closed; RangeError with that code when it
 *   does not fit a page. What the platform throws; the page is back then
 */
export async function copyFrame(
  pool: AttachedPool,
  frame: VideoFrameOf,
  options?: FrameCopyOptions,
): Promise<Fragment | null> {
  portOf('copyFrame', pool);
  const given = requireRecord('copyFrame', 'options', options ?? {}, ['rect', 'format']) as FrameCopyOptions;
  const source = frame as VideoFrame & Turned;
  if (!isKind(source, 'VideoFrame')) {
    throw invalidArgument('copyFrame', 'frame', frame, 'a VideoFrame');
  }
  const { visibleRect: visible } = source;
  if (visible === null) {
    throw invalidArgument('copyFrame', 'frame', 'closed', 'a frame that is open', 'close it behind the call');
  }
  // Canvases of floats, and frames of some decoders, have no format to name; they can be converted.
  const named = given.format ?? (source.format === null ? 'RGBA' : undefined);
  const format = named ?? (source.format as string);
  const { rect = visible } = given;
  const copyOptions = (named === undefined ? given : { ...given, format }) as VideoFrameCopyToOptions;
  const bytes = source.allocationSize(copyOptions);
  const fragment = takeRoom('copyFrame', pool, HEADER_BYTES + bytes);
  if (fragment === null) return null;
  const { timestamp, duration, rotation = 0, flip = false } = source;
  const colorSpace = named === undefined ? source.colorSpace.toJSON() : undefined;
  const shown = shownSize(source, rect, visible);
  return fillRoomLater(fragment, async () => {
    const copies = copiesFor('VideoFrame.copyTo');
    const target = copies ? new Uint8Array(bytes) : own(fragment.bytes.subarray(HEADER_BYTES));
    // Nothing is awaited before this: the caller may close the frame.
    const layout = await source.copyTo(target, copyOptions);
    requireAttached('copyFrame', pool); // the page is somebody else's otherwise
    if (copies) fragment.bytes.set(target, HEADER_BYTES);
    if (!fitsHeader(format, layout.length)) {
      throw invalidArgument('copyFrame', 'format', format, 'at most 8 characters and 4 planes');
    }
    writeHeader(fragment, {
      kind: KIND_FRAME,
      timestamp,
      duration,
      format,
      width: rect.width,
      height: rect.height,
      ...shown,
      rotation,
      flip,
      ...(colorSpace === undefined ? {} : { colorSpace: colorSpace as ColorSpace }),
      layout,
    });
    return fragment;
  });
}

type Size = { readonly width: number; readonly height: number };

/** The size in which a part of the frame is shown: its pixels have the shape of the frame's, and turn with it. */
function shownSize(
  frame: VideoFrame & Turned,
  part: Size,
  whole: Size,
): Pick<FrameView, 'displayWidth' | 'displayHeight'> {
  const { displayWidth, displayHeight, rotation = 0 } = frame;
  const isOnSide = rotation % 180 !== 0;
  const [x, y] = isOnSide
    ? [part.height / whole.height, part.width / whole.width]
    : [part.width / whole.width, part.height / whole.height];
  const scaled = (size: number, share: number): number => Math.max(1, Math.round(size * share));
  return { displayWidth: scaled(displayWidth, x), displayHeight: scaled(displayHeight, y) };
}

/**
 * The frame in a page, as views of it: nothing is copied.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there is none in it
 */
export function frameOf(fragment: Fragment): FrameView {
  const { data, layout, ...header } = readHeader('frameOf', fragment, KIND_FRAME);
  const { kind, isKey, sampleRate, ...described } = header;
  const planes = layout.map(({ offset, stride }, i) => ({
    bytes: data.subarray(offset, layout[i + 1]?.offset ?? data.length),
    stride,
  }));
  return { ...described, planes, data };
}

/**
 * A VideoFrame of the frame in a page, which the caller closes, turned as the one it was copied from where the browser
 * keeps that. The platform copies the bytes: the fragment may be released.
 */
export function toVideoFrame(fragment: Fragment): VideoFrameOf {
  const { data, layout, ...header } = readHeader('toVideoFrame', fragment, KIND_FRAME);
  const { format, width, height, duration, colorSpace, kind, isKey, sampleRate, ...shown } = header;
  const init = {
    ...shown,
    format: format as VideoPixelFormat,
    codedWidth: width,
    codedHeight: height,
    layout: layout.map((plane) => ({ ...plane })),
    ...(duration === null ? {} : { duration }),
    ...(colorSpace === undefined ? {} : { colorSpace: colorSpace as VideoColorSpaceInit }),
  };
  const bytes = copiesFor('VideoFrame') ? data.slice() : own(data);
  const frame = new VideoFrame(bytes, init);
  const { displayWidth, displayHeight, rotation } = shown;
  // Chromium takes the size as it is before the turn, and tells it as it is behind it: width and height change places.
  if (rotation % 180 === 0 || frame.displayWidth === displayWidth) return frame;
  frame.close();
  return new VideoFrame(bytes, { ...init, displayWidth: displayHeight, displayHeight: displayWidth });
}

/**
 * Copies sound into a page, all its planes one after the other; null when the pool is empty. The data stay the caller's
 * to close.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for data of unknown format, or such as are closed; RangeError with
 *   that code when they do not fit a page. What the platform throws; the page is back then
 */
export function copySound(pool: AttachedPool, sound: AudioDataOf, options?: SoundCopyOptions): Fragment | null {
  portOf('copySound', pool);
  const given = requireRecord('copySound', 'options', options ?? {}, ['format']) as { format?: AudioSampleFormat };
  const source = sound as AudioData;
  if (!isKind(source, 'AudioData')) {
    throw invalidArgument('copySound', 'sound', sound, 'an AudioData');
  }
  const format = given.format ?? source.format;
  if (format === null)
    throw invalidArgument('copySound', 'sound.format', null, 'data that are open, of a known format');
  const planes = format.endsWith('-planar') ? source.numberOfChannels : 1;
  const plane = source.allocationSize({ planeIndex: 0, format });
  const fragment = takeRoom('copySound', pool, HEADER_BYTES + planes * plane);
  if (fragment === null) return null;
  return fillRoom(fragment, () => {
    const copies = copiesFor('AudioData.copyTo');
    for (let planeIndex = 0; planeIndex < planes; planeIndex++) {
      const at = HEADER_BYTES + planeIndex * plane;
      const target = copies ? new Uint8Array(plane) : own(fragment.bytes.subarray(at, at + plane));
      source.copyTo(target, { planeIndex, format });
      if (copies) fragment.bytes.set(target, at);
    }
    const { timestamp, sampleRate, numberOfChannels: width, numberOfFrames: height } = source;
    // 'f32-planar' is longer than the header's place: whether planes are apart has a letter of its own there.
    writeHeader(fragment, { kind: KIND_SOUND, timestamp, sampleRate, width, height, format: shortFormat(format) });
    return fragment;
  });
}

const PLANAR = '-planar';

function shortFormat(format: string): string {
  return format.endsWith(PLANAR) ? `${format.slice(0, -PLANAR.length)}-p` : format;
}

function longFormat(format: string): string {
  return format.endsWith('-p') ? `${format.slice(0, -2)}${PLANAR}` : format;
}

/**
 * The sound in a page, as views of it: nothing is copied.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there is none in it
 */
export function soundOf(fragment: Fragment): SoundView {
  return soundView('soundOf', fragment);
}

function soundView(call: string, fragment: Fragment): SoundView {
  const header = readHeader(call, fragment, KIND_SOUND);
  const { data, sampleRate, timestamp, width: channels, height: frames } = header;
  const format = longFormat(header.format);
  const count = format.endsWith(PLANAR) ? channels : 1;
  const size = data.length / Math.max(1, count);
  const planes = Array.from({ length: count }, (_, i) => ({
    bytes: data.subarray(i * size, (i + 1) * size),
    stride: size / Math.max(1, frames),
  }));
  return { format, sampleRate, channels, frames, timestamp, planes, data };
}

/** An AudioData of the sound in a page, which the caller closes. The platform copies: the fragment may be released. */
export function toAudioData(fragment: Fragment): AudioDataOf {
  const { format, sampleRate, channels, frames, timestamp, data } = soundView('toAudioData', fragment);
  return new AudioData({
    format: format as AudioSampleFormat,
    sampleRate,
    numberOfChannels: channels,
    numberOfFrames: frames,
    timestamp,
    data: copiesFor('AudioData') ? data.slice() : own(data),
  });
}

/**
 * Copies an encoded chunk into a page; null when the pool is empty.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when it is none; RangeError with that code when it does not fit a
 *   page
 */
export function copyChunk(pool: AttachedPool, chunk: VideoChunkOf | AudioChunkOf): Fragment | null {
  portOf('copyChunk', pool);
  const source = chunk as EncodedVideoChunk | EncodedAudioChunk;
  const isVideo = isKind(source, 'EncodedVideoChunk');
  if (!isVideo && !isKind(source, 'EncodedAudioChunk')) {
    throw invalidArgument('copyChunk', 'chunk', chunk, 'an EncodedVideoChunk or an EncodedAudioChunk');
  }
  const fragment = takeRoom('copyChunk', pool, HEADER_BYTES + source.byteLength);
  if (fragment === null) return null;
  return fillRoom(fragment, () => {
    const copies = copiesFor(isVideo ? 'EncodedVideoChunk.copyTo' : 'EncodedAudioChunk.copyTo');
    const target = copies ? new Uint8Array(source.byteLength) : own(fragment.bytes.subarray(HEADER_BYTES));
    source.copyTo(target);
    if (copies) fragment.bytes.set(target, HEADER_BYTES);
    const { timestamp, duration, type } = source;
    const kind = isVideo ? KIND_VIDEO_CHUNK : KIND_AUDIO_CHUNK;
    writeHeader(fragment, { kind, timestamp, duration, isKey: type === 'key' });
    return fragment;
  });
}

/**
 * The encoded chunk in a page: nothing is copied.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when there is none in it
 */
export function chunkOf(fragment: Fragment): ChunkView {
  return chunkView('chunkOf', fragment);
}

function chunkView(call: string, fragment: Fragment): ChunkView {
  const { kind, isKey, timestamp, duration, data } = readHeader(call, fragment, KIND_VIDEO_CHUNK, KIND_AUDIO_CHUNK);
  const type = isKey ? 'key' : 'delta';
  return { kind: kind === KIND_VIDEO_CHUNK ? 'video' : 'audio', type, timestamp, duration, data };
}

/** The chunk in a page as the decoder of its kind takes it. The platform copies: the fragment may be released. */
export function toChunk(fragment: Fragment): VideoChunkOf | AudioChunkOf {
  const { kind, type, timestamp, duration, data } = chunkView('toChunk', fragment);
  const isVideo = kind === 'video';
  const copies = copiesFor(isVideo ? 'EncodedVideoChunk' : 'EncodedAudioChunk');
  const init = {
    type,
    timestamp,
    data: copies ? data.slice() : own(data),
    ...(duration === null ? {} : { duration }),
  };
  return isVideo ? new EncodedVideoChunk(init) : new EncodedAudioChunk(init);
}
