// Libraries as they are, beside Node's own modules: servers (Express with and without compression, Fastify), clients
// (undici, ws), and streams that are not Node's (streamx, tar-stream, readable-stream). Bytes arrive as they were
// though their pages are used again at once.

import { once } from 'node:events';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { pipeline } from 'node:stream/promises';
import compression from 'compression';
import express from 'express';
import fastify from 'fastify';
import { packetWritable, readStreamInto, writePacket } from 'pagepool/node';
import { PassThrough as OtherPassThrough, Writable as OtherWritable } from 'readable-stream';
import { Writable as Streamx } from 'streamx';
import tar from 'tar-stream';
import { Agent, fetch, request } from 'undici';
import WebSocket, { createWebSocketStream, WebSocketServer } from 'ws';
import { orHung, until } from '../../support/waiting.js';
import { done, fragmentOf, listen, release, told, withPool } from './support.mjs';

const content = Buffer.from(Array.from({ length: 100_000 }, (_, i) => (i * 7 + (i >> 8)) & 0xff));
const STEP = 4000;

const found = {};
const right = {};
const expectTold = async (name, promise, expected) => {
  found[name] = await told(orHung(promise, name));
  right[name] = expected;
};
const isContent = (bytes) => content.equals(Buffer.from(bytes));

/** The content in fragments. */
function* fragmentsOf(pool) {
  for (let at = 0; at < content.length; at += STEP) yield fragmentOf(pool, content.subarray(at, at + STEP));
}

/** Writes the content piece by piece, and over every free page as soon as a piece is told to be written. */
async function writeAll(pool, target) {
  for (const fragment of fragmentsOf(pool)) {
    await writePacket(target, fragment);
    const pages = [];
    for (let page = pool.take(4096); page !== null; page = pool.take(4096)) pages.push(page);
    for (const page of pages) {
      page.bytes.fill(0xee);
      page.release();
    }
  }
}

const streamAll = (pool, target) => pipeline(Readable.from(fragmentsOf(pool)), packetWritable(target));

/** Answers 413 above 1,000 bytes. */
const isTooLong = (pool, incoming) =>
  readStreamInto(pool, incoming, release, { maxBytes: 1000 }).then(
    () => false,
    () => true,
  );

