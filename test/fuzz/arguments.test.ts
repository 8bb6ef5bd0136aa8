// Arguments of wrong kinds, in every place of every public call: taken, or refused by an error with a code and the name
// of the call, and nothing has changed.
//
// One argument is wrong at a time, the others are right. What is taken is not looked at further: that a thing may be
// passed is the platform's to say (an object of another realm) or the call's own rule.

import { createContext, runInContext } from 'node:vm';
import { PagePool, wasmMemory } from 'pagepool';
import { advice, decodeText, digest, sendable, toUnshared } from 'pagepool/border';
import { readFileInto, readStreamInto, writePacket } from 'pagepool/node';
import {
  delimited,
  lengthPrefixed,
  lines,
  nextPacket,
  Packet,
  receivePacket,
  sendPacket,
  waitPacketRoom,
} from 'pagepool/packet';
import { slabs } from 'pagepool/providers';
import { UserQueue, userArea } from 'pagepool/user-area';
import { messagesInto, readAt, sendOver, toStream, readFileInto as webReadFile, writeAt } from 'pagepool/web';
import { WorkletPool } from 'pagepool/worklet';
import { describe, expect, it } from 'vitest';
import {
  LANE_CREDIT_OFFSET,
  PORT_COUNTERS_OFFSET,
  PORT_LABEL_OFFSET,
  PORT_RECORD_ADDRESS_OFFSET,
  PORT_SHIFT,
} from '../../assembly/layout.js';
import { planGeometry } from '../../src/control/geometry.js';
import { laneOffset } from '../../src/control/nodes.js';
import { resolveOptions } from '../../src/pool/options.js';
import '../../src/providers.js';
import { turns } from '../support/waiting.js';

const OPTIONS = {
  engine: 'typescript' as const,
  pageCount: 8,
  maxPorts: 2,
  channels: { a: { capacity: 4, batch: 2 } },
};
const geometry = planGeometry(resolveOptions('create', OPTIONS));

/** What the calls of a row work on. */
function setUp() {
  const pool = PagePool.createSync(OPTIONS);
  const page = pool.alloc();
  const fragment = pool.take(100)!;
  const packet = new Packet().append(pool.take(64)!).append(pool.take(32)!);
  const channel = pool.channel('a');
  channel.send(pool.alloc(), 0, 8, 1);
  const token = pool.take(16)!.lend();
  const area = PagePool.createSync({ ...OPTIONS, provider: userArea(new SharedArrayBuffer(8 * 4096)) });
  const queue = new UserQueue(area);
  const handle = { read: () => 0, write: (bytes: Uint8Array) => bytes.length };
  const socket = { readyState: 1, bufferedAmount: 0, binaryType: '', send() {}, close() {}, addEventListener() {} };
  return { pool, page, fragment, packet, channel, token, area, queue, given: area.alloc(), handle, socket };
}
type World = ReturnType<typeof setUp>;

interface Row {
  readonly name: string;
  /** Right arguments. */
  readonly good: (world: World) => unknown[];
  readonly call: (world: World, args: never[]) => unknown;
}

const row = (name: string, good: Row['good'], call: (world: World, ...args: never[]) => unknown): Row => ({
  name,
  good,
  call: (world, args) => call(world, ...args),
});
const method = (of: (world: World) => object, name: string, good: Row['good']): Row =>
  row(name, good, (world, ...args) => {
    const target = of(world) as Record<string, (...args: unknown[]) => unknown>;
    return (target[name] as (...args: unknown[]) => unknown).apply(target, args);
  });
const ofPool = (world: World): object => world.pool;
const wait = { timeoutMs: 0 };

