// An attachment: what one thread's PagePool consists of beside its calls, from the first moment to the last.
//
// It is notified of every change: of the port's engine, of the areas, of what other threads announce, of the port's
// loss. It passes each on to those whom it concerns, and at the end lets everything go: timers, waits, watches, the
// port, the memory.

import { STATE_DESTROYED } from '../../assembly/layout.js';
import { hasFreeToken } from '../control/nodes.js';
import { ownerState, ringOwner } from '../control/owner.js';
import { requireSound, withSoundWords } from '../control/sound.js';
import { announce, newsCount, poolState } from '../control/state.js';
import { closedEngine } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { waitingEngine } from '../engine/guarded.js';
import { invalidArgument, PagePoolError, REMEDIES, reasonOf, requireMilliseconds, requireRecord } from '../errors.js';
import type { LeakOptions, LeakReport } from '../leaks/report.js';
import { trackEngine } from '../leaks/tracked-engine.js';
import { LeakTracker } from '../leaks/tracker.js';
import { warn } from '../platform/console.js';
import { touchDeepStack } from '../platform/stack.js';
import { hold, letGo } from '../platform/timers.js';
import { FREED, TOKENS } from '../port/bell.js';
import { emptyPort, leaveMemory } from '../port/detaching.js';
import { isPressed, returnIdleFragmentPage } from '../port/fragment-page.js';
import {
  destroyedError,
  exhausted,
  followLeaks,
  leave,
  listen,
  ownsPort,
  type Port,
  type PortListener,
  watchWaits,
} from '../port/port.js';
import { Takers } from '../port/takers.js';
import { type WaitOptions, waitFor } from '../port/waiting.js';
import { type PoolEvent, Waits } from '../port/waits.js';
import { PortReaper } from '../recovery/port-reaper.js';
import type { ReapReport } from '../recovery/report.js';
import { Watching } from '../recovery/watching.js';
import { type AuditReport, auditPool } from '../reports/audit.js';
import { Stalls } from '../reports/stall.js';
import { type PoolStats, readStats } from '../reports/stats.js';
import type { Areas } from '../supply/areas.js';
import { quietly } from '../supply/callbacks.js';
import { Calls, type CallsSeat } from './calls.js';
import { Channel, iterate } from './channel.js';
import { type CloseReport, Closing } from './closing.js';
import { Fragment, type FragmentToken, lendFragment } from './fragment.js';
import { Replies } from './replies.js';
import type { PoolShare } from './share.js';
import { endAttachment, letAttachAgain, type Start } from './start.js';

/** The calls of a pool by which references come, or which wait for them: each a function of every pool. */
type PoolCalls = Readonly<
  Record<
    'adopt' | 'alloc' | 'allocBulk' | 'allocBurst' | 'allocFragment' | 'retain' | 'take' | 'takeAsync',
    CallableFunction
  >
>;

/** One thread's attachment to a pool. */
export class Attachment {
  readonly port: Port;
  readonly channels = new Map<string, Channel>();
  readonly calls = new Map<string, Calls>();
  /** Views of whole pages, by page number. */
  readonly views: (Uint8Array | undefined)[] = [];
  /** Everything that this thread waits for in the pool. */
  readonly waits: Waits;
  /** There are pages. */
  readonly freed: PoolEvent;
  /** Waits for several pages at one time. */
  readonly takers: Takers;
  /** There are tokens. */
  readonly #tokens: PoolEvent;
  /** Waits for what becomes of calls that this thread has asked, or serves. */
  readonly replies: Replies;
  readonly reaper: PortReaper;
  readonly watching: Watching;
  #share: PoolShare | string;
  readonly #closing: Closing;
  /** What the bell's callback failed with last. */
  #failure = '';
  /** What was announced when this thread checked everything last. */
  #news = -1;

