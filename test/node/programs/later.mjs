// Descriptors that do not block: where they have nothing, or no room, the reading and the writing go on later, hold no
// page that they do not need, and end by a signal.

import { execFileSync } from 'node:child_process';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { packetWritable, readFileInto, writePacket } from 'pagepool/node';
import { turns, until } from '../../support/waiting.js';
import { closed, done, folder, fragmentOf, told, withPool } from './support.mjs';

const { O_NONBLOCK, O_RDONLY, O_RDWR, O_WRONLY } = constants;
const path = join(folder(), 'fifo');
execFileSync('mkfifo', [path]);

const found = {};
const right = {};
const expectTold = async (name, promise, expected) => {
  found[name] = await told(promise);
  right[name] = expected;
};

/** Both ends of the pipe; the one that is held open so that the other can be opened. */
async function openPipe() {
  const held = await open(path, O_RDWR | O_NONBLOCK);
  const reader = await open(path, O_RDONLY | O_NONBLOCK);
  const writer = await open(path, O_WRONLY | O_NONBLOCK);
  await held.close();
  return { reader, writer };
}

await withPool({}, async (pool) => {
  for (const kind of ['handle', 'descriptor']) {
    const { reader, writer } = await openPipe();
    let bytes = 0;
    const read = (options) =>
      readFileInto(
        pool,
        kind === 'handle' ? reader : reader.fd,
        (fragment) => {
          bytes += fragment.length;
          fragment.release();
        },
        options,
      );
    const reading = told(read());
    await turns();
    await until(() => pool.audit().references.ledgers === 0); // nothing is there: no page is held for it
    await writer.write('hello');
    await until(() => bytes === 5);
    await turns();
    await writer.write('again');
    await until(() => bytes === 10);
    await writer.close();
    await expectTold(`${kind}: read`, reading, 10);
    await reader.close();
    const again = await openPipe();
    const stop = new AbortController();
    const reason = Object.assign(new Error('enough'), { code: 'ENOUGH' });
    const stopped = told(readFileInto(pool, again.reader, () => {}, { signal: stop.signal }));
    await turns();
    stop.abort(reason);
    await expectTold(`${kind}: stopped`, stopped, 'ENOUGH');
    await again.reader.close();
    await again.writer.close();
  }
});

await withPool({ pageBytes: 65_536, pageCount: 8 }, async (pool) => {
  const { reader, writer } = await openPipe();
  const pages = () => fragmentOf(pool, Buffer.alloc(65_536, 7));
  const full = pages();
  let written = 0;
  const writing = (async () => {
    written += await writePacket(writer, full);
    for (let i = 0; i < 3; i++) written += await writePacket(writer, pages());
    return written;
  })();
  await turns();
  let length = 0;
  const into = Buffer.alloc(100_000);
  const drain = async (bytes) => {
    await until(async () => {
      const { bytesRead } = await reader.read(into, 0, into.length).catch(() => ({ bytesRead: 0 }));
      length += bytesRead;
      return length >= bytes;
    });
  };
  await drain(4 * 65_536);
  await expectTold('written', writing, 4 * 65_536);
  found.length = length;
  right.length = 4 * 65_536;

  // Nobody reads any more: a signal ends the wait, and so does the end of the stream.
  const stop = new AbortController();
  const stuck = told(Promise.all([0, 1].map(() => writePacket(writer, pages(), { signal: stop.signal }))));
  await turns();
  stop.abort(Object.assign(new Error('enough'), { code: 'ENOUGH' }));
  await expectTold('stopped', stuck, 'ENOUGH');
  const sink = packetWritable(writer).on('error', () => {});
  sink.write(pages());
  await turns();
  sink.destroy();
  await closed(sink);
  const wrong = pages();
  await expectTold('refused', writePacket(writer, wrong, { signal: 7 }), 'POOL_ERR_INVALID_ARGUMENT');
  wrong.release();
  await reader.close();
  await expectTold('nobody reads', writePacket(writer, pages()), 'EPIPE');
  await writer.close();
});

done(found, right);
