// The border in Node: what probes find, that copies are made exactly where they must, and that the bytes that arrive
// are right.
//
// Random choices follow from the seed that is printed; SEED=n replays them.

import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runInNewContext } from 'node:vm';
import { PagePool } from 'pagepool';
import {
  advice,
  type BorderApi,
  type Capabilities,
  capabilities,
  decodeText,
  digest,
  sendable,
  toUnshared,
} from 'pagepool/border';
import { Packet } from 'pagepool/packet';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { lateVerdict, readVerdict, sampleBytes, writeVerdict } from '../../src/border/sample.js';
import { needsCopy, verdictFrom } from '../../src/border/verdict.js';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { HUNG_MS } from '../support/waiting.js';

const doctor = fileURLToPath(new URL('../../build/command.js', import.meta.url));
const seed = chooseSeed('border');

let pool: PagePool;
beforeAll(async () => {
  pool = await PagePool.create({ pageBytes: 65536, pageCount: 16 });
});
afterAll(async () => {
  const { balanced, exact, references } = pool.audit();
  expect({ balanced, exact, ledgers: references.ledgers }).toEqual({ balanced: true, exact: true, ledgers: 0 });
  expect(await pool.close({ timeoutMs: HUNG_MS })).toMatchObject({ isDestroyed: true, inflight: 0 });
});

function fragmentOf(bytes: Uint8Array) {
  const fragment = pool.take(bytes.length);
  if (fragment === null) throw new Error('the pool is empty');
  fragment.bytes.set(bytes);
  return fragment;
}

/** A packet of the bytes, cut at the places. */
function packetOf(bytes: Uint8Array, cuts: number[]): Packet {
  const packet = new Packet();
  let at = 0;
  for (const cut of [...cuts, bytes.length]) {
    if (cut > at) packet.append(fragmentOf(bytes.subarray(at, cut)));
    at = Math.max(at, cut);
  }
  return packet;
}

const tail = () => Promise.resolve();
const detach = (view: Uint8Array) => structuredClone(view, { transfer: [view.buffer as ArrayBuffer] });
const plain = () => new Uint8Array(64);

describe('a verdict', () => {
  test('tells an API that throws, one that does it right, and one that does it wrong', () => {
    expect(readVerdict((view) => view.slice())).toBe('taken');
    expect(readVerdict((view) => new Uint8Array(view.buffer).slice(0, view.length))).toBe('corrupted');
    expect(readVerdict((view) => new TextEncoder().encode(String(view)))).toBe('corrupted');
    expect(readVerdict(() => [])).toBe('corrupted');
    expect(readVerdict(detach, plain)).toBe('corrupted');
    expect(readVerdict((view) => view.slice(), plain)).toBe('taken');
    const refuse = () => {
      throw new TypeError('shared');
    };
    expect(readVerdict(refuse)).toBe('refused');
    expect(writeVerdict((view) => view.set(sampleBytes()))).toBe('taken');
    expect(writeVerdict((view) => new Uint8Array(view.buffer).set(sampleBytes()))).toBe('corrupted');
    expect(writeVerdict(() => {})).toBe('corrupted');
    expect(writeVerdict(refuse)).toBe('refused');
  });

  test('tells an API that reads in its call from one that reads later', async () => {
    const asIs = (bytes: Uint8Array | number[]) => bytes;
    expect(await lateVerdict(async (view) => view.slice(), asIs)).toBe('taken');
    expect(await lateVerdict(async (view) => tail().then(() => view.slice()), asIs)).toBe('later');
    expect(await lateVerdict(async (view) => view, asIs)).toBe('later');
    expect(await lateVerdict(async (view) => tail().then(() => [...view].reverse()), asIs)).toBe('corrupted');
    expect(await lateVerdict(async (view) => detach(view), asIs, plain)).toBe('corrupted');
    const refuse = (): Promise<number[]> => Promise.reject(new TypeError('shared'));
    expect(await lateVerdict(refuse, asIs)).toBe('refused');
    // What is made keeps the memory, and copies it when it is looked at: in the same turn, but behind the call.
    expect(
      await lateVerdict(
        (view) => ({ view }),
        async ({ view }) => view.slice(),
      ),
    ).toBe('later');
    expect(
      await lateVerdict(
        (view) => ({ view: view.slice() }),
        async ({ view }) => view,
      ),
    ).toBe('taken');
  });
});

