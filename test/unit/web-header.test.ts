// The header of media in a page, byte by byte, and the size of a page for frames: pure, so without a browser.

import { afterAll, describe, expect, it } from 'vitest';
import { PagePool } from '../../src/pool/page-pool.js';
import {
  fitsHeader,
  HEADER_BYTES,
  type Header,
  KIND_AUDIO_CHUNK,
  KIND_FRAME,
  KIND_SOUND,
  KIND_VIDEO_CHUNK,
  readHeader,
  writeHeader,
} from '../../src/web/header.js';
import { pagesFor } from '../../src/web/sizes.js';
import { codeOf, messageOf } from '../support/realm.js';

const pool = PagePool.createSync({ pageBytes: 1024, pageCount: 8 });
const fragment = pool.take(1024) as NonNullable<ReturnType<typeof pool.take>>;
const data = 1024 - HEADER_BYTES;
afterAll(() => {
  fragment.release();
  pool.destroy();
});

const nothing: Omit<Header, 'data' | 'kind' | 'timestamp'> = {
  ...{ isKey: false, duration: null, format: '', width: 0, height: 0, displayWidth: 0, displayHeight: 0 },
  ...{ rotation: 0, flip: false, sampleRate: 0, colorSpace: undefined, layout: [] },
};
const color = { primaries: null, transfer: null, matrix: null, fullRange: null };

describe('a header', () => {
  it.each<Partial<Omit<Header, 'data'>>>([
    {},
    { kind: KIND_SOUND, timestamp: -5.5, duration: 0 },
    { kind: KIND_VIDEO_CHUNK, isKey: true, duration: 20.25 },
    { kind: KIND_AUDIO_CHUNK, timestamp: 2 ** 53 - 1, duration: 2 ** 40 },
    { format: 'I420AP12', width: 640, height: 480, displayWidth: 641, displayHeight: 482 },
    { format: 's16', sampleRate: 44_100 },
    ...[90, 180, 270].map((rotation) => ({ rotation })),
    { flip: true },
    { rotation: 270, flip: true },
    { colorSpace: { ...color, primaries: 'bt709' } },
    { colorSpace: { ...color, primaries: 'smpte432', fullRange: true } },
    { colorSpace: { ...color, transfer: 'hlg', fullRange: false } },
    { colorSpace: { ...color, matrix: 'bt2020-ncl' } },
    { colorSpace: { primaries: 'bt2020', transfer: 'pq', matrix: 'rgb', fullRange: false } },
    { colorSpace: { ...color, fullRange: false } },
    { layout: [{ offset: 0, stride: 8 }] },
    { layout: [0, 100, 100, data].map((offset, i) => ({ offset, stride: 70_000 + i })) },
  ])('brings %j', (given) => {
    fragment.bytes.fill(0xff);
    const written = { kind: KIND_FRAME, timestamp: 0, ...given };
    writeHeader(fragment, written);
    expect([...fragment.bytes.subarray(HEADER_BYTES)].every((byte) => byte === 0xff)).toBe(true);
    const { data: found, ...header } = readHeader('frameOf', fragment, written.kind);
    expect(header).toEqual({ ...nothing, ...written });
    expect([found.byteOffset - fragment.bytes.byteOffset, found.length]).toEqual([HEADER_BYTES, data]);
  });

  it('is nothing of an unknown name, and of a color of which nothing is known', () => {
    const unknown = { primaries: 'p', transfer: 't', matrix: 'm', fullRange: null };
    writeHeader(fragment, { kind: KIND_FRAME, timestamp: 0, colorSpace: unknown });
    expect(readHeader('frameOf', fragment, KIND_FRAME).colorSpace).toBe(undefined);
    writeHeader(fragment, { kind: KIND_FRAME, timestamp: 0, colorSpace: { ...unknown, fullRange: true } });
    expect(readHeader('frameOf', fragment, KIND_FRAME).colorSpace).toEqual({ ...color, fullRange: true });
  });

  const write = (at: number, ...bytes: number[]) => fragment.bytes.set(bytes, at);
  const u32 = (value: number) => [...new Uint8Array(Uint32Array.of(value).buffer)];
  it.each<[what: string, spoil: () => void, isRefused: boolean]>([
    ['nothing spoilt', () => {}, false],
    ['another magic', () => write(0, 0), true],
    ['another kind', () => write(4, KIND_SOUND), true],
    ['a kind that there is not', () => write(4, 9), true],
    ['more bytes than there are', () => write(24, ...u32(data + 1)), true],
    ['fewer bytes than there are', () => write(24, ...u32(150)), false],
    ['planes behind its bytes', () => write(24, ...u32(149)), true],
    ['four planes', () => write(6, 4), true], // the last two begin at 0
    ['five planes', () => write(6, 5), true],
    ['planes in another order', () => write(64, ...u32(151)), true],
    ['planes at one place', () => write(64, ...u32(150)), false],
  ])('with %s', (_, spoil, isRefused) => {
    const layout = [
      { offset: 0, stride: 1 },
      { offset: 150, stride: 1 },
    ];
    writeHeader(fragment, { kind: KIND_FRAME, timestamp: 0, layout });
    spoil();
    const read = () => readHeader('frameOf', fragment, KIND_FRAME, KIND_VIDEO_CHUNK);
    if (!isRefused) expect(read().layout[1]).toEqual(layout[1]);
    else {
      expect(messageOf(read)).toBe(
        'frameOf failed: fragment="other bytes" ' +
          '(expected a VideoFrame or an encoded video chunk in its page); pass what copied it into the page',
      );
    }
  });

  it('is refused in a fragment that has no room for it, and in one that is spent', () => {
    for (const bytes of [HEADER_BYTES - 1, HEADER_BYTES]) {
      const small = pool.take(bytes) as typeof fragment;
      small.bytes.fill(0);
      if (bytes === HEADER_BYTES) writeHeader(small, { kind: KIND_FRAME, timestamp: 0 });
      const read = () => readHeader('frameOf', small, KIND_FRAME);
      if (bytes === HEADER_BYTES) expect(read().data.length).toBe(0);
      else expect(codeOf(read)).toBe('POOL_ERR_INVALID_ARGUMENT');
      small.release();
      expect(codeOf(read)).toBe('POOL_ERR_STALE_HANDLE');
    }
  });

  it('has a place for eight characters and four planes', () => {
    const cases: [string, number][] = [
      ['12345678', 4],
      ['123456789', 4],
      ['12345678', 5],
    ];
    expect(cases.map(([format, planes]) => fitsHeader(format, planes))).toEqual([true, false, false]);
  });
});

