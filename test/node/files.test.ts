// Files into pages: the bytes of the file in order, whatever the sizes, and every page home when a file shrinks,
// vanishes or refuses.

import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  closeSync,
  mkdirSync,
  openSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { type Fragment, PagePool } from 'pagepool';
import { fragments, readFileInto } from 'pagepool/node';
import { lines } from 'pagepool/packet';
import { describe, expect, test, vi } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { HUNG_MS, turns, until } from '../support/waiting.js';
import { Collector, inFolder, pattern, withPool } from './support.js';

const bytes = pattern(1_000_003);

/** Runs with a file of these bytes. */
const withFile = <T>(content: Uint8Array, use: (path: string) => Promise<T>): Promise<T> =>
  inFolder((folder) => {
    const path = join(folder, 'file');
    writeFileSync(path, content);
    return use(path);
  });

describe('reads', () => {
  test.each([
    [4096, 32, {}],
    [4096, 3, { depth: 8 }],
    [256, 1, {}],
    [65536, 32, { depth: 4, pagesPerRead: 2 }],
    [65536, 64, { readBytes: 1000, depth: 3, pagesPerRead: 5 }],
    [4096, 400, { depth: 1, pagesPerRead: 256 }],
    [262144, 8, { depth: 64, pagesPerRead: 1 }],
  ])('all of a file in pages of %i, %i of them, %o', (pageBytes, pageCount, options) =>
    withFile(bytes, (path) =>
      withPool({ pageBytes, pageCount }, async (pool) => {
        const got = new Collector();
        expect(await readFileInto(pool, path, got.take, options)).toBe(bytes.length);
        expect(got.bytes.equals(bytes)).toBe(true);
      }),
    ),
  );

  test.each([0, 1, 4095, 4096, 4097, 8192])('a file of %i bytes', (length) =>
    withFile(bytes.subarray(0, length), (path) =>
      withPool({}, async (pool) => {
        const got = new Collector();
        expect(await readFileInto(pool, path, got.take)).toBe(length);
        expect(got.bytes.equals(bytes.subarray(0, length))).toBe(true);
        expect(got.count).toBe(Math.ceil(length / 4096));
      }),
    ),
  );

  test.each([
    [0, 10],
    [5000, 5000],
    [4096, 20_000],
    [999_999, 2_000_000],
    [2_000_000, 3_000_000],
  ])('the bytes from %i to %i', (start, end) =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const got = new Collector();
        await readFileInto(pool, path, got.take, { start, end });
        expect(got.bytes.equals(bytes.subarray(start, end))).toBe(true);
      }),
    ),
  );

  test('what is no path, URL, descriptor or handle is refused by its name', () =>
    withPool({}, async (pool) => {
      for (const file of [{ href: 'file:///a' }, { protocol: 'file:' }, {}, null, undefined, 1.5, -1, []]) {
        await expect(readFileInto(pool, file as never, () => {})).rejects.toMatchObject({
          code: 'POOL_ERR_INVALID_ARGUMENT',
          message: expect.stringMatching(/^readFileInto failed: file=/),
        });
      }
    }));

  test('a file by URL, by descriptor and by handle, which stay open', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const descriptor = openSync(path, 'r');
        const handle = await open(path);
        for (const file of [pathToFileURL(path), Buffer.from(path), descriptor, handle, descriptor, handle]) {
          const got = new Collector();
          await readFileInto(pool, file, got.take);
          expect(got.bytes.equals(bytes)).toBe(true);
        }
        closeSync(descriptor);
        await handle.close();
      }),
    ));

  test('what is no regular file: one of /proc, and a pipe', () =>
    withPool({}, async (pool) => {
      const got = new Collector();
      await readFileInto(pool, '/proc/self/status', got.take);
      expect(`${got.bytes}`).toContain('Name:');
      await inFolder(async (folder) => {
        const path = join(folder, 'pipe');
        execFileSync('mkfifo', [path]);
        const piped = new Collector();
        const reading = readFileInto(pool, path, piped.take);
        const handle = await open(path, 'w');
        for (let at = 0; at < 100_000; at += 7001) await handle.write(bytes.subarray(at, at + 7001));
        await handle.close();
        await reading;
        expect(piped.bytes.equals(bytes.subarray(0, piped.bytes.length))).toBe(true);
        expect(piped.bytes.length).toBe(15 * 7001);
      });
    }));
});

