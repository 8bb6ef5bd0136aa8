// Ends that are none: whatever was cut off, reset or has failed is told as that, with its cause, also when it was over
// before the reading began.

import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { Duplex, Readable } from 'node:stream';
import tls from 'node:tls';
import { createGunzip, gzipSync } from 'node:zlib';
import { connectInto, fragments, readStreamInto, serveInto } from 'pagepool/node';
import { turns, until } from '../../support/waiting.js';
import { closed, done, listen, release, selfSigned, told, withPool } from './support.mjs';

const PREMATURE = 'ERR_STREAM_PREMATURE_CLOSE';
const found = {};
const right = {};

/** Notes what was found, and what is right. */
async function expectTold(name, promise, expected) {
  found[name] = await told(promise);
  right[name] = expected;
}

/** A frame of HTTP/2. */
function frame(type, flags, id, body = Buffer.alloc(0)) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
}
const [DATA, HEADERS, RST_STREAM, SETTINGS] = [0, 1, 3, 4];
const END_STREAM = 1;
// POST / with an authority, in HPACK.
const postHeaders = Buffer.concat([
  Buffer.from([0x83, 0x86, 0x84, 0, 10]),
  Buffer.from(':authority'),
  Buffer.from('\x01a'),
]);
const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');

/** Reads the body of an HTTP/2 request that sends 5,000 bytes and then `last`. */
async function http2Body(pool, event, last, { early = true, answer = false } = {}) {
  const server = http2.createServer();
  let session;
  server.on('session', (each) => {
    session = each.on('error', () => {});
  });
  let incoming;
  server.on(event, (each) => {
    incoming = each.on('error', () => {});
    if (!early) incoming.once('data', () => incoming.pause());
    if (answer) (event === 'stream' ? each : undefined)?.respond({ ':status': 200 });
  });
  const port = await listen(server);
  const client = net
    .connect(port, '127.0.0.1')
    .on('error', () => {})
    .resume();
  client.write(
    Buffer.concat([
      preface,
      frame(SETTINGS, 0, 0),
      frame(HEADERS, 4, 1, postHeaders),
      frame(DATA, 0, 1, Buffer.alloc(5000)),
    ]),
  );
  await until(() => incoming !== undefined);
  let bytes = 0;
  let reading;
  const read = () => {
    reading = readStreamInto(pool, incoming, (fragment) => {
      bytes += fragment.length;
      fragment.release();
    });
    reading.catch(() => {});
  };
  if (early) {
    read();
    await until(() => bytes === 5000);
    client.write(last);
  } else {
    const inner = event === 'stream' ? incoming : incoming.stream;
    client.write(last);
    await until(() => incoming.aborted || inner.closed);
    await turns();
    read();
  }
  const result = await told(reading);
  client.destroy();
  session.destroy();
  server.close();
  return result;
}

const code = (value) => {
  const body = Buffer.alloc(4);
  body.writeUInt32BE(value);
  return body;
};
for (const event of ['stream', 'request']) {
  await withPool({}, async (pool) => {
    for (const each of [http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_NO_ERROR]) {
      const reset = frame(RST_STREAM, 0, 1, code(each));
      await expectTold(`HTTP/2 ${event}, reset by ${each}`, http2Body(pool, event, reset), PREMATURE);
      await expectTold(`HTTP/2 ${event}, reset before`, http2Body(pool, event, reset, { early: false }), PREMATURE);
    }
    const failed = frame(RST_STREAM, 0, 1, code(http2.constants.NGHTTP2_INTERNAL_ERROR));
    const cause = event === 'stream' ? 'ERR_HTTP2_STREAM_ERROR' : PREMATURE;
    const result = await http2Body(pool, event, failed);
    expectOneOf(`HTTP/2 ${event}, reset by an error`, result, [cause, 'ERR_HTTP2_STREAM_ERROR']);
    const whole = frame(DATA, END_STREAM, 1, Buffer.alloc(100));
    await expectTold(`HTTP/2 ${event}, whole`, http2Body(pool, event, whole), 5100);
    if (event === 'stream') {
      const answered = http2Body(pool, event, frame(RST_STREAM, 0, 1, code(8)), { answer: true });
      await expectTold('HTTP/2 stream, reset while it is answered', answered, PREMATURE);
    }
  });
}

function expectOneOf(name, result, expected) {
  found[name] = expected.includes(result) || result;
  right[name] = true;
}