  constructor({ port, isCreator, share, leaks, stalls }: Start, calls: PoolCalls & Pick<CallsSeat, 'take'>) {
    this.port = port;
    watchWaits(port, new Stalls(port, stalls));
    if (leaks.leaks !== 'off') track(port, leaks, calls);
    this.#share = share;
    this.#closing = new Closing(port, isCreator, () => this.end());
    this.reaper = new PortReaper(port);
    this.watching = new Watching(port, this.reaper);
    this.waits = new Waits(port, () => this.#rung());
    this.freed = this.waits.event(FREED, () => port.engine.hasPages() !== 0);
    this.takers = new Takers(port, this.waits, this.freed);
    this.#tokens = this.waits.event(TOKENS, () => hasFreeToken(port), null);
    this.replies = new Replies(port, this.waits);
    const { replies, takers, waits } = this;
    const seat = { port, replies, takers, waits, take: (bytes: number) => calls.take(bytes) };
    port.geometry.channels.forEach((channel, index) => {
      if (channel.isCalls) this.calls.set(channel.name, new Calls(seat, index));
      else this.channels.set(channel.name, new Channel(port, index, waits));
    });
  }

  /** From here on changes are followed: those of the port's engine by `engineChanged`, the rest here. */
  begin(engineChanged: PortListener['engineChanged']): void {
    const { port } = this;
    listen(port, { engineChanged, lost: () => this.end() });
    if (port.areas !== undefined) this.#followAreas(port.areas, port.engine);
    this.waits.start();
  }

  /** Lets the providers begin; where one refuses, the pool was never there. */
  install(call: string): Promise<void> | undefined {
    const { supply } = this.port;
    if (supply === undefined) return undefined;
    const refuse = (error: unknown): never => {
      this.end();
      throw error;
    };
    try {
      return supply.start(call)?.catch(refuse);
    } catch (error) {
      return refuse(error);
    }
  }

  /**
   * What this thread knows of areas, and what the engine may allocate, go together. Nobody but the table keeps the
   * engine: it would keep the pool's memory.
   */
  #followAreas(areas: Areas, engine: Engine): void {
    const { port, views } = this;
    areas.listen({
      forget: (firstPage, pages) => views.fill(undefined, firstPage, firstPage + pages),
      behind: (isBehind) => {
        if (port.isGone) return;
        port.standIn(isBehind ? waitingEngine(engine, () => areas.catchUp()) : engine);
        if (isBehind) return;
        this.waits.checkAgain();
        this.replies.checkAgain();
      },
    });
  }

  get isDestroyed(): boolean {
    return poolState(this.port.memory) === STATE_DESTROYED;
  }