/** A handle of a file system that gives less than it is asked for, and lets each read wait for something. */
async function sparing(path: string, bytesOf: () => number, wait: () => Promise<unknown>) {
  const handle = await open(path);
  const state = { onWay: 0, most: 0 };
  const slow = {
    fd: handle.fd,
    async readv(views: Uint8Array[], position?: number) {
      state.most = Math.max(state.most, ++state.onWay);
      await wait();
      let left = bytesOf();
      const fewer = views.map((view) => {
        const part = view.subarray(0, Math.min(left, view.length));
        left -= part.length;
        return part;
      });
      const result = await handle.readv(fewer, position);
      state.onWay--;
      return result;
    },
  };
  return { file: slow as unknown as FileHandle, state, close: () => handle.close() };
}

test('short reads: what was read ahead of them is dropped, and nothing comes twice', () =>
  withFile(bytes, (path) =>
    withPool({ pageCount: 64 }, async (pool) => {
      let turn = 0;
      const { file, state, close } = await sparing(
        path,
        () => [100_000, 1, 20_000, 4095, 4097][turn++ % 5] as number,
        () => turns(1),
      );
      const got = new Collector();
      expect(await readFileInto(pool, file, got.take, { depth: 4, pagesPerRead: 5 })).toBe(bytes.length);
      expect(got.bytes.equals(bytes)).toBe(true);
      expect(state.most).toBeGreaterThan(1);
      await close();
    }),
  ));

test('a descriptor that has nothing yet is asked less and less often, and soon again when something came', () =>
  withFile(bytes, (path) =>
    withPool({ pageCount: 64 }, async (pool) => {
      const handle = await open(path);
      let [now, reads] = [0, 0];
      const asked: number[] = [];
      const late = {
        fd: handle.fd,
        async readv(views: Uint8Array[], position?: number) {
          asked.push(now);
          if (++reads % 20 !== 0) throw Object.assign(new Error('not now'), { code: 'EAGAIN' });
          return handle.readv([(views[0] as Uint8Array).subarray(0, 100)], position);
        },
      } as unknown as FileHandle;
      vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
      const control = new AbortController();
      const got = new Collector();
      const reading = readFileInto(pool, late, got.take, { depth: 1, signal: control.signal }).catch(() => 'over');
      while (reads < 60) {
        await new Promise((resolve) => setImmediate(resolve));
        await vi.advanceTimersByTimeAsync(1);
        now++;
      }
      control.abort();
      vi.useRealTimers();
      expect(await reading).toBe('over');
      expect(got.bytes.equals(bytes.subarray(0, got.bytes.length))).toBe(true);
      const waits = asked.slice(1).map((at, i) => at - (asked[i] as number));
      for (const first of [0, 20]) {
        const some = waits.slice(first, first + 19);
        expect(some).toEqual([...some].sort((a, b) => a - b));
        expect(some[0]).toBeLessThan(10);
        expect(some[18]).toBeGreaterThan(10 * (some[0] as number));
        expect(some[18]).toBe(some[12]); // not for ever longer
      }
      await handle.close();
    }),
  ));

test('a reading that fails ends when no read is on its way any more', () =>
  withFile(bytes, (path) =>
    withPool({ pageCount: 64 }, async (pool) => {
      let letGo = (): void => {};
      const gate = new Promise<void>((resolve) => {
        letGo = resolve;
      });
      const { file, state, close } = await sparing(
        path,
        () => 1e6,
        () => gate,
      );
      const control = new AbortController();
      const reading = readFileInto(pool, file, (fragment) => fragment.release(), { depth: 4, signal: control.signal });
      let isOver = false;
      reading.catch(() => {}).then(() => (isOver = true));
      await until(() => state.onWay > 1);
      control.abort(new Error('enough'));
      await turns();
      expect(isOver).toBe(false);
      letGo();
      await expect(reading).rejects.toThrow('enough');
      expect(state.onWay).toBe(0);
      await close();
    }),
  ));

