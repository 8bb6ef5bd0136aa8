// Random uploads over HTTP/1.1, TLS and HTTP/2, by clients that send all of a body, slowly or not, compressed or not,
// pipelined or not, or that leave in the middle of it in every way there is: a body is told as complete if and only if
// all of it was sent.

import { createHash } from 'node:crypto';
import http from 'node:http';
import http2 from 'node:http2';
import https from 'node:https';
import { connect } from 'node:net';
import { pipeline } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { createGunzip, gzipSync } from 'node:zlib';
import { readStreamInto } from 'pagepool/node';
import { turns, until } from '../../support/waiting.js';
import { done, listen, selfSigned, withPool } from './support.mjs';

const seed = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const count = Number(process.env.UPLOADS ?? 300);
let state = seed;
/** A number below `below`, from the seed. */
function random(below) {
  state = (state + 0x6d2b79f5) | 0;
  let word = Math.imul(state ^ (state >>> 15), 1 | state);
  word = (word + Math.imul(word ^ (word >>> 7), 61 | word)) ^ word;
  return ((word ^ (word >>> 14)) >>> 0) % below;
}

/**
 * An upload: `wire` is the body as it is sent, compressed or not. `leaving` is how the client leaves behind `sent`
 * bytes of it: at once ('cut'), by a reset, or by the end of its own side alone ('half-closed'); undefined: it sends
 * all.
 */
function randomUpload(id) {
  const body = Buffer.alloc(random(4) === 0 ? random(400_000) : random(20_000), `${id} is the number of this upload. `);
  for (let i = 0; i < body.length; i += 1 + random(200)) body[i] = random(256);
  const isCompressed = random(3) === 0;
  const wire = isCompressed ? gzipSync(body) : body;
  const isLeaving = wire.length > 0 && random(2) === 0;
  const ways = ['cut', 'reset', 'half-closed'];
  const protocols = ['http', 'https', 'http2', 'http2s'];
  return {
    id,
    protocol: protocols[random(4)],
    isChunked: random(2) === 0,
    isCompressed,
    isSlow: random(3) === 0,
    body,
    wire,
    leaving: isLeaving ? ways[random(3)] : undefined,
    sent: isLeaving ? random(Math.min(wire.length, WINDOW_BYTES)) : wire.length,
  };
}

/** What the server says of an upload: the digest of its body, or that it is not complete. */

const digestOf = (bytes) => createHash('sha256').update(bytes).digest('hex');
const INCOMPLETE = 'incomplete';

/** Uploads that came, and what was said of those that were read. */
const seen = new Set();
const outcomes = new Map();

/** Stores an upload as a server does, at a pace of its own. */
async function store(pool, request, response) {
  const id = Number(request.url?.slice(1));
  seen.add(id);
  request.on('error', () => {});
  response.on('error', () => {});
  let source = request;
  if (request.headers['content-encoding'] === 'gzip') source = pipeline(request, createGunzip(), () => {});
  source.on('error', () => {});
  if (random(4) === 0) await turns(random(3)); // whoever looks up rights first
  const hash = createHash('sha256');
  const isSlow = random(4) === 0;
  let outcome;
  try {
    await readStreamInto(pool, source, (fragment) => {
      hash.update(fragment.bytes);
      fragment.release();
      return isSlow ? turns(1) : undefined;
    });
    outcome = hash.digest('hex');
  } catch {
    outcome = INCOMPLETE;
  }
  outcomes.set(id, outcome);
  response.end(outcome);
}

/** The pieces in which bytes are sent. */
function* piecesOf(bytes) {
  for (let at = 0; at < bytes.length; ) {
    const length = 1 + random(random(3) === 0 ? 100_000 : 5000);
    yield bytes.subarray(at, at + length);
    at += length;
  }
}

/**
 * Sends it over a connection of HTTP/1.1. It does not leave while the server reads what came before it: Node drops all
 * of a connection that is gone.
 */
async function sendHttp1(socket, upload, before) {
  const { id, isChunked, isCompressed, isSlow, leaving, sent, wire } = upload;
  const framing = isChunked ? 'Transfer-Encoding: chunked' : `Content-Length: ${wire.length}`;
  const encoding = isCompressed ? 'Content-Encoding: gzip\r\n' : '';
  socket.write(`POST /${id} HTTP/1.1\r\nHost: a\r\n${encoding}${framing}\r\n\r\n`);
  for (const piece of piecesOf(wire.subarray(0, sent))) {
    if (isChunked) socket.write(`${piece.length.toString(16)}\r\n`);
    socket.write(piece);
    if (isChunked) socket.write('\r\n');
    if (isSlow) await turns(1);
  }
  if (leaving === undefined) {
    if (isChunked) socket.write('0\r\n\r\n');
    return;
  }
  await until(() => seen.has(id) && before.every((each) => outcomes.has(each)));
  if (leaving === 'half-closed') socket.end();
  else if (leaving === 'reset' && upload.protocol === 'http') socket.resetAndDestroy();
  else socket.destroy();
}

const [DATA, HEADERS, RST_STREAM, SETTINGS] = [0, 1, 3, 4];
const [END_STREAM, END_HEADERS] = [1, 4];
const FRAME_BYTES_MAX = 16_384;
/** What a stream may send before the other side grants more. */
const WINDOW_BYTES = 65_535;

