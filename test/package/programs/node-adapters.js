// The adapters of pagepool/node as an installed package gives them. Arguments: key and certificate of localhost. Prints
// one line of JSON: by adapter what went well ('no copy', 'one copy', 'yes'), or what went wrong.

import { createSocket } from 'node:dgram';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { createServer as createHttpServer, request } from 'node:http';
import { connect, createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';
import { createServer as createTlsServer } from 'node:tls';
import { PagePool } from 'pagepool';
import {
  connectInto,
  fragments,
  packetWritable,
  readFileInto,
  readStreamInto,
  receiveInto,
  serveInto,
  writePacket,
} from 'pagepool/node';
import { lines, Packet } from 'pagepool/packet';

const [keyPath, certPath] = process.argv.slice(2);
const key = readFileSync(keyPath);
const cert = readFileSync(certPath);
const bytes = new Uint8Array(150_001).map((_, i) => (i * 31 + (i >>> 8)) & 255);
const folder = `${keyPath}-${process.pid}`;
const host = '127.0.0.1';
// Says "hung", and nothing else.
const HUNG_MS = 120_000;
const results = {};

/** Runs a check on a pool of its own: its result, or why it has none. */
async function check(name, options, run) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 16, ...options });
  const ends = [];
  try {
    const late = new Promise((_, reject) =>
      ends.push(
        clearTimeout.bind(
          null,
          setTimeout(() => reject(new Error('it hangs')), HUNG_MS),
        ),
      ),
    );
    const result = await Promise.race([run(pool, (end) => ends.push(end)), late]);
    pool.trim();
    const { balanced, errors, references } = pool.audit();
    results[name] = balanced && references.ledgers === 0 ? result : `not balanced: ${errors}`;
  } catch (error) {
    results[name] = `fails: ${error.code ?? error.message}`;
  }
  for (const end of ends) end();
  await pool.close({ timeoutMs: HUNG_MS, ref: true });
}

const listen = (server, onEnd) =>
  new Promise((resolve) => {
    onEnd(() => server.close());
    server.listen(0, host, () => resolve(server.address().port));
  });

/** Collects what comes, a little slower than it comes: the pool runs dry now and then. */
function collector() {
  const chunks = [];
  let held = 0;
  return {
    isDone: () => held === 0,
    take(fragment) {
      chunks.push(Uint8Array.from(fragment.bytes));
      held++;
      setTimeout(() => {
        fragment.release();
        held--;
      });
    },
    isRight: (expected = bytes) => Buffer.concat(chunks).equals(Buffer.from(expected)),
  };
}

const copies = (isDirect) => (isDirect ? 'no copy' : 'one copy');

/** Until it is so: a check that hangs says so by itself. */
async function until(isSo) {
  while (!isSo()) await new Promise((resolve) => setTimeout(resolve, 1));
}

async function verify(got, finished, how) {
  const count = await finished;
  await until(got.isDone);
  if (count !== bytes.length || !got.isRight()) throw new Error('wrong bytes');
  return how;
}

