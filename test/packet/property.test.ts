// Random sequences of packet operations, beside the same on plain Buffers: after every one of them each packet has the
// bytes that its Buffer has, and at the end no page is used.
//
// Every packet is compared after every step, so a page that was released too early shows as soon as it is poisoned (the
// checked core) or used again. Prints its seed; SEED=n replays the run.

import fc from 'fast-check';
import type { PagePool } from 'pagepool';
import { Packet, receivePacket, sendPacket } from 'pagepool/packet';
import { describe, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, create, type EngineKind, KINDS } from '../support/ports.js';
import { bytesOf, fragmentOf } from './support.js';

const PAGE_BYTES = 256;
const BATCH = 4;
const PACKETS_MAX = 6;

/** A packet and what it must hold. */
interface Pair {
  readonly packet: Packet;
  bytes: Buffer;
}

/** Packets and Buffers side by side. */
class Bench {
  readonly pool: PagePool;
  readonly pairs: Pair[] = [];
  /** What is in the channel, the oldest first. */
  readonly sent: { readonly bytes: Buffer; readonly tag: number }[] = [];
  #next = 1;

  constructor(pool: PagePool) {
    this.pool = pool;
  }

  pick(choice: number): Pair {
    if (this.pairs.length === 0) this.add(new Packet(), Buffer.alloc(0));
    return this.pairs[choice % this.pairs.length] as Pair;
  }

  add(packet: Packet, bytes: Buffer): void {
    this.pairs.push({ packet, bytes });
    while (this.pairs.length > PACKETS_MAX) this.pairs.shift()?.packet.release();
  }

