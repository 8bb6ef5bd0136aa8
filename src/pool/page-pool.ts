// PagePool: what creates, attaches, watches, repairs and ends a pool, and the package's main class.
//
// It is an AttachedPool (attached-pool.ts), whose calls every thread needs, with the rest of the package behind it.

import { prepareEngine, wholeEngines } from '../engine/core.js';
import { chooseEngine } from '../engine/open.js';
import { requireFlag } from '../errors.js';
import type { LeakReport } from '../leaks/report.js';
import { type Inspect, inspectCustom } from '../platform/shown.js';
import { asyncDispose } from '../platform/symbols.js';
import { requireWaitOptions, type WaitOptions } from '../port/waiting.js';
import type { ReapReport } from '../recovery/report.js';
import type { AuditReport } from '../reports/audit.js';
import type { PoolStats } from '../reports/stats.js';
import { onPort } from './attached.js';
import { AttachedPool } from './attached-pool.js';
import type { CloseReport } from './closing.js';
import { attachTo, beginCreation } from './creation.js';
import type { PoolNames } from './names.js';
import type { AttachOptions, PoolOptions } from './options.js';
import type { NamesOf, PoolShare } from './share.js';
import type { Start } from './start.js';
import type { UnreadableCalls, UnreadableProvider, UnreadableShare } from './unreadable.js';
import type { WholeAttachment } from './whole-attachment.js';

/**
 * A pool of pages of shared memory, as one thread sees it: with everything that the package has.
 *
 * @example
 * const pool = await PagePool.create({ pageBytes: 65536, pageCount: 256, channels: { work: {} } });
 * worker.postMessage(pool.share()); // there: attach(share), of pagepool/attach
 * const page = pool.alloc();
 * if (page !== 0) {
 *   pool.bytes(page).fill(7);
 *   if (!pool.channel('work').send(page, 0, 65536)) pool.release(page);
 * }
 */
export class PagePool<Names extends PoolNames = PoolNames> extends AttachedPool<Names> {
  readonly #attachment: WholeAttachment;

  private constructor(start: Start<WholeAttachment>) {
    super(start as never);
    this.#attachment = start.attachment(this);
  }

  /**
   * Creates a pool and attaches this thread to it; works anywhere. Where shared memory is not allowed the pool is
   * `'local'`.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is wrong, or needs an entry that this
   *   thread of pagepool/lean has not imported: pagepool/providers, pagepool/leaks or pagepool/typescript;
   *   POOL_ERR_MEMORY_LIMIT when the platform refuses the memory; POOL_ERR_PROVIDER when the provider refuses the pool
   */
  static create<Channels extends string = never, Requests extends string = never>(
    options: PoolOptions<Channels, Requests> & { provider: UnreadableProvider },
  ): Promise<UnreadablePool<{ channels: Channels; calls?: Requests | undefined }>>;
  static create<Channels extends string = never, Requests extends string = never>(
    options?: PoolOptions<Channels, Requests>,
  ): Promise<PagePool<{ channels: Channels; calls?: Requests | undefined }>>;
  static async create(options?: PoolOptions): Promise<PagePool | UnreadablePool> {
    const { request, isShared, finish } = beginCreation('create', options);
    const pool = PagePool.#start(finish(await prepareEngine(request, isShared)));
    await pool.#attachment.install('create', false);
    return pool;
  }

  /** The same at once, where compiling may block the thread: in Node and in workers. */
  static createSync<Channels extends string = never, Requests extends string = never>(
    options: PoolOptions<Channels, Requests> & { provider: UnreadableProvider },
  ): UnreadablePool<{ channels: Channels; calls?: Requests | undefined }>;
  static createSync<Channels extends string = never, Requests extends string = never>(
    options?: PoolOptions<Channels, Requests>,
  ): PagePool<{ channels: Channels; calls?: Requests | undefined }>;
  static createSync(options?: PoolOptions): PagePool | UnreadablePool {
    const { request, isShared, finish } = beginCreation('createSync', options);
    const pool = PagePool.#start(finish(chooseEngine(request, wholeEngines(isShared))));
    pool.#attachment.install('createSync', true);
    return pool;
  }

  /**
   * Joins a pool that another thread created; once per thread and pool. The share is compared with its memory first.
   *
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is no share, or this thread is attached already;
   *   POOL_ERR_ABI_MISMATCH for another version's; POOL_ERR_CORRUPT when it does not fit its memory; POOL_ERR_NO_PORT
   *   when as many threads are attached as the pool has ports; POOL_ERR_CLOSING or POOL_ERR_DESTROYED when it is too
   *   late
   */
  static attach<Share extends PoolShare>(share: Share, options?: AttachOptions): PoolOf<Share> {
    return PagePool.#start(attachTo(share, options)) as PoolOf<Share>;
  }

