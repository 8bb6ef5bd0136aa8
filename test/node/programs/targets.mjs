// Every kind of target that packets may be written to: the bytes arrive as they were although their pages are used
// again as soon as the write is done; the write is settled also when the target goes away under it, and every page
// comes home. What is found is compared with the table of docs/node.md.

import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import crypto from 'node:crypto';
import { createSocket } from 'node:dgram';
import { EventEmitter, once } from 'node:events';
import { closeSync, createWriteStream, openSync, readFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import net from 'node:net';
import { join } from 'node:path';
import { compose, Duplex, PassThrough, Transform, Writable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import tls from 'node:tls';
import { fileURLToPath } from 'node:url';
import { isMainThread, Worker, workerData } from 'node:worker_threads';
import zlib from 'node:zlib';
import { PagePool } from 'pagepool';
import { packetWritable, writePacket } from 'pagepool/node';
import { Packet } from 'pagepool/packet';
import { orHung, turns, until } from '../../support/waiting.js';
import { closed, done, folder, fragmentOf, listen, selfSigned, withPool } from './support.mjs';

const self = fileURLToPath(import.meta.url);
const LENGTH = 3000;
const content = Buffer.from(Array.from({ length: LENGTH }, (_, i) => (i * 7) & 0x7f));

/** A packet of two fragments with the content. */
function contentOf(pool) {
  return new Packet()
    .append(fragmentOf(pool, content.subarray(0, 1000)))
    .append(fragmentOf(pool, content.subarray(1000)));
}

/** Writes over every page that is free: what somebody reads later from a page is wrong then. */
function useAgain(pool) {
  const pages = [];
  for (let page = pool.take(pool.pageBytes); page !== null; page = pool.take(pool.pageBytes)) pages.push(page);
  for (const page of pages) {
    page.bytes.fill(0xee);
    page.release();
  }
}

// ------------------------------------------------------------------------------------------------- the targets
// Each opens one: { target, read(): what arrived when it has ended, cut(): it goes away, begin(): lets it go on }.

const certificate = isMainThread ? selfSigned() : undefined;
const at = isMainThread ? folder() : undefined;
let files = 0;
const newPath = () => join(at, String(files++));
const quiet = (emitter) => emitter.on('error', () => {});
const ignore = () => {};

/** A pair of connected sockets; the other side collects when it is asked to. */
async function socketPair(server, connect) {
  const accepted = once(server, server instanceof tls.Server ? 'secureConnection' : 'connection');
  const target = quiet(connect());
  const [other] = await accepted;
  quiet(other);
  return {
    target,
    read: async () => {
      target.end();
      return buffer(other);
    },
    close: () => {
      other.destroy();
      server.close();
    },
  };
}

async function tcp() {
  const server = net.createServer();
  const port = await listen(server);
  return socketPair(server, () => net.connect(port, '127.0.0.1'));
}

async function local() {
  const server = net.createServer();
  const path = newPath();
  server.listen(path);
  await once(server, 'listening');
  return socketPair(server, () => net.connect(path));
}

async function secure() {
  const server = tls.createServer(certificate);
  const port = await listen(server);
  return socketPair(server, () => tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false }));
}

/** The response of a server to a request; `change` does something to it before. */
const responseOf =
  (module, change = ignore, method = 'GET') =>
  async () => {
    const server = module.createServer(certificate);
    const port = await listen(server);
    const options = { port, host: '127.0.0.1', agent: false, method, rejectUnauthorized: false };
    const request = quiet(module.request(options)).end();
    const [, target] = await once(server, 'request');
    change(target);
    const answer = once(request, 'response').catch(() => []);
    return {
      target,
      read: async () => {
        target.end();
        const [response] = await answer;
        return buffer(response);
      },
      cut: () => request.destroy(),
      close: () => {
        request.destroy();
        server.close();
        server.closeAllConnections();
      },
    };
  };

/** What compressing middleware does to a response: its `write` takes no callback. */
function wrap(response) {
  const { write, end } = response;
  const inner = new Transform({ transform: (chunk, _encoding, callback) => callback(null, chunk) });
  inner.on('data', (chunk) => write.call(response, chunk)).on('end', () => end.call(response));
  response.write = (chunk, _encoding) => inner.write(chunk);
  response.end = (chunk, _encoding) => (chunk ? inner.end(chunk) : inner.end());
}

