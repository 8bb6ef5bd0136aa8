// One thread of the stress of calls: it serves, or asks until it has asked enough, and checks what comes.

import { parentPort, workerData } from 'node:worker_threads';

const { entry, share, engine, role, index, counts, inFlight, calls: wanted, seed } = workerData;
const { PagePool } = await import(entry);
const pool = PagePool.attach({ ...share, engine }, { label: `${role} ${index}` });
const calls = pool.calls('work');
parentPort.postMessage('ready');

let state = (seed + index) >>> 0;
function random(below) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

/** Sends one call, one of two ways; the word that came back. */
async function ask(word) {
  let reply;
  if (random(2) === 0) {
    const request = await pool.takeAsync(1024);
    new DataView(request.bytes.buffer, request.bytes.byteOffset).setUint32(0, word);
    reply = await calls.call(request);
  } else {
    const room = await calls.take(1024, 1024);
    new DataView(room.request.bytes.buffer, room.request.bytes.byteOffset).setUint32(0, word);
    reply = await room.send();
  }
  const got = new DataView(reply.bytes.buffer, reply.bytes.byteOffset).getUint32(0);
  reply.release();
  return got;
}

let asked = 0;
async function askOn() {
  while (asked < wanted) {
    asked++;
    const word = (index << 28) | random(2 ** 28);
    try {
      const got = await ask(word);
      if (got !== ~word >>> 0) throw new Error(`got ${got} (expected ${~word >>> 0})`);
      Atomics.add(counts, 2 * index, 1);
    } catch (error) {
      if (error.code !== 'POOL_ERR_PEER_GONE') throw error;
      Atomics.add(counts, 2 * index + 1, 1);
    }
  }
}

if (role === 'ask') await Promise.all(Array.from({ length: inFlight }, askOn));
else {
  await calls.serve(
    ({ request, reply }) => {
      const word = new DataView(request.bytes.buffer, request.bytes.byteOffset).getUint32(0);
      new DataView(reply.bytes.buffer, reply.bytes.byteOffset).setUint32(0, ~word >>> 0);
      return 4;
    },
    { concurrency: 2 },
  );
}
pool.detach();
