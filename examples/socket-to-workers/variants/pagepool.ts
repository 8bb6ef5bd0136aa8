// The pagepool variant: the socket reads straight into pages, records are slices of them, and only numbers cross threads.
//
// A page starts with one reference a record (`retain` once for all of them); each reference goes along with its record, and
// the worker releases it. The sink keeps one page in reserve, because the socket asks for memory one read ahead.

import { type Channel, PagePool, type PoolShare } from 'pagepool';
import { addRecord, type Digest, emptyDigest } from '../digest.js';
import { blockBytes, recordEnd, recordsPerBlock, windowBytes, windowRecords } from '../grid.js';
import type { Sink } from '../stream.js';
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
    begin: (pass) => new PoolSink(pool, pool.channel(channelName(pass)), entries, setup.recordBytes),
    close: () => check(pool),
  };
}

class PoolSink implements Sink {
  readonly #perBlock: number;
  readonly #burst: number;
  /** The page that is read into or still being cut, and the references it has left for records. */
  #page: number;
  #references: number;
  #filled = 0;
  #cut = 0;
  /** The page after it; 0: the pool was empty. */
  #reserve: number;
  #tag = 0;

  constructor(
    readonly pool: PagePool,
    readonly channel: Channel,
    readonly entries: Uint32Array,
    readonly recordBytes: number,
  ) {
    this.#perBlock = recordsPerBlock(recordBytes);
    this.#burst = burstOf(recordBytes);
    this.#page = pool.alloc();
    this.#reserve = pool.alloc();
    if (this.#page === 0 || this.#reserve === 0) throw new Error('the pool is empty before the first read');
    this.#references = this.#referenceRecords();
  }

  room(): Uint8Array {
    if (this.#filled === blockBytes) return this.pool.bytes(this.#reserve);
    const page = this.pool.bytes(this.#page);
    return this.#filled === 0 ? page : page.subarray(this.#filled);
  }

  came(count: number): boolean {
    this.#filled += count;
    return this.#handOver(false) && this.#turnPage();
  }

  async ready(): Promise<void> {
    while (!this.#handOver(false)) await this.channel.waitRoom({ ref: true });
    this.#turnPage();
    if (this.#reserve === 0) this.#reserve = (await this.pool.takeAsync(blockBytes, { ref: true })).handle;
  }

  async end(): Promise<void> {
    while (!this.#handOver(true)) await this.channel.waitRoom({ ref: true });
    for (; this.#references > 0; this.#references--) this.pool.release(this.#page);
    if (this.#reserve !== 0) this.pool.release(this.#reserve);
    this.channel.close();
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

  /** Goes on to the reserve when the page is full and sent. False: there is no page to be the next reserve. */
  #turnPage(): boolean {
    if (this.#cut < blockBytes) return true;
    this.#page = this.#reserve;
    this.#references = this.#referenceRecords();
    this.#filled = 0;
    this.#cut = 0;
    this.#reserve = this.pool.alloc();
    return this.#reserve !== 0;
  }

  #referenceRecords(): number {
    if (this.#perBlock > 1) this.pool.retain(this.#page, this.#perBlock - 1);
    return this.#perBlock;
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
  const { isDestroyed, inflight } = await pool.close({ timeoutMs: 2000, ref: true });
  if (!isDestroyed) problems.push('the pool could not close');
  return {
    engine: pool.engine,
    allocated: alloc.slow,
    recycled: alloc.fast + alloc.refill,
    missing: Math.max(pages.used, inflight),
    problems,
  };
}