  share(): PoolShare {
    if (this.isDestroyed) throw destroyedError('share');
    const { areas, isGone } = this.port;
    if (typeof this.#share !== 'string') {
      if (areas === undefined || isGone) return { ...this.#share };
      areas.follow();
      return { ...this.#share, areas: areas.snapshot() };
    }
    const remedy = REMEDIES.POOL_ERR_NOT_SHARED;
    throw new PagePoolError(
      'POOL_ERR_NOT_SHARED',
      `share failed: mode="local" (expected "shared"): ${this.#share}; ${remedy}`,
    );
  }

  /** The thread's bell was raised: does what others asked of it. True: there are news, for all of its waits. */
  #rung(): boolean {
    try {
      return withSoundWords(this.port, 'poll', () => this.#heed());
    } catch (error) {
      // Nobody catches what a bell's callback throws: words were overwritten, and the program must not end by it.
      const text = reasonOf(error);
      if (text !== this.#failure) warn(this.port.name, text);
      this.#failure = text;
      return true;
    }
  }

  #heed(): boolean {
    const { port } = this;
    this.replies.rung();
    if (port.isGone || !ownsPort(port)) return true;
    const news = newsCount(port.memory);
    const isNews = news !== this.#news;
    this.#news = news;
    if (isNews) this.#poll();
    else {
      if (isPressed(port)) returnIdleFragmentPage(port);
      port.engine.poll();
      port.supply?.heed();
    }
    return isNews;
  }

  async lend(fragment: Fragment, options: WaitOptions): Promise<FragmentToken> {
    const call = 'lendAsync';
    const { port } = this;
    const probe = (): FragmentToken | undefined => {
      const token = lendFragment(fragment, port, call);
      // A pool that closes waits for the fragment: who has it hears of that, and may release it.
      if (token === undefined) exhausted(port, call);
      return token;
    };
    const what = `a token (${port.geometry.tokenCount} are out)`;
    return waitFor({ call, port, event: this.#tokens, probe, what }, options);
  }

  /** Gives what is in this thread's cache and in the ring to the provider; how many pages. */
  trim(): number {
    touchDeepStack();
    const { port } = this;
    const { areas, supply } = port;
    if (areas !== undefined && !port.isGone && ownerState(port) === 'gone') return 0;
    const returned = port.engine.trim();
    if (supply !== undefined) supply.trim('trim');
    else if (areas !== undefined && returned > 0) ringOwner(port);
    return returned;
  }

  stats(engine: Engine['kind']): PoolStats {
    this.port.supply?.refuseReentry('stats');
    return withSoundWords(this.port, 'stats', () => readStats(this.port, engine));
  }

  audit(): AuditReport {
    touchDeepStack();
    this.port.supply?.refuseReentry('audit');
    return withSoundWords(this.port, 'audit', () => auditPool(this.port));
  }

  watch(worker: unknown): PromiseLike<void> {
    touchDeepStack();
    if (this.port.isGone) throw destroyedError('watch');
    return this.watching.watch(worker);
  }

  reap(portId: number, force: boolean): ReapReport {
    touchDeepStack();
    if (this.port.isGone) throw destroyedError('reap');
    this.port.supply?.refuseReentry('reap');
    return withSoundWords(this.port, 'reap', () => this.reaper.reap(portId, force));
  }

  leaks(options: unknown): LeakReport[] {
    const { olderThanMs = 0 } = requireRecord('leaks', 'options', options ?? {}, ['olderThanMs']);
    requireMilliseconds('leaks', 'olderThanMs', olderThanMs);
    return this.port.leaks?.reports(olderThanMs) ?? [];
  }

  /** Does what other threads asked of this one. */
  poll(): void {
    touchDeepStack();
    withSoundWords(this.port, 'poll', () => this.#poll());
  }

  #poll(): void {
    const { port } = this;
    if (!ownsPort(port)) return;
    port.areas?.follow();
    if (isPressed(port)) returnIdleFragmentPage(port);
    port.engine.poll();
    this.watching.follow();
    this.#closing.follow();
    if (this.isDestroyed) this.end();
    else port.supply?.serveQuietly();
  }

  /** @param release whether references that the thread holds are released */
  detach(release: boolean): void {
    touchDeepStack();
    this.port.supply?.refuseReentry('detach');
    if (!ownsPort(this.port)) return;
    if (!this.isDestroyed) this.#empty(release);
    this.end();
  }

  /**
   * Empties the port. Where words were overwritten it cannot be: the thread leaves all the same, and the error names
   * them.
   */
  #empty(release: boolean): void {
    try {
      requireSound(this.port, 'detach');
      withSoundWords(this.port, 'detach', () => emptyPort(this.port, release));
    } catch (error) {
      const isCorrupt = error instanceof PagePoolError && error.code === 'POOL_ERR_CORRUPT';
      if (isCorrupt) quietly(() => this.end()); // the first error names the word
      throw error;
    }
  }

  destroy(): void {
    touchDeepStack();
    this.port.supply?.refuseReentry('destroy');
    const isEnding = withSoundWords(this.port, 'destroy', () => !ownsPort(this.port) || this.#closing.start());
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
      const report = withSoundWords(port, 'close', () => this.#closing.report());
      if (report.isDestroyed) await supply?.finished();
      return report;
    } finally {
      if (isHeld) letGo();
    }
  }

  /** This thread is done with the pool: its calls refuse from now on, its views, its timers and its waits go. */
  end(): void {
    const { port } = this;
    // Whatever fails below, this thread is not attached any more, and its calls refuse.
    letAttachAgain(port);
    try {
      withSoundWords(port, 'detach', () => this.#end());
    } finally {
      if (!port.isGone) leave(port, { ...closedEngine, kind: port.engine.kind });
    }
  }

  #end(): void {
    const { port } = this;
    port.leaks?.end();
    this.#closing.stop();
    this.waits.end();
    this.replies.checkAgain();
    if (!port.isLost) {
      port.supply?.recall.stop();
      this.watching.leave();
    }
    endAttachment(port);
    // After the port was freed: whoever waited for this thread's lock then sees that it left by itself.
    this.watching.stop();
    this.views.length = 0;
    const { isDestroyed } = this;
    const { memory } = port;
    leaveMemory(port, isDestroyed);
    if (isDestroyed) this.#share = '';
    else if (typeof this.#share !== 'string' && port.areas !== undefined) {
      // As far as this thread knows them: whoever attaches by it asks for those that came later.
      this.#share = { ...this.#share, areas: port.areas.snapshot() };
    }
    if (isDestroyed && !port.isLost) port.supply?.finish();
    else port.supply?.uninstall();
    port.areas?.close();
    // Lets go of this thread's own wait, and calls whoever has to go on with what it did.
    announce(memory);
  }
}

/** What was declared by that name in the pool's options. */
export function declared<Value>(call: string, what: string, all: ReadonlyMap<string, Value>, name: string): Value {
  const value = all.get(name);
  if (value !== undefined) return value;
  const names = [...all.keys()].join(', ') || 'none';
  const rule = `${what} of the pool's options: ${names}`;
  throw invalidArgument(call, 'name', name, rule, 'declare it when the pool is created');
}

/** From now on the port's references are followed, through its engine. */
function track(port: Port, options: LeakOptions, calls: PoolCalls): void {
  const { call, serve, take } = Calls.prototype;
  const { receive, receiveBurst, next } = Channel.prototype;
  const tracker = new LeakTracker(port, options, {
    alloc: [calls.alloc, calls.take, calls.takeAsync],
    allocFragment: [calls.allocFragment, calls.take, calls.takeAsync],
    allocBurst: [calls.allocBurst, calls.allocBulk],
    retain: [calls.retain, Fragment.prototype.slice, Fragment.prototype.retain],
    receiveBurst: [receiveBurst, receive, next, iterate],
    adopt: [calls.adopt],
    accept: [serve],
    collect: [call],
    wait: [next, iterate, calls.takeAsync, call, take, serve],
  });
  followLeaks(port, tracker, trackEngine(port, tracker));
}