const ROWS: readonly Row[] = [
  method(ofPool, 'allocFragment', () => [8]),
  method(ofPool, 'words', () => [8]),
  method(ofPool, 'allocBulk', () => [new Uint32Array(2), 2]),
  method(ofPool, 'allocBurst', () => [new Uint32Array(2), 2]),
  method(ofPool, 'retain', ({ page }) => [page, 1]),
  method(ofPool, 'release', ({ page }) => [page]),
  method(ofPool, 'releaseBulk', ({ page }) => [Uint32Array.of(page), 1]),
  ...['area', 'offset', 'extent', 'refCount', 'isReadable', 'pin'].map((name) =>
    method(ofPool, name, ({ page }) => [page]),
  ),
  method(ofPool, 'unpin', ({ pool, page }) => [pool.pin(page)]),
  method(ofPool, 'bytes', ({ page }) => [page, 0, 8]),
  method(ofPool, 'take', () => [8]),
  method(ofPool, 'takeAsync', () => [8, wait]),
  method(ofPool, 'fragment', ({ page }) => [page, 0, 8]),
  method(ofPool, 'adopt', ({ token }) => [token]),
  method(ofPool, 'channel', () => ['a']),
  method(ofPool, 'reclaimTokens', () => [0]),
  method(ofPool, 'watch', () => [{ threadId: 1e6, on() {}, off() {} }]),
  method(ofPool, 'reap', () => [1, { force: true }]),
  method(ofPool, 'leaks', () => [{ olderThanMs: 0 }]),
  method(ofPool, 'detach', () => [{ release: true }]),
  method(ofPool, 'close', () => [wait]),
  row(
    'createSync',
    () => [OPTIONS],
    (_, options) => PagePool.createSync(options),
  ),
  row(
    'create',
    () => [OPTIONS],
    (_, options) => PagePool.create(options),
  ),
  ...[
    'pageBytes',
    'pageCount',
    'unitBytes',
    'maxPorts',
    'name',
    'zero',
    'leaks',
    'engine',
    'provider',
    'reserve',
    'module',
    'onLeak',
    'channels',
  ].map((name) =>
    row(
      'createSync',
      () => [undefined],
      (_, value) => PagePool.createSync({ ...OPTIONS, [name]: value }),
    ),
  ),
  row(
    'attach',
    ({ area }) => [area.share(), { label: 'x' }],
    (_, share, options) => PagePool.attach(share, options),
  ),
  ...['memory', 'options', 'identity', 'abi', 'engine', 'name', 'module'].map((name) =>
    row(
      'attach',
      () => [undefined],
      ({ area }, value) => PagePool.attach({ ...area.share(), [name]: value } as never),
    ),
  ),
  row(
    'slabs',
    () => [{ slabBytes: 65536 }],
    (_, options) => slabs(options),
  ),
  row(
    'wasmMemory',
    () => [{ stepBytes: 65536 }],
    (_, options) => wasmMemory(options),
  ),
  row(
    'userArea',
    () => [new SharedArrayBuffer(4096), { byteOffset: 0 }],
    (_, memory, options) => userArea(memory, options),
  ),
  row(
    'new PagePool',
    () => [undefined],
    (_, value) => new (PagePool as unknown as new (value: unknown) => PagePool)(value),
  ),
  row(
    'Packet',
    () => [undefined],
    (_, value) => new Packet(value),
  ),
  method(
    ({ channel }) => channel,
    'send',
    ({ page }) => [page, 0, 8, 1],
  ),
  method(
    ({ channel }) => channel,
    'sendFragment',
    ({ fragment }) => [fragment, 1],
  ),
  method(
    ({ channel }) => channel,
    'sendBurst',
    ({ page }) => [Uint32Array.of(page, 0, 8, 1), 1],
  ),
  method(
    ({ channel }) => channel,
    'receiveBurst',
    () => [new Uint32Array(4), 1],
  ),
  method(
    ({ channel }) => channel,
    'next',
    () => [wait],
  ),
  method(
    ({ channel }) => channel,
    'waitSync',
    () => [0],
  ),
  method(
    ({ channel }) => channel,
    'waitRoom',
    () => [wait],
  ),
  method(
    ({ fragment }) => fragment,
    'slice',
    () => [0, 8],
  ),
  ...['append', 'prepend'].map((name) =>
    method(
      ({ packet }) => packet,
      name,
      ({ fragment }) => [fragment],
    ),
  ),
  ...['slice', 'split', 'consume'].map((name) =>
    method(
      ({ packet }) => packet,
      name,
      () => (name === 'slice' ? [0, 8] : [8]),
    ),
  ),
  method(
    ({ packet }) => packet,
    'expandHead',
    () => [8, 4],
  ),
  method(
    ({ packet }) => packet,
    'copyTo',
    () => [new Uint8Array(200), 0, 0, 8],
  ),
  method(
    ({ packet }) => packet,
    'indexOf',
    () => [7, 0],
  ),
  ...[
    'getUint8',
    'getInt8',
    'getUint16',
    'getInt16',
    'getUint32',
    'getInt32',
    'getBigUint64',
    'getBigInt64',
    'getFloat32',
    'getFloat64',
  ].map((name) =>
    method(
      ({ packet }) => packet,
      name,
      () => [0],
    ),
  ),
  row(
    'sendPacket',
    ({ channel, packet }) => [channel, packet, 1],
    (_, ...args) => sendPacket(...(args as unknown as Parameters<typeof sendPacket>)),
  ),
  row(
    'receivePacket',
    ({ channel }) => [channel],
    (_, channel) => receivePacket(channel),
  ),
  row(
    'nextPacket',
    ({ channel }) => [channel, wait],
    (_, channel, options) => nextPacket(channel, options),
  ),
  row(
    'waitPacketRoom',
    ({ channel, packet }) => [channel, packet, wait],
    (_, ...args) => waitPacketRoom(...(args as unknown as Parameters<typeof waitPacketRoom>)),
  ),
  row(
    'lines',
    () => [[], { maxBytes: 8 }],
    (_, source, options) => lines(source, options),
  ),
  row(
    'delimited',
    () => [[], 7, { maxBytes: 8 }],
    (_, source, delimiter, options) => delimited(source, delimiter, options),
  ),
  row(
    'lengthPrefixed',
    () => [[], { maxBytes: 8 }],
    (_, source, options) => lengthPrefixed(source, options),
  ),
  row(
    'toUnshared',
    ({ fragment }) => [fragment],
    (_, source) => toUnshared(source),
  ),
  row(
    'decodeText',
    ({ fragment }) => [fragment, {}],
    (_, source, options) => decodeText(source, options),
  ),
  row(
    'digest',
    ({ fragment }) => [fragment, 'SHA-256'],
    (_, source, algorithm) => digest(source, algorithm),
  ),
  row(
    'sendable',
    ({ fragment }) => [fragment, 'WebSocket.send'],
    (_, source, api) => sendable(source, api),
  ),
  row(
    'advice',
    () => [undefined],
    (_, found) => advice(found),
  ),
  row(
    'UserQueue',
    ({ area }) => [area, { refills: 8 }],
    (_, pool, options) => new UserQueue(pool, options),
  ),
  method(
    ({ queue }) => queue,
    'give',
    ({ given }) => [given, 0, 8, 1],
  ),
  method(
    ({ queue }) => queue,
    'giveBurst',
    ({ given }) => [Uint32Array.of(given, 0, 8, 1), 1],
  ),
  method(
    ({ queue }) => queue,
    'giveCopy',
    () => [new Uint8Array(8), 1],
  ),
  method(
    ({ queue }) => queue,
    'refill',
    () => [1],
  ),
  method(
    ({ queue }) => queue,
    'waitRoom',
    () => [wait],
  ),
  method(
    ({ queue }) => queue,
    'close',
    () => [wait],
  ),
  row(
    'readFileInto',
    ({ pool }) => [pool, '/dev/null', () => {}, { depth: 1 }],
    (_, ...args) => readFileInto(...(args as unknown as Parameters<typeof readFileInto>)),
  ),
  row(
    'readStreamInto',
    ({ pool }) => [pool, new ReadableStream(), () => {}, { readBytes: 64, signal: AbortSignal.abort() }],
    (_, ...args) => readStreamInto(...(args as unknown as Parameters<typeof readStreamInto>)),
  ),
  row(
    'writePacket',
    ({ packet }) => [undefined, packet, {}],
    (_, ...args) => writePacket(...(args as unknown as Parameters<typeof writePacket>)),
  ),
  row(
    'readAt',
    ({ pool, handle }) => [pool, handle, 0, 8],
    (_, ...args) => readAt(...(args as unknown as Parameters<typeof readAt>)),
  ),
  row(
    'writeAt',
    ({ handle, fragment }) => [handle, fragment, 0],
    (_, ...args) => writeAt(...(args as unknown as Parameters<typeof writeAt>)),
  ),
  row(
    'readFileInto',
    ({ pool, handle }) => [pool, handle, { at: 0 }],
    (_, ...args) => webReadFile(...(args as unknown as Parameters<typeof webReadFile>)),
  ),
  row(
    'sendOver',
    ({ socket, fragment }) => [socket, fragment, {}],
    (_, ...args) => sendOver(...(args as unknown as Parameters<typeof sendOver>)),
  ),
  row(
    'messagesInto',
    ({ pool, socket }) => [pool, socket, {}],
    (_, ...args) => messagesInto(...(args as unknown as Parameters<typeof messagesInto>)),
  ),
  row(
    'toStream',
    () => [[]],
    (_, source) => toStream(source),
  ),
  row(
    'WorkletPool',
    ({ pool }) => [pool],
    (_, pool) => new WorkletPool(pool),
  ),
  row(
    'tryAllocFragment',
    () => [8],
    ({ pool }, bytes) => new WorkletPool(pool).tryAllocFragment(bytes),
  ),
];