// HTTP/1: a request, and a response, of which a part came.
await withPool({}, async (pool) => {
  for (const framing of ['Content-Length: 100', 'Transfer-Encoding: chunked']) {
    for (const isEarly of [true, false]) {
      const server = http.createServer();
      const port = await listen(server);
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      client.write(`POST / HTTP/1.1\r\nHost: a\r\n${framing}\r\n\r\n5\r\nhello\r\n`);
      const [request] = await once(server, 'request');
      request.on('error', () => {});
      const early = isEarly ? told(readStreamInto(pool, request, release)) : undefined;
      client.resetAndDestroy();
      if (!isEarly) await closed(request);
      const name = `HTTP/1 request, ${framing}, ${isEarly ? 'early' : 'late'}`;
      await expectTold(name, early ?? readStreamInto(pool, request, release), 'ECONNRESET');
      server.close();
    }
    const server = net.createServer((socket) => {
      socket.once('data', () => {
        socket.write(`HTTP/1.1 200 OK\r\n${framing}\r\n\r\n5\r\nhello\r\n`, () => socket.destroy());
      });
    });
    const port = await listen(server);
    const request = http.get({ port, host: '127.0.0.1', agent: false }).on('error', () => {});
    const [response] = await once(request, 'response');
    await expectTold(`HTTP/1 response, ${framing}`, readStreamInto(pool, response, release), 'ECONNRESET');
    server.close();
  }
});

// Streams that were over before: with their own error, or none.
await withPool({}, async (pool) => {
  const failed = new Readable({ read() {} }).on('error', () => {});
  failed.destroy(new Error('no more paper'));
  await expectTold('failed at once', readStreamInto(pool, failed, release), 'no more paper');
  const earlier = new Readable({ read() {} }).on('error', () => {});
  earlier.destroy(new Error('no more ink'));
  await closed(earlier);
  await expectTold('failed and closed', readStreamInto(pool, earlier, release), 'no more ink');
  const source = fragments((onFragment, signal) => readStreamInto(pool, earlier, onFragment, { signal }));
  await expectTold('failed, as fragments', source.toArray(), 'no more ink');
  const open = new Readable({ autoDestroy: false, read() {} }).on('error', () => {});
  open.destroy(new Error('no more'));
  await expectTold('failed without autoDestroy', readStreamInto(pool, open, release), 'no more');
  const left = new Readable({ read() {} });
  left.destroy();
  await expectTold('destroyed', readStreamInto(pool, left, release), PREMATURE);
  const file = createReadStream('/nonexistent').on('error', () => {});
  await closed(file);
  await expectTold('no file', readStreamInto(pool, file, release), 'ENOENT');
  const half = new Duplex({ read() {}, write: (_chunk, _encoding, callback) => callback(new Error('write side')) });
  half.on('error', () => {}).write('x');
  await closed(half);
  await expectTold('a Duplex whose other side has failed', readStreamInto(pool, half, release), 'write side');
  const cut = createGunzip();
  cut.end(gzipSync(Buffer.alloc(100_000)).subarray(0, 60));
  await expectTold('compressed, cut off', readStreamInto(pool, cut, release), 'Z_BUF_ERROR');
  const ended = Readable.from([Buffer.from('x')], { objectMode: false }).resume();
  await once(ended, 'end');
  await expectTold('ended, and read by others', readStreamInto(pool, ended, release), 0);
});

// Sockets, straight into pages and copied, plain and TLS.
await withPool({}, async (pool) => {
  for (const isEarly of [true, false]) {
    for (const direct of [true, false]) {
      const server = net.createServer();
      const port = await listen(server);
      const client = net.connect(port, '127.0.0.1').on('error', () => {});
      const [socket] = await once(server, 'connection');
      socket.on('error', () => {});
      // libuv takes a reset that comes together with bytes for an end on Node 20 and 22: these have come before.
      let bytes = 0;
      const count = ({ length }) => {
        bytes += length;
      };
      const onFragment = (fragment) => {
        count(fragment);
        fragment.release();
      };
      const early = isEarly ? told(serveInto(pool, socket, onFragment, { direct }).finished) : undefined;
      if (!isEarly) socket.on('data', count);
      client.write('hello');
      await until(() => bytes === 5);
      client.resetAndDestroy();
      if (!isEarly) await closed(socket);
      const name = `serveInto, direct: ${direct}, ${isEarly ? 'early' : 'late'}`;
      await expectTold(name, early ?? serveInto(pool, socket, release, { direct }).finished, 'ECONNRESET');
      server.close();
    }
  }
  const resetting = net.createServer((socket) => socket.resetAndDestroy());
  const port = await listen(resetting);
  await expectTold('connectInto', connectInto(pool, { port, host: '127.0.0.1' }, release).finished, 'ECONNRESET');
  resetting.close();
  const secure = tls.createServer(selfSigned());
  const securePort = await listen(secure);
  const plain = net.connect(securePort, '127.0.0.1').on('error', () => {});
  const client = tls.connect({ socket: plain, rejectUnauthorized: false }).on('error', () => {});
  const [accepted] = await once(secure, 'secureConnection');
  let bytes = 0;
  const { finished } = serveInto(pool, accepted, (fragment) => {
    bytes += fragment.length;
    fragment.release();
  });
  const cut = told(finished);
  client.write('hello');
  await until(() => bytes === 5);
  plain.resetAndDestroy();
  await expectTold('TLS', cut, 'ECONNRESET');
  secure.close();
});

done(found, right);
