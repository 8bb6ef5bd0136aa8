// The header of media in a page: what it is, its time, its size and where its planes lie, in 128 bytes in front of the
// bytes themselves.
//
// So a fragment carries what describes it, in whichever thread it arrives. Written once by who copied, read by any
// thread: the channel or the token publishes it. A header that does not fit its fragment is refused: somebody else
// wrote there.
//
//   0 magic      4 kind, flags, planes, turns  8 timestamp f64     16 duration f64
//  24 bytes     28 width | channels   32 height | frames   36 display width   40 display height   44 sample rate f32
//  48 format, 8 characters   56 color: primaries, transfer, matrix, range   60 -   64 planes: offset, stride, 4 of them

import { invalidArgument } from '../errors.js';
import { type Fragment, portOfFragment } from '../pool/fragment.js';

/** Bytes in front of the media: its own start is aligned for every type. */
export const HEADER_BYTES = 128;
export const KIND_FRAME = 1;
export const KIND_SOUND = 2;
export const KIND_VIDEO_CHUNK = 3;
export const KIND_AUDIO_CHUNK = 4;
export const MAX_PLANES = 4;

const MAGIC = 0x4d475050;
const FORMAT_CHARACTERS = 8;
const FLAG_KEY = 1;
const FLAG_DURATION = 2;
/** Of the byte of turns: quarter turns in the low bits, and whether the frame is mirrored behind them. */
const TURNS = 3;
const FLAG_FLIP = 4;
const KIND_NAMES = ['', 'a VideoFrame', 'an AudioData', 'an encoded video chunk', 'an encoded audio chunk'];

const PRIMARIES = ['bt709', 'bt470bg', 'smpte170m', 'bt2020', 'smpte432'];
const TRANSFERS = ['bt709', 'smpte170m', 'iec61966-2-1', 'linear', 'pq', 'hlg'];
const MATRICES = ['rgb', 'bt709', 'bt470bg', 'smpte170m', 'bt2020-ncl'];

/** Color space of a frame, as WebCodecs names it; null: unknown. */
export interface ColorSpace {
  readonly primaries: string | null;
  readonly transfer: string | null;
  readonly matrix: string | null;
  readonly fullRange: boolean | null;
}

/** What a header has. */
export interface Header {
  readonly kind: number;
  readonly isKey: boolean;
  /** Microseconds. */
  readonly timestamp: number;
  readonly duration: number | null;
  readonly format: string;
  /** Of a frame; channels of sound. */
  readonly width: number;
  /** Of a frame; frames of sound. */
  readonly height: number;
  readonly displayWidth: number;
  readonly displayHeight: number;
  /** Degrees clockwise: 0, 90, 180 or 270. */
  readonly rotation: number;
  readonly flip: boolean;
  readonly sampleRate: number;
  readonly colorSpace: ColorSpace | undefined;
  readonly layout: readonly { readonly offset: number; readonly stride: number }[];
  /** The media without its header. */
  readonly data: Uint8Array;
}

type Given = Pick<Header, 'kind' | 'timestamp'> & Partial<Omit<Header, 'kind' | 'timestamp' | 'data'>>;

function viewOf({ buffer, byteOffset }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, HEADER_BYTES);
}

