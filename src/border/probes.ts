// The probes: each gives known bytes in pool memory to one API, and compares what arrives.
//
// Nothing here reaches outside this realm: no connection is made, no page is asked for a right. Three probes make
// something and take it away again: a file in the temporary folder, one in the origin's private file system, a WebGL
// context of one pixel.

import { builtin } from './platform.js';
import { emptyView, isSample, lateVerdict, readVerdict, sampleBytes, writeVerdict } from './sample.js';
import type { BorderApi, Verdict } from './verdict.js';

type Probe = () => Verdict | Promise<Verdict>;

/** Whether the realm has the global, or a member of one: 'crypto.subtle'. */
function has(path: string): boolean {
  let value: unknown = globalThis;
  for (const name of path.split('.')) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return value !== undefined && value !== null;
}

/** The probe where the realm has what it needs. */
function where(path: string, probe: Probe): Probe {
  return () => (has(path) ? probe() : 'absent');
}

// The platform takes shared views here or it does not: by its declarations it never does.
const own = (view: Uint8Array): Uint8Array<ArrayBuffer> => view as Uint8Array<ArrayBuffer>;

const untried: Probe = () => 'untried';

/** For calls whose result is the bytes that they saw. */
const asIs = (bytes: ArrayLike<number>): ArrayLike<number> => bytes;

// --------------------------------------------------------------------------------------- text, random numbers, digests

function decode(): Verdict {
  const expected = new TextDecoder().decode(sampleBytes());
  return readVerdict((view) => (new TextDecoder().decode(view) === expected ? sampleBytes() : []));
}

function encodeInto(): Verdict {
  const text = new TextDecoder().decode(sampleBytes());
  return writeVerdict((view) => void new TextEncoder().encodeInto(text, own(view)));
}

function randomValues(): Verdict {
  const view = emptyView();
  try {
    crypto.getRandomValues(own(view));
  } catch {
    return 'refused';
  }
  // 64 random bytes are not all zero.
  return view.some((byte) => byte !== 0) ? 'taken' : 'corrupted';
}

async function subtleDigest(): Promise<Verdict> {
  const expected = new Uint8Array(await crypto.subtle.digest('SHA-256', sampleBytes()));
  return lateVerdict(async (view) => {
    const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', own(view)));
    return digest.every((byte, i) => byte === expected[i]) ? sampleBytes() : [];
  }, asIs);
}

function createHash(): Verdict {
  const crypto = builtin('node:crypto');
  if (crypto === undefined) return 'absent';
  const digest = (bytes: Uint8Array): string => crypto.createHash('sha256').update(bytes).digest('hex');
  const expected = digest(sampleBytes());
  return readVerdict((view) => (digest(view) === expected ? sampleBytes() : []));
}

function gzipSync(): Verdict {
  const zlib = builtin('node:zlib');
  return zlib === undefined ? 'absent' : readVerdict((view) => zlib.gunzipSync(zlib.gzipSync(view)));
}

// ------------------------------------------------------------------------------------------ files

/** A file that has no name any more, in the temporary folder; undefined where that is not allowed without asking. */
function openNameless(): { fs: typeof import('node:fs'); file: number } | undefined {
  const { Deno } = globalThis as {
    Deno?: { permissions?: { querySync(right: { name: string }): { state: string } } };
  };
  const isAllowed = (name: string): boolean => Deno?.permissions?.querySync({ name }).state === 'granted';
  if (Deno !== undefined && !['read', 'write', 'env'].every(isAllowed)) return undefined;
  const [fs, os, path] = [builtin('node:fs'), builtin('node:os'), builtin('node:path')];
  try {
    const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'pagepool-'));
    try {
      return { fs, file: fs.openSync(path.join(folder, 'probe'), 'w+') };
    } finally {
      fs.rmSync(folder, { recursive: true });
    }
  } catch {
    return undefined;
  }
}

/** A probe of a nameless file's calls. */
function onFile(probe: (fs: typeof import('node:fs'), file: number) => Verdict | Promise<Verdict>): Probe {
  return async () => {
    if (builtin('node:fs') === undefined) return 'absent';
    const opened = openNameless();
    if (opened === undefined) return 'untried';
    try {
      return await probe(opened.fs, opened.file);
    } finally {
      opened.fs.closeSync(opened.file);
    }
  };
}