await withPool({ pageCount: 64 }, async (pool) => {
  const dispatcher = new Agent();
  const post = { method: 'POST', body: content, dispatcher };

  for (const isCompressed of [false, true]) {
    const app = express();
    if (isCompressed) app.use(compression({ threshold: 0 }));
    const failed = [];
    const catching = (promise) => promise.catch((error) => failed.push(error.code));
    app.get('/stream', (_request, response) => void catching(streamAll(pool, response.type('json'))));
    app.get('/writes', (_request, response) => {
      catching(writeAll(pool, response.type('json')).then(() => response.end()));
    });
    app.post('/store', async (incoming, response) =>
      response.send(String(await readStreamInto(pool, incoming, release))),
    );
    app.post('/limit', async (incoming, response) =>
      response.sendStatus((await isTooLong(pool, incoming)) ? 413 : 200),
    );
    const server = http.createServer(app);
    const port = await listen(server);
    const url = `http://127.0.0.1:${port}`;
    const name = isCompressed ? 'Express, compression' : 'Express';
    for (const path of ['stream', 'writes']) {
      const got = fetch(`${url}/${path}`, { dispatcher }).then(async (response) => {
        const isEncoded = response.headers.get('content-encoding') !== null;
        return isEncoded === isCompressed && isContent(await response.arrayBuffer());
      });
      await expectTold(`${name}: ${path}`, got, true);
    }
    await expectTold(
      `${name}: store`,
      fetch(`${url}/store`, post).then((response) => response.text()),
      '100000',
    );
    await expectTold(
      `${name}: limit`,
      fetch(`${url}/limit`, post).then(({ status }) => status),
      413,
    );
    const leaving = net.connect(port, '127.0.0.1').on('error', () => {});
    leaving.write('GET /writes HTTP/1.1\r\nHost: a\r\nAccept-Encoding: gzip\r\n\r\n');
    await once(leaving, 'data');
    leaving.destroy();
    await until(() => pool.audit().references.ledgers === 0);
    server.close();
    server.closeAllConnections();
  }

  const app = fastify();
  app.addContentTypeParser('*', (_request, payload, next) => next(null, payload));
  app.post('/store', async (incoming) => String(await readStreamInto(pool, incoming.raw, release)));
  app.post('/limit', async (incoming, reply) => reply.code((await isTooLong(pool, incoming.body)) ? 413 : 200).send());
  app.get('/stream', (_request, reply) => {
    reply.hijack();
    void streamAll(pool, reply.raw);
  });
  const origin = await app.listen({ port: 0, host: '127.0.0.1' });
  await expectTold(
    'Fastify: store',
    fetch(`${origin}/store`, post).then((response) => response.text()),
    '100000',
  );
  await expectTold(
    'Fastify: limit',
    fetch(`${origin}/limit`, post).then(({ status }) => status),
    413,
  );
  const streamed = fetch(`${origin}/stream`, { dispatcher }).then((response) => response.arrayBuffer());
  await expectTold('Fastify: stream', streamed.then(isContent), true);
  await expectTold(
    'Fastify: inject',
    app.inject('/stream').then(({ rawPayload }) => isContent(rawPayload)),
    true,
  );

  const bodies = http.createServer((incoming, response) => {
    if (incoming.url === '/whole') incoming.pipe(response);
    else response.writeHead(200, { 'content-length': 1000 }).write('x', () => response.destroy());
  });
  const bodiesUrl = `http://127.0.0.1:${await listen(bodies)}`;
  const whole = request(`${bodiesUrl}/whole`, post).then(({ body }) => readStreamInto(pool, body, release));
  await expectTold('undici: a body', whole, content.length);
  const cut = request(`${bodiesUrl}/cut`, { dispatcher }).then(({ body }) => readStreamInto(pool, body, release));
  await expectTold('undici: a body that is cut off', cut, 'UND_ERR_SOCKET');
  const web = fetch(`${bodiesUrl}/whole`, post).then(({ body }) =>
    readStreamInto(pool, Readable.fromWeb(body), release),
  );
  await expectTold('undici: a body of fetch', web, content.length);
  await dispatcher.destroy();
  await app.close();
  bodies.close();
  bodies.closeAllConnections();

  const sockets = new WebSocketServer({ port: 0, host: '127.0.0.1' });
  await once(sockets, 'listening');
  const connectClient = async () => {
    const client = new WebSocket(`ws://127.0.0.1:${sockets.address().port}`);
    const opened = once(client, 'open');
    const [accepted] = await once(sockets, 'connection');
    await opened;
    return [client, createWebSocketStream(accepted)];
  };
  const [receiver, target] = await connectClient();
  const messages = [];
  receiver.on('message', (message) => messages.push(message));
  await writeAll(pool, target);
  target.end();
  await once(receiver, 'close');
  found['ws: written'] = isContent(Buffer.concat(messages));
  right['ws: written'] = true;
  const [sender, source] = await connectClient();
  const received = readStreamInto(pool, source, release);
  sender.send(content.subarray(0, 5000));
  sender.close();
  await expectTold('ws: read', received, 5000);
  sockets.close();

  const streams = {
    streamx: (take) => new Streamx({ write: (chunk, callback) => setImmediate(() => callback(take(chunk))) }),
    'readable-stream, a Writable': (take) =>
      new OtherWritable({ write: (chunk, _encoding, callback) => setImmediate(() => callback(take(chunk))) }),
    'readable-stream, a PassThrough': (take) => new OtherPassThrough().on('data', take),
  };
  for (const [name, make] of Object.entries(streams)) {
    for (const [way, write] of Object.entries({ writeAll, streamAll })) {
      const chunks = [];
      const stream = make((chunk) => void chunks.push(chunk));
      const length = () => chunks.reduce((sum, chunk) => sum + chunk.length, 0);
      await orHung(write(pool, stream), `${name}: ${way}`);
      await until(() => length() >= content.length);
      found[`${name}: ${way}`] = isContent(Buffer.concat(chunks));
      right[`${name}: ${way}`] = true;
    }
  }

  const pack = tar.pack();
  const packed = buffer(pack);
  await orHung(streamAll(pool, pack.entry({ name: 'a', size: content.length })), 'tar-stream');
  pack.finalize();
  const archive = await packed;
  found['tar-stream: packed'] = isContent(archive.subarray(512, 512 + content.length));
  right['tar-stream: packed'] = true;
  const extract = tar.extract();
  const unpacked = new Promise((resolve) => {
    extract.on('entry', (_header, stream, next) => {
      resolve(readStreamInto(pool, stream, release).finally(next));
    });
  });
  extract.end(archive);
  await expectTold('tar-stream: unpacked', unpacked, content.length);
});
done(found, right);
