// An attachment with everything that the package has: closing, reaping, watching, the audit, leaks, providers.

import { requireSound } from '../control/unsound.js';
import { PagePoolError, REMEDIES, requireMilliseconds, requireRecord } from '../errors.js';
import type { LeakReport } from '../leaks/report.js';
import { touchDeepStack } from '../platform/stack.js';
import { hold, letGo } from '../platform/timers.js';
import { destroyedError, ownsPort, type Port } from '../port/port.js';
import type { WaitOptions } from '../port/waiting.js';
import { PortReaper } from '../recovery/port-reaper.js';
import type { ReapReport } from '../recovery/report.js';
import { Watching } from '../recovery/watching.js';
import { type AuditReport, auditPool } from '../reports/audit.js';
import { type PoolStats, readStats } from '../reports/stats.js';
import { Attachment, type PoolCalls } from './attachment.js';
import { type CloseReport, Closing } from './closing.js';
import type { PoolShare } from './share.js';

/** One thread's attachment to a pool, with all that the package has. */
export class WholeAttachment extends Attachment {
  readonly #reaper: PortReaper;
  readonly #watching: Watching;
  readonly #closing: Closing;
  readonly #whyLocal: string | undefined;

  /** @param share what other threads attach with, or why there is none */
  constructor(port: Port, share: PoolShare | string, pool: PoolCalls, isCreator: boolean) {
    const reaper = new PortReaper(port);
    const watching = new Watching(port, reaper);
    const isLocal = typeof share === 'string';
    super(port, isLocal ? undefined : share, pool, watching);
    this.#whyLocal = isLocal ? share : undefined;
    this.#reaper = reaper;
    this.#watching = watching;
    this.#closing = new Closing(port, isCreator, () => this.end());
  }

  /**
   * Lets the providers begin; where one refuses, the pool was never there.
   *
   * @param isAtOnce one that takes its time is refused
   */
  install(call: string, isAtOnce: boolean): Promise<void> | undefined {
    const { supply } = this.port;
    if (supply === undefined) return undefined;
    const refuse = (error: unknown): never => {
      this.end();
      throw error;
    };
    try {
      return (isAtOnce ? supply.startAtOnce(call) : supply.start(call))?.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  protected override requireSound(call: string, cause?: unknown): void {
    requireSound(this.port, call, cause);
  }

  protected override follow(): void {
    super.follow();
    this.#closing.follow();
  }

  override share(): PoolShare {
    if (this.#whyLocal === undefined || this.isDestroyed) return super.share();
    const remedy = REMEDIES.POOL_ERR_NOT_SHARED;
    throw new PagePoolError(
      'POOL_ERR_NOT_SHARED',
      `share failed: mode="local" (expected "shared"): ${this.#whyLocal}; ${remedy}`,
    );
  }

  protected override serve(): void {
    super.serve();
    if (!this.port.isGone) this.port.supply?.serveQuietly();
  }

  protected override leaving(): void {
    const { port } = this;
    port.leaks?.end();
    this.#closing.stop();
    super.leaving();
    if (port.isLost) return;
    port.supply?.recall.stop();
    this.#watching.leave();
  }

  protected override left(isDestroyed: boolean): void {
    super.left(isDestroyed);
    const { isLost, supply } = this.port;
    if (isDestroyed && !isLost) supply?.finish();
    else supply?.uninstall();
  }

  override detach(release: boolean): void {
    touchDeepStack();
    this.port.supply?.refuseReentry('detach');
    super.detach(release);
  }

  stats(engine: PoolStats['engine']): PoolStats {
    this.port.supply?.refuseReentry('stats');
    return this.sound('stats', () => readStats(this.port, engine));
  }

  audit(): AuditReport {
    touchDeepStack();
    this.port.supply?.refuseReentry('audit');
    return this.sound('audit', () => auditPool(this.port));
  }

  watch(worker: unknown): PromiseLike<void> {
    touchDeepStack();
    if (this.port.isGone) throw destroyedError('watch');
    return this.#watching.watch(worker);
  }

  reap(portId: number, force: boolean): ReapReport {
    touchDeepStack();
    if (this.port.isGone) throw destroyedError('reap');
    this.port.supply?.refuseReentry('reap');
    return this.sound('reap', () => this.#reaper.reap(portId, force));
  }

  leaks(options: unknown): LeakReport[] {
    const { olderThanMs = 0 } = requireRecord('leaks', 'options', options ?? {}, ['olderThanMs']);
    requireMilliseconds('leaks', 'olderThanMs', olderThanMs);
    return this.port.leaks?.reports(olderThanMs) ?? [];
  }

  destroy(): void {
    touchDeepStack();
    this.port.supply?.refuseReentry('destroy');
    const isEnding = this.sound('destroy', () => !ownsPort(this.port) || this.#closing.start());
    if (!isEnding) this.detach(false);
  }

  async close(options: WaitOptions): Promise<CloseReport> {
    this.destroy();
    const { port } = this;
    const { supply } = port;
    const isOpen = this.#closing.isCloser && !port.isGone;
    const isHeld = options.ref !== false;
    if (isHeld) hold(); // also while the provider ends, which is no wait of the pool's
    try {
      if (isOpen) await this.#closing.finished(this.freed, options);
      const report = this.sound('close', () => this.#closing.report());
      if (report.isDestroyed) await supply?.finished();
      return report;
    } finally {
      if (isHeld) letGo();
    }
  }
}
