// A WebSocket server that sends every message back as it came: RFC 6455 as far as one browser and short frames need it.

import { createHash } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';

const GUID = '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
const CLOSE = 8;
const PING = 9;
/** A client's text that asks for a connection that breaks. */
const BREAK = Buffer.from('break');

/** Starts it on a free port of this machine. */
export async function startEcho(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer();
  server.on('upgrade', (request, socket) => {
    const key = createHash('sha1').update(`${request.headers['sec-websocket-key']}${GUID}`).digest('base64');
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: ${key}\r\n\r\n`,
    );
    let rest = Buffer.alloc(0);
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      rest = Buffer.concat([rest, chunk]);
      for (let end = frameEnd(rest); end !== undefined; end = frameEnd(rest)) {
        const answer = unmasked(rest.subarray(0, end));
        rest = rest.subarray(end);
        const kind = (answer[0] as number) & 15;
        if (answer.subarray(2).equals(BREAK)) {
          // Three messages of one to three bytes, and the connection ends without the farewell.
          for (let length = 1; length <= 3; length++)
            socket.write(Buffer.from([0x82, length, ...Array(length).fill(0)]));
          socket.end();
          continue;
        }
        if (kind < CLOSE || kind === PING) socket.write(answer);
        if (kind === CLOSE) socket.end(answer);
      }
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

/** Where the head of a frame ends, and how long its content is; undefined while the head is not whole. */
function headOf(bytes: Buffer): { at: number; length: number } | undefined {
  if (bytes.length < 14) {
    const short = bytes.length >= 2 ? (bytes[1] as number) & 127 : 127;
    return short < 126 && bytes.length >= 6 ? { at: 2, length: short } : undefined;
  }
  const short = (bytes[1] as number) & 127;
  if (short < 126) return { at: 2, length: short };
  return short === 126
    ? { at: 4, length: bytes.readUInt16BE(2) }
    : { at: 10, length: Number(bytes.readBigUInt64BE(2)) };
}

function frameEnd(bytes: Buffer): number | undefined {
  const head = headOf(bytes);
  if (head === undefined) return undefined;
  const end = head.at + 4 + head.length;
  return bytes.length >= end ? end : undefined;
}

/** The frame of a client as a server sends it: without the mask. */
function unmasked(frame: Buffer): Buffer {
  const { at, length } = headOf(frame) as { at: number; length: number };
  const mask = frame.subarray(at, at + 4);
  const content = frame.subarray(at + 4, at + 4 + length).map((byte, i) => byte ^ (mask[i & 3] as number));
  const head = Buffer.from(frame.subarray(0, at));
  head[1] = (head[1] as number) & 127;
  return Buffer.concat([head, content]);
}
