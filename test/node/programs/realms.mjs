// Other realms: the package in a realm of its own (as jest with jsdom has it) gets what Node hands over, and the
// package here gets what was made in another realm. Both are taken for what they are.

import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createRequire } from 'node:module';
import net from 'node:net';
import { Readable, Writable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import vm from 'node:vm';
import esbuild from 'esbuild';
import * as main from 'pagepool';
import * as border from 'pagepool/border';
import * as node from 'pagepool/node';
import * as packet from 'pagepool/packet';
import { done, listen, told } from './support.mjs';

const entries = ['pagepool', 'pagepool/node', 'pagepool/packet', 'pagepool/border'];

/** The package inside a realm of its own: all that is Node's comes from outside. */
async function inOtherRealm() {
  const contents = entries.map((name) => `export * from '${name}';`).join('\n');
  const { outputFiles } = await esbuild.build({
    stdin: { contents, resolveDir: fileURLToPath(new URL('.', import.meta.url)) },
    bundle: true,
    format: 'cjs',
    platform: 'node',
    write: false,
    logLevel: 'silent',
  });
  const module = { exports: {} };
  const { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask } = globalThis;
  const timers = { setTimeout, clearTimeout, setInterval, clearInterval, setImmediate, queueMicrotask };
  const web = { URL, AbortController, AbortSignal, TextDecoder, TextEncoder, MessageChannel, structuredClone, crypto };
  const require = createRequire(import.meta.url);
  const globals = {
    ...timers,
    ...web,
    console,
    process,
    Buffer,
    performance,
    require,
    module,
    exports: module.exports,
  };
  const realm = vm.createContext(globals);
  vm.runInContext(outputFiles[0].text, realm);
  return module.exports;
}

/** Tries every call that takes an object of the platform; what is refused. */
async function refused(lib, make) {
  const pool = await lib.PagePool.create({ pageCount: 16 });
  const bytes = (text) => make.bytes(Buffer.from(text));
  const fragment = (text) => {
    const taken = pool.take(text.length);
    taken.bytes.set(Buffer.from(text));
    return taken;
  };
  const release = (each) => each.release();
  const withPacket = (use) => {
    const whole = new lib.Packet().append(fragment('abc'));
    try {
      return use(whole);
    } finally {
      whole.release();
    }
  };
  const server = net.createServer((socket) => socket.end('abc'));
  const port = await listen(server);
  const udp = createSocket('udp4');
  udp.bind(0, '127.0.0.1');
  await once(udp, 'listening');
  const calls = {
    readStreamInto: () => lib.readStreamInto(pool, Readable.from([bytes('abc')], { objectMode: false }), release),
    connectInto: () => lib.connectInto(pool, { port, host: '127.0.0.1' }, release).finished,
    serveInto: async () => {
      const socket = net.connect(port, '127.0.0.1');
      await once(socket, 'connect');
      return lib.serveInto(pool, socket, release).finished;
    },
    receiveInto: async () => {
      const reading = lib.receiveInto(pool, udp, release);
      udp.send(bytes('abc'), udp.address().port, '127.0.0.1');
      await once(udp, 'message');
      reading.stop();
      return reading.finished;
    },
    'readFileInto, URL': () => lib.readFileInto(pool, make.url(import.meta.url), release),
    'readFileInto, bytes': () => lib.readFileInto(pool, Buffer.from(fileURLToPath(import.meta.url)), release),
    writePacket: () =>
      lib.writePacket(new Writable({ write: (_chunk, _encoding, callback) => callback() }), fragment('abc')),
    'writePacket, UDP': () => lib.writePacket(udp, fragment('abc'), { port: udp.address().port, address: '127.0.0.1' }),
    copyTo: () => withPacket((whole) => whole.copyTo(bytes('123'))),
    indexOf: () => withPacket((whole) => whole.indexOf(bytes('bc')) === 1 || Promise.reject(new Error('not found'))),
    delimited: async () => {
      for await (const part of lib.delimited([fragment('a|b')], bytes('|'))) part.release();
    },
    decodeText: () => lib.decodeText(bytes('abc')) === 'abc' || Promise.reject(new Error('other text')),
    toUnshared: () => lib.toUnshared(bytes('abc')),
    digest: () => lib.digest(bytes('abc')),
    sendable: () => lib.sendable(bytes('abc')),
    allocBurst: () => {
      const handles = make.words(2);
      const count = pool.allocBurst(handles, 2);
      for (const handle of handles.subarray(0, count)) pool.release(handle);
    },
    signal: async () => {
      const stop = new AbortController();
      stop.abort(new Error('enough'));
      await lib.readStreamInto(pool, new Readable({ read() {} }), release, { signal: stop.signal }).catch(() => {});
    },
  };
  const wrong = [];
  for (const [name, call] of Object.entries(calls)) {
    const result = await told((async () => call())());
    if (typeof result === 'string' && name !== 'toUnshared') wrong.push(`${name}: ${result}`);
  }
  server.close();
  udp.close();
  wrong.push(pool.audit().references.ledgers);
  return wrong;
}

const PARTS = ['href', 'protocol', 'pathname', 'hostname', 'host', 'search', 'hash', 'origin', 'port'];
const here = { ...main, ...node, ...packet, ...border };
const realm = vm.createContext({ URL });
const foreign = {
  bytes: (buffer) => vm.runInContext('(buffer) => Uint8Array.from(buffer)', realm)(buffer),
  words: (count) => vm.runInContext('(count) => new Uint32Array(count)', realm)(count),
  // Of another implementation: it has the parts of a URL.
  url: (text) => Object.fromEntries(PARTS.map((name) => [name, new URL(text)[name]])),
};
const own = { bytes: (buffer) => buffer, words: (count) => new Uint32Array(count), url: (text) => new URL(text) };
const found = { there: await refused(await inOtherRealm(), own), here: await refused(here, foreign) };
done(found, { there: [0], here: [0] });