const fileWrite = onFile((fs, file) =>
  lateVerdict(
    (view) =>
      new Promise<ArrayLike<number>>((resolve, reject) => {
        fs.write(file, view, 0, view.length, 0, (error) => {
          if (error !== null) return reject(error);
          const read = new Uint8Array(view.length);
          resolve(fs.readSync(file, read, 0, read.length, 0) === read.length ? read : []);
        });
      }),
    asIs,
  ),
);

const fileRead = onFile((fs, file) => {
  fs.writeSync(file, sampleBytes(), 0, undefined, 0);
  return writeVerdict((view) => void fs.readSync(file, view, 0, view.length, 0));
});

type SyncFile = {
  read(view: Uint8Array, options: { at: number }): number;
  write(view: Uint8Array, options: { at: number }): number;
  close(): void;
};

/** A probe of an access handle: dedicated workers alone have them. */
function onAccessHandle(probe: (file: SyncFile) => Verdict): Probe {
  return async () => {
    type Handle = { createSyncAccessHandle?: () => Promise<SyncFile> };
    const { FileSystemFileHandle } = globalThis as { FileSystemFileHandle?: { prototype: Handle } };
    if (FileSystemFileHandle?.prototype.createSyncAccessHandle === undefined) return 'absent';
    const name = `pagepool-${Math.random().toString(36).slice(2)}`;
    try {
      const folder = await navigator.storage.getDirectory();
      const handle = (await folder.getFileHandle(name, { create: true })) as unknown as Handle;
      try {
        const file = (await handle.createSyncAccessHandle?.()) as SyncFile;
        try {
          return probe(file);
        } finally {
          file.close();
        }
      } finally {
        await folder.removeEntry(name);
      }
    } catch {
      return 'untried';
    }
  };
}

const accessWrite = onAccessHandle((file) =>
  readVerdict((view) => {
    file.write(view, { at: 0 });
    const read = new Uint8Array(view.length);
    return file.read(read, { at: 0 }) === read.length ? read : [];
  }),
);

const accessRead = onAccessHandle((file) => {
  file.write(sampleBytes(), { at: 0 });
  return writeVerdict((view) => void file.read(view, { at: 0 }));
});

// ------------------------------------------------------------------------------------------ bodies, messages, streams

const blob: Probe = () =>
  lateVerdict(
    (view) => new Blob([own(view)]),
    async (made) => new Uint8Array(await made.arrayBuffer()),
  );

const body: Probe = () =>
  lateVerdict(
    (view) => new Response(own(view)),
    async (made) => new Uint8Array(await made.arrayBuffer()),
  );

/** A clone of a view on shared memory is another view of it: what the page holds later shows there. */
const clone: Probe = () => lateVerdict((view) => structuredClone(view), asIs);

const compression: Probe = () =>
  lateVerdict(async (view) => {
    const stream = new CompressionStream('gzip');
    const writer = stream.writable.getWriter();
    const unzipped = stream.readable.pipeThrough(new DecompressionStream('gzip'));
    // All at once: a write waits until somebody reads.
    const ends = await Promise.allSettled([writer.write(own(view)), writer.close(), contentOf(unzipped)]);
    for (const end of ends) if (end.status === 'rejected') throw end.reason;
    return ends[2].status === 'fulfilled' ? ends[2].value : [];
  }, asIs);

async function contentOf(stream: ReadableStream<Uint8Array>): Promise<number[]> {
  const bytes: number[] = [];
  const reader = stream.getReader();
  for (let read = await reader.read(); !read.done; read = await reader.read()) bytes.push(...read.value);
  return bytes;
}

const enqueue: Probe = () =>
  lateVerdict(async (view) => {
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) {
        controller.enqueue(own(view));
        controller.close();
      },
    });
    return (await stream.getReader().read()).value ?? [];
  }, asIs);

