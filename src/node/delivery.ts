// Delivery: passes fragments to the user's function, in order, one promise at a time, and knows how the reading ends.
//
// The reading ends once: with the number of bytes when everything was delivered, or with the first error of anybody.
// The promise is settled after the source has let go of its memory, so whoever awaited it finds every page where it
// should be.

import { FURTHER_REMEDIES, PagePoolError } from '../errors.js';
import { dispose } from '../platform/symbols.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import type { Fragment } from '../pool/fragment.js';
import { publish } from './events.js';
import type { OnFragment, ResolvedRead } from './options.js';

/** What a delivery asks of its source. */
export interface DeliverySource {
  /** Everything was delivered, and the user's function is not at work. */
  onReady(): void;
  /** The reading has failed: end, let go of all memory, and call `settle()`. */
  onFail(): void;
}

export class Delivery {
  /** Bytes that were delivered, when the source has ended; rejects with what ended it otherwise. */
  readonly finished: Promise<number>;
  #resolve: (bytes: number) => void = () => {};
  #reject: (reason: unknown) => void = () => {};
  readonly #onFragment: OnFragment;
  readonly #source: DeliverySource;
  readonly #maxBytes: number;
  readonly #signal: AbortSignal | undefined;
  readonly #queue: Fragment[] = [];
  #isBusy = false;
  #isOver = false;
  #isSettled = false;
  #failure: { reason: unknown } | undefined;
  #bytes = 0;

  constructor(
    readonly call: string,
    readonly pool: AttachedPool,
    onFragment: OnFragment,
    { maxBytes, signal }: ResolvedRead,
    source: DeliverySource,
  ) {
    this.#onFragment = onFragment;
    this.#source = source;
    this.#maxBytes = maxBytes;
    this.#signal = signal;
    this.finished = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Listens to the signal; call it when the source can be stopped. */
  begin(): void {
    if (this.#isOver) return;
    if (this.#signal?.aborted) this.#onAbort();
    else this.#signal?.addEventListener('abort', this.#onAbort, { once: true });
  }

  /** Nothing is under way: the source may read. */
  get isReady(): boolean {
    return !this.#isBusy && !this.#isOver;
  }

  /** It has ended or failed: whatever comes is for nobody. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Counts bytes that came; false when they are more than are allowed, and the reading has failed. */
  count(bytes: number): boolean {
    if (this.#isOver) return false;
    this.#bytes += bytes;
    if (this.#bytes <= this.#maxBytes) return true;
    const remedy = FURTHER_REMEDIES.POOL_ERR_MEMORY_LIMIT;
    const what = `${this.call} failed: bytes=${this.#bytes} (expected at most maxBytes, ${this.#maxBytes})`;
    this.fail(new PagePoolError('POOL_ERR_MEMORY_LIMIT', `${what}; ${remedy}`));
    return false;
  }

  /** Delivers the fragment, now or when those before it are done with; its reference goes along. */
  put(fragment: Fragment): void {
    if (this.#isOver) fragment[dispose]();
    else if (this.#isBusy) this.#queue.push(fragment);
    else this.#give(fragment);
  }

  #give(fragment: Fragment): void {
    try {
      const result = this.#onFragment(fragment);
      if (typeof (result as PromiseLike<unknown> | null | undefined)?.then !== 'function') return;
      this.#isBusy = true;
      (result as PromiseLike<unknown>).then(this.#goOn, (reason) => this.#refuse(fragment, reason));
    } catch (error) {
      this.#refuse(fragment, error);
    }
  }

  #refuse(fragment: Fragment, reason: unknown): void {
    try {
      fragment[dispose]();
    } catch {
      // Released by its number: the user's error is the one to report.
    }
    this.fail(reason);
  }

  readonly #goOn = (): void => {
    this.#isBusy = false;
    while (!this.#isBusy && this.#queue.length > 0) this.#give(this.#queue.shift() as Fragment);
    if (!this.#isBusy && !this.#isOver) this.#source.onReady();
  };

  readonly #onAbort = (): void => this.fail(this.#signal?.reason);

  /** Ends the reading with this reason, if nothing has ended it before. */
  fail(reason: unknown): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#failure = { reason };
    for (const fragment of this.#queue.splice(0)) fragment[dispose]();
    this.#source.onFail();
  }

  /** Everything was delivered. */
  finish(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.settle();
  }

  /** After the source has let go of its memory: notifies who waits, once. */
  settle(): void {
    if (this.#isSettled) return;
    this.#isSettled = true;
    this.#signal?.removeEventListener('abort', this.#onAbort);
    publish('end', this.call, this.pool.name, this.#bytes);
    if (this.#failure === undefined) this.#resolve(this.#bytes);
    else this.#reject(this.#failure.reason);
  }

  /** For events: the source waits for a page, or goes on. */
  publish(name: 'pause' | 'resume'): void {
    publish(name, this.call, this.pool.name, this.#bytes);
  }
}
