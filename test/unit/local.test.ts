// Where shared memory is not allowed: the same pool in memory of this thread alone, and share() says why it cannot.
//
// In a process of its own whose realm refuses shared memory, before the package is loaded.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { describe, expect, it } from 'vitest';
import { HUNG_MS } from '../support/waiting.js';

const at = (name: string): string => new URL(`../../build/${name}.js`, import.meta.url).href;
const fallback = `await import(${JSON.stringify(at('typescript'))});`;

/** What each realm withholds. */
const REFUSE_SHARED_WASM = `
  const Memory = WebAssembly.Memory;
  WebAssembly.Memory = function (options) {
    if (options.shared) throw new TypeError('shared memory is not allowed here');
    return new Memory(options);
  };`;
const NO_BUFFERS = 'delete globalThis.SharedArrayBuffer;';
const NO_WASM = 'delete globalThis.WebAssembly;';
const NO_COMPILING = `
  const refuse = () => { throw new WebAssembly.CompileError('refused by the content security policy'); };
  WebAssembly.Module = function () { refuse(); };
  WebAssembly.compile = async () => refuse();`;
const NOT_ISOLATED = `${NO_BUFFERS} globalThis.crossOriginIsolated = false;`;

/** A program that uses every part of the interface in one thread. */
const USE = `
  const { PagePool } = await import(${JSON.stringify(at('index'))});
  const assert = (await import('node:assert')).strict;
  const options = { pageCount: 16, maxPorts: 2, channels: { a: { capacity: 4, batch: 2 } }, zero: 'on-release' };
  const pool = await PagePool.create(options);
  const again = PagePool.createSync(options);
  again.destroy();
  const pages = Array.from({ length: 16 }, () => pool.alloc());
  assert.equal(new Set(pages).size, 16);
  assert.equal(pool.alloc(), 0);
  const bytes = pool.bytes(pages[0]).fill(7);
  for (const page of pages) pool.release(page);
  assert.ok(bytes.every((byte) => byte === 0));
  assert.throws(() => pool.release(pages[0]), { code: 'POOL_ERR_STALE_HANDLE' });
  const fragment = pool.take(100);
  fragment.bytes.fill(3);
  const slice = fragment.slice(10, 5);
  const channel = pool.channel('a');
  assert.ok(channel.sendFragment(fragment, 9));
  const came = await channel.next({ timeoutMs: ${HUNG_MS} });
  assert.deepEqual([came.tag, came.length, came.bytes[0]], [9, 100, 3]);
  const adopted = pool.adopt(slice.lend());
  adopted.release();
  came.release();
  pool.trim();
  const waiting = Array.from({ length: 16 }, () => pool.take());
  const late = pool.takeAsync(undefined, { timeoutMs: ${HUNG_MS}, ref: true });
  setTimeout(() => waiting[0].release());
  (await late).release();
  for (const each of waiting.slice(1)) each.release();
  const page = pool.alloc();
  const pin = pool.pin(page);
  pool.release(page);
  assert.equal(pool.stats().pages.pinned, 1);
  pool.unpin(pin);
  assert.equal(channel.waitSync(0), false);
  const audit = pool.audit();
  let refusal = {};
  try {
    pool.share();
  } catch ({ code, message }) {
    refusal = { code, message };
  }
  const { mode, engine } = pool;
  let wasm = '';
  try {
    PagePool.createSync({ ...options, engine: 'wasm' }).destroy();
  } catch ({ code }) {
    wasm = code;
  }
  const closed = await pool.close({ timeoutMs: ${HUNG_MS} });
  console.log(JSON.stringify({ mode, engine, refusal, wasm, balanced: audit.balanced, errors: audit.errors, closed }));
`;

async function run(realm: string) {
  const args = ['--input-type=module', '--eval', realm + USE];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  return JSON.parse(stdout);
}

const home = { balanced: true, errors: [], closed: { isDestroyed: true, inflight: 0 } };

describe('a pool without shared memory', () => {
  it.each([
    [
      'neither buffers nor shared Wasm memory',
      REFUSE_SHARED_WASM + NO_BUFFERS,
      /neither shared Wasm memory nor SharedArrayBuffer/,
      { engine: 'wasm', wasm: '' },
    ],
    [
      'neither buffers nor WebAssembly',
      NO_WASM + NO_BUFFERS + fallback,
      /neither shared Wasm memory nor SharedArrayBuffer/,
      { engine: 'typescript', wasm: 'POOL_ERR_INVALID_ARGUMENT' },
    ],
    ['no cross-origin isolation', NOT_ISOLATED, /not cross-origin isolated/, { engine: 'wasm', wasm: '' }],
    [
      'no cross-origin isolation, and may not compile',
      NOT_ISOLATED + NO_COMPILING + fallback,
      /not cross-origin isolated/,
      { engine: 'typescript', wasm: 'POOL_ERR_INVALID_ARGUMENT' },
    ],
  ])('is local where the realm has %s: the same interface, and share() says why', async (_, realm, reason, engines) => {
    const result = await run(realm);
    expect(result).toMatchObject({ ...home, mode: 'local', ...engines });
    expect(result.refusal.code).toBe('POOL_ERR_NOT_SHARED');
    expect(result.refusal.message).toMatch(/^share failed: mode="local" \(expected "shared"\)/);
    expect(result.refusal.message).toMatch(reason);
  });

  it('is shared in a SharedArrayBuffer where only Wasm refuses shared memory', async () => {
    const result = await run(REFUSE_SHARED_WASM + fallback);
    expect(result).toMatchObject({ ...home, mode: 'shared', engine: 'typescript', refusal: {} });
  });

  it('is shared in Wasm memory where nothing is withheld', async () => {
    expect(await run('')).toMatchObject({ ...home, mode: 'shared', engine: 'wasm', refusal: {}, wasm: '' });
  });
});