describe('waits', () => {
  test('for pages that others have, and for promises of the function', () =>
    withFile(bytes, (path) =>
      withPool({ pageCount: 8 }, async (pool) => {
        const held: Fragment[] = [];
        const chunks: Buffer[] = [];
        let isDone = false;
        const reading = readFileInto(pool, path, (fragment) => {
          chunks.push(Buffer.from(fragment.bytes));
          held.push(fragment);
          return chunks.length % 5 === 0 ? turns(1) : undefined;
        }).finally(() => {
          isDone = true;
        });
        await until(() => held.length === 8);
        await until(() => {
          for (const fragment of held.splice(0)) fragment.release();
          return isDone;
        });
        for (const fragment of held) fragment.release();
        expect(await reading).toBe(bytes.length);
        expect(Buffer.concat(chunks).equals(bytes)).toBe(true);
      }),
    ));
});

describe('a file that', () => {
  const refusals: [name: string, code: string, path: (folder: string) => string][] = [
    ['is not there', 'ENOENT', (folder) => join(folder, 'nothing')],
    ['is a folder', 'EISDIR', (folder) => folder],
    ['lies below a file', 'ENOTDIR', (folder) => join(folder, 'file', 'x')],
  ];
  test.each(refusals)('%s is refused with %s', (_, code, path) =>
    withPool({}, (pool) =>
      inFolder(async (folder) => {
        writeFileSync(join(folder, 'file'), 'x');
        await expect(readFileInto(pool, path(folder), () => {})).rejects.toMatchObject({ code });
      }),
    ),
  );

  test('may not be read is refused with EACCES', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        chmodSync(path, 0);
        // Root may read everything: this process is nobody meanwhile.
        const isRoot = process.geteuid?.() === 0;
        if (isRoot) process.seteuid?.(65_534);
        const reading = readFileInto(pool, path, () => {});
        await expect(reading).rejects.toMatchObject({ code: 'EACCES' });
        if (isRoot) process.seteuid?.(0);
      }),
    ));

  test('was opened for writing alone is refused with EBADF', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const descriptor = openSync(path, 'r+');
        closeSync(descriptor);
        await expect(readFileInto(pool, descriptor, () => {})).rejects.toMatchObject({ code: 'EBADF' });
        const handle = await open(path, 'a');
        await expect(readFileInto(pool, handle, () => {})).rejects.toMatchObject({ code: 'EBADF' });
        await handle.close();
      }),
    ));

  test('shrinks while it is read ends where it ends now, without a byte from a wrong place', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const got = new Collector();
        const length = await readFileInto(
          pool,
          path,
          (fragment) => {
            got.take(fragment);
            if (got.count === 3) truncateSync(path, 50_001);
          },
          { depth: 4, pagesPerRead: 2 },
        );
        expect(length).toBeLessThan(bytes.length);
        expect(got.bytes.equals(bytes.subarray(0, length))).toBe(true);
      }),
    ));

  test('grows while it is read is read to its new end', () =>
    withFile(bytes.subarray(0, 20_000), (path) =>
      withPool({}, async (pool) => {
        const got = new Collector();
        const length = await readFileInto(pool, path, (fragment) => {
          if (got.count === 2) appendFileSync(path, bytes.subarray(20_000, 90_001));
          got.take(fragment);
        });
        expect(length).toBe(90_001);
        expect(got.bytes.equals(bytes.subarray(0, 90_001))).toBe(true);
      }),
    ));

  test('vanishes while it is read is read on: it is still open', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const got = new Collector();
        await readFileInto(pool, path, (fragment) => {
          got.take(fragment);
          rmSync(path, { force: true });
        });
        expect(got.bytes.equals(bytes)).toBe(true);
      }),
    ));
});