/** Writes the header of media that fill the rest of the fragment. */
export function writeHeader({ bytes }: Fragment, given: Given): void {
  const view = viewOf(bytes);
  const { format = '', layout = [], colorSpace, duration = null } = given;
  bytes.fill(0, 0, HEADER_BYTES);
  view.setUint32(0, MAGIC, true);
  view.setUint8(4, given.kind);
  view.setUint8(5, (given.isKey === true ? FLAG_KEY : 0) | (duration === null ? 0 : FLAG_DURATION));
  view.setUint8(6, layout.length);
  view.setUint8(7, (given.rotation ?? 0) / 90 + (given.flip === true ? FLAG_FLIP : 0));
  view.setFloat64(8, given.timestamp, true);
  view.setFloat64(16, duration ?? 0, true);
  view.setUint32(24, bytes.length - HEADER_BYTES, true);
  view.setUint32(28, given.width ?? 0, true);
  view.setUint32(32, given.height ?? 0, true);
  view.setUint32(36, given.displayWidth ?? 0, true);
  view.setUint32(40, given.displayHeight ?? 0, true);
  view.setFloat32(44, given.sampleRate ?? 0, true);
  for (let i = 0; i < format.length; i++) view.setUint8(48 + i, format.charCodeAt(i));
  if (colorSpace !== undefined) {
    view.setUint8(56, PRIMARIES.indexOf(colorSpace.primaries ?? '') + 1);
    view.setUint8(57, TRANSFERS.indexOf(colorSpace.transfer ?? '') + 1);
    view.setUint8(58, MATRICES.indexOf(colorSpace.matrix ?? '') + 1);
    view.setUint8(59, colorSpace.fullRange === null ? 0 : colorSpace.fullRange ? 2 : 1);
  }
  layout.forEach(({ offset, stride }, i) => {
    view.setUint32(64 + 8 * i, offset, true);
    view.setUint32(68 + 8 * i, stride, true);
  });
}

/** Whether the header has a place for what the platform calls the format, and for so many planes. */
export function fitsHeader(format: string, planes: number): boolean {
  return format.length <= FORMAT_CHARACTERS && planes <= MAX_PLANES;
}

/**
 * Reads the header of media of one of the kinds.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the fragment holds something else; POOL_ERR_STALE_HANDLE when it
 *   is spent
 */
export function readHeader(call: string, fragment: Fragment, ...kinds: number[]): Header {
  portOfFragment(fragment, call);
  const { bytes } = fragment;
  const expected = kinds.map((kind) => KIND_NAMES[kind]).join(' or ');
  const refuse = (): Error =>
    invalidArgument(call, 'fragment', 'other bytes', `${expected} in its page`, 'pass what copied it into the page');
  if (bytes.length < HEADER_BYTES) throw refuse();
  const view = viewOf(bytes);
  const kind = view.getUint8(4);
  const size = view.getUint32(24, true);
  const planes = view.getUint8(6);
  const isWhole = size <= bytes.length - HEADER_BYTES && planes <= MAX_PLANES;
  if (view.getUint32(0, true) !== MAGIC || !kinds.includes(kind) || !isWhole) throw refuse();
  const layout = Array.from({ length: planes }, (_, i) => ({
    offset: view.getUint32(64 + 8 * i, true),
    stride: view.getUint32(68 + 8 * i, true),
  }));
  if (layout.some(({ offset }, i) => offset > size || offset < (layout[i - 1]?.offset ?? 0))) throw refuse();
  const flags = view.getUint8(5);
  let format = '';
  for (let i = 0; i < FORMAT_CHARACTERS && view.getUint8(48 + i) !== 0; i++)
    format += String.fromCharCode(view.getUint8(48 + i));
  return {
    kind,
    isKey: (flags & FLAG_KEY) !== 0,
    timestamp: view.getFloat64(8, true),
    duration: (flags & FLAG_DURATION) === 0 ? null : view.getFloat64(16, true),
    format,
    width: view.getUint32(28, true),
    height: view.getUint32(32, true),
    displayWidth: view.getUint32(36, true),
    displayHeight: view.getUint32(40, true),
    rotation: 90 * (view.getUint8(7) & TURNS),
    flip: (view.getUint8(7) & FLAG_FLIP) !== 0,
    sampleRate: view.getFloat32(44, true),
    colorSpace: readColorSpace(view),
    layout,
    data: bytes.subarray(HEADER_BYTES, HEADER_BYTES + size),
  };
}

function readColorSpace(view: DataView): ColorSpace | undefined {
  if (view.getUint32(56) === 0) return undefined;
  const range = view.getUint8(59);
  return {
    primaries: PRIMARIES[view.getUint8(56) - 1] ?? null,
    transfer: TRANSFERS[view.getUint8(57) - 1] ?? null,
    matrix: MATRICES[view.getUint8(58) - 1] ?? null,
    fullRange: range === 0 ? null : range === 2,
  };
}
