// The TCP server, in a process of its own so that its processor time and memory count for no variant: sends the whole
// file to whoever connects, from memory.

import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';

/** Serves the file on a free loopback port and tells the parent process which. */
export function runSender(file: string): void {
  const bytes = readFileSync(file);
  const server = createServer((socket) => {
    socket.on('error', () => {}); // the receiver has its own
    socket.end(bytes);
  });
  server.listen(0, '127.0.0.1', () => process.send?.((server.address() as AddressInfo).port));
  process.on('disconnect', () => process.exit());
}
