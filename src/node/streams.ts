// Streams of fragments, for `pipeline`, `for await` and the framings of pagepool/packet.
//
// Streams keep what they were given in lists of their own, and lose it when they are destroyed. So both classes
// remember the references that are inside, and release them at the end.

import { Readable, Writable } from 'node:stream';
import { requireRecord } from '../errors.js';
import { isPacket, Packet } from '../packet/packet.js';
import { dispose } from '../platform/symbols.js';
import { type Fragment, isFragment } from '../pool/fragment.js';
import { type OnFragment, requireOnFragment } from './options.js';
import { PendingWrites } from './pending.js';
import { isStreamKind, type TargetKind } from './target.js';
import { destroyedStream, type PacketTarget, type WriteOptions, writePacket, writer } from './write.js';

/**
 * Begins to read: passes every fragment to the function, ends when the signal is aborted, resolves at the source's end.
 */
export type Read = (onFragment: OnFragment, signal: AbortSignal) => Promise<unknown>;

/**
 * A Readable of fragments, in object mode, of any source: whoever reads it owns what he gets. The source pauses while
 * nobody reads. Destroying it ends the source and releases what nobody got.
 *
 * @example
 * const source = fragments((onFragment, signal) => readFileInto(pool, 'app.log', onFragment, { signal }));
 * for await (const line of lines(source)) line.release();
 */
export function fragments(read: Read): Readable & AsyncIterable<Fragment> {
  requireOnFragment('fragments', read);
  return new FragmentReadable(read);
}

class FragmentReadable extends Readable {
  readonly #read: Read;
  readonly #stop = new AbortController();
  /** Inside the stream: pushed, and not read by anybody. */
  readonly #inside = new Set<Fragment>();
  #finished: Promise<unknown> | undefined;
  #goOn: (() => void) | undefined;

  constructor(read: Read) {
    super({ objectMode: true, highWaterMark: 2 });
    this.#read = read;
  }

  override _read(): void {
    if (this.#finished === undefined) {
      this.#finished = this.#begin();
      this.#finished.then(
        () => this.push(null),
        (error) => this.destroy(error),
      );
    }
    const goOn = this.#goOn;
    this.#goOn = undefined;
    goOn?.();
  }

  async #begin(): Promise<unknown> {
    return this.#read((fragment) => {
      if (this.destroyed) {
        fragment[dispose]();
        return;
      }
      this.#inside.add(fragment);
      if (this.push(fragment)) return;
      return new Promise<void>((resolve) => {
        this.#goOn = resolve;
      });
    }, this.#stop.signal);
  }

  /** What was read and is put back is inside again; where the stream takes nothing any more it is released. */
  override unshift(chunk: unknown, encoding?: BufferEncoding): void {
    if (isFragment(chunk)) {
      if (this.destroyed || this.readableEnded) chunk[dispose]();
      else this.#inside.add(chunk);
    }
    super.unshift(chunk, encoding);
  }

  /** Every way out of a Readable emits 'data', whether somebody listens or not. */
  override emit(event: string | symbol, ...args: unknown[]): boolean {
    if (event === 'data') {
      const [fragment] = args as [Fragment];
      this.#inside.delete(fragment);
      // Flowing away: resume() without anybody who listens.
      if (this.readableFlowing === true && this.listenerCount('data') === 0) fragment[dispose]();
    }
    return super.emit(event as 'data', ...args);
  }

  override _destroy(error: Error | null, callback: (error?: Error | null) => void): void {
    for (const fragment of this.#inside) fragment[dispose]();
    this.#inside.clear();
    if (this.#finished === undefined) {
      callback(error);
      return;
    }
    this.#goOn?.();
    this.#stop.abort(error ?? new Error('the stream of fragments was destroyed'));
    // Pages are home when 'close' comes.
    const done = (): void => callback(error);
    this.#finished.then(done, done);
  }
}

/** How packets are written. */
export interface PacketWritableOptions extends Omit<WriteOptions, 'signal'> {
  /**
   * Streams: whether the target ends, and is destroyed, with this stream; true if not given, but for `process.stdout`
   * and `process.stderr`. Other targets stay open.
   */
  end?: boolean | undefined;
}

/**
 * A Writable of fragments and packets, in object mode: writes each to the target without a copy, those that wait
 * together in one writev, and releases them when that is done. Whatever ends it, everything that was written to it is
 * released. All of one pool.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT for a wrong target or option
 */
export function packetWritable(target: PacketTarget, options?: PacketWritableOptions): Writable {
  const { end, ...write } = requireRecord('packetWritable', 'options', options ?? {}, [
    'end',
    'position',
    'port',
    'address',
  ]) as PacketWritableOptions;
  const { kind } = writer('packetWritable', target, write);
  const ends = isStreamKind(kind) && (end ?? !isOfProcess(target));
  return new PacketWritable(target, kind, write, ends ? (target as Writable) : undefined);
}