describe('the reading ends, and every page is back, when', () => {
  test('the function throws or rejects, at any fragment', () =>
    withFile(bytes, (path) =>
      withPool({ pageCount: 64 }, async (pool) => {
        for (const at of [0, 1, 7, 8, 100]) {
          for (const isLate of [false, true]) {
            let count = 0;
            const reading = readFileInto(
              pool,
              path,
              (fragment) => {
                if (count++ < at) return fragment.release();
                if (isLate) return turns(1).then(() => Promise.reject(new Error('enough')));
                throw new Error('enough');
              },
              { depth: 3, pagesPerRead: 8 },
            );
            await expect(reading).rejects.toThrow('enough');
            expectAllHome(pool);
          }
        }
      }),
    ));

  test('a signal is aborted: before it, while it reads, while it waits for a page', () =>
    withFile(bytes, (path) =>
      withPool({ pageCount: 4 }, async (pool) => {
        const aborted = AbortSignal.abort(new Error('before'));
        await expect(readFileInto(pool, path, () => {}, { signal: aborted })).rejects.toThrow('before');
        const control = new AbortController();
        const held: Fragment[] = [];
        const reading = readFileInto(pool, path, (fragment) => void held.push(fragment), { signal: control.signal });
        await until(() => held.length === 4);
        control.abort(new Error('while it waits'));
        await expect(reading).rejects.toThrow('while it waits');
        for (const fragment of held) fragment.release();
        const second = new AbortController();
        const other = readFileInto(
          pool,
          path,
          (fragment) => {
            fragment.release();
            second.abort(new Error('while it reads'));
          },
          { signal: second.signal },
        );
        await expect(other).rejects.toThrow('while it reads');
      }),
    ));

  test('it is longer than allowed', () =>
    withFile(bytes, (path) =>
      withPool({}, async (pool) => {
        const reading = readFileInto(pool, path, (fragment) => fragment.release(), { maxBytes: 100_000 });
        await expect(reading).rejects.toMatchObject({ code: 'POOL_ERR_MEMORY_LIMIT' });
      }),
    ));

  test('the pool closes', () =>
    withFile(bytes, async (path) => {
      const pool = await PagePool.create({ pageBytes: 4096, pageCount: 8 });
      const reading = readFileInto(pool, path, async (fragment) => {
        fragment.release();
        pool.destroy();
        await turns(1);
      });
      await expect(reading).rejects.toMatchObject({ code: expect.stringMatching(/POOL_ERR_(CLOSING|DESTROYED)/) });
      expect((await pool.close({ timeoutMs: HUNG_MS, ref: true })).isDestroyed).toBe(true);
    }));
});

test('wrong options are refused before anything is opened', () =>
  withPool({}, async (pool) => {
    const cases = [
      { depth: 0 },
      { depth: 65 },
      { pagesPerRead: 0 },
      { start: -1 },
      { start: 5, end: 4 },
      { end: 1.5 },
      { size: 1 },
    ];
    for (const options of cases) {
      const reading = readFileInto(pool, '/nothing', () => {}, options as never);
      await expect(reading).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    }
    for (const file of [null, {}, -1]) {
      const reading = readFileInto(pool, file as never, () => {});
      await expect(reading).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    }
  }));

test('lines of a file, by its stream of fragments; leaving early gives everything back', () =>
  inFolder(async (folder) => {
    const path = join(folder, 'lines');
    mkdirSync(folder, { recursive: true });
    const text = Array.from({ length: 5000 }, (_, i) => `line ${i} ${'x'.repeat(i % 90)}\n`).join('');
    writeFileSync(path, text);
    await withPool({}, async (pool) => {
      const source = () => fragments((onFragment, signal) => readFileInto(pool, path, onFragment, { signal }));
      let read = '';
      for await (const line of lines(source())) {
        read += `${Buffer.concat(line.toBuffers())}\n`;
        line.release();
      }
      expect(read).toBe(text);
      let count = 0;
      for await (const line of lines(source())) {
        line.release();
        if (++count === 100) break;
      }
      await until(() => pool.stats().pages.used === 0);
    });
  }));
