// One thread of the soak of wake-ups: everything that can be waited for, several of each at one time, with signals,
// timeouts and pauses at random. It says in shared words how many of its loops are busy, and how many wait for what.

import { parentPort, workerData } from 'node:worker_threads';

const { entry, packetEntry, share, engine, seed, index, kinds, phases, words, slot } = workerData;
const { PagePool } = await import(entry);
const { nextPacket, sendPacketAsync, takePacketAsync } = await import(packetEntry);
const pool = PagePool.attach({ ...share, engine }, { label: `wakes ${index}` });
const [entries, packets, calls] = [pool.channel('entries'), pool.channel('packets'), pool.calls('work')];
const PAGE = pool.pageBytes;

let state = (seed + index) >>> 0;
function random(below) {
  state = (state + 0x6d2b79f5) >>> 0;
  let t = Math.imul(state ^ (state >>> 15), state | 1);
  t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
  return ((t ^ (t >>> 14)) >>> 0) % below;
}

const BUSY = slot * (kinds.length + 1);
const phase = () => Atomics.load(words, 0);
const turn = () => new Promise((resolve) => setTimeout(resolve, 1));
const count = (word, by) => Atomics.add(words, 2 + BUSY + word, by);
/** Signals of waits under way: at the end all of them are aborted. */
const aborters = new Set();

/** How one wait is to end: by itself, by time, or by a signal; never by one while all threads are looked at. */
function chooseEnd(isBySignal) {
  const choice = random(16);
  if (choice < 3 && !isBySignal) return { options: { timeoutMs: random(4) } };
  const aborter = new AbortController();
  const abortSoon = () => {
    if (phase() === phases.pause) setTimeout(abortSoon, 1);
    else aborter.abort(new Error('on purpose'));
  };
  if (choice < 5) setTimeout(abortSoon, random(4));
  else if (choice < 6) queueMicrotask(abortSoon);
  else if (choice < 7) abortSoon();
  return { aborter, options: { signal: aborter.signal } };
}

const ENDS = ['POOL_ERR_TIMEOUT', 'POOL_ERR_PEER_GONE'];

/** Waits by `start`, as a wait of that kind: what it brings, undefined where it was given up. */
async function wait(kind, start, isBySignal = false) {
  const { aborter, options } = chooseEnd(isBySignal);
  if (aborter !== undefined) aborters.add(aborter);
  const leave = enter(kind);
  count(0, -1);
  try {
    return await start(options);
  } catch (error) {
    if (error.message !== 'on purpose' && !ENDS.includes(error.code)) throw error;
    return undefined;
  } finally {
    count(0, 1);
    leave();
    aborters.delete(aborter);
  }
}

/** Kinds of this thread's waits for packets' room, in their line: a small packet behind a large one waits with it. */
const line = [];

/** One more waits for that kind; of a line, the first one alone. Returns what ends it. */
function enter(kind) {
  const place = { word: 1 + kinds.indexOf(kind) };
  if (!kind.startsWith('room ')) {
    count(place.word, 1);
    return () => count(place.word, -1);
  }
  line.push(place);
  if (line[0] === place) count(place.word, 1);
  return () => {
    const wasFirst = line[0] === place;
    line.splice(line.indexOf(place), 1);
    if (!wasFirst) return;
    if (line.length > 0) count(line[0].word, 1);
    count(place.word, -1);
  };
}

/** One thing was handed over. */
function done() {
  Atomics.add(words, 1, 1);
}

const loops = {
  async send() {
    const fragment = await wait('1 page', (given) => pool.takeAsync(PAGE, given));
    if (fragment === undefined) return;
    let isSent = true;
    if (random(2) === 0)
      isSent = await wait('room', (given) => entries.sendAsync(fragment, index, given).then(() => true));
    else {
      // As programs do it that look first.
      while (isSent && !entries.sendFragment(fragment, index))
        isSent = await wait('room', (given) => entries.waitRoom(given).then(() => true));
    }
    if (isSent !== true) fragment.release();
    for (let more = random(6); isSent === true && more > 0; more--) {
      const next = pool.take(PAGE);
      if (next !== null && !entries.sendFragment(next, index)) next.release();
    }
  },
  async receive() {
    let fragment;
    if (random(8) === 0) {
      entries.waitSync(random(3));
      fragment = entries.receive();
    } else fragment = await wait('entries', (given) => entries.next(given));
    for (; fragment; fragment = entries.receive()) {
      fragment.release();
      done();
    }
  },
  async sendPacket() {
    const pages = 1 + random(3);
    const packet = await wait(`${pages} ${pages === 1 ? 'page' : 'pages'}`, (given) =>
      takePacketAsync(pool, pages * PAGE, given),
    );
    if (packet === undefined) return;
    await wait(`room ${pages}`, (given) => sendPacketAsync(packets, packet, index, given));
    if (packet.parts > 0) packet.release();
  },
  async receivePacket() {
    const packet = await wait('packets', (given) => nextPacket(packets, given));
    if (!packet) return;
    packet.release();
    done();
  },
  async ask() {
    let reply;
    if (random(2) === 0) {
      const request = await wait('1 page', (given) => pool.takeAsync(PAGE, given));
      if (request !== undefined) reply = await wait('answer', (given) => calls.call(request, given));
    } else {
      const room = await wait('2 pages', (given) => calls.take(PAGE, PAGE, given));
      if (room !== undefined) reply = await wait('answer', (given) => room.send(given));
    }
    if (reply === undefined) return;
    reply.release();
    done();
  },
  async serve() {
    await wait(
      'calls',
      (given) =>
        calls.serve(
          async ({ reply }) => {
            count(0, 1);
            if (random(8) === 0) await turn();
            count(0, -1);
            return reply.length;
          },
          { ...given, concurrency: 1 + random(2) },
        ),
      true,
    );
  },
  async lend() {
    const fragment = await wait('1 page', (given) => pool.takeAsync(16, given));
    if (fragment === undefined) return;
    const token = await wait('tokens', (given) => pool.lendAsync(fragment, given));
    if (token === undefined) return fragment.release();
    if (random(2) === 0) await turn();
    try {
      pool.adopt(token).release();
    } catch (error) {
      if (error.code !== 'POOL_ERR_TOKEN_SPENT') throw error; // reclaimed, when a thread was killed
    }
    done();
  },
};

async function run(loop) {
  count(0, 1);
  while (phase() !== phases.stop) {
    await loop();
    if (random(64) === 0) await turn();
    if (phase() !== phases.pause) continue;
    count(0, -1);
    while (phase() === phases.pause) await turn();
    count(0, 1);
  }
  count(0, -1);
}

parentPort.postMessage('ready');
const running = Object.values(loops).flatMap((loop) => [run(loop), run(loop)]);
while (phase() !== phases.stop) await turn();
for (const aborter of aborters) aborter.abort(new Error('on purpose'));
let isOver = false;
const over = Promise.all(running).then(() => {
  isOver = true;
});
while (!isOver) {
  // Loops that had not seen the end begin one more wait.
  for (const aborter of aborters) aborter.abort(new Error('on purpose'));
  await turn();
}
await over;
parentPort.postMessage('stopped');
parentPort.once('message', () => {
  pool.detach();
  parentPort.close();
});
