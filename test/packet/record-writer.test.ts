// RecordWriter and records: every record arrives once, whole and in order, or is refused, or counted as dropped.

import { once } from 'node:events';
import { Worker } from 'node:worker_threads';
import { type Channel, type Fragment, PagePool, type PoolOptions } from 'pagepool';
import { Packet, packets, RecordWriter, receivePacket, records, sendPacket, textLines } from 'pagepool/packet';
import { userArea } from 'pagepool/user-area';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { untilCollected } from '../support/garbage.js';
import { expectAllHome } from '../support/home.js';
import { codeOf, messageOf } from '../support/realm.js';
import { withoutSharedBuffers } from '../support/scarce.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';
import { bytesOf } from './support.js';

const PAGE_BYTES = 256;

/** Everything that is in the channel, as text. */
function received(channel: Channel): string[] {
  const texts: string[] = [];
  for (let message = receivePacket(channel); message !== null; message = receivePacket(channel)) {
    for (const record of records(message)) texts.push(Buffer.from(record).toString());
    message.release();
  }
  return texts;
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

afterEach(() => {
  vi.unstubAllGlobals();
});

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  /** Runs with a pool and its channel `log`; every page must be home afterwards. */
  async function withPool(
    options: Omit<PoolOptions, 'channels'> & { log?: NonNullable<PoolOptions['channels']>[string] },
    test: (pool: PagePool, channel: Channel) => Promise<void> | void,
  ): Promise<void> {
    const { log = { capacity: 256 }, ...rest } = options;
    const pool = PagePool.createSync({ engine, pageBytes: PAGE_BYTES, pageCount: 16, channels: { log }, ...rest });
    await test(pool, pool.channel('log'));
    received(pool.channel('log'));
    expectAllHome(pool);
    expect((await pool.close({ timeoutMs: HUNG_MS })).isDestroyed).toBe(true);
  }

  it('keeps nothing of the memory of a pool that has ended', async () => {
    const open = async () => {
      const pool = PagePool.createSync({
        engine,
        pageBytes: PAGE_BYTES,
        pageCount: 4,
        channels: { log: { batch: 2 } },
      });
      const channel = pool.channel('log');
      const page = pool.take() as Fragment;
      const memory = new WeakRef(page.bytes.buffer);
      page.release();
      const writers = [new RecordWriter(channel), new RecordWriter(channel)];
      expect(writers[0]?.write('text')).toBe(true);
      expect(writers[1]?.write(new Uint8Array(2 * PAGE_BYTES))).toBe(true); // over two pages
      for (const writer of writers) {
        await writer.flush();
        received(channel);
      }
      expect((await pool.close({ timeoutMs: HUNG_MS })).isDestroyed).toBe(true);
      return { writers, memory };
    };
    const { writers, memory } = await open();
    await untilCollected(() => memory.deref() === undefined);
    expect(writers.map(({ pending }) => pending)).toEqual([0, 0]);
  });

  describe('packing', () => {
    it('packs many records into a page, and sends it when the next one does not fit', () =>
      withPool({}, (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        for (const text of numbered(40)) expect(writer.write(text)).toBe(true);
        // 256 B hold 20 records of 8 or 9 bytes and a word each.
        expect(channel.pending).toBe(2);
        expect(writer.pending).toBeLessThan(40);
        expect(writer.flushSync(0)).toBe(false); // sent, and not read
        expect([writer.pending, writer.dropped]).toEqual([0, 0]);
        expect(received(channel)).toEqual(numbered(40));
        expect(writer.flushSync(0)).toBe(true);
      }));

    it('takes records of every size up to its limit, as text and as bytes, and refuses larger ones', () =>
      withPool({ log: { batch: 4, capacity: 6 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        expect(writer.maxRecordBytes).toBe(4 * PAGE_BYTES);
        const sizes = [
          0, 1, 2, 3, 4, 5, 100, 243, 244, 245, 247, 248, 249, 251, 252, 253, 255, 256, 257, 511, 512, 513,
        ];
        for (const bytes of [...sizes, 4 * PAGE_BYTES - 1, 4 * PAGE_BYTES]) {
          for (const before of [0, 1, 7]) {
            const texts = [...numbered(before), 'é'.repeat(bytes >> 1) + 'x'.repeat(bytes & 1), 'end'];
            for (const [i, text] of texts.entries()) {
              const record = i % 2 === 0 ? text : Buffer.from(text);
              while (!writer.write(record)) expect(received(channel)).toEqual(texts.splice(0, i));
            }
            await writer.flush();
            expect(received(channel)).toEqual(texts);
          }
        }
        const long = 'x'.repeat(4 * PAGE_BYTES + 1);
        expect(writer.write('kept')).toBe(true);
        expect(codeOf(() => writer.write(long))).toBe('POOL_ERR_INVALID_ARGUMENT');
        expect(messageOf(() => writer.write(Buffer.from(long)))).toContain('record bytes=1025 (expected at most 1024)');
        await writer.flush();
        expect(received(channel)).toEqual(['kept']);
      }));

    it('fills a page to its last byte', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        // n records of one byte take n bytes and a table of n words from a multiple of 4 on.
        const most = Math.floor(PAGE_BYTES / 5);
        for (let i = 0; i < most; i++) writer.write('x');
        expect([writer.pending, channel.pending]).toEqual([most, 0]);
        writer.write('y');
        expect([writer.pending, channel.pending]).toEqual([1, 1]);
        await writer.flush();
        for (let i = 0; i < PAGE_BYTES / 4 + 1; i++) writer.write('');
        await writer.flush();
        const texts = received(channel);
        expect(texts.join('')).toBe(`${'x'.repeat(most)}y`);
        expect(texts.length).toBe(most + 1 + PAGE_BYTES / 4 + 1);
      }));

    it('writes each text as it is by itself, whatever stands before and behind it', () =>
      withPool({ pageBytes: 1024, log: { capacity: 16, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        // The halves of a character in two records are no character: each becomes U+FFFD.
        const halves = ['a\ud83d', '\ude00b', '\ud83d', '\ud83d\ude00', '\ude00'];
        const kinds = ['', 'plain', 'é', '€uro', '😀', `${'x'.repeat(30)}ÿ`, '\u0141', ...halves];
        const records = kinds.flatMap((first) => kinds.flatMap((second) => [first, second]));
        for (const [i, text] of records.entries()) {
          // Bytes between texts; plain pages behind others; pages that are sent half full.
          const record = i % 7 === 3 ? Buffer.from(text) : text;
          while (!writer.write(record)) throw new Error('the channel is full');
          if (i % 36 !== 35) continue; // the records are eight times as many
          for (const plain of numbered(3)) writer.write(plain);
          await writer.flush();
          const all = [...records.slice(i - 35, i + 1).map((each) => Buffer.from(each).toString()), ...numbered(3)];
          expect(received(channel)).toEqual(all);
        }
      }));

    it('encodes text in parts of a large page, plain or not, with bytes and empty records between', () =>
      withPool({ pageBytes: 65_536, pageCount: 4, log: { capacity: 4 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const plain = Array.from({ length: 300 }, (_, i) => (i % 50 === 49 ? '' : `${i}`.padEnd(100, 'abcdefgh')));
        // In the first part, at the end of one, at the start of the next one, and far behind.
        for (const at of [Infinity, 3, 81, 82, 83, 84, 85, 250]) {
          for (const odd of ['€uro', 'a\ud83d', Buffer.from('bytes')]) {
            const texts = [...plain.slice(0, at), odd, '\ude00b', ...plain.slice(at)];
            for (const text of texts) expect(writer.write(text)).toBe(true);
            expect([writer.pending, channel.pending]).toEqual([texts.length, 0]);
            await writer.flush();
            expect(received(channel)).toEqual(texts.map((text) => Buffer.from(text as string).toString()));
          }
        }
      }));

    it('writes text of one byte a character and others in turn, page by page', () =>
      withPool({ log: { capacity: 64 }, pageCount: 64 }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const texts = Array.from({ length: 600 }, (_, i) => (i % 97 === 5 ? `über ${i}` : `record ${i}`));
        for (const text of texts) expect(writer.write(text)).toBe(true);
        await writer.flush();
        expect(received(channel)).toEqual(texts);
      }));

    it('keeps nothing of the caller’s memory, and takes bytes of another realm', () =>
      withPool({}, async (_, channel) => {
        const { runInNewContext } = await import('node:vm');
        const writer = new RecordWriter(channel);
        const bytes = Buffer.from('before');
        writer.write(bytes);
        bytes.fill(0);
        writer.write(runInNewContext('Uint8Array.of(97, 98)'));
        await writer.flush();
        expect(received(channel)).toEqual(['before', 'ab']);
      }));

    it('sends the bytes alone: windows have no trace of the table', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel);
        for (const text of ['one\n', 'tw', 'o\nthr']) writer.write(text);
        await writer.flush();
        const message = receivePacket(channel) as Packet;
        expect(bytesOf(message).toString()).toBe('one\ntwo\nthr');
        expect(message.tag).toBe(3);
        message.release();
        for (const text of ['one\n', 'two\n']) writer.write(text);
        await writer.flush();
        channel.close();
        const lines: string[] = [];
        for await (const some of textLines(channel)) lines.push(...some);
        expect(lines).toEqual(['one', 'two']);
      }));

    it('sends by itself after flushMs', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 1 });
        for (const round of ['a', 'b', 'c']) {
          writer.write(round);
          await until(() => channel.pending === 1);
          expect(writer.pending).toBe(0);
          expect(received(channel)).toEqual([round]);
        }
      }));
  });

  describe('without room', () => {
    it('refuses what a full channel has no room for, loses nothing, and flush waits for room', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const texts = numbered(200);
        const got: string[] = [];
        const reading = (async () => {
          for await (const message of packets(channel)) {
            await turns(1);
            for (const record of records(message)) got.push(Buffer.from(record).toString());
            message.release();
          }
        })();
        let refused = 0;
        for (const text of texts) {
          for (; !writer.write(text); refused++) await writer.flush();
        }
        await writer.flush();
        channel.close();
        await reading;
        expect(refused).toBeGreaterThan(0);
        expect([writer.pending, writer.dropped]).toEqual([0, 0]);
        expect(got).toEqual(texts);
      }));

    it('sends what is pending when there is room, if nobody calls', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 0 });
        writer.write('first');
        await until(() => channel.pending === 1);
        writer.write('second');
        await turns(5);
        writer.write('third');
        expect(writer.pending).toBe(2);
        expect(received(channel)).toEqual(['first']);
        await until(() => channel.pending === 1);
        expect(received(channel)).toEqual(['second', 'third']);
      }));

    it('refuses without a page, and flush waits for as many as the record takes', () =>
      withPool({ pageCount: 4, log: { capacity: 4 } }, async (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const held = [1, 2, 3, 4].map(() => pool.take() as Fragment);
        expect(writer.write('small')).toBe(false);
        const small = writer.flush();
        await turns(3);
        held.pop()?.release();
        await small;
        expect(writer.write('small')).toBe(true);
        await writer.flush();
        const large = 'x'.repeat(2 * PAGE_BYTES + 1);
        expect(writer.write(large)).toBe(false);
        let isSettled = false;
        const three = writer.flush().then(() => {
          isSettled = true;
        });
        held.pop()?.release();
        held.pop()?.release();
        await turns();
        expect(isSettled).toBe(false); // two pages are home, and it takes three
        held.pop()?.release();
        await three;
        expect(writer.write(large)).toBe(true);
        expect(received(channel)).toEqual(['small']);
        await writer.flush();
        expect(received(channel)).toEqual([large]);
      }));

    it('drops and counts where it is told to', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000, whenFull: 'drop-newest' });
        const texts = numbered(100);
        for (const text of texts) expect(writer.write(text)).toBe(true);
        const { dropped } = writer;
        expect(dropped).toBeGreaterThan(0);
        const got = received(channel);
        await writer.flush();
        got.push(...received(channel));
        expect(got).toEqual(texts.slice(0, 100 - dropped));
      }));

    it('counts what a channel that drops the newest drops, also records of several pages', () =>
      withPool({ log: { capacity: 2, batch: 2, whenFull: 'drop-newest' } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        for (const text of ['a', 'b', 'c', 'd']) {
          writer.write(text);
          writer.write(text);
          await writer.flush();
        }
        expect([writer.dropped, channel.dropped]).toEqual([4, 2]);
        expect(writer.write('x'.repeat(2 * PAGE_BYTES))).toBe(true);
        await writer.flush();
        expect([writer.dropped, channel.dropped]).toEqual([5, 4]);
        expect(received(channel)).toEqual(['a', 'a', 'b', 'b']);
      }));

    it('leaves it to a channel that drops the oldest', () =>
      withPool({ log: { capacity: 2, batch: 1, whenFull: 'drop-oldest' } }, async (_, channel) => {
        const writer = new RecordWriter(channel);
        for (const text of ['a', 'b', 'c', 'd']) {
          writer.write(text);
          await writer.flush();
        }
        expect([writer.dropped, channel.dropped]).toEqual([0, 2]);
        expect(writer.flushSync(0)).toBe(false); // two are still there
        expect(received(channel)).toEqual(['c', 'd']);
        expect(writer.flushSync(0)).toBe(true);
      }));

    it('ends a flush by timeoutMs and by a signal, and keeps what is pending', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        writer.write('first');
        await writer.flush();
        writer.write('second');
        await expect(writer.flush({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
        const controller = new AbortController();
        const waiting = writer.flush({ signal: controller.signal });
        controller.abort(new Error('not any more'));
        await expect(waiting).rejects.toThrow('not any more');
        expect(writer.pending).toBe(1);
        expect(received(channel)).toEqual(['first']);
        await writer.flush();
        expect(received(channel)).toEqual(['second']);
      }));
  });

  describe('ends', () => {
    it('a closed channel: what was pending is counted, its page is back, every call reports it', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        for (const text of ['a', 'b']) writer.write(text);
        channel.close();
        await expect(writer.flush()).rejects.toMatchObject({ code: 'POOL_ERR_CHANNEL_CLOSED' });
        expect([writer.pending, writer.dropped]).toEqual([0, 2]);
        await writer.flush(); // nothing is left to lose
        expect(messageOf(() => writer.write('c'))).toMatch(/^write failed: channel="log"/);
        expect(writer.flushSync(0)).toBe(true);
      }));

    it('a channel that closes while nobody calls: the next call reports it', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 0 });
        for (const end of ['flush', 'flushSync', 'write'] as const) {
          if (!channel.isClosed) {
            writer.write('a');
            channel.close();
            await until(() => writer.dropped === 1);
          }
          if (end === 'flush') await expect(writer.flush()).rejects.toMatchObject({ code: 'POOL_ERR_CHANNEL_CLOSED' });
          if (end === 'flushSync') expect(writer.flushSync(0)).toBe(true); // it was told
          if (end === 'write') expect(codeOf(() => writer.write('b'))).toBe('POOL_ERR_CHANNEL_CLOSED');
        }
      }));

    it('a pool that closes gets the page after flushMs, and the records are counted', async () => {
      const pool = PagePool.createSync({ engine, pageBytes: PAGE_BYTES, pageCount: 4, channels: { log: {} } });
      const writer = new RecordWriter(pool.channel('log'), { flushMs: 1 });
      writer.write('late');
      const report = await pool.close({ timeoutMs: HUNG_MS });
      expect(report).toMatchObject({ isDestroyed: true, inflight: 0 });
      expect([writer.pending, writer.dropped]).toEqual([0, 1]);
      await expect(writer.flush()).rejects.toMatchObject({ code: 'POOL_ERR_DESTROYED' });
      expect(codeOf(() => writer.write('later'))).toBe('POOL_ERR_DESTROYED');
      expect(writer.flushSync(0)).toBe(true);
      writer.release();
    });

    it('a thread that leaves: nothing is written to a page that it has not any more', () => {
      const pool = PagePool.createSync({ engine, pageBytes: PAGE_BYTES, pageCount: 4, channels: { log: {} } });
      const writer = new RecordWriter(pool.channel('log'), { flushMs: 60_000 });
      writer.write('pending');
      expect(codeOf(() => pool.detach())).toBe('POOL_ERR_INVALID_ARGUMENT');
      pool.detach({ release: true });
      expect(codeOf(() => writer.write('x'))).toBe('POOL_ERR_DESTROYED');
      expect([writer.pending, writer.dropped]).toEqual([0, 1]);
      expect(writer.flushSync(0)).toBe(true);
      const other = new RecordWriter(pool.channel('log'));
      expect(codeOf(() => other.write('x'))).toBe('POOL_ERR_DESTROYED');
    });

    it('release drops what is pending and counts it, and the writer can be used again', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        writer.write('dropped');
        writer.release();
        writer.release();
        expect([writer.pending, writer.dropped, channel.pending]).toEqual([0, 1, 0]);
        expectAllHome(pool);
        writer.write('sent');
        await writer.flush();
        expect(received(channel)).toEqual(['sent']);
      }));

    it('a record of several pages that is never sent gives all of them back', () =>
      withPool({ pageCount: 4, log: { capacity: 4 } }, (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        expect(writer.write('x'.repeat(4 * PAGE_BYTES))).toBe(true);
        expect(pool.take()).toBe(null);
        writer.release();
        expectAllHome(pool);
      }));
  });

  describe('nothing is left of what is over', () => {
    it('release forgets the pages that a refused write had not got: flush has nothing to wait for', () =>
      withPool({ pageCount: 2, log: { capacity: 2 } }, async (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const held = [1, 2].map(() => pool.take() as Fragment);
        expect(writer.write('refused')).toBe(false);
        await expect(writer.flush({ timeoutMs: 0 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
        writer.release();
        await writer.flush({ timeoutMs: 0 });
        for (const page of held) page.release();
      }));

    it('a write that is taken ends the wait for pages of one that was refused', () =>
      withPool({ pageCount: 2, log: { capacity: 2 } }, async (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const held = pool.take() as Fragment;
        expect(writer.write('x'.repeat(2 * PAGE_BYTES))).toBe(false);
        expect(writer.write('small')).toBe(true);
        await writer.flush({ timeoutMs: 0 });
        expect(received(channel)).toEqual(['small']);
        // The probe of a flush takes the page and gives it back.
        expect(writer.write('x'.repeat(2 * PAGE_BYTES))).toBe(false);
        held.release();
        await writer.flush({ timeoutMs: 0 });
        expect(pool.audit().references.ledgers).toBe(0);
        const again = [1, 2].map(() => pool.take() as Fragment);
        await writer.flush({ timeoutMs: 0 }); // it had them once
        for (const page of again) page.release();
      }));

    it.each([1, 3])('a message of %i pages that was sent is not released again', (count) =>
      withPool({ pageCount: 4, log: { capacity: 4 } }, async (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        for (let round = 0; round < 3; round++) {
          writer.write('x'.repeat(count * PAGE_BYTES));
          await writer.flush();
          writer.release();
          expect([writer.pending, writer.dropped, channel.pending > 0]).toEqual([0, 0, true]);
          // All pages are somebody's now, who received them or took them, and stay so.
          const message = receivePacket(channel) as Packet;
          const pages = Array.from({ length: 4 - count }, () => pool.take() as Fragment);
          writer.release();
          expect(writer.flushSync(0)).toBe(false);
          const all = [...message.windows(), ...pages];
          expect(all.map(({ handle }) => pool.refCount(handle))).toEqual([1, 1, 1, 1]);
          for (const each of [message, ...pages]) each.release();
        }
      }),
    );

    it('after each message, sent or dropped, the next one begins anew, of whatever kind', () =>
      withPool({ pageCount: 8, log: { capacity: 8 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        const kinds = ['', 'plain', 'é', 'x'.repeat(PAGE_BYTES), 'é'.repeat(PAGE_BYTES), Buffer.alloc(700, 'b')];
        for (const first of kinds) {
          for (const end of ['flush', 'release'] as const) {
            for (const second of kinds) {
              writer.write(first);
              await writer[end]();
              writer.write(second);
              writer.write('third');
              await writer.flush();
              const sent = [...(end === 'flush' ? [first] : []), second, 'third'];
              expect(received(channel)).toEqual(sent.map(String));
            }
          }
        }
        expect(writer.dropped).toBe(kinds.length ** 2);
      }));

    it('what is pending holds the process once, and nothing does so when it went', () =>
      withPool({ pageCount: 16, log: { capacity: 16 } }, async (_, channel) => {
        const holding = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
        for (const [ref, more] of [
          [true, 1],
          [false, 0],
        ] as const) {
          const writer = new RecordWriter(channel, { flushMs: 60_000, ref });
          const large = 'x'.repeat(2 * PAGE_BYTES);
          for (const end of [
            () => writer.release(),
            () => writer.flushSync(0),
            () => writer.write(large) && writer.write(large) && writer.release(),
          ]) {
            const before = holding();
            for (const text of ['one', 'two', Buffer.from('three')]) writer.write(text);
            expect(holding() - before).toBe(more);
            end();
            expect(holding() - before).toBe(0);
            writer.write(large);
            expect(holding() - before).toBe(more);
            end();
            expect([holding() - before, writer.pending]).toEqual([0, 0]);
            received(channel);
          }
        }
      }));

    it('a writer has one timer at a time: release ends it, and the next record starts another', () =>
      withPool({}, async (_, channel) => {
        const set = vi.spyOn(globalThis, 'setTimeout');
        const clear = vi.spyOn(globalThis, 'clearTimeout');
        try {
          const writer = new RecordWriter(channel, { flushMs: 54_321 });
          const started = (): unknown[] =>
            set.mock.results.filter((_, i) => set.mock.calls[i]?.[1] === 54_321).map(({ value }) => value);
          for (const text of ['a', 'b']) writer.write(text);
          writer.flushSync(0);
          writer.write('c'); // the timer of the first message serves the second
          expect(started().length).toBe(1);
          expect((started()[0] as NodeJS.Timeout).hasRef()).toBe(false);
          expect(clear).not.toHaveBeenCalledWith(started()[0]);
          writer.release();
          expect(clear).toHaveBeenCalledWith(started()[0]);
          writer.write('d');
          expect(started().length).toBe(2);
          writer.release();
          expect(clear).toHaveBeenCalledWith(started()[1]);
        } finally {
          vi.restoreAllMocks();
        }
      }));

    it('is sent by itself after a release, and after a wait for room that a release ended', () =>
      withPool({ log: { capacity: 1, batch: 1 } }, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 1 });
        writer.write('dropped');
        writer.release();
        writer.write('first');
        await until(() => channel.pending === 1);
        writer.write('waits');
        await turns(5);
        expect(writer.pending).toBe(1); // the channel is full
        writer.release();
        writer.write('second');
        await turns(5);
        expect(received(channel)).toEqual(['first']);
        await until(() => channel.pending === 1);
        expect([writer.pending, writer.dropped]).toEqual([0, 2]);
        expect(received(channel)).toEqual(['second']);
      }));

    it('where there are no timers records wait for a call, and hold nothing', () =>
      withPool({}, async (_, channel) => {
        vi.stubGlobal('setTimeout', undefined);
        const writer = new RecordWriter(channel, { flushMs: 0 });
        const interval = vi.spyOn(globalThis, 'setInterval');
        for (const text of ['a', 'b']) expect(writer.write(text)).toBe(true);
        expect(interval).not.toHaveBeenCalled();
        vi.restoreAllMocks();
        vi.unstubAllGlobals();
        expect([writer.pending, channel.pending]).toEqual([2, 0]);
        writer.flushSync(0);
        expect(received(channel)).toEqual(['a', 'b']);
      }));
  });

  describe('an end is told once', () => {
    type Call = 'write' | 'flush' | 'flushSync';
    /** How a call ends: 'ok', false or the code of its error. */
    async function endOf(writer: RecordWriter, call: Call): Promise<unknown> {
      try {
        const end = call === 'write' ? writer.write('more') : call === 'flush' ? writer.flush() : writer.flushSync(0);
        return (await end) === false ? false : 'ok';
      } catch (error) {
        return (error as { code: string }).code;
      }
    }

    const CALLS = ['write', 'flush', 'flushSync'] as const;
    const CASES = CALLS.flatMap((call) => [0, 60_000].map((flushMs) => ({ call, flushMs })));
    const first = (call: Call, code: string): unknown => (call === 'flushSync' ? false : code);

    // A page that is begun takes records after the close, too: its end is found when it is sent.
    const CLOSED = CASES.filter(({ call, flushMs }) => call !== 'write' || flushMs === 0);
    it.each(CLOSED)('a closed channel, by $call, flushMs $flushMs', ({ call, flushMs }) =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel, { flushMs });
        for (const text of ['a', 'b']) writer.write(text);
        channel.close();
        if (flushMs === 0) await until(() => writer.dropped === 2);
        const code = 'POOL_ERR_CHANNEL_CLOSED';
        expect([await endOf(writer, call), writer.pending, writer.dropped]).toEqual([first(call, code), 0, 2]);
        expect([await endOf(writer, 'flush'), await endOf(writer, 'flushSync')]).toEqual(['ok', 'ok']);
        expect([await endOf(writer, 'write'), writer.dropped]).toEqual([code, 2]);
      }),
    );

    it.each(CASES)('nothing is written to pages of a pool that was left, by $call, flushMs $flushMs', async (one) => {
      const buffer = new SharedArrayBuffer(4 * PAGE_BYTES);
      const options = { engine, pageBytes: PAGE_BYTES, pageCount: 4, channels: { log: {} } };
      const pool = PagePool.createSync({ ...options, provider: userArea(buffer) });
      const writer = new RecordWriter(pool.channel('log'), { flushMs: one.flushMs });
      for (const text of ['text', 'that waits']) writer.write(text);
      pool.detach({ release: true });
      const bytes = new Uint8Array(buffer).fill(0);
      if (one.flushMs === 0) await until(() => writer.dropped === 2);
      await endOf(writer, one.call);
      expect([writer.dropped, bytes.every((byte) => byte === 0)]).toEqual([2, true]);
    });

    it.each(CASES)('a pool that this thread left, by $call, flushMs $flushMs', async ({ call, flushMs }) => {
      const pool = PagePool.createSync({ engine, pageBytes: PAGE_BYTES, pageCount: 4, channels: { log: {} } });
      const writer = new RecordWriter(pool.channel('log'), { flushMs });
      for (const text of ['a', 'b']) writer.write(text);
      pool.detach({ release: true });
      if (flushMs === 0) await until(() => writer.dropped === 2);
      const code = 'POOL_ERR_DESTROYED';
      expect([await endOf(writer, call), writer.pending, writer.dropped]).toEqual([first(call, code), 0, 2]);
      expect([await endOf(writer, 'flush'), await endOf(writer, 'flushSync')]).toEqual(['ok', 'ok']);
      expect([await endOf(writer, 'write'), writer.dropped]).toEqual([code, 2]);
    });
  });

  describe('flushSync', () => {
    const reader = `
      const { workerData: { entry, packetEntry, share, gate }, parentPort } = require('node:worker_threads');
      (async () => {
        const { PagePool } = await import(entry);
        const { packets, records } = await import(packetEntry);
        const pool = PagePool.attach(share);
        parentPort.postMessage('ready');
        Atomics.wait(gate, 0, 0);
        for await (const message of packets(pool.channel('log'))) {
          let count = 0;
          for (const record of records(message)) if (record.length > 0) count++;
          // Released is read: by then the sum is known.
          Atomics.add(gate, 1, count);
          message.release();
        }
        pool.detach();
      })();`;

    it('returns when other threads have released everything, over a channel that is full again and again', () =>
      withPool({ pageCount: 8, log: { capacity: 2, batch: 1 } }, async (pool, channel) => {
        const gate = new Int32Array(new SharedArrayBuffer(8));
        const [entry, packetEntry] = ['test/support/whole-entry.mjs', 'build/packet.js'].map(
          (path) => new URL(`../../${path}`, import.meta.url).href,
        );
        const workerData = { entry, packetEntry, share: pool.share(), gate };
        const worker = new Worker(reader, { eval: true, workerData });
        pool.watch(worker);
        await once(worker, 'message');
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        writer.write('first');
        expect(writer.flushSync(5)).toBe(false); // the reader stands still
        Atomics.store(gate, 0, 1);
        Atomics.notify(gate, 0);
        let written = 1;
        for (const text of numbered(2000)) {
          while (!writer.write(text)) expect(writer.flushSync()).toBe(true);
          written++;
        }
        expect(writer.flushSync()).toBe(true);
        expect(Atomics.load(gate, 1)).toBe(written);
        channel.close();
        await once(worker, 'exit');
      }));

    it('returns where this thread may not block, and its caches are its own again', () =>
      withPool({}, (pool, channel) => {
        const writer = new RecordWriter(channel, { flushMs: 60_000 });
        writer.write('a');
        const wait = vi.spyOn(Atomics, 'wait');
        try {
          // As in the main thread of a browser; anything else is no answer.
          for (const error of [new TypeError('not here'), new Error('broken')]) {
            const page = pool.alloc();
            wait.mockImplementation(() => {
              throw error;
            });
            if (error instanceof TypeError) expect(writer.flushSync()).toBe(false);
            else expect(() => writer.flushSync()).toThrow('broken');
            pool.release(page);
            expect(pool.audit().pages.cached).toBe(1);
          }
          expect(wait).toHaveBeenCalledTimes(2);
        } finally {
          wait.mockRestore();
        }
        expect(received(channel)).toEqual(['a']);
      }));

    it('does not wait in a pool that no other thread can see', async () => {
      withoutSharedBuffers();
      vi.stubGlobal('crossOriginIsolated', false);
      const pool = PagePool.createSync({ pageBytes: PAGE_BYTES, pageCount: 4, channels: { log: {} } });
      vi.unstubAllGlobals();
      expect(pool.mode).toBe('local');
      const writer = new RecordWriter(pool.channel('log'));
      writer.write('a');
      expect(writer.flushSync()).toBe(false);
      expect(received(pool.channel('log'))).toEqual(['a']);
      expect(writer.flushSync()).toBe(true);
      pool.destroy();
    });
  });

  describe('records', () => {
    it('refuses what is not a whole message of a writer', () =>
      withPool({}, async (pool, channel) => {
        const refused = (message: Fragment | Packet, found: string): void => {
          expect(messageOf(() => [...records(message)])).toContain(
            `records failed: ${found} (expected a whole message`,
          );
        };
        const writer = new RecordWriter(channel);
        for (const text of ['one', 'two', 'three']) writer.write(text);
        await writer.flush();
        const message = receivePacket(channel) as Packet;
        expect([...records(message)].length).toBe(3);
        const cut = message.slice(1);
        refused(cut, 'lengths=11 together, bytes=10');
        const two = message.clone().append(cut);
        refused(two, 'parts=2, tag=3');
        message.release();
        two.release();
        refused(message, 'parts=0');
        const plain = pool.take(8) as Fragment;
        refused(plain, 'tag=0');
        plain.release();
        expect(codeOf(() => records(plain))).toBe('POOL_ERR_STALE_HANDLE');
        expect(codeOf(() => records(null as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
        const full = new Packet().append(pool.take() as Fragment);
        expect(sendPacket(channel, full, 9)).toBe(true);
        const other = receivePacket(channel) as Packet;
        refused(other, 'tag=9');
        other.release();
      }));

    it('reads fragments, too, where a record has one page', () =>
      withPool({}, async (_, channel) => {
        const writer = new RecordWriter(channel);
        writer.write('one');
        await writer.flush();
        for (const text of ['two', '', 'three']) writer.write(text);
        await writer.flush();
        const read = (): string[] => {
          const fragment = channel.receive() as Fragment;
          const texts = [...records(fragment)].map((record) => Buffer.from(record).toString());
          fragment.release();
          return texts;
        };
        expect([read(), read()]).toEqual([['one'], ['two', '', 'three']]);
      }));
  });

  it('refuses wrong arguments', () =>
    withPool({}, (_, channel) => {
      for (const [wrong, name] of [
        [{ flushMs: -1 }, 'flushMs'],
        [{ flushMs: 0.5 }, 'flushMs'],
        [{ flushMs: Infinity }, 'flushMs'],
        [{ whenFull: 'drop-oldest' }, 'whenFull'],
        [{ ref: 1 }, 'ref'],
        [{ flush: 1 }, 'flush'],
      ] as const) {
        expect(messageOf(() => new RecordWriter(channel, wrong as never))).toContain(`RecordWriter failed: ${name}=`);
      }
      expect(codeOf(() => new RecordWriter({} as never))).toBe('POOL_ERR_INVALID_ARGUMENT');
      const writer = new RecordWriter(channel);
      for (const wrong of [1, null, undefined, {}, new Uint16Array(1), ['a']]) {
        expect(messageOf(() => writer.write(wrong as never))).toContain('write failed: record=');
      }
      expect(codeOf(() => writer.flushSync(Number.NaN))).toBe('POOL_ERR_INVALID_ARGUMENT');
      expect(writer.pending).toBe(0);
    }));
});
