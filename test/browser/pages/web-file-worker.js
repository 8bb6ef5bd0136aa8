// Writes pages to a file of the origin's private file system and reads them back, in every way, with what can go wrong.

import { capabilities } from '../pagepool/border.js';
import { Packet } from '../pagepool/packet.js';
import { readAt, readFileInto, writeAt } from '../pagepool/web.js';
import { PagePool } from './both.js';
import { refusalOf } from './ending.js';

const byteAt = (i) => (i * 13 + (i >> 8)) & 255;

async function rounds(pool, handle) {
  const packet = new Packet();
  for (let from = 0; from < 10000; from += 2500) {
    const part = pool.take(2500);
    part.bytes.forEach((_, i) => {
      part.bytes[i] = byteAt(from + i);
    });
    packet.append(part);
  }
  const written = writeAt(handle, packet, 0);
  packet.release();
  const isRight = (fragment, at) => fragment.bytes.every((byte, i) => byte === byteAt(at + i));
  const part = readAt(pool, handle, 9000, 4096);
  const cut = { length: part.length, isRight: isRight(part, 9000) };
  part.release();
  const end = readAt(pool, handle, 10000, 10);
  const atEnd = end.length;
  end.release();
  const lengths = [];
  let isWhole = true;
  let at = 100;
  for await (const fragment of readFileInto(pool, handle, { at })) {
    isWhole &&= isRight(fragment, at);
    at += fragment.length;
    lengths.push(fragment.length);
    fragment.release();
  }
  for await (const fragment of readFileInto(pool, handle, { chunkBytes: 10 })) {
    fragment.release();
    break;
  }
  return { written, cut, atEnd, lengths, isWhole, at };
}

self.onmessage = async ({ data: share }) => {
  const pool = PagePool.attach(share);
  const folder = await navigator.storage.getDirectory();
  const file = await folder.getFileHandle('pages', { create: true });
  const handle = await file.createSyncAccessHandle();
  // First with a copy, since nothing is known; then without.
  const first = await rounds(pool, handle);
  await capabilities();
  const second = await rounds(pool, handle);
  const all = [];
  for (let page = pool.take(); page !== null; page = pool.take()) all.push(page);
  const empty = readAt(pool, handle, 0, 10);
  const late = await refusalOf(async () => {
    for await (const fragment of readFileInto(pool, handle, { timeoutMs: 10 })) fragment.release();
  });
  for (const page of all) page.release();
  handle.close();
  const closed = await refusalOf(() => readAt(pool, handle, 0, 10));
  const closedLoop = await refusalOf(async () => {
    for await (const fragment of readFileInto(pool, handle)) fragment.release();
  });
  const wrong = await refusalOf(() => readAt(pool, handle, -1, 10));
  await folder.removeEntry('pages');
  const left = [];
  for await (const name of folder.keys()) left.push(name);
  pool.detach(); // throws where a reference is still held
  const codes = [late.code, wrong.code];
  const failed = [closed, closedLoop].every(({ message }) => message !== '');
  self.postMessage({
    first,
    second,
    empty,
    codes,
    failed,
    left: left.filter((name) => name.startsWith('pagepool')),
  });
};
