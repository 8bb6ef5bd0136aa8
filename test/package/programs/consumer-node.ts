// What a consumer writes with Node's types: sources, sinks, and their options.

import { createSocket } from 'node:dgram';
import { createServer } from 'node:net';
import { pipeline } from 'node:stream/promises';
import type { Fragment, PagePool } from 'pagepool';
import { type Inspector, type InspectorOptions, serveInspector } from 'pagepool/inspector';
import {
  connectInto,
  fragments,
  packetWritable,
  readFileInto,
  readStreamInto,
  receiveInto,
  type SocketReading,
  serveInto,
  writePacket,
} from 'pagepool/node';
import { lines, Packet } from 'pagepool/packet';

export async function use(pool: PagePool): Promise<number> {
  const take = (fragment: Fragment): void => fragment.release();
  const plain: SocketReading = connectInto(pool, { port: 1, host: 'localhost' }, take, { readBytes: 1024 });
  const secure = connectInto(pool, { tls: { port: 1, servername: 'localhost' } }, async (fragment) => take(fragment));
  createServer((socket) => serveInto(pool, socket, take, { direct: false }).socket.end());
  // @ts-expect-error pages are what is read into
  connectInto(pool, { port: 1 }, take, { buffer: new Uint8Array(1) });
  // @ts-expect-error a stream is no file
  await readFileInto(pool, process.stdin, take);
  const { received, dropped } = receiveInto(pool, createSocket('udp4'), (fragment, from) => {
    fragment.release();
    return void from.address;
  });
  const source = fragments((onFragment, signal) => readFileInto(pool, 'file', onFragment, { signal, depth: 4 }));
  for await (const line of lines(source)) await writePacket(plain.socket, line);
  await pipeline(
    fragments((onFragment) => readStreamInto(pool, process.stdin, onFragment)),
    packetWritable(secure.socket),
  );
  await writePacket(process.stdout, new Packet());
  return received + dropped + (await plain.finished);
}

export async function show(pool: PagePool): Promise<string> {
  const options: InspectorOptions = { port: 0, host: 'localhost', token: undefined, ref: false };
  const inspector: Inspector = await serveInspector(pool, options);
  // @ts-expect-error only the loopback is served, and so there is no list of hosts
  await serveInspector(pool.share(), { hosts: ['a'] });
  await inspector[Symbol.asyncDispose]();
  return `${inspector.url} ${inspector.port} ${inspector.token}`;
}