const throwing = (): never => {
  throw new TypeError("the caller's own code");
};
const trap = Object.fromEntries(
  ['get', 'has', 'ownKeys', 'getOwnPropertyDescriptor', 'getPrototypeOf', 'set', 'defineProperty'].map((name) => [
    name,
    throwing,
  ]),
);
const revoked = (): object => {
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  return proxy;
};
const detached = <T extends ArrayBufferView & { readonly buffer: ArrayBuffer }>(view: T): T => {
  structuredClone(view.buffer, { transfer: [view.buffer] });
  return view;
};
const shrunk = (make: (buffer: ArrayBuffer) => ArrayBufferView): ArrayBufferView => {
  const buffer = new ArrayBuffer(64, { maxByteLength: 64 });
  const view = make(buffer);
  buffer.resize(0);
  return view;
};
const realm = createContext({});

/** Wrong things, each made anew. */
const WRONG: Readonly<Record<string, () => unknown>> = {
  null: () => null,
  'a BigInt': () => 1n,
  'a negative BigInt': () => -(2n ** 70n),
  'a symbol': () => Symbol('x'),
  NaN: () => Number.NaN,
  Infinity: () => Number.POSITIVE_INFINITY,
  '-0.5': () => -0.5,
  '-1': () => -1,
  '2^31': () => 2 ** 31,
  '2^53': () => 2 ** 53,
  'an empty string': () => '',
  'a string': () => '8',
  true: () => true,
  'a function': () => () => {},
  'a class': () => class {},
  'an object': () => ({}),
  'an object without a prototype': () => Object.create(null),
  'an array': () => [1],
  'a number in a box': () => new Number(8),
  'what cannot become a number': () => ({ valueOf: throwing, toString: throwing, [Symbol.toPrimitive]: throwing }),
  'a proxy that throws': () => new Proxy({}, trap),
  'a proxy of a function that throws': () => new Proxy(() => {}, trap),
  'a revoked proxy': revoked,
  'a proxy of an array': () => new Proxy(new Uint32Array(8), {}),
  'a proxy of bytes': () => new Proxy(new Uint8Array(8), {}),
  'getters that throw': () =>
    Object.defineProperties(
      {},
      Object.fromEntries(
        [
          'length',
          'kind',
          'timeoutMs',
          'signal',
          'force',
          'release',
          'bytes',
          'buffer',
          'then',
          'on',
          'threadId',
          'readBytes',
          'pageBytes',
        ].map((name) => [name, { get: throwing, enumerable: true }]),
      ),
    ),
  'words whose buffer is gone': () => detached(new Uint32Array(8)),
  'bytes whose buffer is gone': () => detached(new Uint8Array(8)),
  'words whose buffer was cut': () => shrunk((buffer) => new Uint32Array(buffer)),
  'bytes whose buffer was cut': () => shrunk((buffer) => new Uint8Array(buffer, 8, 8)),
  'bytes in place of words': () => new Uint8Array(64),
  'signed words': () => new Int32Array(8),
  'an object of another realm': () => runInContext('({})', realm),
  'words of another realm': () => runInContext('new Uint32Array(8)', realm),
  'bytes of another realm': () => runInContext('new Uint8Array(8)', realm),
  'a date': () => new Date(),
  'a promise': () => Promise.resolve(1),
};

