// RecordWriter: many small records to one thread, packed into pages.
//
// A hand-off costs some microseconds and a record some tenths of one, so records travel by the page. A message of
// several records is one whole page: the window that is sent has the records' bytes alone, one behind the other, and
// its tag is how many they are. Behind the window, in the same page, stands the table of their lengths, a word each
// (records.ts reads it). So whoever wants nothing but the bytes (a socket, a file, textLines) takes the window as it
// is. A record that does not fit into a page is a message by itself, in as many whole pages as it takes, and needs no
// table.
//
// Text is encoded by many records, too: strings are put behind each other and written at once, when they are some
// kilobytes, the page might be full or is sent. Where that took as many bytes as the text has units, each record takes
// as many as it has, since no unit takes less than one. Where it took more, each is written by itself: surrogates of
// two records are no pair.

import { FULL, LANE_DROPPED_OFFSET, OK } from '../../assembly/layout.js';
import { ENTRY_WORDS, moreMask } from '../control/messages.js';
import { laneOffset } from '../control/nodes.js';
import { invalidArgument, requireInteger, requireRecord } from '../errors.js';
import { outerEntrances } from '../leaks/call-stack.js';
import { isBytes } from '../platform/buffers.js';
import { monotonicMs } from '../platform/clock.js';
import { copyBytes } from '../platform/copy.js';
import { touchDeepStack } from '../platform/stack.js';
import { hasTimers, hold, letGo, startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import { type Channel, type ChannelEnd, closedChannelError, endOfChannel } from '../pool/channel.js';
import { allocBulkAt } from '../port/bursts.js';
import { fragmentView } from '../port/handles.js';
import { destroyedError, ownsPort, type Port, park, refusal, unpark } from '../port/port.js';
import { catchUp, requireTimeout, requireWaitOptions, type WaitOptions, waitFor } from '../port/waiting.js';
import type { Units } from '../port/waits.js';
import { seekPages } from '../port/want.js';
import { byteLength, flat, type TextWriter, textWriter } from './text.js';

/** How records are packed. */
export interface RecordWriterOptions {
  /** A record waits at most so many milliseconds for others to share its page: 0..60,000; 10 if not given. */
  flushMs?: number | undefined;
  /**
   * What `write` does where the channel or the pool has no room: `'refuse'` returns false, and the record was not
   * taken; `'drop-newest'` drops the record, counts it and returns true. `'refuse'` if not given.
   */
  whenFull?: 'refuse' | 'drop-newest' | undefined;
  /** In Node: whether records that were not sent yet keep the event loop alive; true if not given. */
  ref?: boolean | undefined;
}

const FLUSH_MS = 10;
const FLUSH_MS_MAX = 60_000;
const EXIT_MS = 10_000;
/** Bytes of a word of the table, and where it may begin. */
const WORD_BYTES = 4;
/** From so many sent pages on, those that were released are found and reused. */
const SENT_LIMIT = 64;
/** How long a blocked thread sleeps between two checks: from..to. */
const SLEEP_MS_MIN = 0.05;
const SLEEP_MS_MAX = 5;

/** No unit of a string takes more bytes. */
const UNIT_BYTES_MAX = 3;
/**
 * Text is encoded when it is longer. Strings that were put behind each other are copied once more before that: where
 * both copies stay in the nearest caches a record of 120 bytes takes a sixth less processor time than by the page.
 */
const TEXT_UNITS = 8192;
/** No record fits. */
const NO_ROOM = -1;

const NO_VIEW: Uint8Array = new Uint8Array(0);
/** Words that the table of lengths begins with; it grows with the records of a page. */
const TABLE_WORDS = 64;
const NO_WRITER: TextWriter = () => 0;

/**
 * Packs records into pages and sends each page when it is full, or after `flushMs`. What is sent is read by `records`,
 * or as plain bytes, by any thread of the pool. Bytes are copied at once; strings are kept until they are encoded,
 * which is before their page is sent. Some tenths of a microsecond for a record of 120 bytes. It belongs to the thread
 * that made it, and any number of writers may share a channel.
 *
 * A page that is being filled is this thread's: `await flush()` before `pool.detach()`. A pool that closes gets it at
 * the next call or after `flushMs`, and its records are counted in `dropped`.
 *
 * @example
 * const log = new RecordWriter(pool.channel('log'));
 * process.on('exit', () => log.flushSync());
 * while (!log.write(`${new Date().toISOString()} ${text}\n`)) await log.flush();
 */
export class RecordWriter {
  /** Bytes of a record at most: as many whole pages as one message of the channel may have. */
  readonly maxRecordBytes: number;
  readonly #channel: Channel;
  readonly #end: ChannelEnd;
  readonly #port: Port;
  readonly #pageBytes: number;
  readonly #flushMs: number;
  readonly #isDropping: boolean;
  readonly #ref: boolean;
  /** The pages of the message that is being filled: one, or those of a record that takes several. */
  #pages: number[] = [];
  #views: Uint8Array[] = [];
  /** Of the first page. */
  #view = NO_VIEW;
  #writeText = NO_WRITER;
  /** Bytes of records in it. */
  #filled = 0;
  /** Records of the message, and their lengths: in units, where they are still in `#text`. */
  #count = 0;
  #lengths = new Uint32Array(TABLE_WORDS);
  /** Records that were taken and not written into the page yet, and the number of the first of them. */
  #text = '';
  #textFirst = 0;
  /** Up to where all records may reach at most, and up to where they and the next one may. */
  #reach = 0;
  #limit = NO_ROOM;
  /** Text is worth collecting: no character of the page before took more than a byte. */
  #isCollecting = true;
  /** The same of this page, so far. */
  #isPlain = true;
  /** Pages that the write refused last had not got. */
  #missing = 0;
  #dropped = 0;
  /** Records that were dropped since the end of the channel, or of the pool, was reported. */
  #lost = 0;
  /** A page of each message that was sent and, as far as is known, not released. */
  #sent: number[] = [];
  #sentLimit = SENT_LIMIT;
  #timer: Timer | undefined;
  /** What is pending holds the process. */
  #isHolding = false;
  #deadline = 0;
  #wait: AbortController | undefined;

  /**
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is no channel of a pool that this thread is attached to,
   *   or an option is wrong
   */
  constructor(channel: Channel, options?: RecordWriterOptions) {
    const names = ['flushMs', 'whenFull', 'ref'];
    const given = requireRecord('RecordWriter', 'options', options ?? {}, names) as RecordWriterOptions;
    const { flushMs = FLUSH_MS, whenFull = 'refuse', ref = true } = given;
    requireInteger('RecordWriter', 'flushMs', flushMs, 0, FLUSH_MS_MAX);
    if (whenFull !== 'refuse' && whenFull !== 'drop-newest') {
      throw invalidArgument('RecordWriter', 'whenFull', whenFull, "'refuse' or 'drop-newest'");
    }
    if (typeof ref !== 'boolean') throw invalidArgument('RecordWriter', 'ref', ref, 'a boolean');
    try {
      this.#end = endOfChannel(channel);
    } catch {
      throw invalidArgument('RecordWriter', 'channel', channel, 'a Channel');
    }
    this.#channel = channel;
    this.#port = this.#end.port;
    this.#pageBytes = this.#port.geometry.pageBytes;
    this.#flushMs = flushMs;
    this.#isDropping = whenFull === 'drop-newest';
    this.#ref = ref;
    const { batch, capacity } = this.#end.geometry;
    this.maxRecordBytes = Math.min(batch, capacity, this.#port.geometry.pageCount) * this.#pageBytes;
    if (!outerEntrances.includes(this.write)) outerEntrances.push(this.write, this.flush, this.flushSync);
  }

  /** Records that were taken and not sent yet. */
  get pending(): number {
    return this.#count;
  }

  /**
   * Records that were dropped: by `whenFull`, by the channel's own policy `'drop-newest'`, by `release`, or by an end.
   */
  get dropped(): number {
    return this.#dropped;
  }

  // ---------------------------------------------------------------------------------- writing

  /**
   * Takes a copy of the record: true. False: the channel or the pool has no room, and the record was not taken;
   * `flush()` waits for that. A record of several pages needs them at one time. An empty record is one.
   *
   * @param record text becomes UTF-8
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the channel is closed, POOL_ERR_CLOSING or POOL_ERR_DESTROYED
   *   when the pool ends: records that were pending are counted in `dropped`. POOL_ERR_INVALID_ARGUMENT when the record
   *   has more than `maxRecordBytes`, or is neither; POOL_ERR_UNREADABLE where the processor cannot see the pages
   */
  write(record: string | Uint8Array): boolean {
    touchDeepStack();
    // A page that this thread left, or lost, is somebody else's.
    if (this.#port.isGone) this.#refuseGone('write');
    if (typeof record === 'string') {
      const reach = this.#reach + UNIT_BYTES_MAX * record.length;
      if (reach > this.#limit) return this.#writeSlowly(record);
      if (!this.#isCollecting) return this.#put(record);
      if (this.#text === '') this.#textFirst = this.#count;
      this.#text += record;
      this.#reach = reach;
      this.#add(record.length);
      if (this.#text.length > TEXT_UNITS) this.#encode();
      return true;
    }
    if (!isBytes(record)) throw invalidArgument('write', 'record', record, 'a string or a Uint8Array');
    return this.#reach + record.length > this.#limit ? this.#writeSlowly(record) : this.#put(record);
  }

  /** Where the record may not fit, or there is no page. */
  #writeSlowly(record: string | Uint8Array): boolean {
    this.#encode();
    const bytes = typeof record === 'string' ? byteLength(record) : record.length;
    if (bytes > this.maxRecordBytes) {
      const todo = 'write it in parts, or declare the channel with a larger batch and the pool with larger pages';
      throw invalidArgument('write', 'record bytes', bytes, `at most ${this.maxRecordBytes}`, todo);
    }
    if (
      this.#filled + bytes > this.#limit &&
      !((this.#count === 0 || this.#send('write')) && this.#open(Math.ceil(bytes / this.#pageBytes) || 1))
    ) {
      if (this.#isDropping) this.#dropped++;
      return this.#isDropping;
    }
    if (this.#pages.length === 1) return this.#put(record);
    this.#fill(record, bytes);
    return true;
  }

  /** Writes a record that fits behind the others. */
  #put(record: string | Uint8Array): true {
    this.#encode();
    let bytes = record.length;
    if (typeof record === 'string') {
      bytes = this.#writeText(record, this.#filled);
      if (bytes !== record.length) this.#isPlain = false;
    } else copyBytes(this.#view, record, this.#filled);
    this.#filled += bytes;
    this.#reach = this.#filled;
    this.#add(bytes);
    return true;
  }

  /** One more record. */
  #add(length: number): void {
    if (this.#count === 0) this.#begin();
    if (this.#count === this.#lengths.length) this.#growTable();
    this.#lengths[this.#count++] = length;
    // The next one needs its own word of the table, and the first one's where it is the second.
    this.#limit = this.#pageBytes - WORD_BYTES * (this.#count + 1);
  }

  /** Writes the text that was collected into the page. */
  #encode(): void {
    const text = this.#text;
    if (text === '') return;
    this.#text = '';
    const bytes = this.#writeText(flat(text), this.#filled);
    if (bytes === text.length) this.#filled += bytes;
    else this.#encodeEach(text);
    this.#reach = this.#filled;
  }

  #encodeEach(text: string): void {
    this.#isPlain = false;
    this.#isCollecting = false;
    let at = 0;
    for (let i = this.#textFirst; i < this.#count; i++) {
      const end = at + (this.#lengths[i] as number);
      const bytes = this.#writeText(text.slice(at, end), this.#filled);
      this.#lengths[i] = bytes;
      this.#filled += bytes;
      at = end;
    }
  }

  /** Copies one record over all of the pages. */
  #fill(record: string | Uint8Array, bytes: number): void {
    const source = typeof record === 'string' ? new TextEncoder().encode(record) : record;
    this.#begin();
    this.#views.forEach((view, i) => {
      copyBytes(view, source.subarray(i * this.#pageBytes, (i + 1) * this.#pageBytes));
    });
    this.#count = 1;
    this.#filled = bytes;
    this.#limit = NO_ROOM;
  }

  /** Takes pages for the next message, all or none; false: there are not as many. */
  #open(count: number): boolean {
    if (this.#channel.isClosed) throw this.#ended('write');
    const pages = this.#take('write', count);
    this.#missing = pages === undefined ? count : 0;
    if (pages === undefined) return false;
    try {
      this.#views = pages.map((page) => fragmentView(this.#port, 'write', page, 0, undefined));
    } catch (error) {
      for (const page of pages) this.#port.engine.release(page);
      throw error;
    }
    this.#pages = pages;
    this.#view = this.#views[0] as Uint8Array;
    this.#writeText = textWriter(this.#view);
    this.#limit = this.#pageBytes;
    this.#isCollecting = this.#isPlain;
    this.#isPlain = true;
    return true;
  }

  #take(call: string, count: number): number[] | undefined {
    const pages = this.#alloc(count);
    if (pages !== undefined) return pages;
    let found: number[] | undefined;
    seekPages(this.#port, call, count, () => {
      found = this.#alloc(count);
      return found === undefined ? 0 : count;
    });
    return found;
  }

  #alloc(count: number): number[] | undefined {
    const { engine, scratch } = this.#port;
    if (count > 1) {
      const isDone = allocBulkAt(this.#port, scratch.ownAddress, count);
      return isDone ? Array.from(scratch.own.subarray(0, count)) : undefined;
    }
    const page = engine.alloc();
    return page === 0 ? undefined : [page];
  }

  // ---------------------------------------------------------------------------------- sending

  /** Sends what is pending as one message; false: the channel is full, and all is still pending. */
  #send(call: string): boolean {
    this.#encode();
    const { engine, memory, scratch } = this.#port;
    const { geometry, index } = this.#end;
    const { length } = this.#pages;
    if (this.#count > 1) this.#writeTable();
    // Plain: a lane's counters are its port's own.
    const counter = (laneOffset(geometry, this.#port.id) + LANE_DROPPED_OFFSET) >>> 2;
    const droppedBefore = memory.u32[counter] as number;
    let code: number;
    if (length === 1) code = engine.send(index, this.#pages[0] as number, 0, this.#filled, this.#count);
    else {
      for (let i = 0; i < length; i++) {
        const bytes = Math.min(this.#pageBytes, this.#filled - i * this.#pageBytes);
        scratch.own.set([this.#pages[i] as number, 0, bytes, 1], i * ENTRY_WORDS);
      }
      const isSent = engine.sendBurst(index, scratch.ownAddress, length, moreMask(length)) === length;
      code = isSent ? OK : engine.lastError();
    }
    const isDroppingNewest = geometry.whenFull === 'drop-newest';
    if (code === FULL && !isDroppingNewest) return false;
    if (code === FULL) {
      // Several entries together are left to whoever sends them, by a channel that drops the newest, too.
      memory.u32[counter] = droppedBefore + length;
      this.#giveUp();
    } else if (code !== OK) throw this.#ended(call, code);
    else if (isDroppingNewest && memory.u32[counter] !== droppedBefore) {
      this.#dropped += this.#count;
      this.#reset();
    } else {
      this.#sent.push(this.#pages[0] as number);
      if (this.#sent.length > this.#sentLimit) this.#forgetReleased();
      this.#reset();
    }
    this.#end.tellDrops();
    return true;
  }

  #growTable(): void {
    const lengths = new Uint32Array(2 * this.#count);
    lengths.set(this.#lengths);
    this.#lengths = lengths;
  }

  /** The lengths of the records, behind their bytes. */
  #writeTable(): void {
    const start = (this.#filled + WORD_BYTES - 1) & -WORD_BYTES;
    this.#view.set(new Uint8Array(this.#lengths.buffer, 0, WORD_BYTES * this.#count), start);
  }

  /** There is no message under way. Views would keep the memory of a pool that has ended. */
  #reset(): void {
    this.#pages = [];
    this.#views = [];
    this.#view = NO_VIEW;
    this.#writeText = NO_WRITER;
    this.#text = '';
    this.#filled = 0;
    this.#count = 0;
    this.#limit = NO_ROOM;
    if (this.#isHolding) letGo();
    this.#isHolding = false;
  }

  /** Drops what is pending, and counts it. */
  #giveUp(): void {
    this.#dropped += this.#count;
    // Refused where the thread left the pool: its references went by then.
    for (const page of this.#pages) this.#port.engine.release(page);
    this.#reset();
  }

  /** The channel or the pool has ended: what is pending is lost. The error of whoever called. */
  #ended(call: string, code?: number): Error {
    this.#lost = 0; // reported by this error
    const page = this.#pages[0];
    this.#giveUp();
    if (this.#port.isGone) return destroyedError(call);
    if (code === undefined || this.#channel.isClosed) return closedChannelError(this.#channel, call);
    return refusal(code, call, 'page', page);
  }

  #refuseGone(call: string): never {
    throw this.#ended(call);
  }

  // ---------------------------------------------------------------------------------- waiting

  /**
   * Sends what is pending. Resolves when the channel has taken it and, where the last write was refused, as soon as the
   * next one has room; another thread may be faster. It keeps Node's event loop alive, unless `ref` is false.
   *
   * @throws PagePoolError POOL_ERR_CHANNEL_CLOSED when the channel is closed, POOL_ERR_CLOSING or POOL_ERR_DESTROYED
   *   when the pool ends, if records were lost by that; POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's
   *   reason. What is pending stays so after the last two
   */
  async flush(options?: WaitOptions): Promise<void> {
    touchDeepStack();
    const wait = requireWaitOptions('flush', options);
    const startMs = monotonicMs();
    const send = (): true | undefined => {
      if (this.#lost > 0) throw this.#ended('flush');
      if (this.#count === 0) return true;
      if (this.#port.isGone) this.#refuseGone('flush');
      return this.#send('flush') || undefined;
    };
    const probe = (): true | undefined => (send() === true && this.#hasMissing() ? true : undefined);
    // Room first; then pages, which are no news of the channel: a timer probes for them.
    await this.#waitFor(send, this.#units, startMs, wait);
    await this.#waitFor(probe, 'none', startMs, wait);
  }

  /** What the pending message takes of the channel's room. */
  get #units(): Units {
    return this.#pages.length > 1 ? 'several' : 'one';
  }

  #waitFor(probe: () => true | undefined, units: Units, startMs: number, options: WaitOptions): Promise<true> {
    const what = `room in channel ${this.#end.quoted}`;
    const [port, event] = [this.#port, this.#end.notFull];
    return waitFor({ call: 'flush', port, event, probe, units, startMs, what, isReported: true }, options);
  }

  /** Whether there are as many pages as the refused write had not got. */
  #hasMissing(): boolean {
    if (this.#missing === 0) return true;
    const pages = this.#take('flush', this.#missing);
    if (pages === undefined) return false;
    for (const page of pages) this.#port.engine.release(page);
    this.#missing = 0;
    return true;
  }

  /** A message is begun: it is sent after `flushMs`. */
  #begin(): void {
    if (!hasTimers()) return;
    this.#deadline = monotonicMs() + this.#flushMs;
    this.#timer ??= startTimer(this.#onTime, this.#flushMs);
    this.#isHolding = this.#ref;
    if (this.#ref) hold();
  }

  readonly #onTime = (): void => {
    this.#timer = undefined;
    if (this.#count === 0) return;
    const left = this.#deadline - monotonicMs();
    if (left > 0) this.#timer = startTimer(this.#onTime, left);
    else if (this.#wait === undefined) this.#sendLater();
  };

  /**
   * Sends what is pending as soon as there is room. No caller could catch an error here: the next call reports an end.
   */
  #sendLater(): void {
    const wait = new AbortController();
    this.#wait = wait;
    const probe = (): true | undefined => {
      const pending = this.#count;
      try {
        if (pending > 0 && this.#port.isGone) this.#refuseGone('flush');
        return pending === 0 || this.#send('flush') ? true : undefined;
      } catch {
        this.#lost += pending;
        return true;
      }
    };
    if (probe() === true) {
      this.#wait = undefined;
      return;
    }
    const done = (): void => {
      if (this.#wait === wait) this.#wait = undefined;
    };
    this.#waitFor(probe, this.#units, monotonicMs(), { ref: this.#ref, signal: wait.signal }).then(done, done);
  }

  /**
   * Sends what is pending and blocks this thread until everything that this writer ever sent is released by those who
   * received it: true. For 'exit' listeners, after which nothing else runs: what was true here was read. False when
   * `timeoutMs` is over, when this thread may not block (a browser's main thread), when no other thread can see the
   * pool, or when records were lost because the channel or the pool has ended. The readers have to be other threads.
   *
   * @param timeoutMs 10,000 if not given
   */
  flushSync(timeoutMs: number = EXIT_MS): boolean {
    touchDeepStack();
    requireTimeout('flushSync', timeoutMs);
    if (this.#isRead()) return this.#wasWhole();
    const port = this.#port;
    if (timeoutMs === 0 || port.isGone || !port.memory.isShared) return false;
    const cell = new Int32Array(new SharedArrayBuffer(WORD_BYTES));
    const deadline = monotonicMs() + timeoutMs;
    park(port);
    try {
      for (let sleepMs = SLEEP_MS_MIN; ; sleepMs = Math.min(2 * sleepMs, SLEEP_MS_MAX)) {
        const left = deadline - monotonicMs();
        Atomics.wait(cell, 0, 0, Math.max(0, Math.min(sleepMs, left)));
        if (!ownsPort(port)) return this.#isRead() && this.#wasWhole();
        catchUp(port);
        port.engine.poll();
        if (this.#isRead()) return this.#wasWhole();
        if (left <= 0) return false;
      }
    } catch (error) {
      if (error instanceof TypeError) return false;
      throw error;
    } finally {
      unpark(port);
    }
  }

  /** Whether nothing is pending, and every page that was sent is released. */
  #isRead(): boolean {
    const pending = this.#count;
    try {
      if (pending > 0 && this.#port.isGone) this.#refuseGone('flushSync');
      if (pending > 0 && !this.#send('flushSync')) return false;
    } catch {
      this.#lost += pending;
    }
    this.#forgetReleased();
    return this.#sent.length === 0;
  }

  #wasWhole(): boolean {
    const isWhole = this.#lost === 0;
    this.#lost = 0;
    return isWhole;
  }

  /** A handle is stale as soon as its last reference is released. */
  #forgetReleased(): void {
    const { engine } = this.#port;
    this.#sent = this.#sent.filter((page) => engine.refCount(page) > 0);
    this.#sentLimit = Math.max(SENT_LIMIT, 2 * this.#sent.length);
  }

  // ---------------------------------------------------------------------------------- the end

  /** Drops what is pending and counts it; the writer can be used again. Nothing of it is left armed. */
  release(): void {
    touchDeepStack();
    this.#giveUp();
    this.#missing = 0;
    this.#wait?.abort();
    this.#wait = undefined;
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