  fresh(length: number): Buffer {
    return Buffer.from(Array.from({ length }, () => (this.#next = (this.#next * 5 + 1) & 0xff)));
  }

  check(): void {
    for (const { packet, bytes } of this.pairs) {
      must(packet.length === bytes.length, () => `length ${packet.length} (expected ${bytes.length})`);
      // A byte at the end first: the last step may have left the reader's place behind.
      for (const at of [bytes.length - 1, bytes.length >> 1]) {
        must(bytes.length === 0 || packet.getUint8(at) === bytes[at], () => `another byte at ${at}`);
      }
      must(
        bytesOf(packet).equals(bytes),
        () => `${bytesOf(packet).toString('hex')} (expected ${bytes.toString('hex')})`,
      );
      if (bytes.length > 0) packet.getUint8(bytes.length - 1);
      const windows = packet.windows();
      const isWhole = windows.length < 2 || windows.every(({ length }) => length > 0);
      must(isWhole && windows.length === packet.parts, () => `windows of ${windows.map(({ length }) => length)}`);
      must(
        windows.reduce((sum, { length }) => sum + length, 0) === packet.length,
        () => 'the windows are not the length',
      );
    }
  }

  end(): void {
    for (const { packet } of this.pairs) packet.release();
    const channel = this.pool.channel('work');
    for (let packet = receivePacket(channel); packet !== null; packet = receivePacket(channel)) packet.release();
    expectAllHome(this.pool);
  }
}

function must(fact: boolean, what: () => string): void {
  if (!fact) throw new Error(what());
}

type Step = (bench: Bench, a: number, b: number, c: number) => void;

/** The readers, with what Buffer calls the same. */
const READERS = [
  ['getUint8', 1, (b: Buffer, at: number) => b.readUInt8(at)],
  ['getInt8', 1, (b: Buffer, at: number) => b.readInt8(at)],
  ['getUint16', 2, (b: Buffer, at: number, le: boolean) => (le ? b.readUInt16LE(at) : b.readUInt16BE(at))],
  ['getInt16', 2, (b: Buffer, at: number, le: boolean) => (le ? b.readInt16LE(at) : b.readInt16BE(at))],
  ['getUint32', 4, (b: Buffer, at: number, le: boolean) => (le ? b.readUInt32LE(at) : b.readUInt32BE(at))],
  ['getInt32', 4, (b: Buffer, at: number, le: boolean) => (le ? b.readInt32LE(at) : b.readInt32BE(at))],
  ['getBigUint64', 8, (b: Buffer, at: number, le: boolean) => (le ? b.readBigUInt64LE(at) : b.readBigUInt64BE(at))],
  ['getBigInt64', 8, (b: Buffer, at: number, le: boolean) => (le ? b.readBigInt64LE(at) : b.readBigInt64BE(at))],
  ['getFloat32', 4, (b: Buffer, at: number, le: boolean) => (le ? b.readFloatLE(at) : b.readFloatBE(at))],
  ['getFloat64', 8, (b: Buffer, at: number, le: boolean) => (le ? b.readDoubleLE(at) : b.readDoubleBE(at))],
] as const;

const STEPS: Readonly<Record<string, Step>> = {
  appendFragment(bench, a, b, c) {
    const pair = bench.pick(a);
    const bytes = bench.fresh(b % 90);
    pair.packet.append(fragmentOf(bench.pool, bytes, c % 40));
    pair.bytes = Buffer.concat([pair.bytes, bytes]);
  },
  prependFragment(bench, a, b, c) {
    const pair = bench.pick(a);
    const bytes = bench.fresh(b % 90);
    pair.packet.prepend(fragmentOf(bench.pool, bytes, c % 40));
    pair.bytes = Buffer.concat([bytes, pair.bytes]);
  },
  append(bench, a, b) {
    const [pair, other] = [bench.pick(a), bench.pick(b)];
    if (pair === other) return;
    pair.packet.append(other.packet);
    pair.bytes = Buffer.concat([pair.bytes, other.bytes]);
    other.bytes = Buffer.alloc(0);
  },
  prepend(bench, a, b) {
    const [pair, other] = [bench.pick(a), bench.pick(b)];
    if (pair === other) return;
    pair.packet.prepend(other.packet);
    pair.bytes = Buffer.concat([other.bytes, pair.bytes]);
    other.bytes = Buffer.alloc(0);
  },
  slice(bench, a, b, c) {
    const { packet, bytes } = bench.pick(a);
    const offset = b % (bytes.length + 1);
    const length = c % (bytes.length - offset + 1);
    bench.add(packet.slice(offset, length), Buffer.from(bytes.subarray(offset, offset + length)));
  },
  split(bench, a, b) {
    const pair = bench.pick(a);
    const offset = b % (pair.bytes.length + 1);
    const rest = pair.packet.split(offset);
    const bytes = pair.bytes;
    pair.bytes = bytes.subarray(0, offset);
    bench.add(rest, bytes.subarray(offset));
  },
  clone(bench, a) {
    const { packet, bytes } = bench.pick(a);
    bench.add(packet.clone(), Buffer.from(bytes));
  },
  consume(bench, a, b) {
    const pair = bench.pick(a);
    const bytes = b % (pair.bytes.length + 1);
    pair.packet.consume(bytes);
    pair.bytes = pair.bytes.subarray(bytes);
  },
  expandHead(bench, a, b, c) {
    const pair = bench.pick(a);
    if (pair.packet.parts === 0) return;
    const bytes = b % 30;
    const length = Math.min(c % 120, pair.bytes.length);
    if (bytes + length === 0) return;
    const head = pair.packet.expandHead(bytes, length);
    if (head === null) return;
    must(head.length === bytes + length, () => `a head of ${head.length}`);
    must(Buffer.from(head.subarray(bytes)).equals(pair.bytes.subarray(0, length)), () => 'the head is not what it was');
    const written = bench.fresh(head.length);
    head.set(written);
    pair.bytes = Buffer.concat([written, pair.bytes.subarray(length)]);
  },
  coalesce(bench, a) {
    const { packet, bytes } = bench.pick(a);
    if (!packet.coalesce()) return;
    const most = Math.max(1, Math.ceil(bytes.length / PAGE_BYTES));
    must(packet.parts <= most, () => `${packet.parts} parts after coalesce of ${bytes.length}`);
  },
  shift(bench, a, b) {
    const pair = bench.pick(a);
    const fragment = pair.packet.shift();
    if (fragment === null) return;
    const bytes = pair.bytes.subarray(0, fragment.length);
    pair.bytes = pair.bytes.subarray(fragment.length);
    must(Buffer.from(fragment.bytes).equals(bytes), () => 'a fragment with other bytes');
    const other = bench.pick(b);
    other.packet.append(fragment);
    other.bytes = Buffer.concat([other.bytes, bytes]);
  },
  copyTo(bench, a, b, c) {
    const { packet, bytes } = bench.pick(a);
    const offset = b % (bytes.length + 1);
    const length = c % (bytes.length - offset + 1);
    const target = Buffer.alloc(length + 8, 1);
    must(packet.copyTo(target, 3, offset, length) === length, () => 'copyTo copied another count');
    const expected = Buffer.alloc(length + 8, 1);
    bytes.copy(expected, 3, offset, offset + length);
    must(target.equals(expected), () => 'copyTo wrote something else');
  },
  indexOf(bench, a, b, c) {
    const { packet, bytes } = bench.pick(a);
    const from = b % (bytes.length + 1);
    const start = c % (bytes.length + 1);
    const pattern = Buffer.from(bytes.subarray(start, start + (c % 7)));
    const expected = pattern.length === 0 ? from : bytes.indexOf(pattern, from);
    must(
      packet.indexOf(pattern, from) === expected,
      () => `indexOf ${packet.indexOf(pattern, from)} (expected ${expected})`,
    );
    const byte = c & 0xff;
    must(packet.indexOf(byte, from) === bytes.indexOf(byte, from), () => `indexOf(${byte})`);
  },
  read(bench, a, b, c) {
    const { packet, bytes } = bench.pick(a);
    const [name, size, read] = READERS[c % READERS.length] as (typeof READERS)[number];
    if (bytes.length < size) return;
    const at = b % (bytes.length - size + 1);
    const isLittle = (c & 256) !== 0;
    const [found, expected] = [packet[name](at, isLittle), read(bytes, at, isLittle)];
    must(Object.is(found, expected), () => `${name}(${at}): ${found} (expected ${expected})`);
  },
  buffers(bench, a) {
    const { packet, bytes } = bench.pick(a);
    must(Buffer.concat(packet.toBuffers()).equals(bytes), () => 'toBuffers has other bytes');
    must(Buffer.concat([...packet]).equals(bytes), () => 'the iteration has other bytes');
  },
  send(bench, a, b) {
    const pair = bench.pick(a);
    if (pair.packet.parts === 0) return;
    if (pair.packet.parts > BATCH && !pair.packet.coalesce()) return;
    if (pair.packet.parts > BATCH) return;
    if (!sendPacket(bench.pool.channel('work'), pair.packet, b)) return;
    bench.sent.push({ bytes: pair.bytes, tag: b });
    pair.bytes = Buffer.alloc(0);
  },
  receive(bench) {
    const packet = receivePacket(bench.pool.channel('work'));
    const expected = bench.sent.shift();
    must((packet === null) === (expected === undefined), () => `received ${packet === null ? 'nothing' : 'something'}`);
    if (packet === null || expected === undefined) return;
    must(packet.tag === expected.tag, () => `tag ${packet.tag} (expected ${expected.tag})`);
    bench.add(packet, expected.bytes);
  },
  release(bench, a) {
    const pair = bench.pick(a);
    pair.packet.release();
    pair.bytes = Buffer.alloc(0);
  },
};

/** One step, printed as a call when a run fails. */
class Call {
  constructor(
    readonly name: string,
    readonly args: readonly [number, number, number],
  ) {}

  toString(): string {
    return `${this.name}(${this.args.join(', ')})`;
  }
}

const number = fc.nat(100_000);
const calls = fc.array(
  fc
    .tuple(
      fc.constantFrom(...Object.keys(STEPS), 'appendFragment', 'appendFragment', 'slice', 'split'),
      number,
      number,
      number,
    )
    .map(([name, a, b, c]) => new Call(name, [a, b, c])),
  { maxLength: 40, size: 'max' },
);

/** Runs one sequence on the pool, from no page used to no page used. */
function run(pool: PagePool, sequence: readonly Call[]): void {
  const bench = new Bench(pool);
  for (const { name, args } of sequence) {
    try {
      (STEPS[name] as Step)(bench, ...args);
    } catch (error) {
      if ((error as Error).message !== 'the pool is empty') throw error;
    }
    bench.check();
  }
  bench.end();
}

const seed = chooseSeed('packets');
const numRuns = Number(process.env.RUNS ?? (process.env.LONG === '1' ? 30_000 : 3000));

describe.each(KINDS)('packets with the %s engine', (kind: EngineKind) => {
  const channels = { work: { batch: BATCH, capacity: 9 } };
  const open = () => create(kind, { pageBytes: PAGE_BYTES, pageCount: 40, maxPorts: 2, channels });
  let pool: PagePool | undefined;

  it(`are what Buffers are after any sequence of operations, ${numRuns} times`, () => {
    const property = fc.property(calls, (sequence) => {
      // A run that fails leaves its pages out: the next one has a pool of its own.
      const used = pool ?? open();
      pool = undefined;
      run(used, sequence);
      pool = used;
    });
    fc.assert(property, { seed, numRuns });
    pool?.destroy();
  });
});