/** The control region, but for counters and labels: every refused handle is counted. */
function wordsOf(pool: PagePool): string {
  const { memory } = pool.share() as { memory: { buffer?: ArrayBufferLike } };
  const bytes = Buffer.from(
    new Uint8Array(memory.buffer ?? (memory as ArrayBufferLike), 0, geometry.scratchOffset),
  ).fill(0, 0, 0);
  for (let id = 0; id < geometry.maxPorts; id++) {
    const port = geometry.portsOffset + (id << PORT_SHIFT);
    bytes.fill(0, port + PORT_COUNTERS_OFFSET, port + PORT_LABEL_OFFSET);
    // Only remembered, as fuzz/handles says.
    bytes.fill(0, port + PORT_RECORD_ADDRESS_OFFSET, port + PORT_RECORD_ADDRESS_OFFSET + 4);
    for (const channel of geometry.channels) {
      const credit = laneOffset(channel, id) + LANE_CREDIT_OFFSET;
      bytes.fill(0, credit, credit + 4);
    }
  }
  return bytes.toString('latin1');
}

function stateOf({ pool, area, queue, packet, fragment }: World): string {
  const { references } = pool.audit();
  return JSON.stringify([
    references,
    area.audit().references,
    queue.stats(),
    packet.length,
    packet.parts,
    fragment.bytes.length,
    pool.channel('a').pending,
  ]);
}

