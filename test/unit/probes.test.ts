// The probes of the border against platforms that are right, that refuse, that keep the memory they were given, and
// that get bytes wrong. What real browsers do is asked in test/browser/web: few of them are wrong, and in few ways.

import { existsSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { probes } from '../../src/border/probes.js';
import { isSample, sampleBytes } from '../../src/border/sample.js';
import type { BorderApi, Verdict } from '../../src/border/verdict.js';

/** How a platform reads bytes: at once; when they are looked at; not at all; a byte too early. */
type Way = 'right' | 'keeps' | 'refuses' | 'wrong';

/** What has been made by a probe and not been closed. */
const open = new Set<object>();

function taken(way: Way, view: Uint8Array): Uint8Array {
  if (way === 'refuses') throw new TypeError('shared memory is refused');
  return way === 'keeps' ? view : way === 'wrong' ? view.slice().reverse() : view.slice();
}

function given(way: Way, from: Uint8Array, to: Uint8Array): void {
  if (way === 'refuses') throw new TypeError('shared memory is refused');
  to.set(way === 'wrong' ? from.slice().reverse() : from);
}

/** Something that is made of bytes and gives them back: what it takes from a probe one way, what it gives another. */
function classOf(takes: Way, gives: Way, isClosed: boolean) {
  return class {
    readonly #bytes: Uint8Array;
    readonly byteLength: number;
    constructor(first: { data: Uint8Array } | Uint8Array) {
      this.#bytes = taken(takes, ArrayBuffer.isView(first) ? first : first.data);
      this.byteLength = this.#bytes.length;
      if (isClosed) open.add(this);
    }
    allocationSize() {
      return this.byteLength;
    }
    copyTo(view: Uint8Array) {
      given(gives, this.#bytes, view);
    }
    close() {
      if (!open.delete(this)) throw new Error('closed twice');
    }
  };
}

/** WebGL of one buffer and one texture: what is loaded and read back. */
function canvasOf(way: Way, hasContext: boolean) {
  return class {
    getContext(kind: string) {
      if (kind !== 'webgl2') throw new Error(`a context of kind ${kind}`);
      if (!hasContext) return null;
      let buffer: Uint8Array | undefined;
      const textures = new Map<object, Uint8Array>();
      let [bound, texture, framebuffer, shown]: (object | undefined)[] = [];
      const context = {
        ...{ ARRAY_BUFFER: 1, TEXTURE_2D: 2, FRAMEBUFFER: 3, COLOR_ATTACHMENT0: 4, RGBA: 5, UNSIGNED_BYTE: 6 },
        createBuffer: () => ({}),
        createTexture: () => ({}),
        createFramebuffer: () => ({}),
        bindBuffer: (_: number, made: object) => {
          bound = made;
        },
        bufferData: (_: number, view: Uint8Array) => {
          if (bound !== undefined) buffer = taken(way, view);
        },
        getBufferSubData: (_: number, at: number, to: Uint8Array) => to.set(buffer?.subarray(at) ?? []),
        bindTexture: (_: number, made: object) => {
          texture = made;
        },
        texImage2D: (...args: unknown[]) => {
          if (texture !== undefined) textures.set(texture, taken(way, args.at(-1) as Uint8Array));
        },
        bindFramebuffer: (_: number, made: object) => {
          framebuffer = made;
        },
        framebufferTexture2D: (_a: number, _b: number, _c: number, made: object) => {
          if (framebuffer !== undefined) shown = made;
        },
        readPixels: (...args: unknown[]) =>
          (args.at(-1) as Uint8Array).set(shown === undefined ? [] : (textures.get(shown) ?? [])),
        getExtension: (name: string) =>
          name === 'WEBGL_lose_context' ? { loseContext: () => void open.delete(context) } : null,
      };
      open.add(context);
      return context;
    }
  };
}

/** A file of the origin, with what is at its places, and how it is read and written. */
function originOf(reads: Way, writes: Way) {
  const names = new Set<string>();
  const bytes = new Uint8Array(256);
  const file = {
    read: (view: Uint8Array, { at }: { at: number }) => {
      given(reads, bytes.subarray(at, at + view.length), view);
      return view.length;
    },
    write: (view: Uint8Array, { at }: { at: number }) => {
      bytes.set(taken(writes, view), at);
      return view.length;
    },
    close: () => void open.delete(file),
  };
  return {
    names,
    getFileHandle: async (name: string, { create }: { create: boolean }) => {
      if (create) names.add(name);
      return {
        createSyncAccessHandle: async () => {
          open.add(file);
          return file;
        },
      };
    },
    removeEntry: async (name: string) => {
      // As the platform has it: a file that is open cannot be taken away.
      if (open.has(file)) throw new DOMException('in use', 'NoModificationAllowedError');
      names.delete(name);
    },
  };
}

beforeEach(() => open.clear());
afterEach(() => {
  vi.unstubAllGlobals();
  expect(open.size).toBe(0);
});

const ask = async (api: BorderApi): Promise<Verdict> => probes[api]();

// Chunks and sound are read where they are made; a frame may be read later, behind its promise.
describe.each(['AudioData', 'EncodedVideoChunk', 'EncodedAudioChunk'] as const)('%s', (name) => {
  test.each([
    ['right', 'taken'],
    ['keeps', 'corrupted'],
    ['refuses', 'refused'],
    ['wrong', 'corrupted'],
  ] as const)('that is made of a page and %s: %s', async (way, verdict) => {
    vi.stubGlobal(name, classOf(way, 'right', name === 'AudioData'));
    expect(await ask(name)).toBe(verdict);
  });

  test.each([
    ['right', 'taken'],
    ['refuses', 'refused'],
    ['wrong', 'corrupted'],
  ] as const)('that copies into a page and %s: %s', async (way, verdict) => {
    vi.stubGlobal(name, classOf('right', way, name === 'AudioData'));
    expect(await ask(`${name}.copyTo`)).toBe(verdict);
  });
});

test.each([
  ['right', 'taken'],
  ['keeps', 'later'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('a VideoFrame that is made of a page and %s: %s', async (way, verdict) => {
  vi.stubGlobal('VideoFrame', classOf(way, 'right', true));
  expect(await ask('VideoFrame')).toBe(verdict);
});

test.each([
  ['right', 'taken'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('a VideoFrame that copies into a page and %s: %s', async (way, verdict) => {
  vi.stubGlobal('VideoFrame', classOf('right', way, true));
  expect(await ask('VideoFrame.copyTo')).toBe(verdict);
});

test.each([
  ['right', 'taken'],
  ['keeps', 'corrupted'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('WebGL whose uploads are %s: %s, and no context is left', async (way, verdict) => {
  vi.stubGlobal('OffscreenCanvas', canvasOf(way, true));
  for (const api of ['WebGL.bufferData', 'WebGL.texImage2D'] as const) {
    expect([api, await ask(api), open.size]).toEqual([api, verdict, 0]);
  }
});

test('WebGL without a driver is absent', async () => {
  vi.stubGlobal('OffscreenCanvas', canvasOf('right', false));
  expect([await ask('WebGL.bufferData'), await ask('WebGL.texImage2D')]).toEqual(['absent', 'absent']);
});

describe('a file of the origin', () => {
  const inWorker = (storage: object) => {
    vi.stubGlobal(
      'FileSystemFileHandle',
      class {
        createSyncAccessHandle() {}
      },
    );
    vi.stubGlobal('navigator', { storage });
  };

  test.each([
    ['right', 'right', 'taken', 'taken'],
    ['refuses', 'right', 'refused', 'refused'],
    ['right', 'refuses', 'untried', 'refused'],
    ['wrong', 'right', 'corrupted', 'corrupted'],
    ['right', 'wrong', 'corrupted', 'corrupted'],
  ] as const)('that is read %s and written %s: %s and %s, and no file is left', async (reads, writes, read, write) => {
    const origin = originOf(reads, writes);
    inWorker({ getDirectory: async () => origin });
    expect(await ask('FileSystemSyncAccessHandle.read')).toBe(read);
    expect(await ask('FileSystemSyncAccessHandle.write')).toBe(write);
    expect([...origin.names]).toEqual([]);
  });

  test('that is not given is untried, and absent where there is no such handle, or none for this thread', async () => {
    inWorker({ getDirectory: async () => Promise.reject(new DOMException('no', 'SecurityError')) });
    expect(await ask('FileSystemSyncAccessHandle.read')).toBe('untried');
    vi.stubGlobal('FileSystemFileHandle', class {});
    expect(await ask('FileSystemSyncAccessHandle.read')).toBe('absent');
    vi.stubGlobal('FileSystemFileHandle', undefined);
    expect(await ask('FileSystemSyncAccessHandle.read')).toBe('absent');
  });
});

test.each([
  ['right', 'taken'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('a stream that reads into a page and is %s: %s', async (way, verdict) => {
  class Reading {
    readonly #read: Promise<Uint8Array>;
    constructor({ start }: { start(controller: object): void }) {
      this.#read = new Promise((resolve) => start({ enqueue: resolve, close() {} }));
    }
    getReader({ mode }: { mode: string }) {
      const read = async (view: Uint8Array) => {
        given(way, await this.#read, view);
        return { value: view, done: false };
      };
      return mode === 'byob' ? { read } : {};
    }
  }
  vi.stubGlobal('ReadableStream', Reading);
  expect(await ask('ReadableStreamBYOBReader.read')).toBe(verdict);
});

test('a stream that gives back a view of its own has not written to the page', async () => {
  const read = async () => ({ value: sampleBytes(), done: false });
  vi.stubGlobal(
    'ReadableStream',
    class {
      getReader = () => ({ read });
    },
  );
  expect(await ask('ReadableStreamBYOBReader.read')).toBe('corrupted');
  vi.stubGlobal(
    'ReadableStream',
    class {
      getReader = () => ({
        read: async (view: Uint8Array) => {
          view.set(sampleBytes());
          return { value: undefined, done: true };
        },
      });
    },
  );
  expect(await ask('ReadableStreamBYOBReader.read')).toBe('corrupted');
});

test.each([
  ['right', 'taken'],
  ['keeps', 'taken'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('image data that are made of a page and %s: %s', async (way, verdict) => {
  vi.stubGlobal(
    'ImageData',
    class {
      readonly data: Uint8Array;
      constructor(bytes: Uint8ClampedArray, width: number, height: number) {
        if (4 * width * height !== bytes.length) throw new RangeError('another size');
        this.data = taken(way, bytes as never);
      }
    },
  );
  expect(await ask('ImageData')).toBe(verdict);
});

test.each([
  ['right', 'taken'],
  ['refuses', 'refused'],
  ['wrong', 'corrupted'],
] as const)('an audio buffer that is %s: %s', async (way, verdict) => {
  const bytesOf = (samples: Float32Array) => new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  vi.stubGlobal(
    'AudioBuffer',
    class {
      readonly #samples: Float32Array;
      constructor({ length }: { length: number }) {
        this.#samples = new Float32Array(length);
      }
      getChannelData = () => this.#samples;
      copyToChannel = (from: Float32Array) => bytesOf(this.#samples).set(taken(way, bytesOf(from)));
      copyFromChannel = (to: Float32Array) => given(way, bytesOf(this.#samples), bytesOf(to));
    },
  );
  expect(await ask('AudioBuffer.copyToChannel')).toBe(verdict);
  expect(await ask('AudioBuffer.copyFromChannel')).toBe(verdict);
});

test('random numbers: written, refused, and not written', async () => {
  vi.stubGlobal('crypto', { getRandomValues: (view: Uint8Array) => view.fill(7, 63) });
  expect(await ask('crypto.getRandomValues')).toBe('taken');
  vi.stubGlobal('crypto', { getRandomValues: (view: Uint8Array) => view });
  expect(await ask('crypto.getRandomValues')).toBe('corrupted');
  vi.stubGlobal('crypto', { getRandomValues: (view: Uint8Array) => taken('refuses', view) });
  expect(await ask('crypto.getRandomValues')).toBe('refused');
});

test('WebKit is not asked for its sound, which ends its page', async () => {
  vi.stubGlobal('AudioData', classOf('right', 'right', true));
  const agents = {
    'Mozilla/5.0 (X11; Linux) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.0 Safari/605.1.15': 'untried',
    'Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36': 'taken',
    'Mozilla/5.0 (X11; Linux) AppleWebKit/537.36 (KHTML, like Gecko) Chromium/156 Safari/537.36': 'taken',
    'Mozilla/5.0 (X11; Linux; rv:153.0) Gecko/20100101 Firefox/153.0': 'taken',
  };
  for (const [userAgent, verdict] of Object.entries(agents)) {
    vi.stubGlobal('navigator', { userAgent });
    expect([await ask('AudioData'), await ask('AudioData.copyTo')]).toEqual([verdict, verdict]);
  }
});

describe('what Node has', () => {
  test('is asked as it is', async () => {
    const found: [BorderApi, readonly Verdict[]][] = [
      ['TextDecoder.decode', ['taken']],
      ['TextEncoder.encodeInto', ['taken']],
      ['crypto.createHash', ['taken']],
      ['zlib.gzipSync', ['taken']],
      ['fs.write', ['taken', 'later']],
      ['fs.read', ['taken']],
      ['structuredClone', ['later']],
    ];
    for (const [api, verdicts] of found) expect(verdicts, api).toContain(await ask(api));
  });

  test.each([
    ['right', 'taken'],
    ['keeps', 'later'],
    ['refuses', 'refused'],
    ['wrong', 'corrupted'],
  ] as const)('digests that are %s: %s', async (way, verdict) => {
    const digest = async (_: string, view: Uint8Array) => {
      const isSampleOfOwn = !(view.buffer instanceof SharedArrayBuffer);
      const bytes = taken(isSampleOfOwn ? 'right' : way, view);
      await Promise.resolve();
      return bytes.slice().buffer;
    };
    vi.stubGlobal('crypto', { subtle: { digest } });
    expect(await ask('crypto.subtle.digest')).toBe(verdict);
  });

  test.each(['fs.write', 'fs.read'] as const)('%s leaves no file, folder or descriptor behind', async (api) => {
    const folder = mkdtempSync(join(tmpdir(), 'probes-'));
    const descriptors = () => (existsSync('/proc/self/fd') ? readdirSync('/proc/self/fd').length : 0);
    vi.stubEnv('TMPDIR', folder);
    try {
      const before = descriptors();
      expect(['taken', 'later']).toContain(await ask(api));
      expect([readdirSync(folder), descriptors()]).toEqual([[], before]);
      vi.stubEnv('TMPDIR', join(folder, 'none'));
      expect(await ask(api)).toBe('untried');
    } finally {
      vi.unstubAllEnvs();
      rmSync(folder, { recursive: true });
    }
  });

  test('is untried where Deno would ask for a right, and tried where it was given', async () => {
    for (const asked of ['read', 'write', 'env', 'none']) {
      const querySync = ({ name }: { name: string }) => ({ state: name === asked ? 'prompt' : 'granted' });
      vi.stubGlobal('Deno', { permissions: { querySync } });
      expect([asked, await ask('fs.read')]).toEqual([asked, asked === 'none' ? 'taken' : 'untried']);
    }
  });

  test('is absent where there are no such modules', async () => {
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    try {
      for (const api of ['crypto.createHash', 'zlib.gzipSync', 'fs.write', 'fs.read'] as const) {
        expect([api, await ask(api)]).toEqual([api, 'absent']);
      }
    } finally {
      vi.restoreAllMocks();
    }
  });
});

test('what a realm lacks is absent', async () => {
  const paths = {
    'TextDecoder.decode': 'TextDecoder',
    'crypto.subtle.digest': 'crypto',
    Blob: 'Blob',
    'fetch body': 'Response',
    structuredClone: 'structuredClone',
    'WebSocket.send': 'WebSocket',
  } as const;
  for (const [api, name] of Object.entries(paths)) {
    for (const nothing of [undefined, null]) {
      vi.stubGlobal(name, nothing);
      expect([api, await ask(api as BorderApi)]).toEqual([api, 'absent']);
    }
    vi.unstubAllGlobals();
  }
  vi.stubGlobal('crypto', { subtle: undefined });
  expect(await ask('crypto.subtle.digest')).toBe('absent');
});

test('the sample is known by all of its bytes', () => {
  expect(isSample(sampleBytes())).toBe(true);
  for (const at of [0, 31, 63]) {
    const other = sampleBytes();
    other[at] = 1;
    expect(isSample(other)).toBe(false);
  }
  expect([isSample([...sampleBytes(), 0]), isSample(sampleBytes().subarray(1))]).toEqual([false, false]);
});
