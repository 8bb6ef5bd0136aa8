// textLines: the lines of a text are the same however it is cut, and whatever brings it.

import { once } from 'node:events';
import { createServer, get, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { PassThrough, Readable } from 'node:stream';
import { runInNewContext } from 'node:vm';
import { type Fragment, PagePool } from 'pagepool';
import { fragments, readStreamInto } from 'pagepool/node';
import { Packet, packets, sendPacket, textLines } from 'pagepool/packet';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type * as TextModule from '../../src/packet/text.js';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { codeOf } from '../support/realm.js';
import { fragmentOf } from './support.js';

const seed = chooseSeed('text lines');

/** All lines of all arrays; none is empty. */
async function linesOf(source: Parameters<typeof textLines>[0], maxLength?: number): Promise<string[]> {
  const all: string[] = [];
  for await (const lines of textLines(source, { maxLength })) {
    expect(lines.length).toBeGreaterThan(0);
    all.push(...lines);
  }
  return all;
}

/** What the lines are, by the platform's decoder in one piece. */
function expectedLines(bytes: Uint8Array): string[] {
  const lines = new TextDecoder().decode(bytes).split('\n');
  const last = lines.pop() as string;
  const ended = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
  return last === '' ? ended : [...ended, last];
}

/** Bytes that are hard to cut: whole characters, broken ones, line ends, byte order marks. */
const PARTS = [
  ...['a', 'line', '\n', '\n', '\r\n', '\r', '\n\n', 'é', '€', '😀', '\u{feff}', '\u{fffd}', 'ﬀ', '\u2028', ''],
].map((text) => Buffer.from(text));
const BROKEN = [
  ...[[0x80], [0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0xff], [0xc0, 0xaf], [0xed, 0xa0, 0x80], [0xe0, 0x80, 0x80]],
  ...[
    [0xf4, 0x90, 0x80, 0x80],
    [0xf0, 0x80, 0x80, 0x80],
    [0xf5, 0x80],
    [0xe2, 0x28, 0xa1],
    [0xc3, 0x0a],
    [0xf0, 0x9f, 0x0a],
  ],
].map((bytes) => Buffer.from(bytes));

function randomBytes(random: (below: number) => number): Buffer {
  const from = random(2) === 0 ? PARTS : [...PARTS, ...BROKEN];
  return Buffer.concat(Array.from({ length: random(30) }, () => from[random(from.length)] as Buffer));
}

/** The bytes in pieces of random lengths, empty ones among them. */
function randomCuts(bytes: Buffer, random: (below: number) => number): Buffer[] {
  const pieces: Buffer[] = [];
  const most = 1 + random(8);
  for (let at = 0; at < bytes.length; ) {
    const length = random(most + 1);
    pieces.push(bytes.subarray(at, at + length));
    at += length;
  }
  return pieces;
}

describe('the text is the same however it is cut', () => {
  let pool: PagePool;
  beforeEach(() => {
    pool = PagePool.createSync({ pageBytes: 256, pageCount: 64, channels: { work: { capacity: 256, batch: 32 } } });
  });
  afterEach(() => {
    expectAllHome(pool);
    pool.destroy();
  });

  it('in every place, bytes that are text and bytes that are none', async () => {
    for (const part of [...PARTS, ...BROKEN]) {
      const bytes = Buffer.concat([Buffer.from('x\r\n'), part, Buffer.from('y'), part]);
      for (let first = 0; first <= bytes.length; first++) {
        for (let second = first; second <= bytes.length; second++) {
          const pieces = [bytes.subarray(0, first), bytes.subarray(first, second), bytes.subarray(second)];
          expect(await linesOf(pieces), `${bytes.toString('hex')} at ${first}, ${second}`).toEqual(
            expectedLines(bytes),
          );
        }
      }
    }
  });

  it('in every place behind every byte that can begin a character, and what may follow it', async () => {
    const rests = [[], [0x7f], [0x80], [0xbf], [0xc0], [0x9f, 0x80], [0xa0, 0xbf, 0xbf], [0x8f, 0x80, 0x80, 0x80]];
    for (let lead = 0x7f; lead <= 0xff; lead++) {
      for (const rest of rests) {
        const bytes = Buffer.from([lead, ...rest, 0x61, 0x0a, lead, ...rest]);
        for (let cut = 1; cut <= rest.length + 1; cut++) {
          const pieces = [bytes.subarray(0, cut), bytes.subarray(cut, -1), bytes.subarray(-1)];
          expect(await linesOf(pieces), `${bytes.toString('hex')} at ${cut}`).toEqual(expectedLines(bytes));
        }
      }
    }
  });

  it('at random, out of chunks, fragments, packets and a channel', async () => {
    const next = randomFrom(seed);
    const random = (below: number): number => next() % below;
    const channel = pool.channel('work');
    for (let run = 0; run < 3000; run++) {
      const bytes = randomBytes(random);
      const pieces = randomCuts(bytes, random);
      const expected = expectedLines(bytes);
      const message = `${bytes.toString('hex')} as ${pieces.map((piece) => piece.length)}`;
      expect(await linesOf(pieces), message).toEqual(expected);
      if (run % 10 > 0) continue;
      const asFragments = (): Fragment[] => pieces.map((piece) => fragmentOf(pool, piece));
      expect(await linesOf(asFragments()), message).toEqual(expected);
      const whole = new Packet();
      for (const fragment of asFragments()) whole.append(fragment);
      expect(await linesOf([whole]), message).toEqual(expected);
      // A channel ends when it is closed: what is in it now is all of it.
      for (const fragment of asFragments()) expect(channel.sendFragment(fragment)).toBe(true);
      const all = (async function* () {
        for (let fragment = channel.receive(); fragment !== null; fragment = channel.receive()) yield fragment;
      })();
      expect(await linesOf(all), message).toEqual(expected);
    }
  });

  it('out of a channel, in arrays that end with the piece in which they have a thousand', async () => {
    const channel = pool.channel('work');
    for (let i = 0; i < 10; i++) expect(channel.sendFragment(fragmentOf(pool, '\n'.repeat(256)))).toBe(true);
    channel.close();
    const lengths: number[] = [];
    for await (const lines of textLines(channel)) lengths.push(lines.length);
    expect(lengths).toEqual([1024, 1024, 512]);
  });

  it('out of a channel, in arrays of all that waits there', async () => {
    const channel = pool.channel('work');
    const texts = Array.from({ length: 50 }, (_, i) => `line ${i}\r\npart `);
    for (const text of texts) expect(channel.sendFragment(fragmentOf(pool, text))).toBe(true);
    const packet = new Packet().append(fragmentOf(pool, 'of')).append(fragmentOf(pool, ' several\n'));
    expect(sendPacket(channel, packet)).toBe(true);
    channel.close();
    const arrays: string[][] = [];
    for await (const lines of textLines(channel)) arrays.push(lines);
    expect(arrays.length).toBe(1);
    expect(arrays[0]?.length).toBe(51);
    expect(arrays[0]?.slice(-2)).toEqual(['part line 49', 'part of several']);
  });

  it('out of packets', async () => {
    const channel = pool.channel('work');
    for (const text of ['a\nb', 'c\n', '', 'd']) {
      expect(sendPacket(channel, new Packet().append(fragmentOf(pool, text)))).toBe(true);
    }
    channel.close();
    expect(await linesOf(packets(channel))).toEqual(['a', 'bc', 'd']);
  });
});

describe('sources', () => {
  it('streams of Node: of bytes, of text, of a process, of requests', async () => {
    expect(await linesOf(Readable.from([Buffer.from('a\nb'), Buffer.from('c')]))).toEqual(['a', 'bc']);
    const text = new PassThrough();
    text.setEncoding('utf8');
    text.end('ä\nö');
    expect(await linesOf(text)).toEqual(['ä', 'ö']);
    const server: Server = createServer((_, response) => response.end('one\r\ntwo\r\n'));
    await once(server.listen(0, '127.0.0.1'), 'listening');
    const pool = await PagePool.create({ pageCount: 16 });
    const [response] = await once(get({ port: (server.address() as AddressInfo).port, agent: false }), 'response');
    const read = fragments((onFragment, signal) => readStreamInto(pool, response, onFragment, { signal }));
    expect(await linesOf(read)).toEqual(['one', 'two']);
    expectAllHome(pool);
    await pool.close();
    server.close();
  });

  it('streams of the web, where they are iterable and where they are not', async () => {
    const open = (): ReadableStream<Uint8Array> =>
      new ReadableStream({
        start(controller) {
          for (const text of ['a\nb', 'c\nd']) controller.enqueue(new TextEncoder().encode(text));
          controller.close();
        },
      });
    expect(await linesOf(open() as never)).toEqual(['a', 'bc', 'd']);
    const bare = open();
    expect(await linesOf({ getReader: () => bare.getReader() } as never)).toEqual(['a', 'bc', 'd']);
    let isCancelled = false;
    const endless = new ReadableStream({
      pull: (controller) => controller.enqueue(new TextEncoder().encode('x\n')),
      cancel: () => {
        isCancelled = true;
      },
    });
    for await (const _ of textLines({ getReader: () => endless.getReader() } as never)) break;
    expect([isCancelled, endless.locked]).toEqual([true, false]);
  });

  it('text and bytes in turn, and bytes of another realm', async () => {
    const foreign = runInNewContext('Uint8Array.of(98, 10)') as Uint8Array;
    expect(await linesOf(['a', foreign, Buffer.from([0xe2]), 'c\n', Buffer.from([0x82])])).toEqual([
      'ab',
      '\u{fffd}c',
      '\u{fffd}',
    ]);
    expect(await linesOf(['\u{feff}first\n', '\u{feff}second'])).toEqual(['first', '\u{feff}second']);
    expect(await linesOf([])).toEqual([]);
    expect(await linesOf(['', ''])).toEqual([]);
  });

  it('the end of the loop ends the source, and every page is home', async () => {
    const pool = PagePool.createSync({ pageBytes: 256, pageCount: 16 });
    let ended = 0;
    const source = async function* (bad?: unknown) {
      try {
        for (;;) {
          yield fragmentOf(pool, 'a\nb\nc');
          if (bad !== undefined) yield bad as Fragment;
        }
      } finally {
        ended++;
      }
    };
    for await (const lines of textLines(source())) if (lines.length > 0) break;
    const failing = async (): Promise<void> => {
      for await (const _ of textLines(source())) throw new Error('of the body');
    };
    await expect(failing()).rejects.toThrow('of the body');
    await expect(linesOf(source(7))).rejects.toThrow('textLines failed: piece=7 (expected a Fragment, a Packet');
    const spent = pool.take() as Fragment;
    spent.release();
    await expect(linesOf(source(spent))).rejects.toMatchObject({ code: 'POOL_ERR_STALE_HANDLE' });
    expect(ended).toBe(4);
    const broken = (async function* () {
      yield fragmentOf(pool, 'a\nb');
      throw new Error('of the source');
    })();
    await expect(linesOf(broken)).rejects.toThrow('of the source');
    expectAllHome(pool);
    pool.destroy();
  });

  it('refuses what is none', () => {
    for (const wrong of [undefined, null, 1, 'text', {}]) {
      expect(codeOf(() => textLines(wrong as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    for (const wrong of [{ maxLength: 0 }, { maxLength: 1.5 }, { maxBytes: 1 }]) {
      expect(codeOf(() => textLines([], wrong as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
  });
});

describe('a line that is too long', () => {
  it('is refused after the lines before it, however it is cut', async () => {
    const bytes = Buffer.from('ok\nalso ok\r\nfour€\nlonger\nnever\n');
    for (const maxLength of [2, 5, 6, 7]) {
      for (let size = 1; size <= bytes.length; size++) {
        const pieces = Array.from({ length: Math.ceil(bytes.length / size) }, (_, i) =>
          bytes.subarray(i * size, (i + 1) * size),
        );
        const got: string[] = [];
        let code = '';
        try {
          for await (const lines of textLines(pieces, { maxLength })) got.push(...lines);
        } catch (error) {
          code = (error as { code: string }).code;
        }
        const lines = expectedLines(bytes);
        const bad = lines.findIndex((line) => line.length > maxLength);
        expect([got, code], `${size} bytes a piece, maxLength ${maxLength}`).toEqual([
          bad < 0 ? lines : lines.slice(0, bad),
          bad < 0 ? '' : 'POOL_ERR_MEMORY_LIMIT',
        ]);
      }
    }
  });

  it.each([
    ['first in its piece', ['1234567\n123456789']],
    ['behind others', ['ok\n1234567\n123456789\n1234567890\n']],
    ['that came in parts', ['ok\n123', '4567\n123456789']],
    ['that has a return', ['1234567\r\n123456789\r\n']],
    ['that has no end', ['ok\n1234567']],
    ['that ends in a character that was cut', [Buffer.from('ok\n123456'), Buffer.from([0xc3])]],
  ])('is the one that the error names: %s', async (_, pieces) => {
    await expect(linesOf(pieces, 6)).rejects.toThrow('line length=7 (expected at most maxLength=6)');
  });

  it('and what follows it in the same piece is not delivered', async () => {
    const pool = PagePool.createSync({ pageBytes: 256, pageCount: 16 });
    const packet = new Packet();
    for (const text of ['ok\nmuch too long\n', 'after\n']) packet.append(fragmentOf(pool, text));
    const got: string[] = [];
    const read = async (): Promise<void> => {
      for await (const lines of textLines([packet], { maxLength: 6 })) got.push(...lines);
    };
    await expect(read()).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    expect(got).toEqual(['ok']);
    expectAllHome(pool);
    pool.destroy();
  });

  it('is found before its end', async () => {
    let pieces = 0;
    const endless = (function* () {
      for (; ; pieces++) yield 'x'.repeat(10);
    })();
    await expect(linesOf(endless, 95)).rejects.toThrow('line length=100 (expected at most maxLength=95)');
    expect(pieces).toBe(9);
    await expect(linesOf(['ab\r'], 2)).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    expect(await linesOf(['ab\r', '\n'], 2)).toEqual(['ab']);
  });
});

describe('where Buffer is missing, or refuses shared memory', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
  });

  it.each([
    ['missing', undefined],
    [
      'refusing',
      {
        from: () => {
          throw new TypeError('shared');
        },
      },
    ],
    [
      'writing something else',
      { ...Buffer, from: () => ({ write: () => 10, toString: () => '' }), byteLength: () => 10 },
    ],
  ])('%s: text is written and read by what the web has', async (_, replacement) => {
    vi.stubGlobal('Buffer', replacement);
    vi.resetModules();
    const text = (await import('../../src/packet/text.js')) as typeof TextModule;
    const view = new Uint8Array(new SharedArrayBuffer(6000), 1, 5990);
    for (const sample of ['', 'aé€😀', '\u{feff}x', '\ud800', 'long'.repeat(1000)]) {
      const bytes = new TextEncoder().encode(sample);
      expect(text.byteLength(sample)).toBe(bytes.length);
      expect(text.textWriter(view)(sample, 7)).toBe(bytes.length);
      expect([...view.subarray(7, 7 + bytes.length)]).toEqual([...bytes]);
      const wanted = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
      expect(text.decode(view.subarray(7, 7 + bytes.length))).toBe(wanted);
    }
  });

  it('a Buffer that counts wrong is not asked', async () => {
    const { from } = Buffer;
    vi.stubGlobal('Buffer', { from: from.bind(Buffer), byteLength: (text: string) => text.length });
    vi.resetModules();
    const text = (await import('../../src/packet/text.js')) as typeof TextModule;
    expect(text.byteLength('€uro')).toBe(6);
  });

  it('where Buffer takes it nothing of the web is asked', async () => {
    for (const name of ['TextEncoder', 'TextDecoder']) vi.stubGlobal(name, undefined);
    vi.resetModules();
    const text = (await import('../../src/packet/text.js')) as typeof TextModule;
    const view = new Uint8Array(new SharedArrayBuffer(64), 1);
    expect([text.byteLength('€uro'), text.textWriter(view)('€uro', 3)]).toEqual([6, 6]);
    expect(text.decode(view.subarray(3, 9))).toBe('€uro');
  });

  it.each([
    ['missing', undefined, 5],
    ['without a search', {}, 5],
    ['one that refuses', () => void (0 as never as () => void)(), 5],
    ['one that finds nothing', () => -1, 5],
    ['one that takes no start', (byte: number) => (byte === 7 ? 32 : -1), 5],
    [
      'one that finds what is not there',
      (byte: number, from: number) => (byte === 7 ? from + (from === 0 ? 32 : 6) : 1),
      5,
    ],
    ['one that works', (_byte: number, from: number) => [32, 39][from === 0 ? 0 : 1], 'its own'],
  ])('bytes are found where the search of Buffer is %s', async (_, indexOf, expected) => {
    const asked: number[] = [];
    const search =
      typeof indexOf !== 'function'
        ? indexOf
        : {
            indexOf(byte: number, from: number) {
              asked.push(byte);
              return byte === 8 && expected === 'its own' ? -1 : indexOf(byte, from);
            },
          };
    vi.stubGlobal('Buffer', indexOf === undefined ? undefined : { prototype: search });
    vi.resetModules();
    const { findByte } = await import('../../src/packet/search.js');
    const bytes = new Uint8Array(new SharedArrayBuffer(16));
    bytes[5] = 9;
    const before = asked.length;
    const found = findByte(bytes, 9, 1);
    if (expected === 'its own') expect(asked.at(-1)).toBe(9);
    else expect([found, asked.slice(before).includes(9)]).toEqual([expected, false]);
  });
});