/** The second response of a connection whose first one is not there yet. */
async function pipelined() {
  const server = http.createServer();
  const responses = [];
  server.on('request', (_request, response) => responses.push(response));
  const client = quiet(net.connect(await listen(server), '127.0.0.1'));
  client.write('GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n');
  await until(() => responses.length === 2);
  const [first, target] = responses;
  target.setHeader('Content-Length', LENGTH);
  return {
    target,
    begin: () => first.end(),
    read: async () => {
      target.end();
      const all = await buffer(client);
      return all.subarray(all.length - LENGTH);
    },
    cut: () => client.destroy(),
    close: () => {
      client.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
}

/** A client's request; in an agent's queue behind another one, or not. */
const requestOf = (isQueued) => async () => {
  const bodies = new Map();
  const server = http.createServer((request, response) => {
    bodies.set(
      request.url,
      buffer(request).catch(() => Buffer.alloc(0)),
    );
    request.on('end', () => response.end());
  });
  const agent = new http.Agent({ maxSockets: 1 });
  const origin = { port: await listen(server), host: '127.0.0.1', agent, method: 'POST' };
  const before = isQueued ? quiet(http.request({ ...origin, path: '/before' })) : undefined;
  before?.on('response', (response) => response.resume());
  before?.flushHeaders();
  const target = quiet(http.request({ ...origin, path: '/' }));
  target.on('response', (response) => response.resume());
  return {
    target,
    begin: () => before?.end(),
    read: async () => {
      target.end();
      await until(() => bodies.has('/'));
      return bodies.get('/');
    },
    close: () => {
      agent.destroy();
      server.close();
      server.closeAllConnections();
    },
  };
};

/** A stream of HTTP/2: of the server, as a response of the older interface, or of the client. */
const http2Of = (side) => async () => {
  const server = http2.createServer();
  const session = quiet(http2.connect(`http://127.0.0.1:${await listen(server)}`));
  const request = quiet(session.request({ ':method': 'POST' }));
  let target = request;
  let other;
  if (side === 'client') [other] = await once(server, 'stream');
  else {
    request.end();
    if (side === 'response') [, target] = await once(server, 'request');
    else [target] = await once(server, 'stream');
    other = request;
    if (side === 'server') target.respond();
  }
  quiet(other);
  quiet(target);
  return {
    target,
    read: async () => {
      target.end();
      return buffer(other);
    },
    cut: () => session.destroy(),
    close: () => {
      session.destroy();
      server.close();
    },
  };
};

async function fileStream() {
  const path = newPath();
  const target = quiet(createWriteStream(path));
  await once(target, 'open');
  return {
    target,
    read: async () => {
      target.end();
      await closed(target);
      return readFileSync(path);
    },
  };
}

async function fileHandle() {
  const path = newPath();
  const target = await open(path, 'w');
  const close = () => target.close().catch(ignore);
  return {
    target,
    read: async () => {
      await close();
      return readFileSync(path);
    },
    cut: close,
  };
}

async function udp() {
  const receiver = createSocket('udp4');
  receiver.bind(0, '127.0.0.1');
  await once(receiver, 'listening');
  const target = createSocket('udp4');
  target.connect(receiver.address().port, '127.0.0.1');
  await once(target, 'connect');
  const message = once(receiver, 'message');
  return {
    target,
    read: async () => (await message)[0],
    cut: () => target.close(),
    close: () => {
      receiver.close();
      if (target.listenerCount('close') >= 0) told(() => target.close());
    },
  };
}

/** Calls what may throw. */
function told(call) {
  try {
    call();
  } catch {
    // closed already
  }
}

/** A stream that makes something of its bytes; `undo` makes them of that again. */
const through = (make, undo) => async () => {
  const target = quiet(make());
  return {
    target,
    read: async () => {
      const result = buffer(target);
      target.end();
      return undo(await result);
    },
  };
};

const [KEY, IV] = [Buffer.alloc(16, 1), Buffer.alloc(16, 2)];
const cipher = through(
  () => crypto.createCipheriv('aes-128-ctr', KEY, IV),
  (bytes) => crypto.createDecipheriv('aes-128-ctr', KEY, IV).update(bytes),
);
const isDigest = (algorithm) => (bytes) =>
  bytes.equals(crypto.createHash(algorithm).update(content).digest()) ? content : bytes;
const isMac = (bytes) => (bytes.equals(crypto.createHmac('sha256', KEY).update(content).digest()) ? content : bytes);
const inflate = (make) => async () => {
  // What is written is stored as it is, so that the content is the compressed form: the head first.
  const stored = Buffer.alloc(7);
  stored.set([0x78, 0x01, 0x01]);
  stored.writeUInt16LE(LENGTH, 3);
  stored.writeUInt16LE(~LENGTH & 0xffff, 5);
  const target = quiet(make());
  target.write(stored);
  return {
    target,
    read: async () => {
      const chunks = [];
      target.on('data', (chunk) => chunks.push(chunk));
      await until(() => Buffer.concat(chunks).length === LENGTH);
      target.destroy(); // the sum at the end is not there
      return Buffer.concat(chunks);
    },
  };
};

async function signer() {
  const { publicKey, privateKey } = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const target = quiet(crypto.createSign('sha256'));
  return {
    target,
    read: async () => {
      target.end();
      await once(target, 'finish');
      const isRight = crypto.verify('sha256', content, publicKey, target.sign(privateKey));
      return isRight ? content : Buffer.alloc(0);
    },
  };
}

async function childInput() {
  const child = spawn('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
  quiet(child);
  const { stdin: target } = child;
  quiet(target);
  return {
    target,
    read: async () => {
      target.end();
      return buffer(child.stdout);
    },
    cut: () => child.kill('SIGKILL'),
    close: () => child.kill('SIGKILL'),
  };
}

async function workerInput() {
  const source = `process.stdin.pipe(process.stdout)`;
  const worker = new Worker(source, { eval: true, stdin: true, stdout: true });
  return {
    target: worker.stdin,
    read: async () => {
      worker.stdin.end();
      return buffer(worker.stdout);
    },
    cut: () => worker.terminate(),
    close: () => worker.terminate(),
  };
}

/** A target that collects copies of what it gets. */
const own = (make) => async () => {
  const chunks = [];
  const target = quiet(make((chunk) => chunks.push(Buffer.from(chunk))));
  return {
    target,
    read: async () => {
      await new Promise((resolve) => target.end?.(resolve) ?? resolve());
      return Buffer.concat(chunks);
    },
  };
};

/** A target that keeps what it gets, and looks at it later. */
const keeping = (make) => async () => {
  const chunks = [];
  const target = quiet(make((chunk) => chunks.push(chunk)));
  return {
    target,
    read: async () => {
      target.end?.();
      await turns();
      return Buffer.concat(chunks);
    },
    cut: () => target.destroy?.() ?? target.emit('close'),
  };
};

/** A writable of another library: whether to go on is what `write` returns, and 'drain' says when. */
class Other extends EventEmitter {
  #take;
  #isSlow = false;
  constructor(take) {
    super();
    this.#take = take;
  }
  write(chunk) {
    this.#take(chunk);
    this.#isSlow = !this.#isSlow;
    if (this.#isSlow) setImmediate(() => this.emit('drain'));
    return !this.#isSlow;
  }
}

const writeOf = (take) => ({
  write(chunk, _encoding, callback) {
    take(chunk);
    callback();
  },
});

const targets = {
  '`net.Socket`, TCP': tcp,
  '`net.Socket`, a local path': local,
  '`tls.TLSSocket`': secure,
  '`http.ServerResponse`': responseOf(http),
  '`http.ServerResponse`, over TLS': responseOf(https),
  '`http.ServerResponse`, chunked by hand': responseOf(http, (response) => response.flushHeaders()),
  '`http.ServerResponse`, behind another one (pipelining)': pipelined,
  '`http.ServerResponse`, `write` replaced (Express `compression`)': responseOf(http, wrap),
  '`http.ClientRequest`': requestOf(false),
  '`http.ClientRequest`, in the queue of an agent': requestOf(true),
  '`http2.ServerHttp2Stream`': http2Of('server'),
  '`http2.Http2ServerResponse`': http2Of('response'),
  '`http2.ClientHttp2Stream`': http2Of('client'),
  '`fs.WriteStream`': fileStream,
  '`FileHandle`': fileHandle,
  '`dgram.Socket`': udp,
  '`zlib.Gzip`': through(() => zlib.createGzip(), zlib.gunzipSync),
  '`zlib.DeflateRaw`': through(() => zlib.createDeflateRaw(), zlib.inflateRawSync),
  '`zlib.Inflate`': inflate(() => zlib.createInflate()),
  '`zlib.BrotliCompress`': through(() => zlib.createBrotliCompress(), zlib.brotliDecompressSync),
  '`zlib.ZstdCompress`': zlib.createZstdCompress && through(() => zlib.createZstdCompress(), zlib.zstdDecompressSync),
  '`crypto.Cipheriv`': cipher,
  '`crypto.Hash`': through(() => crypto.createHash('sha256'), isDigest('sha256')),
  '`crypto.Hmac`': through(() => crypto.createHmac('sha256', KEY), isMac),
  '`crypto.Sign`': signer,
  "a child's `stdin`": childInput,
  "a worker's `stdin`, from outside": workerInput,
  'a Writable of your own': own((take) => new Writable(writeOf(take))),
  'a Writable of your own, `write` replaced': keeping((take) => {
    const target = new Writable(writeOf(take));
    target.write = (chunk) => Writable.prototype.write.call(target, chunk);
    return target;
  }),
  'a Writable of objects': keeping((take) => new Writable({ ...writeOf(take), objectMode: true })),
  '`Writable.fromWeb`': own((take) => Writable.fromWeb(new WritableStream({ write: take }))),
  'a Duplex of your own': keeping((take) => new Duplex({ read: ignore, ...writeOf(take) })),
  '`Duplex.from`': keeping((take) =>
    Duplex.from({ writable: new Writable(writeOf(take)), readable: new PassThrough().resume() }),
  ),
  '`compose`': keeping((take) => compose(new PassThrough(), new PassThrough()).on('data', take)),
  'a Transform of your own': keeping((take) =>
    new Transform({ transform: (chunk, _encoding, callback) => callback(null, chunk) }).on('data', take),
  ),
  '`PassThrough`': keeping((take) => new PassThrough().on('data', take)),
  'a writable that is not of node:stream (streamx)': keeping((take) => new Other(take)),
  'a `WritableStream` of the web': async () => ({ target: new WritableStream(), read: ignore, cut: ignore }),
};

// ------------------------------------------------------------------------------------------------- the trials

/** The copies that a write of the target makes: what arrives must be what was written. */
async function arrives(name, opened) {
  return withPool({}, async (pool) => {
    const packet = contentOf(pool);
    const writing = writePacket(opened.target, packet);
    const isHeld = pool.audit().references.ledgers > 0;
    opened.begin?.();
    try {
      await orHung(writing, `${name}: a write`);
    } catch (error) {
      packet.release();
      if (error.code === 'POOL_ERR_INVALID_ARGUMENT') return 'refused';
      throw error;
    }
    assert.equal(pool.audit().references.ledgers, 0, `${name}: pages are out when the write is done`);
    useAgain(pool);
    const bytes = await orHung(opened.read(), `${name}: what arrives`);
    assert.ok(content.equals(bytes), `${name}: other bytes arrived, ${bytes?.length} of them`);
    return isHeld ? 'none' : 'one';
  });
}

/** The target goes away while more is being written to it than anybody takes. */
async function goesAway(name, { target, cut = () => target.destroy() }) {
  await withPool({ pageCount: 64, pageBytes: 16_384 }, async (pool) => {
    const write = () => writePacket(target, fragmentOf(pool, Buffer.alloc(16_000, 1)));
    const settled = Promise.allSettled(Array.from({ length: 60 }, write));
    await turns(1);
    await cut();
    for (const { status, value, reason } of await orHung(settled, `${name}: writes to what has gone away`)) {
      if (status === 'fulfilled') assert.equal(value, 16_000, `${name}: a write that was done`);
      else assert.match(String(reason?.code), /^[A-Z][A-Z0-9_]+$/, `${name}: ${reason?.stack}`);
    }
  });
}

/** The program's own output, of this thread or of a worker: as many records as pages are used again and again. */
async function writeRecords(pool) {
  let copies = 'one';
  for (let i = 0; i < 100; i++) {
    const page = await pool.takeAsync(256, { ref: true });
    page.bytes.fill(0x2e);
    page.bytes.set(Buffer.from(String(i).padStart(6, '0')));
    const record = page.slice(0, 64);
    page.release();
    const writing = writePacket(process.stdout, record);
    if (pool.audit().references.ledgers > 0) copies = 'none';
    await writing;
  }
  process.stdout.write(copies.padEnd(64));
}
const smallPool = { pageBytes: 256, pageCount: 4, maxPorts: 2 };

function copiesOf(name, output) {
  const records = output.match(/.{64}/gs) ?? [];
  const copies = records.pop()?.trim();
  assert.equal(records.length, 100, `${name}: records`);
  for (const [i, record] of records.entries()) assert.equal(Number(record.slice(0, 6)), i, `${name}: a record`);
  return copies;
}

function ownOutput(name, stdio) {
  const path = newPath();
  const file = stdio === 'file' ? openSync(path, 'w') : undefined;
  const child = spawnSync(process.execPath, [self, 'records'], {
    encoding: 'utf8',
    stdio: ['ignore', file ?? 'pipe', 'inherit'],
  });
  if (file !== undefined) closeSync(file);
  return copiesOf(name, file === undefined ? child.stdout : readFileSync(path, 'utf8'));
}

async function workerOutput(name) {
  const pool = await PagePool.create(smallPool);
  const worker = new Worker(new URL(import.meta.url), { workerData: pool.share(), stdout: true });
  await closed(Object.assign(new EventEmitter(), { once: (_event, call) => worker.once('exit', call) }));
  return copiesOf(name, (await buffer(worker.stdout)).toString());
}

/** The table of docs/node.md: copies by target. */
function documented() {
  const text = readFileSync(new URL('../../../docs/node.md', import.meta.url), 'utf8');
  const [, table = ''] = /<!-- targets -->\n([\s\S]*?)<!-- \/targets -->/.exec(text) ?? [];
  const rows = table.trim().split('\n').slice(2);
  return Object.fromEntries(
    rows.map((row) =>
      row
        .split('|')
        .slice(1, 3)
        .map((cell) => cell.trim()),
    ),
  );
}

/** A sink that nothing is written to closes with the connection of its response, which waits behind another one. */
async function closesIdle() {
  const opened = await pipelined();
  const sink = packetWritable(opened.target).on('error', ignore);
  const isClosed = closed(sink);
  opened.cut();
  await orHung(isClosed, 'an idle sink');
  opened.close();
}

async function everything() {
  const found = {};
  await closesIdle();
  const outputs = {
    '`process.stdout`, a pipe': (name) => ownOutput(name, 'pipe'),
    '`process.stdout`, a file': (name) => ownOutput(name, 'file'),
    '`process.stdout` of a worker': workerOutput,
  };
  for (const [name, open] of Object.entries(targets)) {
    if (open === undefined) continue;
    const opened = await open();
    found[name] = await arrives(name, opened);
    await opened.close?.();
    if (found[name] === 'refused') continue;
    const gone = await open();
    await goesAway(name, gone);
    await gone.close?.();
  }
  for (const [name, trial] of Object.entries(outputs)) found[name] = await trial(name);
  const right = documented();
  for (const name of Object.keys(targets)) if (targets[name] === undefined) delete right[name];
  assert.ok(Object.keys(targets).length >= 25);
  if (process.argv[2] === 'table')
    for (const [name, copies] of Object.entries(found)) console.log(`| ${name} | ${copies} |`);
  done(found, right);
}

if (!isMainThread) {
  const pool = PagePool.attach(workerData);
  await writeRecords(pool);
  pool.detach();
} else if (process.argv[2] === 'records') await writeRecords(await PagePool.create(smallPool));
else await everything();
