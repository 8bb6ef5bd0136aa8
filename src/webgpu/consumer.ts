// Consumers: who is given fragments of device memory by number, without a port of the pool, and gives them back in
// batches.
//
// A token stands for one reference, which the owner's thread holds in the consumer's name. Tokens count up and are not
// used again before 2^31 others, so one that comes twice frees nobody else's. What a consumer sends is not trusted: a
// call reads 1,024 tokens at most, whatever its ranges are. The owner's thread only. Source: SO_DEVMEM_DONTNEED and
// the token table of a socket.

import { invalidArgument, requireInteger } from '../errors.js';
import { dispose } from '../platform/symbols.js';
import type { Custody } from './custody.js';

/** Tokens that one call reads, at most. */
export const TOKENS_PER_CALL = 1024;
const TOKEN_MAX = 2 ** 31 - 1;

/** What is used of a worker of node:worker_threads. */
export interface EndingWorker {
  /** Below 0 when it has ended. */
  readonly threadId?: number | undefined;
  on(event: 'exit', listener: () => void): unknown;
  off(event: 'exit', listener: () => void): unknown;
}

/** Who is notified of what a consumer does. */
export interface ConsumerHost {
  /** Called for each token that came back and was not out. */
  skipped(): void;
  closed(consumer: DeviceConsumer): void;
}

/** A holder of device memory that is not attached to the pool. */
export class DeviceConsumer {
  readonly name: string;
  readonly #custody: Custody;
  readonly #worker: EndingWorker | undefined;
  readonly #host: ConsumerHost;
  readonly #tokens = new Map<number, number>();
  readonly #close = (): void => void this.close();
  #next = 1;
  #skipped = 0;
  #isClosed = false;

  /** DeviceMemory makes consumers: nobody else calls this. */
  constructor(custody: Custody, name: string, worker: EndingWorker | undefined, host: ConsumerHost) {
    this.#custody = custody;
    this.name = name;
    this.#worker = worker;
    this.#host = host;
    worker?.on('exit', this.#close);
  }

  /** Tokens that are out. */
  get held(): number {
    return this.#tokens.size;
  }

  /** Tokens that came back and were not out. */
  get skipped(): number {
    return this.#skipped;
  }

  /**
   * Gives the consumer the fragment: the caller's reference moves into the token. Tokens of one consumer follow each
   * other.
   *
   * @throws PagePoolError POOL_ERR_STALE_HANDLE and the like; POOL_ERR_NOT_HELD when the reference was passed on
   *   before; POOL_ERR_INVALID_ARGUMENT when the consumer has gone
   */
  give(handle: number): number {
    if (this.#isClosed)
      throw invalidArgument('give', 'consumer', this.name, 'one that is there', 'make another consumer');
    this.#custody.take('give', handle);
    while (this.#tokens.has(this.#next)) this.#step();
    const token = this.#next;
    this.#tokens.set(token, handle);
    this.#step();
    return token;
  }

  /** The handle that the token stands for, for work in the consumer's name; 0 where it is not out. */
  handleOf(token: number): number {
    return this.#tokens.get(token) ?? 0;
  }

  /**
   * Takes tokens back: ranges of pairs, first token and count, in any order. Reads 1,024 tokens at most and leaves
   * the rest; those that are not out are skipped and counted. Call it again with what is left. The ranges may lie in
   * memory that the consumer writes.
   *
   * @returns how many references were released
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when these are no pairs of integers; nothing was released then
   * @see SO_DEVMEM_DONTNEED
   */
  release(ranges: ArrayLike<number>): number {
    const words = copyOfRanges(ranges);
    let freed = 0;
    let read = 0;
    for (let at = 0; at < words.length && read < TOKENS_PER_CALL; at += 2) {
      const first = words[at] as number;
      // An empty range counts as one token.
      const count = Math.min(words[at + 1] as number, TOKENS_PER_CALL - read);
      read += Math.max(1, count);
      for (let token = first; token < first + count; token++) {
        if (this.#free(token)) freed += 1;
        else this.#skip();
      }
    }
    return freed;
  }

  /** The consumer has gone: every token that is out comes back; how many. Later calls change nothing. */
  close(): number {
    if (this.#isClosed) return 0;
    this.#isClosed = true;
    this.#worker?.off('exit', this.#close);
    const freed = this.#tokens.size;
    for (const token of [...this.#tokens.keys()]) this.#free(token);
    this.#host.closed(this);
    return freed;
  }

  [dispose](): void {
    this.close();
  }

  #free(token: number): boolean {
    const handle = this.#tokens.get(token);
    if (handle === undefined) return false;
    this.#tokens.delete(token);
    this.#custody.release(handle);
    return true;
  }

  #skip(): void {
    this.#skipped += 1;
    this.#host.skipped();
  }

  #step(): void {
    this.#next = this.#next === TOKEN_MAX ? 1 : this.#next + 1;
  }
}

/**
 * The ranges as far as one call reads, checked. Each word is read once: they may lie in memory that the consumer writes
 * meanwhile, and a word that was checked and read again could be another.
 */
function copyOfRanges(ranges: ArrayLike<number>): readonly number[] {
  if (typeof ranges !== 'object' || ranges === null)
    throw invalidArgument('release', 'ranges', ranges, 'an array of pairs: first, count');
  const { length } = ranges;
  requireInteger('release', 'ranges.length', length, 0, Number.MAX_SAFE_INTEGER);
  if (length % 2 !== 0) throw invalidArgument('release', 'ranges.length', length, 'pairs: first, count');
  return Array.from({ length: Math.min(length, 2 * TOKENS_PER_CALL) }, (_, i) => {
    const word = ranges[i];
    requireInteger('release', `ranges[${i}]`, word, 0, 2 ** 32 - 1);
    return word;
  });
}
