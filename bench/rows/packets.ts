// 04 packets: put together, cut, read and sent, against the lists of buffers that npm has; and lines, against Node's
// readline.
//
// A message of 16 parts of 256 bytes, as it lies in a page or two. bl (Node's Buffers) and uint8arraylist hold views
// that the garbage collector owns: no references, one thread. readline makes a string of each line, so the row with
// text is the like for like one.

import type { BufferList } from 'bl';
import type { Fragment, PagePool } from 'pagepool';
import { lines, Packet, receivePacket, sendPacket } from 'pagepool/packet';
import type { Uint8ArrayList } from 'uint8arraylist';
import { type Other, type Prepare, type Row, SMALL, sink } from './row.js';

const PARTS = 16;
const PART_BYTES = 256;
const TURNS = 64;
const LINE_BYTES = 80;
const STREAM_BYTES = 256 * 1024;
const READ_BYTES = 4096;
const LINES = Math.floor(STREAM_BYTES / LINE_BYTES);
const POOL = { pool: { pageBytes: 4096, pageCount: 256, channels: { bench: { batch: 32 } } } };

function packetOf(pool: PagePool): Packet {
  const packet = new Packet();
  for (let i = 0; i < PARTS; i++) packet.append(pool.take(PART_BYTES) as Fragment);
  return packet;
}

/** What is put together where nothing is allocated. */
function views(): Buffer[] {
  return Array.from({ length: PARTS }, (_, i) => Buffer.alloc(PART_BYTES, i));
}

/** The packages are loaded by the thread that measures them alone. */
async function bl(parts: readonly Uint8Array[]): Promise<() => BufferList> {
  const { BufferList } = await import('bl');
  return () => {
    const list = new BufferList();
    for (const part of parts) list.append(part);
    return list;
  };
}

async function uint8arraylist(parts: readonly Uint8Array[]): Promise<() => Uint8ArrayList> {
  const { Uint8ArrayList } = await import('uint8arraylist');
  return () => {
    const list = new Uint8ArrayList();
    for (const part of parts) list.append(part);
    return list;
  };
}

/** A variant that repeats a step on one list. */
function onList<List>(make: typeof bl | typeof uint8arraylist, step: (list: List, turn: number) => number): Other {
  return repeated(async () => {
    const list = (await make(views()))() as List;
    return (turn) => step(list, turn);
  });
}

function repeated(prepare: () => Promise<(turn: number) => number>): Other {
  return {
    where: 'node',
    prepare: async () => {
      const step = await prepare();
      return () => {
        let sum = sink.sum;
        for (let i = 0; i < TURNS; i++) sum = (sum + step(i)) & SMALL;
        sink.sum = sum;
      };
    },
  };
}

/** A variant that makes a list by each turn. */
function making(make: typeof bl | typeof uint8arraylist): Other {
  return repeated(async () => {
    const next = await make(views());
    return () => next().length;
  });
}

function onPacket(step: (packet: Packet, turn: number) => number): Prepare {
  return (pool) => {
    const packet = packetOf(pool);
    return () => {
      let sum = sink.sum;
      for (let i = 0; i < TURNS; i++) sum = (sum + step(packet, i)) & SMALL;
      sink.sum = sum;
    };
  };
}

function row(id: string, name: string, per: string, more: Partial<Row>): Row {
  return { id: `packet.${id}`, group: 'packet', name, per, repeat: TURNS, ...POOL, ...more };
}

/** The stream as it is read: lines, cut anywhere. */
function reads(): Uint8Array[] {
  const text = new Uint8Array(STREAM_BYTES).fill(120);
  for (let i = LINE_BYTES - 1; i < STREAM_BYTES; i += LINE_BYTES) text[i] = 10;
  return Array.from({ length: STREAM_BYTES / READ_BYTES }, (_, i) =>
    text.subarray(i * READ_BYTES, (i + 1) * READ_BYTES),
  );
}

/** The stream's pages, filled once: each turn gives references on them. */
function pagesOf(pool: PagePool): Fragment[] {
  return reads().map((read) => {
    const fragment = pool.take() as Fragment;
    fragment.bytes.set(read);
    return fragment;
  });
}

/** The lines of a stream that is there already; `use` says what becomes of each. */
function splitting(use: (line: Packet) => number): Prepare {
  return (pool) => {
    const pages = pagesOf(pool);
    const source = function* (): Generator<Fragment> {
      for (const page of pages) yield page.retain();
    };
    return async () => {
      for await (const line of lines(source())) {
        sink.sum = (sink.sum + use(line)) & SMALL;
        line.release();
      }
    };
  };
}

/** Node's readline, by its iterator or by its events. */
function readline(isIterated: boolean): Other {
  return {
    where: 'node',
    prepare: async () => {
      const { createInterface } = await import('node:readline');
      const { Readable } = await import('node:stream');
      const pieces = reads().map((read) => Buffer.from(read));
      const open = () => createInterface({ input: Readable.from(pieces, { objectMode: false }) });
      const use = (line: string): void => {
        sink.sum = (sink.sum + line.length) & SMALL;
      };
      if (!isIterated) return () => new Promise<void>((resolve) => open().on('line', use).on('close', resolve));
      return async () => {
        for await (const line of open()) use(line);
      };
    },
  };
}

const readlines = { readline: readline(true), "readline, 'line' events": readline(false) };

