// Streams in states: paused, put back, closed, half open, the program's own. Each is read, or written, as it stands.

import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import net from 'node:net';
import { createInterface } from 'node:readline';
import { PassThrough, Readable, Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';
import { PagePool } from 'pagepool';
import { fragments, packetWritable, readStreamInto, receiveInto, serveInto, writePacket } from 'pagepool/node';
import { lines } from 'pagepool/packet';
import { turns } from '../../support/waiting.js';
import { closed, done, fragmentOf, listen, release, told, withPool } from './support.mjs';

/** What a child does: writes to the program's own output, and goes on. */
async function writeToOwn(name) {
  const pool = await PagePool.create({ pageCount: 4 });
  const target = process[name];
  await pipeline(Readable.from([fragmentOf(pool, Buffer.from('packet\n'))]), packetWritable(target));
  const left = packetWritable(target).on('error', () => {});
  left.destroy(new Error('given up'));
  await closed(left);
  process[name].write(`after, ended: ${target.writableEnded}\n`);
}

const hello = () => Readable.from([Buffer.from('hello')], { objectMode: false });

async function lengthOf(source) {
  let length = 0;
  for await (const fragment of source) {
    length += fragment.length;
    fragment.release();
  }
  return length;
}

async function everything() {
  const found = {};
  const right = {};
  const expectTold = async (name, promise, expected) => {
    found[name] = await told(promise);
    right[name] = expected;
  };

  // Paused, by whom and however.
  await withPool({}, async (pool) => {
    await expectTold('paused', readStreamInto(pool, hello().pause(), release), 5);
    const paused = hello().pause();
    const source = fragments((onFragment, signal) => readStreamInto(pool, paused, onFragment, { signal }));
    await expectTold('paused, as fragments', lengthOf(source), 5);
    const unpiped = hello();
    unpiped.unpipe(unpiped.pipe(new Writable()));
    await expectTold('unpiped', readStreamInto(pool, unpiped.pause(), release), 5);
    const looked = hello();
    await once(looked, 'readable');
    looked.unshift(looked.read(2));
    await expectTold('looked at, and put back', readStreamInto(pool, looked, release), 5);
    const input = new PassThrough();
    const prompt = createInterface({ input });
    const line = once(prompt, 'line');
    input.write('name\n');
    await line;
    prompt.close();
    input.end('hello');
    await expectTold('behind readline', readStreamInto(pool, input, release), 5);
    for (const direct of [true, false]) {
      for (const pauseOnConnect of [true, false]) {
        const server = net.createServer({ pauseOnConnect });
        const client = net.connect(await listen(server), '127.0.0.1').resume();
        client.end('hello');
        const [socket] = await once(server, 'connection');
        if (!pauseOnConnect) socket.pause();
        const { finished } = serveInto(pool, socket, release, { direct });
        await expectTold(`a socket, direct: ${direct}, pauseOnConnect: ${pauseOnConnect}`, finished, 5);
        client.destroy();
        server.close();
      }
    }
  });

  // A fragment that was looked at and put back belongs to the stream again.
  await withPool({}, async (pool) => {
    const source = () => fragments((onFragment, signal) => readStreamInto(pool, hello(), onFragment, { signal }));
    const again = source();
    again.once('data', (fragment) => {
      again.pause();
      again.unshift(fragment);
    });
    await once(again, 'data');
    await expectTold('unshift: read again', lengthOf(again), 5);
    const dropped = source();
    dropped.once('data', (fragment) => {
      dropped.unshift(fragment);
      dropped.destroy();
    });
    await closed(dropped);
    const late = source();
    const [fragment] = await once(late, 'data');
    late.destroy();
    late.unshift(fragment); // taken by nobody: released
    await closed(late);
    found.unshift = pool.audit().references.ledgers;
    right.unshift = 0;
  });

  // The program's own output stays open.
  for (const name of ['stdout', 'stderr']) {
    const child = spawnSync(process.execPath, [fileURLToPath(import.meta.url), 'own', name], { encoding: 'utf8' });
    found[name] = child[name];
    right[name] = 'packet\nafter, ended: false\n';
  }

  // UDP: closed before, closing, and not bound.
  await withPool({}, async (pool) => {
    const over = createSocket('udp4');
    over.close();
    const reading = receiveInto(pool, over, release);
    await expectTold('a closed UDP socket', reading.finished, undefined);
    const write = writePacket(over, fragmentOf(pool, Buffer.from('hello')), { port: 9 });
    await expectTold('a closed UDP socket, written', write, 'ERR_SOCKET_DGRAM_NOT_RUNNING');
    const unbound = createSocket('udp4');
    const waiting = receiveInto(pool, unbound, release);
    let isOver = false;
    waiting.finished.then(() => {
      isOver = true;
    });
    await turns();
    found.unbound = isOver;
    right.unbound = false;
    unbound.close();
    await expectTold('a UDP socket that is closed', waiting.finished, undefined);
  });

  // A body that is too long, or that nobody wants any more, can still be answered; then the connection goes on.
  await withPool({}, async (pool) => {
    const stops = {
      maxBytes: (request) => readStreamInto(pool, request, release, { maxBytes: 1000 }),
      function: (request) =>
        readStreamInto(pool, request, () => {
          throw new Error('not this');
        }),
      signal: (request) => readStreamInto(pool, request, release, { signal: AbortSignal.abort(new Error('too late')) }),
      fragments: (request) =>
        pipeline(
          fragments((onFragment, signal) => readStreamInto(pool, request, onFragment, { signal })),
          new Writable({
            objectMode: true,
            write: (fragment, _encoding, callback) => {
              fragment.release();
              callback(new Error('disk full'));
            },
          }),
        ),
    };
    const answer = (request, response) =>
      stops[request.url.slice(1)](request).catch(() => {
        response.statusCode = 413;
        response.end();
      });
    const server = http.createServer(answer);
    const origin = { port: await listen(server), host: '127.0.0.1' };
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const ports = new Set();
    for (const name of Object.keys(stops)) {
      const request = http.request({ ...origin, agent, path: `/${name}`, method: 'POST' });
      request.end(Buffer.alloc(3_000_000));
      const [response] = await once(request, 'response');
      ports.add(request.socket.localPort);
      found[name] = response.statusCode;
      right[name] = 413;
      await once(response.resume(), 'end');
    }
    found.connections = ports.size;
    right.connections = 1;
    agent.destroy();
    server.close();
    const http2Server = http2.createServer(answer);
    const session = http2.connect(`http://127.0.0.1:${await listen(http2Server)}`);
    for (const name of Object.keys(stops)) {
      const request = session.request({ ':path': `/${name}`, ':method': 'POST' });
      request.end(Buffer.alloc(300_000));
      const [headers] = await once(request, 'response');
      found[`HTTP/2 ${name}`] = headers[':status'];
      right[`HTTP/2 ${name}`] = 413;
      await closed(request.resume());
    }
    session.close();
    http2Server.close();
    const stream = hello();
    const tooLong = readStreamInto(pool, stream, release, { maxBytes: 1 });
    await expectTold('any other stream', tooLong, 'POOL_ERR_MEMORY_LIMIT');
    found['any other stream is destroyed'] = stream.destroyed;
    right['any other stream is destroyed'] = true;
  });

  // Half open: who answers after the other side has ended needs a socket that allows it.
  await withPool({}, async (pool) => {
    for (const direct of [true, false]) {
      const server = net.createServer({ allowHalfOpen: true }, async (accepted) => {
        let socket;
        const source = fragments((onFragment, signal) => {
          const reading = serveInto(pool, accepted, onFragment, { direct, signal });
          socket = reading.socket;
          return reading.finished;
        });
        for await (const line of lines(source)) {
          await turns(3);
          await writePacket(socket, line);
        }
        socket.end();
      });
      const client = net.connect(await listen(server), '127.0.0.1');
      client.end('one\ntwo\nthree\n');
      let echo = '';
      for await (const chunk of client) echo += chunk;
      found[`echo, direct: ${direct}`] = echo;
      right[`echo, direct: ${direct}`] = 'onetwothree';
      server.close();
    }
  });

  done(found, right);
}

if (process.argv[2] === 'own') await writeToOwn(process.argv[3]);
else await everything();
