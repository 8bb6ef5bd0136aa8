// Makes every call of a port where the stack ends: at the deepest frame that still runs, and on up to where the call
// succeeds. What throws must have changed nothing: the audit, the counters, and the objects of this thread.
//
// node overflow.mjs ENTRIES ENGINE WARM_ROUNDS STRIDE: prints a line of JSON: {overflows, calls, faults}. A call runs
// WARM_ROUNDS times before, so that it is compiled; every STRIDE-th depth is tried. CASE=NAME runs one call; with
// BARE=1 the realm has no Wasm, and so no room on the stack is asked for.

import { cpSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';

const [entries, engine, warmRounds, stride] = process.argv.slice(2);
if (process.env.BARE === '1') globalThis.WebAssembly = undefined;
const load = (name) => import(pathToFileURL(join(entries, name)).href);
if (engine === 'typescript') await load('typescript.js');
const { PagePool } = await load('index.js');
const { UserQueue, userArea } = await load('user-area.js');
const { Packet, RecordWriter, receivePacket, sendPacket, takePacket } = await load('packet.js');

/** Depths in a row at which a call has to succeed before it is done. */
const ENOUGH = 40;
/** Arguments that nobody reads: the stack ends at other places of a frame. */
const PADS = [0, 1, 2, 3, 4, 5, 6, 7].map((count) => new Array(count).fill(0));

function at(depth, call, pad) {
  return depth > 0 ? at(depth - 1, call, pad) : Reflect.apply(call, undefined, pad);
}

function isOverflow(error) {
  return error instanceof RangeError && error.code === undefined && /call stack|recursion/i.test(error.message);
}

/** The deepest depth at which a function that does nothing returns: frames shrink as `at` is compiled. */
function deepest() {
  let depth = 0;
  for (let next = search(), same = 0; same < 3; next = search()) {
    same = next === depth ? same + 1 : 0;
    depth = next;
  }
  return depth;
}

function search() {
  let low = 0;
  let high = 1 << 20;
  while (high - low > 1) {
    const middle = (low + high) >> 1;
    try {
      at(middle, () => 0, PADS[0]);
      low = middle;
    } catch {
      high = middle;
    }
  }
  return low;
}

/** All that a pool tells of itself. */
function stateOf(pool) {
  const { errors, balanced, exact, pages, references } = pool.audit();
  const { ports, channels, calls, tokens } = pool.stats();
  // A search that found nothing has counted that.
  const counters = ports.map(({ alloc, ...port }) => ({ ...port, alloc: { ...alloc, empty: 0, fail: 0 } }));
  return JSON.stringify({ errors, balanced, exact, pages, references, counters, channels, calls, tokens });
}

/** What is held, wherever the free pages are. */
function heldIn(pool) {
  const { errors, balanced, exact, pages, references } = pool.audit();
  return JSON.stringify({ errors, balanced, exact, used: pages.used, references });
}

const options = {
  engine,
  pageBytes: 1024,
  pageCount: 48,
  maxPorts: 3,
  tokens: 4,
  channels: {
    one: { capacity: 2, batch: 1 },
    many: { capacity: 8, batch: 4 },
    oldest: { capacity: 2, batch: 2, whenFull: 'drop-oldest' },
    newest: { capacity: 2, batch: 2, whenFull: 'drop-newest' },
    wide: { capacity: 64, batch: 32 },
  },
  calls: { ask: {} },
};

const cases = {
  // ------------------------------------------------------------------------------------------------ numbers
  alloc: ({ pool }) => ({ call: () => pool.alloc(), undo: (page) => pool.release(page) }),
  'alloc from the ring': ({ pool, other }) => ({
    ready: () => other.trim(),
    call: () => pool.alloc(),
    undo(page) {
      pool.release(page);
      pool.trim();
    },
  }),
  'alloc of the last page': ({ pool, other, list }) => ({
    ready() {
      for (let page = pool.alloc(); page !== 0; page = pool.alloc()) list.push(page);
      other.release(other.adopt(pool.fragment(list.pop()).lend()).handle);
    },
    call: () => pool.alloc(),
    undo(page) {
      list.push(page);
      for (const each of list.splice(0)) pool.release(each);
    },
  }),
  'alloc of an empty pool': ({ pool, list }) => ({
    ready() {
      for (let page = pool.alloc(); page !== 0; page = pool.alloc()) list.push(page);
    },
    call: () => pool.alloc(),
    undo() {
      for (const each of list.splice(0)) pool.release(each);
    },
  }),
  allocFragment: ({ pool }) => ({ call: () => pool.allocFragment(100), undo: (page) => pool.release(page) }),
  'allocFragment of a page': ({ pool }) => ({
    call: () => pool.allocFragment(900),
    undo: (page) => pool.release(page),
  }),
  'allocFragment that opens a page': ({ pool, list }) => ({
    ready() {
      for (let i = 0; i < 3; i++) list.push(pool.allocFragment(300));
    },
    call: () => pool.allocFragment(300),
    undo(page) {
      list.push(page);
      for (const each of list.splice(0)) pool.release(each);
    },
  }),
  release: ({ pool, one }) => ({ ready: () => one(pool.alloc()), call: () => pool.release(one()) }),
  'release into a full cache': ({ pool, one, list }) => ({
    ready() {
      while (list.length < 40) list.push(pool.alloc());
      one(list.pop());
      for (const each of list.splice(0)) pool.release(each);
    },
    call: () => pool.release(one()),
  }),
  'release of a fragment': ({ pool, one }) => ({
    ready: () => one(pool.allocFragment(100)),
    call: () => pool.release(one()),
  }),
  'release of a fragment of a page that was left': ({ pool, one, list }) => ({
    ready() {
      one(pool.allocFragment(100));
      for (let i = 0; i < 3; i++) list.push(pool.allocFragment(400));
    },
    call: () => pool.release(one()),
    undo() {
      for (const each of list.splice(0)) pool.release(each);
    },
  }),
  'release of two holders': ({ pool, one }) => ({
    ready() {
      one(pool.alloc());
      pool.retain(one());
    },
    call: () => pool.release(one()),
    undo: () => pool.release(one()),
  }),
  'release of a page that another thread wants': ({ pool, other, one, list }) => ({
    ready() {
      one(pool.alloc());
      for (let page = other.alloc(); page !== 0; page = other.alloc()) list.push(page);
    },
    call: () => pool.release(one()),
    undo() {
      for (const each of list.splice(0)) other.release(each);
      other.trim();
    },
  }),
  'release of a pinned page': ({ pool, one, two }) => ({
    ready() {
      one(pool.alloc());
      two(pool.pin(one()));
    },
    call: () => pool.release(one()),
    undo: () => pool.unpin(two()),
  }),
  retain: ({ pool, one }) => ({
    ready: () => one(pool.alloc()),
    call: () => pool.retain(one(), 2),
    undo() {
      for (let i = 0; i < 3; i++) pool.release(one());
    },
  }),
  pin: ({ pool, one }) => ({
    ready: () => one(pool.alloc()),
    call: () => pool.pin(one()),
    undo(pin) {
      pool.unpin(pin);
      pool.release(one());
    },
  }),
  unpin: ({ pool, one }) => ({
    ready() {
      const page = pool.alloc();
      one(pool.pin(page));
      pool.release(page);
    },
    call: () => pool.unpin(one()),
  }),
  // ------------------------------------------------------------------------------------------------ bursts
  allocBurst: ({ pool, words }) => ({
    call: () => pool.allocBurst(words, 40),
    undo: (count) => pool.releaseBulk(words, count),
  }),
  'allocBurst into an own array': ({ pool, own }) => ({
    call: () => pool.allocBurst(own, 40),
    undo: (count) => pool.releaseBulk(own, count),
  }),
  allocBulk: ({ pool, words }) => ({ call: () => pool.allocBulk(words, 30), undo: () => pool.releaseBulk(words, 30) }),
  // What the first search found went back, and the second one found the stack's end: pages are in other caches.
  'allocBulk of too many': ({ pool, own }) => ({ movesPages: true, call: () => pool.allocBulk(own, 60) }),
  releaseBulk: ({ pool, words }) => ({
    ready: () => pool.allocBulk(words, 40),
    call: () => pool.releaseBulk(words, 40),
  }),
  'releaseBulk of an own array': ({ pool, own }) => ({
    ready: () => pool.allocBulk(own, 40),
    call: () => pool.releaseBulk(own, 40),
  }),
  'releaseBulk with a stale handle': ({ pool, own, caught }) => ({
    ready() {
      pool.allocBulk(own, 4);
      pool.release(own[2]);
    },
    call: () => caught(() => pool.releaseBulk(own, 4), 2),
    undo: () => pool.release(own[3]),
  }),
  // ------------------------------------------------------------------------------------------------ objects
  take: ({ pool }) => ({ call: () => pool.take(100), undo: (fragment) => fragment.release() }),
  'take of a page': ({ pool }) => ({ call: () => pool.take(), undo: (fragment) => fragment.release() }),
  'Fragment.release': ({ pool, one }) => ({ ready: () => one(pool.take(100)), call: () => one().release() }),
  'Fragment.slice': ({ pool, one }) => ({
    ready: () => one(pool.take(100)),
    call: () => one().slice(10, 10),
    undo(slice) {
      slice.release();
      one().release();
    },
  }),
  'Fragment.lend': ({ pool, other, one }) => ({
    ready: () => one(pool.take(100)),
    call: () => one().lend(),
    undo: (token) => other.adopt(token).release(),
  }),
  adopt: ({ pool, other, one }) => ({
    ready: () => one(other.take(100).lend()),
    call: () => pool.adopt(one()),
    undo: (fragment) => fragment.release(),
  }),
  reclaimTokens: ({ pool }) => ({
    ready() {
      for (let i = 0; i < 3; i++) pool.take(100).lend();
    },
    call: () => pool.reclaimTokens(0),
  }),
  trim: ({ pool }) => ({ ready: () => pool.release(pool.alloc()), call: () => pool.trim() }),
  poll: ({ pool, other, list }) => ({
    ready() {
      pool.release(pool.alloc());
      for (let page = other.alloc(); page !== 0; page = other.alloc()) list.push(page);
    },
    call: () => pool.poll(),
    undo() {
      for (const each of list.splice(0)) other.release(each);
      other.trim();
    },
  }),
  audit: ({ pool }) => ({ call: () => void pool.audit() }),
  // ------------------------------------------------------------------------------------------------ channels
  send: ({ pool, one, drain }) => ({
    ready: () => one(pool.alloc()),
    call: () => pool.channel('one').send(one(), 0, 1),
    undo: () => drain('one'),
  }),
  'send with others inside': ({ pool, one, drain }) => ({
    ready() {
      pool.channel('many').send(pool.alloc(), 0, 1);
      one(pool.alloc());
    },
    call: () => pool.channel('many').send(one(), 0, 1),
    undo: () => drain('many'),
  }),
  'send to a full channel': ({ pool, one, drain }) => ({
    ready() {
      for (let i = 0; i < 2; i++) pool.channel('one').send(pool.alloc(), 0, 1);
      one(pool.alloc());
    },
    call: () => pool.channel('one').send(one(), 0, 1),
    undo() {
      pool.release(one());
      drain('one');
    },
  }),
  'send that drops the oldest': ({ pool, one, drain }) => ({
    ready() {
      for (let i = 0; i < 2; i++) pool.channel('oldest').send(pool.alloc(), 0, 1);
      one(pool.alloc());
    },
    call: () => pool.channel('oldest').send(one(), 0, 1),
    undo: () => drain('oldest'),
  }),
  'send that drops the newest': ({ pool, one, drain }) => ({
    ready() {
      for (let i = 0; i < 2; i++) pool.channel('newest').send(pool.alloc(), 0, 1);
      one(pool.allocFragment(100));
    },
    call: () => pool.channel('newest').send(one(), 0, 1),
    undo: () => drain('newest'),
  }),
  sendFragment: ({ pool, one, drain }) => ({
    ready: () => one(pool.take(100)),
    call: () => pool.channel('many').sendFragment(one()),
    undo: () => drain('many'),
  }),
  sendBurst: ({ pool, own, drain, burst }) => ({
    ready: () => burst(own, 6),
    call: () => pool.channel('many').sendBurst(own, 6),
    undo: () => drain('many'),
  }),
  'sendBurst on words()': ({ pool, words, drain, burst }) => ({
    ready: () => burst(words, 6),
    call: () => pool.channel('many').sendBurst(words, 6),
    undo: () => drain('many'),
  }),
  'sendBurst that does not fit': ({ pool, own, drain, burst }) => ({
    ready: () => burst(own, 12),
    call: () => pool.channel('many').sendBurst(own, 12),
    undo(sent) {
      for (let i = sent; i < 12; i++) pool.release(own[4 * i]);
      drain('many');
    },
  }),
  receive: ({ pool }) => ({
    ready: () => pool.channel('many').send(pool.alloc(), 0, 1),
    call: () => pool.channel('many').receive(),
    undo: (fragment) => fragment.release(),
  }),
  'receive of nothing': ({ pool }) => ({ call: () => pool.channel('many').receive() }),
  receiveBurst: ({ pool, own, burst }) => ({
    ready() {
      burst(own, 6);
      pool.channel('many').sendBurst(own, 6);
    },
    call: () => pool.channel('many').receiveBurst(own, 8),
    undo(count) {
      for (let i = 0; i < count; i++) pool.release(own[4 * i]);
    },
  }),
  next: ({ pool }) => ({
    ready: () => pool.channel('many').send(pool.alloc(), 0, 1),
    call: () => pool.channel('many').next(),
    undo: (fragment) => fragment.release(),
  }),
  takeAsync: ({ pool }) => ({ call: () => pool.takeAsync(100), undo: (fragment) => fragment.release() }),
  sendAsync: ({ pool, one, drain }) => ({
    ready: () => one(pool.take(100)),
    call: () => pool.channel('many').sendAsync(one()),
    undo: () => drain('many'),
  }),
  lendAsync: ({ pool, other, one }) => ({
    ready: () => one(pool.take(100)),
    call: () => pool.lendAsync(one()),
    undo: (token) => other.adopt(token).release(),
  }),
  // ------------------------------------------------------------------------------------------------ packets
  'Packet.append': ({ pool, one, two }) => ({
    ready() {
      one(new Packet().append(pool.take(100)));
      two(pool.take(100));
    },
    call: () => one().append(two()),
    undo: () => one().release(),
  }),
  'Packet.append of a packet': ({ one, two, packet }) => ({
    ready() {
      one(packet(3));
      two(packet(2));
    },
    call: () => one().append(two()),
    undo: () => one().release(),
  }),
  'Packet.prepend': ({ pool, one, two, packet }) => ({
    ready() {
      one(packet(2));
      two(pool.take(100));
    },
    call: () => one().prepend(two()),
    undo: () => one().release(),
  }),
  'Packet.slice': ({ one, packet }) => ({
    ready: () => one(packet(3)),
    call: () => one().slice(10, 200),
    undo(slice) {
      slice.release();
      one().release();
    },
  }),
  'Packet.split': ({ one, packet }) => ({
    ready: () => one(packet(3)),
    call: () => one().split(150),
    undo(rest) {
      rest.release();
      one().release();
    },
  }),
  'Packet.consume': ({ one, packet }) => ({
    ready: () => one(packet(3)),
    call: () => one().consume(150),
    undo: () => one().release(),
  }),
  'Packet.shift': ({ one, packet }) => ({
    ready: () => one(packet(3)),
    call: () => one().shift(),
    undo(fragment) {
      fragment.release();
      one().release();
    },
  }),
  'Packet.expandHead': ({ one, packet }) => ({
    ready: () => one(packet(3)),
    call: () => one().expandHead(20, 30),
    undo: () => one().release(),
  }),
  'Packet.coalesce': ({ one, packet }) => ({
    ready: () => one(packet(4)),
    call: () => one().coalesce(),
    undo: () => one().release(),
  }),
  'Packet.release': ({ one, packet }) => ({ ready: () => one(packet(4)), call: () => one().release() }),
  sendPacket: ({ pool, one, packet, drain }) => ({
    ready: () => one(packet(3)),
    call: () => sendPacket(pool.channel('wide'), one(), 1),
    undo: () => drain('wide'),
  }),
  'sendPacket that drops the newest': ({ pool, one, packet, drain }) => ({
    ready() {
      for (let i = 0; i < 2; i++) pool.channel('newest').send(pool.alloc(), 0, 1);
      one(packet(2));
    },
    call: () => sendPacket(pool.channel('newest'), one(), 1),
    undo: () => drain('newest'),
  }),
  receivePacket: ({ pool, packet }) => ({
    ready: () => sendPacket(pool.channel('wide'), packet(3), 1),
    call: () => receivePacket(pool.channel('wide')),
    undo: (received) => received.release(),
  }),
  takePacket: ({ pool }) => ({ call: () => takePacket(pool, 2500), undo: (packet) => packet.release() }),
  'RecordWriter.write': ({ pool, one, drain }) => ({
    ready() {
      one(new RecordWriter(pool.channel('wide')));
      one().write('first');
    },
    call: () => one().write('x'.repeat(900)),
    undo() {
      one().release();
      drain('wide');
    },
  }),
  // ------------------------------------------------------------------------------------------------ calls
  'Calls.call': ({ pool, one }) => ({
    ready: () => one(pool.take(100)),
    call: () => pool.calls('ask').call(one()),
    undo: (reply) => reply.release(),
  }),
  'Calls.take': ({ pool }) => ({ call: () => pool.calls('ask').take(100, 100), undo: (room) => room.release() }),
  // ------------------------------------------------------------------------------------------------ user areas
  'UserQueue.give': ({ area, one, queue }) => ({
    ready: () => one(area.alloc()),
    call: () => queue().give(one(), 0, 10),
    undo: () => queue(null),
  }),
  'UserQueue.giveBurst': ({ area, own, queue }) => ({
    ready() {
      for (let i = 0; i < 3; i++) own.set([area.alloc(), 0, 10, 0], 4 * i);
    },
    call: () => queue().giveBurst(own, 3),
    undo: () => queue(null),
  }),
  'UserQueue.giveCopy': ({ queue }) => ({
    call: () => queue().giveCopy(new Uint8Array(2000)),
    undo: () => queue(null),
  }),
  'UserQueue.scrub': ({ area, queue }) => ({
    ready() {
      for (let i = 0; i < 3; i++) queue().give(area.alloc(), 0, 10);
    },
    call: () => queue().scrub(),
    undo: () => queue(null),
  }),
};

async function run(name, prepare) {
  const pool = PagePool.createSync(options);
  const other = OtherPool.attach(pool.share());
  const area = PagePool.createSync({
    engine,
    pageBytes: 1024,
    pageCount: 16,
    maxPorts: 2,
    provider: userArea(new SharedArrayBuffer(16 * 1024)),
  });
  other.calls('ask').serve(() => 10);
  const cell = () => {
    let value;
    return (...given) => {
      if (given.length > 0) [value] = given;
      return value;
    };
  };
  let made;
  const world = {
    pool,
    other,
    area,
    one: cell(),
    two: cell(),
    list: [],
    words: pool.words(256),
    own: new Uint32Array(256),
    packet(parts) {
      const packet = new Packet();
      for (let i = 0; i < parts; i++) packet.append(pool.take(100));
      return packet;
    },
    burst(entries, count) {
      for (let i = 0; i < count; i++) entries.set([pool.alloc(), 0, 1, i], 4 * i);
    },
    drain(channel) {
      for (let each = pool.channel(channel).receive(); each !== null; each = pool.channel(channel).receive())
        each.release();
    },
    /** A refusal at item `index`; what else is thrown goes on. */
    caught(call, index) {
      try {
        call();
      } catch (error) {
        if (error.index !== index) throw error;
      }
    },
    queue(none) {
      if (none === null) {
        made?.scrub();
        made = undefined;
        return undefined;
      }
      made ??= new UserQueue(area, { completions: 8, refills: 8 });
      return made;
    },
  };
  const { ready = () => {}, call, undo = () => {}, movesPages = false } = prepare(world);
  if (name.startsWith('UserQueue')) world.queue();
  const state = () => (movesPages ? heldIn(pool) : stateOf(pool) + stateOf(area));
  for (let i = 0; i < Number(warmRounds); i++) {
    ready();
    await undo(await call());
  }
  let overflows = 0;
  const faults = [];
  const limit = deepest();
  let inRow = 0;
  for (let up = 0; up < limit && inRow < ENOUGH && faults.length < 3; up += Number(stride)) {
    if (up === 0 || inRow > 0) ready();
    const before = state();
    let result;
    try {
      result = await at(limit - up, call, PADS[(up * 5) % 8]);
      inRow++;
    } catch (error) {
      inRow = 0;
      if (!isOverflow(error)) {
        faults.push(`${name}, ${up} frames above the end: threw ${error?.stack}`);
        break;
      }
      overflows++;
      const after = state();
      if (after !== before) faults.push(`${name}, ${up} frames above the end:\n${before}\n${after}`);
      continue;
    }
    await undo(result);
    const { errors, balanced } = pool.audit();
    if (!balanced) faults.push(`${name} that succeeded: ${errors.join('; ')}`);
  }
  const { balanced, errors, references } = pool.audit();
  if (!balanced) faults.push(`${name}: ${errors.join('; ')}`);
  if (references.ledgers !== 0) faults.push(`${name}: ${references.ledgers} references are left`);
  other.detach({ release: true });
  pool.detach({ release: true });
  area.detach({ release: true });
  return { overflows, faults };
}

// A copy of the package: what attaches with it is another thread to the pool.
const copy = mkdtempSync(join(tmpdir(), 'pagepool-'));
for (const part of ['index.js', 'typescript.js', 'chunks'])
  cpSync(join(entries, part), join(copy, part), { recursive: true });
writeFileSync(join(copy, 'package.json'), '{"type":"module"}');
if (engine === 'typescript') await import(pathToFileURL(join(copy, 'typescript.js')).href);
const { PagePool: OtherPool } = await import(pathToFileURL(join(copy, 'index.js')).href);
rmSync(copy, { recursive: true });
// Where a promise is rejected at the end of the stack, the platform's list of those that nobody handles stays as it
// was.
process.on('unhandledRejection', (error) => {
  if (!isOverflow(error)) throw error;
});
let overflows = 0;
const faults = [];
const chosen = Object.entries(cases).filter(([name]) => process.env.CASE === undefined || name === process.env.CASE);
for (const [name, prepare] of chosen) {
  const done = await run(name, prepare);
  overflows += done.overflows;
  faults.push(...done.faults);
  if (process.env.VERBOSE) console.error(name, done.overflows, done.faults.length);
}
writeFileSync(1, `${JSON.stringify({ overflows, calls: chosen.length, faults })}\n`);
process.exit(0);