const byob: Probe = async () => {
  const view = emptyView();
  try {
    const stream = new ReadableStream({
      type: 'bytes',
      start(controller) {
        controller.enqueue(sampleBytes());
        controller.close();
      },
    });
    const { value } = await stream.getReader({ mode: 'byob' }).read(own(view));
    return value !== undefined && isSample(view) ? 'taken' : 'corrupted';
  } catch {
    return 'refused';
  }
};

// ------------------------------------------------------------------------------------------ pictures and sound

/**
 * AudioData.copyTo() ends the whole page in WebKitGTK 2.50, in memory of any kind: what takes the page along cannot be
 * tried, and no other sign shows it.
 */
function unlessWebKit(probe: Probe): Probe {
  return () => {
    const { userAgent = '' } = (globalThis as { navigator?: { userAgent?: string } }).navigator ?? {};
    return userAgent.includes('AppleWebKit') && !/Chrom(?:e|ium)/.test(userAgent) ? 'untried' : probe();
  };
}

const PICTURE = { format: 'RGBA', codedWidth: 4, codedHeight: 4, timestamp: 0 } as const;
const SOUND = { format: 'u8', sampleRate: 48000, numberOfFrames: 64, numberOfChannels: 1, timestamp: 0 } as const;

const frame: Probe = () =>
  lateVerdict(
    (view) => new VideoFrame(own(view), PICTURE),
    async (made) => {
      try {
        const bytes = new Uint8Array(made.allocationSize());
        await made.copyTo(bytes);
        return bytes;
      } finally {
        made.close();
      }
    },
  );

const frameCopy: Probe = async () => {
  const made = new VideoFrame(sampleBytes(), PICTURE);
  const view = emptyView();
  try {
    await made.copyTo(own(view));
    return isSample(view) ? 'taken' : 'corrupted';
  } catch {
    return 'refused';
  } finally {
    made.close();
  }
};

function sound(): Verdict {
  return readVerdict((view) => {
    const made = new AudioData({ ...SOUND, data: own(view) });
    const bytes = new Uint8Array(view.length);
    view.fill(33);
    made.copyTo(bytes, { planeIndex: 0 });
    made.close();
    return bytes;
  });
}

function soundCopy(): Verdict {
  const made = new AudioData({ ...SOUND, data: sampleBytes() });
  const verdict = writeVerdict((view) => made.copyTo(own(view), { planeIndex: 0 }));
  made.close();
  return verdict;
}

type Chunk = { readonly byteLength: number; copyTo(view: Uint8Array<ArrayBuffer>): void };
type ChunkClass = new (init: { type: 'key'; timestamp: number; data: Uint8Array<ArrayBuffer> }) => Chunk;

function chunk(ofClass: () => ChunkClass): Probe {
  return () =>
    readVerdict((view) => {
      const made = new (ofClass())({ type: 'key', timestamp: 0, data: own(view) });
      const bytes = new Uint8Array(made.byteLength);
      view.fill(33);
      made.copyTo(bytes);
      return bytes;
    });
}

function chunkCopy(ofClass: () => ChunkClass): Probe {
  return () =>
    writeVerdict((view) => new (ofClass())({ type: 'key', timestamp: 0, data: sampleBytes() }).copyTo(own(view)));
}

function imageData(): Verdict {
  return readVerdict((view) => {
    const clamped = new Uint8ClampedArray(own(view).buffer, view.byteOffset, view.length);
    return new ImageData(clamped, 4, 4).data;
  });
}

const floats = (view: Uint8Array) => new Float32Array(own(view).buffer, view.byteOffset, view.length / 4);

function toChannel(): Verdict {
  const buffer = new AudioBuffer({ length: 16, sampleRate: 48000 });
  return readVerdict((view) => {
    buffer.copyToChannel(floats(view), 0);
    return new Uint8Array(buffer.getChannelData(0).buffer, 0, view.length);
  });
}

function fromChannel(): Verdict {
  const buffer = new AudioBuffer({ length: 16, sampleRate: 48000 });
  buffer.getChannelData(0).set(floats(sampleBytes()));
  return writeVerdict((view) => buffer.copyFromChannel(floats(view), 0));
}

// ------------------------------------------------------------------------------------------ WebGL

