// An attachment: what one thread's pool consists of beside its calls, from the first moment to the last.
//
// It is notified of every change: of the port's engine, of the areas, of what other threads announce, of the port's
// loss. It passes each on to those whom it concerns, and at the end lets everything go: timers, waits, the port, the
// memory. What only threads with the whole package do is whole-attachment.ts.

import { STATE_DESTROYED } from '../../assembly/layout.js';
import { hasFreeToken } from '../control/nodes.js';
import { ownerState, ringOwner } from '../control/owner.js';
import { corruptWord, type Unsound, withSoundWords } from '../control/sound.js';
import { announce, newsCount, poolState } from '../control/state.js';
import { closedEngine } from '../engine/closed.js';
import { invalidArgument, PagePoolError, REMEDIES, reasonOf } from '../errors.js';
import { warn } from '../platform/console.js';
import { FREED, TOKENS } from '../port/bell.js';
import { emptyPort, leaveMemory } from '../port/detaching.js';
import { isPressed, returnIdleFragmentPage } from '../port/fragment-page.js';
import { destroyedError, exhausted, leave, listen, ownsPort, type Port, type PortListener } from '../port/port.js';
import { Takers } from '../port/takers.js';
import { type WaitOptions, waitFor } from '../port/waiting.js';
import { type PoolEvent, Waits } from '../port/waits.js';
import { OwnLife } from '../recovery/own-lock.js';
import { quietly } from '../supply/callbacks.js';
import { endAttachment, letAttachAgain } from './attached.js';
import { Calls, type CallsSeat } from './calls.js';
import { Channel } from './channel.js';
import { type Fragment, type FragmentToken, lendFragment } from './fragment.js';
import { Replies } from './replies.js';
import type { PoolShare } from './share.js';

/**
 * The calls of a pool by which references come, or which wait for them: each a function of every pool. `take` is
 * called.
 */
export type PoolCalls = Pick<CallsSeat, 'take'> &
  Readonly<
    Record<'adopt' | 'alloc' | 'allocBulk' | 'allocBurst' | 'allocFragment' | 'retain' | 'takeAsync', CallableFunction>
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
  /** Shows other threads that this one lives. */
  readonly #life: OwnLife;
  #share: PoolShare | string;
  /** What the bell's callback failed with last. */
  #failure = '';
  /** What was announced when this thread checked everything last. */
  #news = -1;

  /** @param share what other threads attach with, or why there is none */
  constructor(port: Port, share: PoolShare | string, pool: PoolCalls, life = new OwnLife(port)) {
    this.port = port;
    this.#share = share;
    this.#life = life;
    this.waits = new Waits(port, () => this.#rung());
    this.freed = this.waits.event(FREED, () => port.engine.hasPages() !== 0);
    this.takers = new Takers(port, this.waits, this.freed);
    this.#tokens = this.waits.event(TOKENS, () => hasFreeToken(port), null);
    this.replies = new Replies(port, this.waits);
    const { replies, takers, waits } = this;
    const seat = { port, replies, takers, waits, take: (bytes: number) => pool.take(bytes) };
    port.geometry.channels.forEach((channel, index) => {
      if (channel.isCalls) this.calls.set(channel.name, new Calls(seat, index));
      else this.channels.set(channel.name, new Channel(port, index, waits));
    });
  }

  /** From here on changes are followed: those of the port's engine by `engineChanged`, the rest here. */
  begin(engineChanged: PortListener['engineChanged']): void {
    const { port } = this;
    listen(port, { engineChanged, lost: () => this.end() });
    port.areas?.listen(
      {
        forget: (firstPage, pages) => this.views.fill(undefined, firstPage, firstPage + pages),
        arrived: () => {
          this.waits.checkAgain();
          this.replies.checkAgain();
        },
      },
      port,
    );
    this.waits.start();
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
      return this.sound('poll', () => this.#heed());
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
    const { port } = this;
    const { areas, supply } = port;
    if (areas !== undefined && !port.isGone && ownerState(port) === 'gone') return 0;
    const returned = port.engine.trim();
    if (supply !== undefined) supply.trim('trim');
    else if (areas !== undefined && returned > 0) ringOwner(port);
    return returned;
  }

  /** Does what other threads asked of this one. */
  poll(): void {
    this.sound('poll', () => this.#poll());
  }

  #poll(): void {
    const { port } = this;
    if (!ownsPort(port)) return;
    port.areas?.follow();
    if (isPressed(port)) returnIdleFragmentPage(port);
    port.engine.poll();
    this.follow();
    if (this.isDestroyed) this.end();
    else port.supply?.serveQuietly();
  }

  /** A word of the control region that cannot be as it is, where this thread has what looks for one. */
  protected findUnsound(): Unsound | undefined {
    return undefined;
  }

  /** Runs what follows words of the control region: they may have been overwritten. */
  protected sound<T>(call: string, run: () => T): T {
    return withSoundWords(call, run, () => this.findUnsound());
  }

  /** Something was announced. */
  protected follow(): void {
    this.#life.follow();
  }

  /** The thread is about to be done with the pool. */
  protected stop(): void {}

  /** The port is about to be freed. */
  protected leave(): void {}

  /** @param release whether references that the thread holds are released */
  detach(release: boolean): void {
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
      const found = this.findUnsound();
      if (found !== undefined) throw corruptWord('detach', found);
      this.sound('detach', () => emptyPort(this.port, release));
    } catch (error) {
      const isCorrupt = error instanceof PagePoolError && error.code === 'POOL_ERR_CORRUPT';
      if (isCorrupt) quietly(() => this.end()); // the first error names the word
      throw error;
    }
  }

  /** This thread is done with the pool: its calls refuse from now on, its views, its timers and its waits go. */
  end(): void {
    const { port } = this;
    // Whatever fails below, this thread is not attached any more, and its calls refuse.
    letAttachAgain(port);
    try {
      this.sound('detach', () => this.#end());
    } finally {
      if (!port.isGone) leave(port, { ...closedEngine, kind: port.engine.kind });
    }
  }

  #end(): void {
    const { port } = this;
    port.leaks?.end();
    this.stop();
    this.waits.end();
    this.replies.checkAgain();
    if (!port.isLost) {
      port.supply?.recall.stop();
      this.leave();
    }
    endAttachment(port);
    // After the port was freed: whoever waited for this thread's lock then sees that it left by itself.
    this.#life.stop();
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