/** Ends what was taken: its waits, its readings. */
function tearDown({ pool, area, queue }: World): void {
  queue.scrub();
  for (const each of [pool, area]) each.detach({ release: true });
}

async function outcome(run: () => unknown): Promise<{ readonly error: unknown } | undefined> {
  try {
    const result = run();
    // What is refused is refused at once; what goes on to wait was taken.
    if (result instanceof Promise) await Promise.race([result, turns(2)]);
    return undefined;
  } catch (error) {
    return { error };
  }
}

/** Errors that are not the package's to throw: a signal's reason, the file system's, an end of time. */
function isOthers(error: unknown): boolean {
  const { code, name } = (error ?? {}) as { code?: string; name?: string };
  return name === 'AbortError' || code === 'ENOENT' || code === 'EISDIR' || code === 'ERR_INVALID_ARG_VALUE';
}

describe.each(ROWS.map((each, i) => [`${each.name} (${i})`, each] as const))('%s', (_, { name, good, call }) => {
  const places = good(setUp()).length;

  it.each(Array.from({ length: places }, (__, place) => place))('argument %i', async (place) => {
    const wrong: string[] = [];
    let world = setUp();
    for (const [what, make] of Object.entries(WRONG)) {
      const args = good(world);
      args[place] = make();
      const before = stateOf(world);
      const words = wordsOf(world.pool);
      const result = await outcome(() => call(world, args as never[]));
      if (result === undefined || isOthers(result.error)) {
        tearDown(world);
        world = setUp();
        continue;
      }
      const { code, message } = result.error as { code?: string; message?: string };
      if (code?.startsWith('POOL_ERR_') !== true) wrong.push(`${what}: ${String(result.error)}`);
      else if (code === 'POOL_ERR_TIMEOUT' || code === 'POOL_ERR_CORRUPT' || code === 'POOL_ERR_ABI_MISMATCH') {
        // Waited for in vain; a share that was changed.
      } else if (message?.startsWith(`${name} failed`) !== true) wrong.push(`${what}: ${message}`);
      if (name !== 'close' && name !== 'detach' && code !== 'POOL_ERR_TIMEOUT') {
        if (stateOf(world) !== before) wrong.push(`${what}: changed ${before} into ${stateOf(world)}`);
        else if (wordsOf(world.pool) !== words) wrong.push(`${what}: changed a word`);
      }
      if (wrong.length > 0) world = setUp();
    }
    expect(wrong).toEqual([]);
  });
});
