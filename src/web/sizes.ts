// How large a page must be for the frames of a source: told by their format, or by decoding one frame here.
//
// The same codec gives I420 in one browser and BGRX in another, at 1.5 and 4 bytes a pixel. Who asks the decoder knows.

import { invalidArgument, invalidRange, requireInteger, requireRecord } from '../errors.js';
import { PAGE_BYTES_MAX } from '../pool/limits.js';
import { HEADER_BYTES } from './header.js';

/** What frames will come: the configuration of their decoder, or size and format alone. */
export interface FrameSource {
  /** Pixels. */
  readonly codedWidth: number;
  readonly codedHeight: number;
  /** The decoder's codec, as `VideoDecoder.configure` takes it: one frame is encoded and decoded to see its format. */
  readonly codec?: string | undefined;
  /** As there. */
  readonly hardwareAcceleration?: 'no-preference' | 'prefer-hardware' | 'prefer-software' | undefined;
  /** The frames' format, where it is known or named to `copyFrame`. */
  readonly format?: string | undefined;
}

/** Columns and rows of luma for one of chroma. */
const CHROMA: Readonly<Record<string, readonly [number, number]>> = {
  I420: [2, 2],
  NV12: [2, 2],
  I422: [2, 1],
  I444: [1, 1],
};
/** Every format of WebCodecs: its kind, whether it has a plane of alpha, and whether a sample has two bytes. */
const FORMAT = /^(?:(I420|I422|I444|NV12)(A?)(P1[02])?|(?:RGB|BGR)[AX])$/;
/** A pixel of what is not known better: frames without a format are copied as RGBA. */
const PIXEL_BYTES = 4;

/**
 * The bytes of a page that has room for one frame of the source, for `PagePool.create({ pageBytes })`: a power of two.
 * With a `codec` one frame is encoded and decoded, and its format counts; where that cannot be done, and without codec
 * and format, a pixel has 4 bytes. A stream of other pictures than 8 bits in 4:2:0 may need more: tell its `format`.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the size is none, or the format is unknown; RangeError
 *   with that code when a frame is larger than a page can be
 * @example
 * const config = { codec: 'vp8', codedWidth: 640, codedHeight: 480 };
 * const pool = await PagePool.create({ pageBytes: await pagesFor(config), pageCount: 8 });
 */
export async function pagesFor(config: FrameSource): Promise<number> {
  const given = requireRecord('pagesFor', 'config', config) as unknown as FrameSource;
  const { codedWidth, codedHeight, codec, format } = given;
  requireInteger('pagesFor', 'config.codedWidth', codedWidth, 1, 0xffff);
  requireInteger('pagesFor', 'config.codedHeight', codedHeight, 1, 0xffff);
  const bytes =
    HEADER_BYTES +
    (format === undefined
      ? ((codec === undefined ? undefined : await decodedBytes(given)) ?? PIXEL_BYTES * codedWidth * codedHeight)
      : formatBytes(format, codedWidth, codedHeight));
  if (bytes > PAGE_BYTES_MAX) {
    throw invalidRange('pagesFor', 'bytes', bytes, `at most ${PAGE_BYTES_MAX}`, 'copy the frames in parts, by rect');
  }
  return 2 ** Math.ceil(Math.log2(bytes));
}

function formatBytes(format: string, width: number, height: number): number {
  const [whole, kind, alpha, deep] = FORMAT.exec(format) ?? [];
  if (whole === undefined) throw invalidArgument('pagesFor', 'config.format', format, 'a format of pixels, as I420');
  if (kind === undefined) return PIXEL_BYTES * width * height;
  const [columns, rows] = CHROMA[kind] as [number, number];
  const chroma = 2 * Math.ceil(width / columns) * Math.ceil(height / rows);
  return (width * height * (alpha === '' ? 1 : 2) + chroma) * (deep === undefined ? 1 : 2);
}

/** The bytes of a frame that a decoder of the codec made here; undefined where there is no encoder to make one. */
async function decodedBytes(given: FrameSource): Promise<number | undefined> {
  const { codec, codedWidth: width, codedHeight: height } = given as FrameSource & { codec: string };
  const { hardwareAcceleration } = given;
  const choice = hardwareAcceleration === undefined ? {} : { hardwareAcceleration };
  let bytes: number | undefined;
  let decoder: VideoDecoder | undefined;
  let encoder: VideoEncoder | undefined;
  const ignore = (): void => {}; // flush() rejects as well
  try {
    decoder = new VideoDecoder({
      output: (frame) => {
        bytes = frame.format === null ? PIXEL_BYTES * width * height : frame.allocationSize();
        frame.close();
      },
      error: ignore,
    });
    const target = decoder;
    encoder = new VideoEncoder({
      output: (chunk, metadata) => {
        // The stream's own description: that of the user's stream says nothing of this one.
        if (metadata?.decoderConfig) target.configure({ ...metadata.decoderConfig, ...choice });
        target.decode(chunk);
      },
      error: ignore,
    });
    encoder.configure({ codec, width, height });
    const picture = new Uint8Array(formatBytes('I420', width, height)).fill(128);
    const frame = new VideoFrame(picture, { format: 'I420', codedWidth: width, codedHeight: height, timestamp: 0 });
    encoder.encode(frame, { keyFrame: true });
    frame.close();
    await encoder.flush();
    await decoder.flush();
  } catch {
    // No codecs here, or not this one: what is not known is taken for the largest.
  } finally {
    for (const codecInUse of [encoder, decoder]) if (codecInUse?.state !== 'closed') codecInUse?.close();
  }
  return bytes;
}