/** A probe on a context of its own, which is closed afterwards. */
function onContext(probe: (gl: WebGL2RenderingContext) => Verdict): Probe {
  return where('OffscreenCanvas', () => {
    const gl = new OffscreenCanvas(1, 1).getContext('webgl2');
    if (gl === null) return 'absent';
    try {
      return probe(gl);
    } finally {
      gl.getExtension('WEBGL_lose_context')?.loseContext();
    }
  });
}

const bufferData = onContext((gl) =>
  readVerdict((view) => {
    gl.bindBuffer(gl.ARRAY_BUFFER, gl.createBuffer());
    gl.bufferData(gl.ARRAY_BUFFER, own(view), gl.STATIC_DRAW);
    view.fill(33);
    const bytes = new Uint8Array(view.length);
    gl.getBufferSubData(gl.ARRAY_BUFFER, 0, bytes);
    return bytes;
  }),
);

const texImage = onContext((gl) =>
  readVerdict((view) => {
    const texture = gl.createTexture();
    gl.bindTexture(gl.TEXTURE_2D, texture);
    gl.texImage2D(gl.TEXTURE_2D, 0, gl.RGBA, 4, 4, 0, gl.RGBA, gl.UNSIGNED_BYTE, own(view));
    view.fill(33);
    gl.bindFramebuffer(gl.FRAMEBUFFER, gl.createFramebuffer());
    gl.framebufferTexture2D(gl.FRAMEBUFFER, gl.COLOR_ATTACHMENT0, gl.TEXTURE_2D, texture, 0);
    const bytes = new Uint8Array(view.length);
    gl.readPixels(0, 0, 4, 4, gl.RGBA, gl.UNSIGNED_BYTE, bytes);
    return bytes;
  }),
);

/** How each API is tried. */
export const probes: Readonly<Record<BorderApi, Probe>> = {
  'TextDecoder.decode': where('TextDecoder', decode),
  'TextEncoder.encodeInto': where('TextEncoder', encodeInto),
  'crypto.getRandomValues': where('crypto', randomValues),
  'crypto.subtle.digest': where('crypto.subtle', subtleDigest),
  'crypto.createHash': createHash,
  'zlib.gzipSync': gzipSync,
  'fs.write': fileWrite,
  'fs.read': fileRead,
  Blob: where('Blob', blob),
  'fetch body': where('Response', body),
  structuredClone: where('structuredClone', clone),
  // Both need a peer that answers. The specification refuses shared memory there.
  'WebSocket.send': where('WebSocket', untried),
  'RTCDataChannel.send': where('RTCDataChannel', untried),
  CompressionStream: where('CompressionStream', compression),
  'ReadableStream.enqueue': where('ReadableStream', enqueue),
  'ReadableStreamBYOBReader.read': where('ReadableStream', byob),
  VideoFrame: where('VideoFrame', frame),
  'VideoFrame.copyTo': where('VideoFrame', frameCopy),
  AudioData: where('AudioData', unlessWebKit(sound)),
  'AudioData.copyTo': where('AudioData', unlessWebKit(soundCopy)),
  EncodedVideoChunk: where(
    'EncodedVideoChunk',
    chunk(() => EncodedVideoChunk),
  ),
  'EncodedVideoChunk.copyTo': where(
    'EncodedVideoChunk',
    chunkCopy(() => EncodedVideoChunk),
  ),
  EncodedAudioChunk: where(
    'EncodedAudioChunk',
    chunk(() => EncodedAudioChunk),
  ),
  'EncodedAudioChunk.copyTo': where(
    'EncodedAudioChunk',
    chunkCopy(() => EncodedAudioChunk),
  ),
  ImageData: where('ImageData', imageData),
  'AudioBuffer.copyToChannel': where('AudioBuffer', toChannel),
  'AudioBuffer.copyFromChannel': where('AudioBuffer', fromChannel),
  'FileSystemSyncAccessHandle.write': accessWrite,
  'FileSystemSyncAccessHandle.read': accessRead,
  'WebGL.bufferData': bufferData,
  'WebGL.texImage2D': texImage,
};