for (const [name, readBytes] of [
  ['connectInto', 4096],
  ['connectInto, reads of 500 bytes', 500],
]) {
  await check(name, {}, async (pool, onEnd) => {
    const port = await listen(
      createServer((socket) => socket.end(bytes)),
      onEnd,
    );
    const got = collector();
    const { finished, isDirect } = connectInto(pool, { port, host }, got.take, { readBytes });
    return verify(got, finished, copies(isDirect));
  });
  await check(name.replace('connectInto', 'connectInto, TLS'), {}, async (pool, onEnd) => {
    const port = await listen(
      createTlsServer({ key, cert }, (socket) => socket.end(bytes)),
      onEnd,
    );
    const got = collector();
    const target = { tls: { port, host, servername: 'localhost', ca: cert } };
    const { finished, isDirect } = connectInto(pool, target, got.take, { readBytes });
    return verify(got, finished, copies(isDirect));
  });
}
await check('serveInto', {}, async (pool, onEnd) => {
  const got = collector();
  let taken;
  const accepted = new Promise((resolve) => {
    taken = resolve;
  });
  const server = createServer((socket) => {
    taken(serveInto(pool, socket, got.take));
  });
  const client = connect(await listen(server, onEnd), host);
  client.end(bytes);
  const { socket, finished, isDirect } = await accepted;
  const result = await verify(got, finished, copies(isDirect));
  socket.end();
  return result;
});
await check('a connection that is cut', {}, async (pool, onEnd) => {
  const server = createServer((socket) => {
    socket.on('error', () => {});
    socket.write(bytes.subarray(0, 500));
    cut = () => socket.destroy();
    socket.on('close', () => setTimeout(() => control.abort())); // where the cut is not heard of
  });
  let cut = () => {};
  const port = await listen(server, onEnd);
  const control = new AbortController();
  const onFragment = (fragment) => {
    fragment.release();
    cut();
  };
  await connectInto(pool, { port, host }, onFragment, { signal: control.signal }).finished.catch(() => {});
  return 'yes';
});
await check('readFileInto', {}, async (pool) => {
  writeFileSync(folder, bytes);
  for (const file of [folder, await open(folder)]) {
    const got = collector();
    await verify(got, readFileInto(pool, file, got.take, { depth: 3, pagesPerRead: 2 }), 'no copy');
    if (typeof file === 'object') await file.close();
  }
  return 'no copy';
});
await check('readStreamInto, HTTP', {}, async (pool, onEnd) => {
  const got = collector();
  const server = createHttpServer((incoming, response) => {
    readStreamInto(pool, incoming, got.take).then(
      (count) => response.end(`${count}`),
      () => response.destroy(),
    );
  });
  const outgoing = request({ port: await listen(server, onEnd), host, method: 'POST' });
  outgoing.end(bytes);
  const response = await new Promise((resolve, reject) => outgoing.on('response', resolve).on('error', reject));
  let text = '';
  for await (const chunk of response) text += chunk;
  return verify(got, Number(text), 'one copy');
});
await check('receiveInto', {}, async (pool, onEnd) => {
  const socket = createSocket('udp4');
  onEnd(() => socket.close());
  await new Promise((resolve) => socket.bind(0, host, resolve));
  const got = collector();
  const reading = receiveInto(pool, socket, got.take);
  const fragment = pool.take(900);
  fragment.bytes.set(bytes.subarray(0, 900));
  const sender = createSocket('udp4');
  onEnd(() => sender.close());
  await writePacket(sender, fragment, { port: socket.address().port, address: host });
  await until(() => reading.received > 0 && got.isDone());
  if (!got.isRight(bytes.subarray(0, 900))) throw new Error('wrong bytes');
  reading.stop();
  return 'one copy';
});
await check('writePacket', { pageCount: 64 }, async (pool, onEnd) => {
  const packet = () => {
    const all = new Packet();
    for (let at = 0; at < bytes.length; at += 3000) {
      const part = bytes.subarray(at, at + 3000);
      const fragment = pool.take(part.length);
      fragment.bytes.set(part);
      all.append(fragment);
    }
    return all;
  };
  const handle = await open(folder, 'w');
  await writePacket(handle, packet());
  await handle.close();
  if (!readFileSync(folder).equals(Buffer.from(bytes))) throw new Error('wrong bytes in the file');
  let came = 0;
  const received = new Promise((resolve) => {
    listen(
      createServer((socket) => {
        socket.on('data', (chunk) => {
          came += chunk.length;
          if (came === bytes.length) resolve();
        });
        socket.on('end', () => socket.end());
      }),
      onEnd,
    ).then(async (port) => {
      const socket = connect(port, host);
      await writePacket(socket, packet());
      socket.end();
    });
  });
  await received;
  return 'no copy';
});
await check('pipeline, and lines', {}, async (pool, onEnd) => {
  writeFileSync(folder, 'one\ntwo\nthree'.repeat(2000));
  const source = () => fragments((onFragment, signal) => readFileInto(pool, folder, onFragment, { signal }));
  let count = 0;
  for await (const line of lines(source())) {
    count++;
    line.release();
  }
  if (count !== 4001) throw new Error(`${count} lines`);
  let came = 0;
  const port = await listen(
    createServer((socket) => {
      socket.on('data', (chunk) => {
        came += chunk.length;
      });
      socket.on('end', () => socket.end());
    }),
    onEnd,
  );
  await pipeline(source(), packetWritable(connect(port, host)));
  await until(() => came === 26_000);
  return 'yes';
});
rmSync(folder, { force: true });
console.log(JSON.stringify(results));
process.exit(0);