  /** The pool as this thread sees it from now on; what fails half way leaves the port free. */
  static #start(start: Start<WholeAttachment>): PagePool {
    return onPort(start.port, () => new PagePool(start));
  }

  /**
   * Reaps the worker's port when the worker ends, whatever way: what its thread held goes back. Call it as soon as the
   * worker is made. Workers of Node, Bun and Deno announce their end; where there are Web Locks, and on the web, every
   * thread of the pool is watched from the first call on, and that is how a page notices the end of its workers.
   *
   * @param worker a Worker, or what holds Workers: a pool of piscina, tinypool or workerpool, or what these pass on.
   *   Workers that are watched already, and those of a pool that have ended, are left alone: call it again for new ones
   * @returns what resolves when they are watched; it need not be awaited. It rejects, or warns where nobody awaits it,
   *   when the platform refuses later what it needs
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when this is and holds no worker, it has ended, or its end cannot
   *   be noticed here
   */
  watch(worker: unknown): PromiseLike<void> {
    return this.#attachment.watch(worker);
  }

  /**
   * Takes back what the thread of another port had when it died: usually `watch` does. A port that is free is left
   * alone.
   *
   * @param options `force`: the thread is not known to be dead, and its port is set aside; the next audit that finds it
   *   as it was, while nothing else moves, reaps it. A thread that lives takes its port back when it returns to its
   *   event loop.
   * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the thread may live and `force` is not set, when another
   *   thread reaps the port, or when it is this thread's own
   */
  reap(portId: number, options?: { force?: boolean | undefined }): ReapReport {
    return this.#attachment.reap(portId, requireFlag('reap', options, 'force'));
  }

  /**
   * What this thread holds of the pool, the oldest first; how it came by it, and for how long. Only what is tracked:
   * nothing where this thread created or attached the pool without `leaks`, one of 128 fragments with `leaks:
   * 'sampled'`.
   *
   * @param options `olderThanMs`: leaves out what came later
   */
  leaks(options?: { olderThanMs?: number | undefined }): LeakReport[] {
    return this.#attachment.leaks(options);
  }

  /** Counters and places of all pages, over all ports; approximate while threads work. */
  stats(): PoolStats {
    return this.#attachment.stats(this.engine);
  }

  /**
   * Counts every page and reference anew and compares; exact only when nothing moved meanwhile, which the report
   * states. An exact one also settles what deaths left, and reaps the ports that were set aside and did nothing since.
   */
  audit(): AuditReport {
    return this.#attachment.audit();
  }

  /**
   * Begins to close and returns at once: no page is allocated any more, channels are closed and drained, ports return
   * their caches back. When every page is home the pool is destroyed. On an attached pool the same as
   * `detach()`, unless the thread that created it is gone: then it closes in that one's place.
   *
   * @see page_pool_destroy
   */
  destroy(): void {
    this.#attachment.destroy();
  }

  /**
   * Closes and resolves when every page is home, or with what is missing when `timeoutMs` is over; the pool goes on
   * closing then. On an attached pool as `destroy()`; the report states whether it closes in another's place.
   *
   * @throws an aborted signal's reason; the pool goes on closing. PagePoolError POOL_ERR_PROVIDER when the provider
   *   fails to end
   */
  async close(options?: WaitOptions): Promise<CloseReport> {
    return this.#attachment.close(requireWaitOptions('close', options));
  }

  /** As `close()`: the creator closes, an attached pool detaches. */
  override async [asyncDispose](): Promise<void> {
    await this.close();
  }

  override [inspectCustom](depth: number | null, options: object, inspect?: Inspect): string {
    return super[inspectCustom](depth, options, inspect).replace('AttachedPool', 'PagePool');
  }
}

/** A pool of memory that the processor cannot see. */
export interface UnreadablePool<Names extends PoolNames = PoolNames>
  extends Omit<PagePool<Names>, keyof UnreadableCalls | 'calls'>,
    UnreadableCalls<Names> {}

/** The pool that a share attaches to, with its names; a `PagePool` of any names where nothing is known of the share. */
export type PoolOf<Share extends PoolShare> = 0 extends 1 & Share
  ? PagePool // any
  : [Share] extends [never]
    ? PagePool
    : Share extends UnreadableShare
      ? UnreadablePool<NamesOf<Share>>
      : PagePool<NamesOf<Share>>;