/** Whether all of the program writes to it: Node's own `pipe` leaves it open as well. */
function isOfProcess(target: PacketTarget): boolean {
  return target === process.stdout || target === process.stderr;
}

type Callback = (error?: Error | null) => void;

class PacketWritable extends Writable {
  readonly #target: PacketTarget;
  readonly #kind: TargetKind;
  readonly #options: WriteOptions;
  readonly #ended: Writable | undefined;
  readonly #inside = new Set<Packet | Fragment>();
  readonly #stop = new AbortController();
  /** Notices that the target has gone, also while nothing is being written. */
  readonly #watch = { giveUp: () => void this.destroy() };
  #position: number | undefined;
  #writing: Promise<unknown> = Promise.resolve();

  constructor(target: PacketTarget, kind: TargetKind, options: WriteOptions, ended: Writable | undefined) {
    super({ objectMode: true, highWaterMark: 16 });
    this.#target = target;
    this.#kind = kind;
    this.#options = { ...options, signal: this.#stop.signal };
    this.#position = options.position;
    this.#ended = ended;
    if (ended === undefined) return;
    ended.on('error', (error) => this.destroy(error));
    ended.on('close', () => {
      if (!this.writableFinished) this.destroy();
    });
    // A response behind another one is not closed with its connection: somebody may wait for this stream alone.
    PendingWrites.of(ended).add(this.#watch);
  }

  override write(chunk: unknown, ...rest: unknown[]): boolean {
    if (isPacket(chunk) || isFragment(chunk)) {
      if (this.destroyed || this.writableEnded) chunk[dispose]();
      else this.#inside.add(chunk);
    }
    return (super.write as (...args: unknown[]) => boolean).call(this, chunk, ...rest);
  }

  override end(...args: unknown[]): this {
    const [chunk, ...rest] = args;
    if (chunk === undefined || chunk === null || typeof chunk === 'function') {
      return (super.end as (...args: unknown[]) => this).call(this, ...args);
    }
    this.write(chunk);
    // The encoding of an object means nothing, and would be written as one.
    return (super.end as (...args: unknown[]) => this).call(this, ...rest.filter((each) => typeof each === 'function'));
  }

  override _write(chunk: Packet | Fragment, _encoding: string, callback: Callback): void {
    this.#put(chunk, callback);
    this.#inside.delete(chunk);
  }

  override _writev(chunks: { chunk: Packet | Fragment }[], callback: Callback): void {
    const isDatagrams = this.#kind === 'datagrams';
    const all = new Packet();
    try {
      for (const { chunk } of isDatagrams ? [] : chunks) all.append(chunk);
    } catch (error) {
      all.release();
      callback(error as Error);
      return;
    }
    if (isDatagrams) {
      const writing = this.#putEach(chunks);
      this.#writing = writing.catch(() => {});
      writing.then(() => callback(), callback);
      return;
    }
    for (const { chunk } of chunks) this.#inside.delete(chunk);
    this.#put(all, callback);
  }

  async #putEach(chunks: readonly { chunk: Packet | Fragment }[]): Promise<void> {
    for (const { chunk } of chunks) {
      if (this.destroyed) return; // those that are left are released
      this.#inside.delete(chunk);
      await writePacket(this.#target, chunk, this.#options);
    }
  }

  #put(data: Packet | Fragment, callback: Callback): void {
    const { length } = data;
    const options = this.#position === undefined ? this.#options : { ...this.#options, position: this.#position };
    if (this.#position !== undefined) this.#position += length;
    const writing = writePacket(this.#target, data, options);
    this.#writing = writing.catch(() => {});
    writing.then(() => callback(), callback);
  }

  override _final(callback: Callback): void {
    const ended = this.#ended;
    if (ended === undefined) {
      callback();
      return;
    }
    const pending = PendingWrites.of(ended);
    if (ended.destroyed || pending.isGone) {
      callback(destroyedStream()); // Node would not call back
      return;
    }
    const waiting = { giveUp: () => onEnd(destroyedStream()) };
    const onEnd = (error?: Error | null): void => {
      pending.delete(waiting);
      callback(error);
    };
    pending.add(waiting);
    pending.delete(this.#watch);
    if (this.#kind !== 'foreign') ended.end(onEnd as () => void);
    else {
      ended.once('finish', onEnd); // its `end` may take no callback
      ended.end();
    }
  }

  override _destroy(error: Error | null, callback: Callback): void {
    for (const data of this.#inside) (data as Partial<Fragment>)[dispose]?.();
    this.#inside.clear();
    if (this.#ended !== undefined) PendingWrites.of(this.#ended).delete(this.#watch);
    if (error !== null || !this.writableFinished) {
      this.#ended?.destroy?.(error ?? undefined);
      this.#stop.abort(error ?? destroyedStream());
    }
    // Pages are home when 'close' comes.
    void this.#writing.then(() => callback(error));
  }
}
