// Messages out of a stream: the same whichever way the stream was cut, and every page is back however the loop ends.
//
// Prints its seed; SEED=n replays the random runs.

import fc from 'fast-check';
import type { Fragment, PagePool } from 'pagepool';
import { delimited, lengthPrefixed, lines, Packet, type PacketSource } from 'pagepool/packet';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, create, KINDS } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { turns } from '../support/waiting.js';
import { bytesOf, fragmentOf, textOf } from './support.js';

const seed = chooseSeed('framing');
const numRuns = Number(process.env.RUNS ?? 1000);

async function collect(messages: AsyncIterable<Packet>): Promise<string[]> {
  const texts: string[] = [];
  for await (const message of messages) texts.push(textOf(message));
  return texts;
}

describe.each(KINDS)('with the %s engine', (kind) => {
  let pool: PagePool;
  beforeEach(() => {
    pool = create(kind, { pageBytes: 256, pageCount: 64, maxPorts: 2, channels: { work: { batch: 32 } } });
  });
  afterEach(() => pool.destroy());

  const piece = (text: string | Uint8Array): Fragment => fragmentOf(pool, text);
  /** The pieces as they would come from a socket. */
  async function* stream(...pieces: (string | Uint8Array)[]): AsyncGenerator<Fragment> {
    for (const each of pieces) yield piece(each);
  }
  /** One byte at a time, each in a page of its own, as a socket that is read into fresh pages would bring it. */
  async function* drip(bytes: Uint8Array): AsyncGenerator<Fragment> {
    for (const byte of bytes) {
      const page = pool.alloc();
      if (page === 0) throw new Error('the pool is empty');
      pool.bytes(page)[0] = byte;
      yield pool.fragment(page, 0, 1);
    }
  }

  it.each([
    [
      ['a\nbb\n', 'ccc'],
      ['a', 'bb', 'ccc'],
    ],
    [
      ['a\r\nb\r', '\nc\r\r\n', '\r'],
      ['a', 'b', 'c\r', '\r'],
    ],
    [
      ['\n\n', '\r\n'],
      ['', '', ''],
    ],
    [['no end'], ['no end']],
    [[], []],
    [['', 'a', '', '\n', ''], ['a']],
    [
      ['spans', ' three', ' pieces\nnext\n'],
      ['spans three pieces', 'next'],
    ],
  ])('lines of %j are %j', async (pieces, expected) => {
    expect(await collect(lines(stream(...pieces)))).toEqual(expected);
    expectAllHome(pool);
  });

  it.each<[string, string | number | Uint8Array, string[]]>([
    ['a--b--', '--', ['a', 'b']],
    ['a-b---c', '--', ['a-b', '-c']],
    ['a\0b', 0, ['a', 'b']],
    ['eins€zwei€€', '€', ['eins', 'zwei', '']],
    ['x', Uint8Array.of(120), ['']],
  ])('%j is delimited by %s, cut anywhere', async (text, delimiter, expected) => {
    const bytes = Buffer.from(text);
    for (let cut = 0; cut <= bytes.length; cut++) {
      const source = stream(bytes.subarray(0, cut), bytes.subarray(cut));
      expect(await collect(delimited(source, delimiter))).toEqual(expected);
    }
    expect(await collect(delimited(drip(bytes), delimiter))).toEqual(expected);
    expectAllHome(pool);
  });

  it.each([Buffer, Uint8Array])('a delimiter is what it was when it was passed, %o', async (kind) => {
    const bytes = kind.from([45, 45]);
    const messages = delimited(stream('a--b--', 'c--d'), bytes);
    bytes.fill(98);
    expect(await collect(messages)).toEqual(['a', 'b', 'c', 'd']);
    expectAllHome(pool);
  });

  it('messages share the pages they came in: no byte is copied', async () => {
    const source = [piece('one\ntwo\nthr'), piece('ee\nfour\n')];
    const handles = source.map(({ handle }) => handle);
    const found: number[][] = [];
    for await (const line of lines(source)) {
      found.push(line.windows().map(({ handle }) => handles.indexOf(handle)));
      line.release();
    }
    expect(found).toEqual([[0], [0], [0, 1], [1]]);
    expectAllHome(pool);
  });

  it('are what Buffers split into, whatever the pieces, the prefix and its order', async () => {
    const content = fc.array(fc.string({ maxLength: 70, unit: fc.constantFrom('a', 'b', '\r', '-', 'é') }), {
      maxLength: 12,
    });
    const cuts = fc.array(fc.integer({ min: 0, max: 60 }), { maxLength: 40 });
    const options = fc.record({
      prefixBytes: fc.constantFrom(1 as const, 2 as const, 4 as const),
      littleEndian: fc.boolean(),
    });
    const property = fc.asyncProperty(content, cuts, options, fc.boolean(), async (texts, sizes, prefix, isPacket) => {
      const source = function* (bytes: Buffer): Generator<Fragment | Packet> {
        let at = 0;
        for (const size of [...sizes, 200, 200, 200, 200, 200, 200, 200, 200, 200, 200]) {
          const part = piece(bytes.subarray(at, at + size));
          yield isPacket ? new Packet().append(part) : part;
          at += size;
          if (at >= bytes.length) return;
        }
      };
      const encoded = texts.map((text) => Buffer.from(text));
      const joined = Buffer.concat(encoded.flatMap((bytes) => [bytes, Buffer.from('\n')]));
      const split = texts.map((text) => text.replace(/\r$/, ''));
      expect(await collect(lines(source(joined)))).toEqual(split);
      const dashes = joined.toString().split('--');
      if (dashes.at(-1) === '') dashes.pop();
      expect(await collect(delimited(source(joined), '--'))).toEqual(dashes);
      const prefixed = Buffer.concat(
        encoded.flatMap((bytes) => {
          const head = Buffer.alloc(prefix.prefixBytes);
          if (prefix.littleEndian) head.writeUIntLE(bytes.length, 0, prefix.prefixBytes);
          else head.writeUIntBE(bytes.length, 0, prefix.prefixBytes);
          return [head, bytes];
        }),
      );
      expect(await collect(lengthPrefixed(source(prefixed), prefix))).toEqual(texts);
      expectAllHome(pool);
    });
    await fc.assert(property, { seed, numRuns: Math.ceil(numRuns / 3), endOnFailure: true });
  });

  it.each<[string, (source: PacketSource) => AsyncIterable<Packet>]>([
    ['lines', (source) => lines(source, { maxBytes: 40 })],
    ['delimited', (source) => delimited(source, '--', { maxBytes: 40 })],
  ])(
    '%s allows exactly maxBytes, and a delimiter that never arrives is an error with every page back',
    async (_, frame) => {
      const end = _ === 'lines' ? '\r\n' : '--';
      for (const size of [1, 3, 7, 41, 100]) {
        const cut = (text: string): string[] => text.match(new RegExp(`.{1,${size}}`, 'gs')) ?? [];
        expect(await collect(frame(stream(...cut(`${'x'.repeat(40)}${end}y`))))).toEqual(['x'.repeat(40), 'y']);
        for (const text of [`${'x'.repeat(41)}${end}`, 'x'.repeat(90)]) {
          await expect(collect(frame(stream(...cut(text))))).rejects.toMatchObject({
            code: 'POOL_ERR_MEMORY_LIMIT',
            name: 'PagePoolError',
          });
          expectAllHome(pool);
        }
      }
    },
  );

  it('a length above maxBytes, and a stream that ends inside a message, are errors with every page back', async () => {
    await expect(collect(lengthPrefixed(stream('\0\0\0\x09ab'), { maxBytes: 8 }))).rejects.toMatchObject({
      code: 'POOL_ERR_MEMORY_LIMIT',
    });
    await expect(collect(lengthPrefixed(stream('\xff\xff\xff\xff')))).rejects.toMatchObject({
      code: 'POOL_ERR_MEMORY_LIMIT',
    });
    for (const text of ['\0', '\0\0\0\x05abc']) {
      await expect(collect(lengthPrefixed(stream(text)))).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    }
    expectAllHome(pool);
  });

  it('a loop that ends early, a consumer and a source that fail give every page back, and the source is ended', async () => {
    let ended = 0;
    const source = async function* (): AsyncGenerator<Fragment> {
      try {
        yield piece('one\ntwo\nthree\nfo');
        yield piece('ur\n');
        throw new Error('the source broke');
      } finally {
        ended++;
      }
    };
    for await (const line of lines(source())) {
      line.release();
      break;
    }
    await expect(
      (async () => {
        for await (const line of lines(source())) {
          line.release();
          throw new Error('the consumer broke');
        }
      })(),
    ).rejects.toThrow('the consumer broke');
    await expect(collect(lines(source()))).rejects.toThrow('the source broke');
    expect(ended).toBe(3);
    expectAllHome(pool);
  });

  it('calls that do not wait for each other get the messages in order, and the end again and again', async () => {
    const messages = lines(stream('a\nb', 'c\n', 'd\ne\n'));
    const results = await Promise.all(Array.from({ length: 6 }, () => messages.next()));
    expect(results.map(({ value, done }) => (done ? 'end' : textOf(value as Packet)))).toEqual([
      'a',
      'bc',
      'd',
      'e',
      'end',
      'end',
    ]);
    expect(await messages.next()).toEqual({ value: undefined, done: true });
    expectAllHome(pool);
  });

  it('a return while a read is under way waits for it, and gives back what it brought', async () => {
    let bring = (): void => {};
    const source = async function* (): AsyncGenerator<Fragment> {
      yield piece('be');
      await new Promise<void>((resolve) => {
        bring = resolve;
      });
      yield piece('gun\nrest');
    };
    const messages = lines(source());
    const first = messages.next();
    const end = messages.return?.();
    await turns(1);
    bring();
    expect(textOf((await first).value as Packet)).toBe('begun');
    expect(await end).toEqual({ value: undefined, done: true });
    expect(await messages.next()).toEqual({ value: undefined, done: true });
    expectAllHome(pool);
    // One that was never read has taken nothing.
    const untouched = piece('mine');
    await lines([untouched]).return?.();
    untouched.release();
    expectAllHome(pool);
  });

  it('an error is thrown once, and the iteration is over', async () => {
    const messages = lines(stream('x'.repeat(20)), { maxBytes: 4 });
    await expect(messages.next()).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    expect(await messages.next()).toEqual({ value: undefined, done: true });
    // Also where the message was there without a further read.
    const second = lines(stream('a\nxxxxxxx\nb\n'), { maxBytes: 4 });
    expect(textOf((await second.next()).value as Packet)).toBe('a');
    await expect(second.next()).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
    expect(await second.next()).toEqual({ value: undefined, done: true });
    expectAllHome(pool);
  });

  it("gives back what does not belong to the stream: another pool's fragments, or no fragment at all", async () => {
    const other = create(kind, { pageCount: 4, maxPorts: 1 });
    const foreign = fragmentOf(other, 'foreign');
    await expect(collect(lines([piece('a\nb'), foreign]))).rejects.toMatchObject({ code: 'POOL_ERR_FOREIGN_HANDLE' });
    await expect(collect(lines([piece('a\nb'), 'text' as never]))).rejects.toMatchObject({
      code: 'POOL_ERR_INVALID_ARGUMENT',
    });
    expectAllHome(pool);
    expectAllHome(other);
    other.destroy();
  });

  it('does not keep a page for every byte of a message that drips in', async () => {
    const text = `${'0123456789'.repeat(60)}\nshort\n`;
    let most = 0;
    const source = async function* (): AsyncGenerator<Fragment> {
      for await (const each of drip(Buffer.from(text))) {
        yield each;
        most = Math.max(most, pool.stats().pages.used);
      }
    };
    expect(await collect(lines(source()))).toEqual(text.split('\n').slice(0, 2));
    // 32 pieces as they came, and the rest copied together: 600 bytes are 3 pages.
    expect(most).toBeLessThanOrEqual(37);
    expectAllHome(pool);
  });

  it('copies nothing of a message whose pages are full, and keeps messages whole that were copied together', async () => {
    const long = 'x'.repeat(256);
    const pieces = Array.from({ length: 45 }, () => long);
    const source = stream(...pieces, 'a', 'b', 'c', '\nnext', '\n');
    const messages: Packet[] = [];
    for await (const line of lines(source)) messages.push(line);
    expect(messages.map((each) => bytesOf(each).toString())).toEqual([`${pieces.join('')}abc`, 'next']);
    expect(messages[0]?.parts).toBe(46);
    for (const each of messages) each.release();
    expectAllHome(pool);
  });

  it('goes on without copying together where the pool has no page for it', async () => {
    const small = create(kind, { pageBytes: 256, pageCount: 41, maxPorts: 1 });
    const source = function* (): Generator<Fragment> {
      // Windows at the end of their pages: nothing fits behind them, and the last page is taken by the last piece.
      for (let i = 0; i < 41; i++) {
        const page = small.alloc();
        small.bytes(page).fill(i < 40 ? 97 : 10);
        yield small.fragment(page, 156, 100);
      }
    };
    const [first, ...others] = await collect(lines(source()));
    expect(first).toBe('a'.repeat(4000));
    expect(others).toEqual(Array(99).fill(''));
    expectAllHome(small);
    small.destroy();
  });

  it('refuses options and delimiters that mean nothing', () => {
    for (const maxBytes of [0, -1, 1.5, NaN, '1', null]) {
      expect(codeOf(() => lines([], { maxBytes: maxBytes as number }))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(codeOf(() => lengthPrefixed([], { maxBytes: maxBytes as number }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    for (const delimiter of ['', new Uint8Array(0), 256, -1, 1.5, null, {}]) {
      expect(codeOf(() => delimited([], delimiter as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    expect(codeOf(() => lengthPrefixed([], { prefixBytes: 3 as never }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(codeOf(() => lengthPrefixed([], { littleEndian: 1 as never }))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(messageOf(() => lines([], { max: 1 } as never))).toContain('no such option');
  });
});