describe('pagesFor', () => {
  const bytesOf = async (format: string | undefined, codedWidth: number, codedHeight: number): Promise<number> =>
    pagesFor({ codedWidth, codedHeight, ...(format === undefined ? {} : { format }) });

  // Each pair is the largest picture of one column that has room in a page, and the first that has not.
  it.each([
    ['I420', 1920, 1, 4096],
    [undefined, 992, 1, 4096],
    [undefined, 993, 1, 8192],
    ['RGBA', 992, 1, 4096],
    ['BGRX', 993, 1, 8192],
    ['I444', 1322, 1, 4096],
    ['I444', 1323, 1, 8192],
    ['I422', 1984, 1, 4096],
    ['I422', 1985, 1, 8192],
    ['I420', 32, 82, 4096],
    ['I420', 32, 83, 8192],
    ['NV12', 32, 82, 4096],
    ['I420A', 32, 49, 4096],
    ['I420A', 32, 50, 8192],
    ['I420P10', 32, 41, 4096],
    ['I420P12', 32, 42, 8192],
    ['I444AP12', 496, 1, 4096],
    ['I444AP10', 497, 1, 8192],
  ])('%s of %d x %d needs %d bytes', async (format, width, height, bytes) =>
    expect(await bytesOf(format, width, height)).toBe(bytes),
  );

  it.each([
    [{ codedWidth: 0, codedHeight: 1 }, 'config.codedWidth=0 (expected'],
    [{ codedWidth: 1, codedHeight: 0 }, 'config.codedHeight=0 (expected'],
    [{ codedWidth: 65_536, codedHeight: 1 }, 'config.codedWidth=65536 (expected'],
    [{ codedWidth: 1, codedHeight: 65_536 }, 'config.codedHeight=65536 (expected'],
    [{ codedWidth: 1, codedHeight: 1, format: 'I421' }, 'config.format="I421" (expected a format of pixels, as I420)'],
    [{ codedWidth: 1, codedHeight: 1, format: 'RGBAA' }, 'config.format="RGBAA" (expected'],
    [{ codedWidth: 4096, codedHeight: 4096 }, 'bytes=67108992 (expected at most 67108864); copy the frames in parts'],
  ])('refuses %j', async (config, message) => {
    await expect(pagesFor(config)).rejects.toThrow(`pagesFor failed: ${message}`);
  });

  it('takes the largest page that there can be, and without codecs a codec for four bytes a pixel', async () => {
    expect(await bytesOf('RGBA', 4096, 4095)).toBe(64 * 2 ** 20);
    expect(await pagesFor({ codec: 'vp8', codedWidth: 993, codedHeight: 1 })).toBe(8192);
    expect(await bytesOf('I420', 65_535, 1)).toBe(131_072 * 2);
  });
});
