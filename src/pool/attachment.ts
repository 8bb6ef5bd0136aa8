// An attachment: what one thread's pool consists of beside its calls, from the first moment to the last.
//
// It is notified of every change: of the port's engine, of the areas, of what other threads announce, of the port's
// loss. It passes each on to those whom it concerns, and at the end lets everything go: timers, waits, the port, the
// memory. What only threads with the whole package do is whole-attachment.ts.

import { hasFreeToken } from '../control/nodes.js';
import { newsCount } from '../control/state.js';
import { touchDeepStack } from '../platform/stack.js';
import { FREED, TOKENS } from '../port/bell.js';
import { destroyedError, exhausted, listen, ownsPort, type Port, type PortListener } from '../port/port.js';
import { Takers } from '../port/takers.js';
import { type WaitOptions, waitFor } from '../port/waiting.js';
import { type PoolEvent, Waits } from '../port/waits.js';
import type { OwnLife } from '../recovery/own-lock.js';
import { BaseAttachment, undeclared } from './base-attachment.js';
import type { Calls, CallsSeat } from './calls.js';
import { Channel } from './channel.js';
import { type Fragment, type FragmentToken, lendFragment } from './fragment.js';
import { requireCalls } from './loaded-calls.js';
import type { Replies } from './replies.js';
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
export class Attachment extends BaseAttachment {
  readonly channels = new Map<string, Channel>();
  /** Those that were asked for. */
  readonly #calls = new Map<string, Calls>();
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
  /** Waits for what becomes of calls that this thread has asked, or serves; undefined: it has done neither. */
  #replies: Replies | undefined;
  #share: PoolShare | undefined;
  readonly #pool: PoolCalls;
  /** What was announced when this thread checked everything last. */
  #news = -1;

  /** @param share what other threads attach with, where there is such a thing */
  constructor(port: Port, share: PoolShare | undefined, pool: PoolCalls, life?: OwnLife) {
    super(port, life);
    this.#share = share;
    this.#pool = pool;
    this.waits = new Waits(port, () => this.#rung());
    this.freed = this.waits.event(FREED, () => port.engine.hasPages() !== 0);
    this.takers = new Takers(port, this.waits, this.freed);
    this.#tokens = this.waits.event(TOKENS, () => hasFreeToken(port), null);
    port.geometry.channels.forEach((channel, index) => {
      if (!channel.isCalls) this.channels.set(channel.name, new Channel(port, index, this.waits));
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
          this.#replies?.checkAgain();
        },
      },
      port,
    );
    this.waits.start();
  }

  /** This thread's end of the calls of that name: made when it is asked for. */
  calls(name: string): Calls {
    const known = this.#calls.get(name);
    if (known !== undefined) return known;
    const { port, takers, waits } = this;
    const { channels } = port.geometry;
    const index = channels.findIndex((channel) => channel.isCalls && channel.name === name);
    if (index < 0) {
      const names = channels.filter(({ isCalls }) => isCalls).map((channel) => channel.name);
      throw undeclared('calls', 'calls', names, name);
    }
    const { openCalls, openReplies } = requireCalls(name);
    this.#replies ??= openReplies(port, waits);
    const seat = { port, waits, takers, replies: this.#replies, take: (bytes: number) => this.#pool.take(bytes) };
    const calls = openCalls(seat, index);
    this.#calls.set(name, calls);
    return calls;
  }

  share(): PoolShare {
    if (this.isDestroyed || this.#share === undefined) throw destroyedError('share');
    if (!this.port.isGone) {
      this.port.areas?.follow();
      this.#renewShare();
    }
    return { ...this.#share };
  }

  /** The share has the areas that this thread knows. */
  #renewShare(): void {
    const { areas } = this.port;
    if (this.#share !== undefined && areas !== undefined) this.#share = { ...this.#share, areas: areas.snapshot() };
  }

  /** The thread's bell was raised: does what others asked of it. True: there are news, for all of its waits. */
  #rung(): boolean {
    return this.guard(() => this.#heed()) ?? true;
  }

  #heed(): boolean {
    const { port } = this;
    this.#replies?.rung();
    if (port.isGone || !ownsPort(port)) return true;
    const news = newsCount(port.memory);
    const isNews = news !== this.#news;
    this.#news = news;
    if (isNews) this.serve();
    else {
      this.returnPages();
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
    if (!port.isGone && areas?.isOwnerGone === true) return 0;
    const returned = port.engine.trim();
    if (supply !== undefined) supply.trim('trim');
    else if (returned > 0) areas?.ringOwner();
    return returned;
  }

  protected override leaving(): void {
    this.waits.end();
    this.#replies?.checkAgain();
  }

  protected override left(isDestroyed: boolean): void {
    this.views.length = 0;
    if (isDestroyed) this.#share = undefined;
    else this.#renewShare(); // whoever attaches by it asks for areas that came later
  }
}

/** What was declared by that name in the pool's options. */
export function declared<Value>(call: string, what: string, all: ReadonlyMap<string, Value>, name: string): Value {
  const value = all.get(name);
  if (value !== undefined) return value;
  throw undeclared(call, what, all.keys(), name);
}