describe('capabilities()', () => {
  test('finds what this Node does', async () => {
    const found = await capabilities();
    expect(found).toBe(await capabilities());
    const major = Number(process.versions.node.split('.')[0]);
    expect(found).toMatchObject({
      runtime: { name: 'node', version: process.versions.node },
      memory: 'wasm',
      reason: '',
      isIsolated: null,
      wasm: true,
      waitAsync: true,
      canBlock: true,
      locks: major >= 24,
      locksReason: major >= 24 ? '' : 'this realm has none',
      sandbox: '',
      isForeignRealm: false,
    });
    const expected: Partial<Record<BorderApi, string>> = {
      'TextDecoder.decode': 'taken',
      'crypto.createHash': 'taken',
      'crypto.subtle.digest': 'refused',
      'fs.write': 'later',
      'fs.read': 'taken',
      'fetch body': major >= 24 ? 'corrupted' : 'refused',
      CompressionStream: major >= 24 ? 'refused' : 'later',
      structuredClone: 'later',
      VideoFrame: 'absent',
    };
    const verdicts = Object.entries(found.views).map(([api, { verdict }]) => [api, verdict]);
    expect(Object.fromEntries(verdicts)).toMatchObject(expected);
    expect(found.views['fs.write'].copies).toBe(false);
    expect(found.views.structuredClone.copies).toBe(true);
  });

  test('finds a sandbox, locks that are refused, and objects of another realm', async () => {
    const { Buffer } = runInNewContext('({ Buffer: class extends Uint8Array {} })');
    vi.stubGlobal('navigator', {
      locks: { query: async () => Promise.reject(new DOMException('no', 'SecurityError')) },
    });
    vi.spyOn(process, 'getBuiltinModule').mockImplementation(((name: string) =>
      name === 'node:buffer' ? { Buffer } : undefined) as never);
    Object.assign(process, { permission: { has: (right: string) => right !== 'worker' } });
    try {
      vi.resetModules();
      const border = await import('pagepool/border');
      const found = await border.capabilities();
      expect(found).toMatchObject({
        locks: false,
        locksReason: 'they are refused: SecurityError',
        sandbox: 'Node may not make workers: --allow-worker',
        isForeignRealm: true,
      });
      const sentences = border.advice(found).join('\n');
      expect(sentences).toContain('This is a sandbox: Node may not make workers: --allow-worker lifts that.');
      expect(sentences).toContain('their classes are not those of this realm');
      const page = { ...found, runtime: { name: 'browser', version: 'x' } } as const;
      expect(border.advice(page).join('\n')).toContain(
        'No Web Locks, they are refused: SecurityError: pool.watch(worker)',
      );
    } finally {
      delete (process as { permission?: unknown }).permission;
      vi.unstubAllGlobals();
      vi.restoreAllMocks();
    }
  });

  test('finds chunks that keep the memory that they were made of', async () => {
    class Keeping {
      readonly #data: Uint8Array;
      constructor({ data }: { data: Uint8Array }) {
        this.#data = data;
      }
      get byteLength() {
        return this.#data.length;
      }
      copyTo(view: Uint8Array) {
        view.set(this.#data);
      }
    }
    class Copying extends Keeping {
      constructor({ data }: { data: Uint8Array }) {
        super({ data: data.slice() });
      }
    }
    vi.stubGlobal('EncodedVideoChunk', Keeping);
    vi.stubGlobal('EncodedAudioChunk', Copying);
    try {
      vi.resetModules();
      const { views } = await (await import('pagepool/border')).capabilities();
      expect(views.EncodedVideoChunk).toEqual({ verdict: 'corrupted', copies: true });
      expect(views.EncodedAudioChunk).toEqual({ verdict: 'taken', copies: false });
    } finally {
      vi.unstubAllGlobals();
    }
  });

  test('advice names what to do about each', async () => {
    const found = await capabilities();
    const bare: Capabilities = {
      ...found,
      runtime: { name: 'node', version: '20.18.0' },
      memory: 'local',
      reason: 'this page is not cross-origin isolated',
      isIsolated: false,
      wasm: false,
      waitAsync: false,
      canBlock: false,
      locks: false,
      views: { ...found.views, 'fetch body': { verdict: 'corrupted', copies: true } },
    };
    const sentences = advice(bare).join('\n');
    for (const part of ['Cross-Origin-Opener-Policy', "'wasm-unsafe-eval'", 'use 20.19', 'waitAsync', 'may not block'])
      expect(sentences).toContain(part);
    expect(sentences).toContain('pool.watch(worker)');
    expect(sentences).toContain("never give these a view: fetch body (sendable(fragment, 'fetch body'))");
    const views = Object.fromEntries(
      Object.keys(found.views).map((api) => [api, { verdict: 'taken', copies: false }]),
    ) as Capabilities['views'];
    expect(advice({ ...found, locks: true, views })).toEqual([]);
  });
});

describe('sendable()', () => {
  const bytes = Uint8Array.from({ length: 5000 }, (_, i) => (i * 7) % 251);

  test('is the view itself where the API takes it, and a copy where not', async () => {
    const { views } = await capabilities();
    using fragment = fragmentOf(bytes);
    for (const [api, { copies }] of Object.entries(views)) {
      const sent = sendable(fragment, api as BorderApi);
      expect(sent.buffer === fragment.bytes.buffer, api).toBe(!copies);
      expect(Buffer.compare(sent, bytes), api).toBe(0);
    }
  });

  test('arrives whole where the view itself would not', async () => {
    await capabilities();
    using fragment = fragmentOf(bytes);
    const response = new Response(sendable(fragment, 'fetch body'));
    const blob = new Blob([sendable(fragment, 'Blob')]);
    const clone = structuredClone(sendable(fragment, 'structuredClone'));
    fragment.bytes.fill(0);
    expect(Buffer.compare(new Uint8Array(await response.arrayBuffer()), bytes)).toBe(0);
    expect(Buffer.compare(new Uint8Array(await blob.arrayBuffer()), bytes)).toBe(0);
    expect(Buffer.compare(clone, bytes)).toBe(0);
  });

  test('is a copy for streams, whose writes may be settled before their chunk is read', async () => {
    await capabilities();
    using fragment = fragmentOf(bytes);
    const stream = new CompressionStream('gzip');
    const writer = stream.writable.getWriter();
    const unzipped = new Response(stream.readable.pipeThrough(new DecompressionStream('gzip'))).arrayBuffer();
    const before = crypto.getRandomValues(new Uint8Array(8192)); // keeps it at work while the next is queued
    void writer.write(before);
    await writer.write(sendable(fragment, 'CompressionStream') as Uint8Array<ArrayBuffer>);
    fragment.bytes.fill(33); // its next user
    await writer.close();
    expect(Buffer.compare(new Uint8Array(await unzipped).subarray(before.length), bytes)).toBe(0);
    // However fast it was when it was tried.
    expect(verdictFrom('CompressionStream', 'taken')).toBe('later');
    expect(['CompressionStream', 'fs.write'].map((api) => needsCopy(api as BorderApi, 'later'))).toEqual([true, false]);
  });

  test('joins the windows of a packet', () => {
    using packet = packetOf(bytes, [1, 1000, 4999]);
    expect(Buffer.compare(sendable(packet), bytes)).toBe(0);
    expect(packet.length).toBe(bytes.length);
  });
});

describe('text and digests', () => {
  test('equal those of plain bytes, for fragments and for packets cut anywhere', async () => {
    const next = randomFrom(seed);
    const random = (below: number): number => next() % below;
    const letters = ['a', 'ß', '€', '😀', '\ufeff', '\0'];
    for (let round = 0; round < 300; round++) {
      const text = Array.from({ length: 1 + random(200) }, () => letters[random(letters.length)]).join('');
      const plain = random(4) === 0 ? Uint8Array.from({ length: 100 }, () => random(256)) : Buffer.from(text);
      const encoding = ['utf-8', 'utf-16le'][random(2)] as string;
      const expected = new TextDecoder(encoding).decode(plain);
      const algorithm = (['SHA-1', 'SHA-256', 'SHA-384', 'SHA-512'] as const)[random(4)];
      const hash = createHash((algorithm as string).replace('-', ''))
        .update(plain)
        .digest('hex');
      using fragment = fragmentOf(plain);
      using packet = packetOf(
        plain,
        [random(plain.length), random(plain.length)].sort((a, b) => a - b),
      );
      for (const source of [fragment, packet, fragment.bytes, plain]) {
        expect(decodeText(source, { encoding })).toBe(expected);
        expect(Buffer.from(await digest(source, algorithm)).toString('hex')).toBe(hash);
        expect(Buffer.compare(toUnshared(source), plain)).toBe(0);
        expect(Object.prototype.toString.call(toUnshared(source).buffer)).toBe('[object ArrayBuffer]');
      }
    }
  });

  test('goes on after bytes that were no text', () => {
    using bad = packetOf(Uint8Array.of(97, 0xe2, 0x82, 0xff), [2, 3]);
    using good = fragmentOf(Buffer.from('\ufeffok')); // a mark that a decoder leaves out at its beginning alone
    expect(() => decodeText(bad, { fatal: true })).toThrow(TypeError);
    expect(decodeText(good, { fatal: true })).toBe('ok');
    expect(decodeText(bad)).toBe('a\ufffd\ufffd');
  });
});

test('misuse is refused', async () => {
  const spent = fragmentOf(Uint8Array.of(1));
  spent.release();
  const stale = expect.objectContaining({ code: 'POOL_ERR_STALE_HANDLE' });
  for (const call of [toUnshared, decodeText, sendable]) expect(() => call(spent)).toThrow(stale);
  await expect(digest(spent)).rejects.toEqual(stale);
  const invalid = expect.objectContaining({ code: 'POOL_ERR_INVALID_ARGUMENT' });
  const bytes = Uint8Array.of(1);
  for (const value of [null, 7, 'text', {}, [7], new ArrayBuffer(1)]) {
    expect(() => toUnshared(value as never)).toThrow(invalid);
  }
  expect(() => sendable(bytes, 'nothing' as never)).toThrow(invalid);
  expect(() => sendable(bytes, 'toString' as never)).toThrow(invalid);
  expect(() => decodeText(bytes, { encoding: 7 as never })).toThrow(invalid);
  expect(() => decodeText(bytes, { fatal: 1 as never })).toThrow(invalid);
  expect(() => decodeText(bytes, { label: 'x' } as never)).toThrow(invalid);
  expect(() => decodeText(bytes, { encoding: 'no such' })).toThrow(RangeError);
  await expect(digest(bytes, 'MD5' as never)).rejects.toEqual(invalid);
});

describe('the doctor', () => {
  const run = async (...args: string[]) => {
    try {
      return { code: 0, ...(await promisify(execFile)(process.execPath, [doctor, ...args])) };
    } catch (error) {
      const { code, stdout, stderr } = error as { code: number; stdout: string; stderr: string };
      return { code, stdout, stderr };
    }
  };

  test('prints a row for each API that is here, and what to do', async () => {
    const { code, stdout, stderr } = await run('doctor');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toContain(`pagepool on node ${process.versions.node}\n`);
    const { views } = await capabilities();
    for (const [api, { verdict }] of Object.entries(views)) {
      expect(new RegExp(`^  ${api.replaceAll('.', '\\.')} +\\S`, 'm').test(stdout), api).toBe(verdict !== 'absent');
    }
    for (const sentence of advice(await capabilities())) expect(stdout).toContain(`- ${sentence}\n`);
  });

  test('prints the same as JSON', async () => {
    const { code, stdout } = await run('doctor', '--json');
    expect(code).toBe(0);
    const found = await capabilities();
    expect(JSON.parse(stdout)).toEqual({ ...found, advice: advice(found) });
  });

  test('tells of a sandbox', async () => {
    const flag = process.allowedNodeEnvironmentFlags.has('--permission') ? '--permission' : '--experimental-permission';
    const args = [flag, '--allow-fs-read=*', doctor, 'doctor'];
    const { stdout } = await promisify(execFile)(process.execPath, args).catch((error) => error);
    expect(stdout).toMatch(/^ {2}sandbox +yes: Node may not make workers/m);
    expect(stdout).toContain('- This is a sandbox: Node may not make workers: --allow-worker lifts that.\n');
  });

  test('says how it is called', async () => {
    expect(await run('--help')).toMatchObject({ code: 0, stdout: expect.stringContaining('Usage: pagepool doctor') });
    for (const args of [[], ['nurse'], ['doctor', 'twice'], ['doctor', '--loud']]) {
      expect(await run(...args)).toMatchObject({ code: 2, stderr: expect.stringContaining('Usage:') });
    }
  });
});
