// The pagepool variant: the socket reads straight into pages, records are slices of them, and only numbers cross
// threads.
//
// A page gets one reference for each record (`retain` once for all of them); each goes along with its record, and the
// worker releases it. `connectInto` takes the pages, keeps one in reserve, and waits where the pool is empty or the
// channel is full.

import { type Channel, type Fragment, PagePool, type PoolShare } from 'pagepool';
import { connectInto } from 'pagepool/node';
import { addRecord, type Digest, emptyDigest } from '../digest.js';
import { blockBytes, recordEnd, recordsPerBlock, windowBytes, windowRecords } from '../grid.js';
import type { PoolCheck, Receiver, Sender, Setup } from './variant.js';

/** Entries in one burst and in one node of a channel: a block's records, at most as many as a node can have. */
const burstOf = (recordBytes: number) => Math.min(32, recordsPerBlock(recordBytes));
/** Words of a channel entry: handle, offset, length, tag. */
const entryWords = 4;
/** Pages beyond the window: being read into, in reserve, in workers' hands, in workers' caches. */
const sparePages = (workerCount: number) => 16 + 16 * workerCount;

const channelName = (pass: number) => `pass ${pass}`;

export async function poolSender(setup: Setup): Promise<Sender> {
  const channel = { capacity: windowRecords(setup.recordBytes), batch: burstOf(setup.recordBytes) };
  const pool = await PagePool.create({
    name: 'socket',
    pageBytes: blockBytes,
    pageCount: windowBytes / blockBytes + sparePages(setup.workerCount),
    maxPorts: setup.workerCount + 1,
    channels: Object.fromEntries(Array.from({ length: setup.passes }, (_, pass) => [channelName(pass), channel])),
  });
  const entries = pool.words(burstOf(setup.recordBytes) * entryWords);
  return {
    share: pool.share(),
    async receive(pass, port, onBytes) {
      const cutter = new Cutter(pool, pool.channel(channelName(pass)), entries, setup.recordBytes);
      const onFragment = (fragment: Fragment) => {
        onBytes(fragment.length);
        return cutter.came(fragment);
      };
      // Every page is filled to its end, so that records lie as in the file.
      await connectInto(pool, { port, host: '127.0.0.1' }, onFragment, { minRoomBytes: 1 }).finished;
      await cutter.end();
    },
    close: () => check(pool),
  };
}

/** Cuts pages into records as they fill, and sends those. */
class Cutter {
  readonly #perBlock: number;
  readonly #burst: number;
  /** The page that is being filled, how far it is, how far it is cut, and the references it has left for records. */
  #page = 0;
  #filled = 0;
  #cut = 0;
  #references = 0;
  #tag = 0;

  constructor(
    readonly pool: PagePool,
    readonly channel: Channel,
    readonly entries: Uint32Array,
    readonly recordBytes: number,
  ) {
    this.#perBlock = recordsPerBlock(recordBytes);
    this.#burst = burstOf(recordBytes);
  }

  /** A read's part of a page. A promise: the channel is full, and reading waits. */
  came(fragment: Fragment): void | Promise<void> {
    if (fragment.offset === 0) {
      this.#page = fragment.handle;
      this.#references = this.#perBlock;
      this.#cut = 0;
      this.pool.retain(fragment.handle, this.#perBlock);
    }
    this.#filled = fragment.offset + fragment.length;
    fragment.release();
    if (!this.#handOver(false)) return this.#wait(false);
  }

  async end(): Promise<void> {
    await this.#wait(true);
    for (; this.#references > 0; this.#references--) this.pool.release(this.#page);
    this.channel.close();
  }

  async #wait(isEnd: boolean): Promise<void> {
    while (!this.#handOver(isEnd)) await this.channel.waitRoom();
  }

  /** Sends every whole record, and at the end of the stream the rest. False: the channel is full. */
  #handOver(isEnd: boolean): boolean {
    const entries = this.entries;
    const filled = this.#filled;
    for (;;) {
      let count = 0;
      let cut = this.#cut;
      while (count < this.#burst && cut < filled) {
        let end = recordEnd(cut, this.recordBytes);
        if (end > filled) {
          if (!isEnd) break;
          end = filled;
        }
        const word = count * entryWords;
        entries[word] = this.#page;
        entries[word + 1] = cut;
        entries[word + 2] = end - cut;
        entries[word + 3] = this.#tag + count;
        count++;
        cut = end;
      }
      if (count === 0) return true;
      const sent = this.channel.sendBurst(entries, count);
      this.#references -= sent;
      this.#tag += sent;
      if (sent < count) {
        this.#cut = entries[sent * entryWords + 1] as number;
        return false;
      }
      this.#cut = cut;
    }
  }
}

export function poolReceiver(share: unknown, setup: Setup): Receiver {
  const pool = PagePool.attach(share as PoolShare, { label: 'hash' });
  const burst = burstOf(setup.recordBytes);
  const entries = pool.words(burst * entryWords);
  const handles = pool.words(burst);
  return {
    receive: async (pass) => hashAll(pool, pool.channel(channelName(pass)), entries, handles),
    close: () => pool.detach(),
  };
}

/** Hashes and releases records until the channel is closed and empty. */
function hashAll(pool: PagePool, channel: Channel, entries: Uint32Array, handles: Uint32Array): Digest {
  const digest = emptyDigest();
  let view = new DataView<ArrayBufferLike>(new ArrayBuffer(0));
  for (;;) {
    const count = channel.receiveBurst(entries, handles.length);
    if (count === 0 && !channel.waitSync()) return digest;
    for (let i = 0, word = 0; i < count; i++, word += entryWords) {
      const handle = entries[word] as number;
      const area = pool.area(handle);
      if (area.buffer !== view.buffer) view = new DataView(area.buffer);
      const at = area.byteOffset + pool.offset(handle) + (entries[word + 1] as number);
      addRecord(digest, entries[word + 3] as number, view, at, entries[word + 2] as number);
      handles[i] = handle;
    }
    pool.releaseBulk(handles, count);
  }
}

/** After the workers have detached: every page must be home. */
async function check(pool: PagePool): Promise<PoolCheck> {
  const { alloc, pages } = pool.stats();
  const audit = pool.audit();
  const problems = [...audit.errors];
  if (!audit.exact) problems.push('something still moved');
  // Nobody else is attached: a page that is not home now will not come.
  const { isDestroyed, inflight } = await pool.close({ timeoutMs: 0 });
  if (!isDestroyed) problems.push('the pool could not close');
  return {
    engine: pool.engine,
    allocated: alloc.slow,
    recycled: alloc.fast + alloc.refill,
    missing: Math.max(pages.used, inflight),
    problems,
  };
}
