// Fragment objects that are collected with their reference: reported once, never freed; and nothing else is ever
// reported.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { type Fragment, type LeakReport, PagePool, type PoolOptions } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { collectGarbage, untilCollected } from '../support/garbage.js';

const entry = new URL('../support/whole-entry.mjs', import.meta.url).href;
const engines = ['wasm', 'typescript'] as const;

describe.each(engines)('with the %s engine, a Fragment object', (engine) => {
  const reports: LeakReport[] = [];
  const onLeak = (report: LeakReport): void => {
    reports.push(report);
  };
  const open = (options: PoolOptions = {}): PagePool =>
    PagePool.createSync({ engine, pageCount: 16, maxPorts: 2, leaks: 'all', onLeak, channels: { a: {} }, ...options });
  afterEach(() => {
    reports.length = 0;
    vi.restoreAllMocks();
  });

  it('that is collected with its reference is reported once, and the page is still held', async () => {
    const pool = open({ name: 'lossy' });
    (function drop() {
      (pool.take(100) as Fragment).bytes.fill(5);
    })();
    await collectGarbage();
    expect(reports).toHaveLength(1);
    const [report] = reports as [LeakReport];
    const { handle } = report;
    expect(report).toMatchObject({ pool: 'lossy', portId: 0, label: 'creator', origin: 'allocated', isDropped: true });
    expect(report.stack).toMatch(/^ +at drop \(.*leaks-dropped\.test\.ts/);
    expect(pool.refCount(handle)).toBe(1);
    expect(
      pool
        .bytes(handle)
        .subarray(0, 100)
        .every((byte) => byte === 5),
    ).toBe(true);
    expect(pool.audit()).toMatchObject({ balanced: true, references: { ledgers: 1 } });
    expect(pool.leaks()).toMatchObject([{ handle, isDropped: true, references: 1 }]);
    pool.release(handle); // the handle is as good as before
    expect(pool.leaks()).toEqual([]);
    pool.destroy();
  });

  it.each([
    [
      'received',
      (pool: PagePool) => {
        pool.channel('a').sendFragment(pool.take() as Fragment);
        pool.channel('a').receive();
      },
    ],
    ['adopted', (pool: PagePool) => pool.adopt((pool.take() as Fragment).lend())],
    ['made of a handle', (pool: PagePool) => pool.fragment(pool.alloc())],
    [
      'a slice',
      (pool: PagePool) => {
        const whole = pool.take() as Fragment;
        whole.slice(1, 1);
        whole.release();
      },
    ],
  ])('that was %s is reported like any other', async (_name, make) => {
    const pool = open();
    (() => {
      make(pool);
    })();
    await collectGarbage();
    expect(reports).toMatchObject([{ references: 1, isDropped: true }]);
    pool.detach({ release: true });
  });

  it('is warned of where nobody asked for the report', async () => {
    const warn = vi.spyOn(console, 'warn').mockImplementation(() => {});
    const pool = open({ name: 'quiet', onLeak: undefined as never });
    (() => {
      pool.take(100);
    })();
    await collectGarbage();
    expect(warn).toHaveBeenCalledOnce();
    const [message] = warn.mock.calls[0] as [string];
    const [{ handle, page, bytes }] = pool.leaks() as [LeakReport];
    expect(message).toMatch(
      new RegExp(
        `^pagepool "quiet": a Fragment was collected with its reference: handle=${handle} \\(expected release\\(\\) before\\); ` +
          `page ${page}, ${bytes} bytes, allocated \\d+ ms ago by port 0 "creator"; the page stays out\n +at .*leaks-dropped`,
      ),
    );
    pool.detach({ release: true });
  });

  it('that gave its reference away is never reported', async () => {
    const pool = open();
    const channel = pool.channel('a');
    (() => {
      (pool.take() as Fragment).release();
      (pool.take() as Fragment)[Symbol.dispose]();
      channel.sendFragment(pool.take() as Fragment);
      (pool.take() as Fragment).lend();
      const whole = pool.take() as Fragment;
      whole.slice(0, 10).release();
      whole.release();
      channel.receive()?.release();
    })();
    await collectGarbage();
    expect(reports).toEqual([]);
    pool.reclaimTokens(0);
    expect(pool.leaks()).toEqual([]);
    pool.destroy();
  });

  it.each([
    ['released', (fragment: Fragment) => fragment.release()],
    ['disposed of', (fragment: Fragment) => fragment[Symbol.dispose]()],
    ['sent', (fragment: Fragment, pool: PagePool) => pool.channel('a').sendFragment(fragment)],
    ['lent', (fragment: Fragment) => fragment.lend()],
  ])('that was %s is not taken for the owner of a reference that is held by number', async (_name, spend) => {
    const pool = open();
    (() => {
      const fragment = pool.take() as Fragment;
      pool.retain(fragment.handle);
      spend(fragment, pool);
    })();
    await collectGarbage();
    expect(reports).toEqual([]);
    expect(pool.leaks()).toMatchObject([{ references: 1, isDropped: false }]);
    pool.detach({ release: true });
  });

  it('whose reference went by its number is not reported, and neither is what another object has', async () => {
    const pool = open();
    (() => {
      pool.release((pool.take() as Fragment).handle);
    })();
    const kept = (() => {
      const first = pool.take() as Fragment;
      const second = first.retain();
      pool.release(first.handle);
      return second;
    })();
    await collectGarbage();
    expect(reports).toEqual([]);
    expect(pool.refCount(kept.handle)).toBe(1);
    kept.release();
    pool.destroy();
  });

  it('is reported for each reference that is lost with an object', async () => {
    const pool = open();
    const handle = (() => (pool.take() as Fragment).retain().handle)();
    await collectGarbage();
    expect(reports.map((report) => [report.handle, report.references])).toEqual([
      [handle, 2],
      [handle, 2],
    ]);
    pool.detach({ release: true });
  });

  it('is not reported after its thread left the pool and released everything', async () => {
    const pool = open();
    (() => {
      pool.take();
      pool.detach({ release: true });
    })();
    await collectGarbage();
    expect(reports).toEqual([]);
  });

  it('is not reported without `leaks`', async () => {
    const warn = vi.spyOn(console, 'warn');
    const pool = open({ leaks: 'off' });
    (() => {
      pool.take();
    })();
    await collectGarbage();
    expect(reports).toEqual([]);
    expect(warn).not.toHaveBeenCalled();
    pool.detach({ release: true });
  });

  it('does not keep its pool, nor what the pool reports to', async () => {
    let pool: PagePool | undefined = open();
    const fragment = pool.take() as Fragment;
    const gone = new WeakRef(pool);
    pool.detach({ release: true });
    pool = undefined;
    await untilCollected(() => gone.deref() === undefined);
    expect(fragment.length).toBe(4096);
  });

  it('is not kept by the registry, whatever its reports go to; nor is the memory', async () => {
    const [fragment, memory] = (() => {
      const holder: { fragment?: Fragment } = {};
      const pool = open({ onLeak: () => holder });
      holder.fragment = pool.take() as Fragment;
      const { memory } = pool.share();
      pool.detach({ release: true });
      return [new WeakRef(holder.fragment), new WeakRef(memory)];
    })();
    await untilCollected(() => fragment.deref() === undefined);
    await untilCollected(() => memory.deref() === undefined);
  });

  it('that is collected together with its pool is warned of', async () => {
    // Where the platform has no waitAsync nothing but the program keeps a pool.
    const program = `
      delete Atomics.waitAsync;
      const { PagePool } = await import(${JSON.stringify(entry)});
      function drop() {
        const pool = PagePool.createSync({ engine: '${engine}', pageCount: 4, leaks: 'all', name: 'forgotten', onLeak: () => pool });
        pool.take();
        const left = PagePool.createSync({ engine: '${engine}', pageCount: 4, leaks: 'all', name: 'left' });
        left.take();
        left.detach({ release: true });
        return new WeakRef(pool);
      }
      let warnings = 0;
      const { warn } = console;
      console.warn = (text) => {
        warnings++;
        warn(text);
      };
      const pool = drop();
      do {
        // First: what a weak reference was made of, or asked for, lives until the end of the job.
        await new Promise((resolve) => setTimeout(resolve, 1));
        gc();
      } while (pool.deref() !== undefined || warnings === 0);
      for (let i = 0; i < 4; i++) {
        await new Promise((resolve) => setTimeout(resolve, 1));
        gc();
      }
      console.log('collected');`;
    const args = ['--expose-gc', '--input-type=module', '--eval', program];
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      env: { ...process.env, NODE_OPTIONS: '' },
    });
    expect(stdout).toBe('collected\n');
    expect(stderr.match(/^pagepool .*/gm)).toHaveLength(1);
    expect(stderr).toMatch(/^pagepool "forgotten": a Fragment was collected/m);
  });
});