/** A frame of HTTP/2, on the first stream if none is given. */
function frame(type, flags, body, stream = 1) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.set([type, flags], 3);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, body]);
}

/** The head of an upload, in HPACK without tables. */
function headersOf({ id, protocol, isChunked, isCompressed, wire }) {
  const text = (value) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)]);
  const header = (name, value) => Buffer.concat([Buffer.of(0), text(name), text(value)]);
  return Buffer.concat([
    Buffer.of(0x83, protocol === 'http2' ? 0x86 : 0x87),
    Buffer.concat([Buffer.of(0x04), text(`/${id}`), Buffer.of(0x01), text('a')]),
    isChunked ? Buffer.alloc(0) : header('content-length', String(wire.length)),
    isCompressed ? header('content-encoding', 'gzip') : Buffer.alloc(0),
  ]);
}

/**
 * Sends it in frames of HTTP/2, as much as one window has: Node's own client marks the end of a body whose stream it
 * resets.
 */
async function sendHttp2(socket, upload) {
  const { id, isSlow, leaving, sent, wire } = upload;
  socket.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  socket.write(frame(SETTINGS, 0, Buffer.alloc(0), 0));
  socket.write(frame(HEADERS, END_HEADERS, headersOf(upload)));
  for (const piece of piecesOf(wire.subarray(0, sent))) {
    for (let at = 0; at < piece.length; at += FRAME_BYTES_MAX) {
      socket.write(frame(DATA, 0, piece.subarray(at, at + FRAME_BYTES_MAX)));
    }
    if (isSlow) await turns(1);
  }
  if (leaving === undefined) {
    socket.write(frame(DATA, END_STREAM, Buffer.alloc(0)));
    return;
  }
  await until(() => seen.has(id));
  const { NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR } = http2.constants;
  const code = Buffer.alloc(4);
  code.writeUInt32BE([NGHTTP2_CANCEL, NGHTTP2_INTERNAL_ERROR, NGHTTP2_NO_ERROR][random(3)]);
  if (leaving === 'reset') socket.write(frame(RST_STREAM, 0, code));
  else if (leaving === 'half-closed') socket.end();
  else socket.destroy();
}

/** Sends all of it by Node's own client, however long it is. */
async function sendByClient(session, upload) {
  const { id, isChunked, isCompressed, isSlow, wire } = upload;
  const request = session.request({
    ':method': 'POST',
    ':path': `/${id}`,
    ...(isChunked ? {} : { 'content-length': String(wire.length) }),
    ...(isCompressed ? { 'content-encoding': 'gzip' } : {}),
  });
  request.on('error', () => {}).resume();
  for (const piece of piecesOf(wire)) {
    request.write(piece);
    if (isSlow) await turns(1);
  }
  request.end();
}

await withPool({ pageBytes: 4096, pageCount: 24 }, async (pool) => {
  const certificate = selfSigned();
  const handle = (request, response) => void store(pool, request, response);
  const servers = {
    http: http.createServer(handle),
    https: https.createServer(certificate, handle),
    http2: http2.createServer(handle),
    http2s: http2.createSecureServer(certificate, handle),
  };
  const ports = {};
  for (const [protocol, server] of Object.entries(servers)) ports[protocol] = await listen(server);
  const uploads = Array.from({ length: count }, (_, id) => randomUpload(id));
  const queue = [...uploads];
  const worker = async () => {
    for (let upload = queue.shift(); upload !== undefined; upload = queue.shift()) {
      const { protocol } = upload;
      const port = ports[protocol];
      const ids = [upload.id];
      const isDone = () => ids.every((id) => outcomes.has(id));
      const isHttp2 = protocol === 'http2' || protocol === 'http2s';
      if (isHttp2 && upload.sent > WINDOW_BYTES) {
        const scheme = protocol === 'http2' ? 'http' : 'https';
        const session = http2.connect(`${scheme}://127.0.0.1:${port}`, { rejectUnauthorized: false });
        session.on('error', () => {});
        await sendByClient(session, upload);
        await until(isDone);
        session.destroy();
        continue;
      }
      const tls = {
        port,
        host: '127.0.0.1',
        rejectUnauthorized: false,
        ALPNProtocols: [isHttp2 ? 'h2' : 'http/1.1'],
      };
      const isPlain = protocol === 'http' || protocol === 'http2';
      const socket = isPlain ? connect(port, '127.0.0.1') : connectTls(tls);
      socket.on('error', () => {}).resume();
      if (isHttp2) {
        await sendHttp2(socket, upload);
        await until(isDone);
        socket.destroy();
        continue;
      }
      await sendHttp1(socket, upload, []);
      // Pipelined: the next ones of this connection do not wait for the answer.
      while (upload.leaving === undefined && queue[0]?.protocol === protocol && random(2) === 0) {
        upload = queue.shift();
        await sendHttp1(socket, upload, [...ids]);
        ids.push(upload.id);
      }
      await until(isDone);
      socket.destroy();
    }
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  for (const upload of uploads) {
    const right = upload.leaving === undefined ? digestOf(upload.body) : INCOMPLETE;
    const told = outcomes.get(upload.id);
    if (told !== right) {
      const { body, wire, ...shape } = upload;
      throw new Error(`SEED=${seed}: told ${told}, right is ${right}: ${JSON.stringify(shape)}, ${wire.length} bytes`);
    }
  }
});
done(outcomes.size, count);