export const packetRows: readonly Row[] = [
  row('build', `${PARTS} parts of ${PART_BYTES} B put together, of memory that is there, and given up`, 'packet', {
    engine: (pool) => {
      const page = pool.take() as Fragment;
      return () => {
        for (let turn = 0; turn < TURNS; turn++) {
          const packet = new Packet();
          for (let i = 0; i < PARTS; i++) packet.append(page.slice(i * PART_BYTES, PART_BYTES));
          sink.sum = (sink.sum + packet.length) & SMALL;
          packet.release();
        }
      };
    },
    others: { bl: making(bl), uint8arraylist: making(uint8arraylist) },
  }),
  row('build.slices', `the same by appendSlice, whose windows share a reference`, 'packet', {
    engine: (pool) => {
      const page = pool.take() as Fragment;
      return () => {
        for (let turn = 0; turn < TURNS; turn++) {
          const packet = new Packet();
          for (let i = 0; i < PARTS; i++) packet.appendSlice(page, i * PART_BYTES, PART_BYTES);
          sink.sum = (sink.sum + packet.length) & SMALL;
          packet.release();
        }
      };
    },
    others: { bl: making(bl), uint8arraylist: making(uint8arraylist) },
  }),
  row('build.alloc', `the same, each part allocated`, 'packet', {
    engine: (pool) => () => {
      for (let turn = 0; turn < TURNS; turn++) {
        const packet = packetOf(pool);
        sink.sum = (sink.sum + packet.length) & SMALL;
        packet.release();
      }
    },
    others: {
      bl: repeated(async () => {
        const { BufferList } = await import('bl');
        return () => {
          const list = new BufferList();
          for (let i = 0; i < PARTS; i++) list.append(Buffer.allocUnsafe(PART_BYTES));
          return list.length;
        };
      }),
      uint8arraylist: repeated(async () => {
        const { Uint8ArrayList } = await import('uint8arraylist');
        return () => {
          const list = new Uint8ArrayList();
          for (let i = 0; i < PARTS; i++) list.append(new Uint8Array(PART_BYTES));
          return list.length;
        };
      }),
    },
  }),
  row('slice', 'a slice of 2,000 bytes of it, and given up', 'slice', {
    engine: onPacket((packet, turn) => {
      const slice = packet.slice(turn, 2000);
      const { length } = slice;
      slice.release();
      return length;
    }),
    others: {
      bl: onList(bl, (list: BufferList, turn) => list.shallowSlice(turn, turn + 2000).length),
      uint8arraylist: onList(uint8arraylist, (list: Uint8ArrayList, turn) => list.sublist(turn, turn + 2000).length),
    },
  }),
  row('read', 'a u32 at 1,020 + 0..63, over the border of two parts or not', 'read', {
    engine: onPacket((packet, turn) => packet.getUint32(1020 + turn)),
    others: {
      bl: onList(bl, (list: BufferList, turn) => list.readUInt32BE(1020 + turn)),
      uint8arraylist: onList(uint8arraylist, (list: Uint8ArrayList, turn) => list.getUint32(1020 + turn)),
    },
  }),
  row('search', 'indexOf of a byte that is in the last part alone', 'search', {
    engine: (pool) => {
      const packet = packetOf(pool);
      packet.toBuffers().forEach((view, i) => {
        view.fill(i);
      });
      return () => {
        for (let i = 0; i < TURNS; i++) sink.sum = (sink.sum + packet.indexOf(PARTS - 1)) & SMALL;
      };
    },
    others: {
      bl: onList(bl, (list: BufferList) => list.indexOf(PARTS - 1)),
      uint8arraylist: onList(uint8arraylist, (list: Uint8ArrayList) => list.indexOf(Uint8Array.of(PARTS - 1))),
    },
  }),
  row('copy', 'all of it copied into one buffer', 'copy', {
    touches: 'every byte',
    engine: (pool) => {
      const packet = packetOf(pool);
      const target = new Uint8Array(PARTS * PART_BYTES);
      return () => {
        for (let i = 0; i < TURNS; i++) sink.sum = (sink.sum + packet.copyTo(target)) & SMALL;
      };
    },
    others: {
      bl: repeated(async () => {
        const list = (await bl(views()))();
        const target = Buffer.alloc(PARTS * PART_BYTES);
        return () => {
          list.copy(target);
          return 1;
        };
      }),
      uint8arraylist: onList(uint8arraylist, (list: Uint8ArrayList) => list.slice().length),
    },
  }),
  row('send', 'sendPacket + receivePacket of it', 'packet', {
    note: 'Both ends in one thread: what hands a packet of 16 parts on, beside the wake-up.',
    engine: (pool) => {
      const channel = pool.channel('bench');
      let packet = packetOf(pool);
      return () => {
        for (let i = 0; i < TURNS; i++) {
          if (!sendPacket(channel, packet, i)) throw new Error('full');
          packet = receivePacket(channel) as Packet;
        }
      };
    },
  }),
  row('lines', `lines of ${LINE_BYTES} B out of reads of ${READ_BYTES} B, their lengths`, 'line', {
    repeat: LINES,
    isAsync: true,
    note: 'readline makes strings whether they are wanted or not.',
    engine: splitting((line) => line.length),
    others: readlines,
  }),
  row('lines.text', 'the same, each line as a string', 'line', {
    repeat: LINES,
    isAsync: true,
    engine: splitting((line) => {
      let string = '';
      for (const view of line) string += Buffer.from(view.buffer, view.byteOffset, view.length).toString();
      return string.length;
    }),
    others: readlines,
  }),
];
