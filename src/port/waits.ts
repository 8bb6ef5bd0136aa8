// The waits of one thread: on one bell, for everything that it waits for in one pool.
//
// A thread has one waitAsync, on its bell, for as long as it is attached: it hears of news by it as well. When the bell
// was raised each event is looked at: its bits are set again first, and its waits look in their order until one finds
// nothing. Who waits in company looks every 20 ms, by one timer a thread: another waiter may have been chosen, and be
// busy, dead and not reaped yet, or gone to wait elsewhere. The reaction of a waitAsync holds all of this weakly: in
// Firefox an unsettled one keeps what it holds for good. Where waitAsync is missing, or memory is not shared, no bit is
// set, since nobody could ring; there only timers look (waiting.ts).

import { holdLifeline, needsLifeline } from '../control/lifeline.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { startTimer } from '../platform/timers.js';
import { nextTurn, turnDue } from '../platform/turns.js';
import type { Timer } from '../platform/types.js';
import { type Awaited, arm, bellIndex, disarm, FREED, hasCompany, readBell, settle } from './bell.js';
import { Looks } from './looks.js';
import type { Port } from './port.js';

/** How often a thread looks that waits in company. */
const COMPANY_MS = 20;

/**
 * What a wait needs of an event: one unit, several at once, or none of its units. The last kind is woken by news alone,
 * and looks by its own timer: chosen for a unit it would only stand in the way.
 */
export type Units = 'one' | 'several' | 'none';

/** What a wait asks of the event that it waits for. */
export interface WaitEvent {
  /** A wait begins; `look` is called when it may be worth it. */
  begin(look: () => void, units: Units): void;
  /** It is over. */
  end(look: () => void, units: Units): void;
  /** Afterwards, when the thread caches again: whoever was woken and took nothing, or not all, passes it on. */
  settle?(isPeek: boolean): void;
  /** Before each look: what to listen with after it. */
  arm(units: Units): number;
  /** The look found nothing: `look` is called when there is something new. False where only a timer can tell. */
  listen(armed: number, look: () => void): boolean;
  /** How looking went so far; without, it is not worth the processor's time. */
  readonly looks?: Looks | undefined;
}

/** Threads' waits that may be rung: nothing else keeps them while a program has only promises of them. */
const rooted = new Set<Waits>();

/** The waits of one port. */
export class Waits {
  readonly #port: Port;
  readonly #onRung: () => boolean;
  readonly #events: PoolEvent[] = [];
  /** Whether a waitAsync is under way, or a look that starts one. */
  #isQueued = false;
  #isOver = false;
  #tick: Timer | undefined;
  readonly #hasLifeline: boolean;

  /**
   * @param onRung what the thread does whenever its bell was raised, before its waits look: true, and all of them look
   */
  constructor(port: Port, onRung: () => boolean) {
    this.#port = port;
    this.#onRung = onRung;
    this.#hasLifeline = needsLifeline(port.memory);
  }

  /** An event of the pool; `isLeft` asks whether there is a unit, cheaply. */
  event(offset: number, isLeft: () => boolean): PoolEvent {
    const event = new PoolEvent(this, this.#port, offset, isLeft);
    this.#events.push(event);
    return event;
  }

  /** Whether other threads can call this one while it stands in its event loop. */
  get canListen(): boolean {
    return this.#port.memory.isShared && hasWaitAsync();
  }

  /** From here on the thread hears its bell. */
  start(): void {
    this.#hear();
    // Behind what may throw: nothing keeps a pool that could not be made.
    if (this.canListen) rooted.add(this);
  }

  /**
   * The thread is done with the pool: its bits are others' from now on, and its waits look once more, which ends them.
   */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    rooted.delete(this);
    if (this.#tick !== undefined) clearTimeout(this.#tick); // worklets have neither
    if (!this.#port.isLost) this.withdraw();
    void Promise.resolve().then(() => {
      for (const event of this.#events) event.lookAll();
    });
    // N1 no ordering needed: lets go of this thread's own waitAsync.
    if (this.#port.memory.isShared) Atomics.notify(this.#port.memory.i32, bellIndex(this.#port));
  }

  /** Every wait looks again, soon: something has changed that no event tells of. */
  lookAgain(): void {
    void Promise.resolve().then(() => {
      if (!this.#isOver) for (const event of this.#events) event.lookAll();
    });
  }

  /**
   * The thread stands still, or leaves: its bits go, but those at `kept`, and what it owes is paid. Its waits are
   * called again after `resume`.
   */
  withdraw(kept?: PoolEvent): void {
    for (const event of this.#events) {
      if (event === kept) continue;
      disarm(this.#port.engine, event);
      event.settle(false);
    }
  }

  /** The thread goes on: its waits set their bits again and look. */
  resume(): void {
    if (this.#events.some((event) => event.isAwaited)) void Promise.resolve().then(() => this.#hear());
  }

  /** For events: the thread came by. */
  live(): void {
    if (this.#hasLifeline && !this.#isOver) holdLifeline(this.#port);
  }

  /** For events: the bell is listened to from what it was before the look. */
  listen(bell: number): void {
    if (!this.#isQueued && !this.#isOver) this.#queue(bell);
  }

  /** For events: looks again after a while. */
  tick(): void {
    if (this.#isOver) return;
    this.#tick ??= startTimer(() => {
      this.#tick = undefined;
      this.#hear();
      for (const event of this.#events) event.lookAtTick();
    }, COMPANY_MS);
  }

  /** For events: a wait is over. */
  ended(): void {
    if (this.#tick === undefined || this.#events.some((event) => event.isAwaited)) return;
    clearTimeout(this.#tick);
    this.#tick = undefined;
  }

  /** The bell was raised, or may have been. */
  #hear(): void {
    if (this.#isOver) return;
    const wasQueued = this.#isQueued;
    // Waits that look meanwhile must not listen from a later bell than this: it may have been raised for others.
    this.#isQueued = true;
    const bell = readBell(this.#port);
    try {
      const isNews = this.#onRung();
      this.live();
      for (const event of this.#events) {
        if (this.#isOver) break;
        if (isNews) event.lookAll();
        else event.look();
      }
    } finally {
      this.#isQueued = wasQueued;
      if (!wasQueued && !this.#isOver && this.canListen) this.#queue(bell);
    }
  }

  #queue(bell: number): void {
    const { async, value } = Atomics.waitAsync(this.#port.memory.i32, bellIndex(this.#port), bell);
    this.#isQueued = true;
    const weak = new WeakRef(this);
    // Always on a fresh stack; and where the bell is raised again and again, the event loop runs now and then.
    void (async ? value : (turnDue() ?? Promise.resolve())).then(() => weak.deref()?.rung());
  }

  /** For the reaction of the thread's waitAsync. */
  rung(): void {
    this.#isQueued = false;
    this.#hear();
  }
}

/** One event of the pool, as one thread waits there. */
export class PoolEvent implements WaitEvent, Awaited {
  readonly offset: number;
  isArmed = false;
  isArmedForSeveral = false;
  owes = false;
  readonly looks: Looks = new Looks();
  readonly #waits: Waits;
  readonly #port: Port;
  readonly #isLeft: () => boolean;
  /** Looks of the waits, in their order. */
  readonly #looks: Readonly<Record<Units, Set<() => void>>> = { one: new Set(), several: new Set(), none: new Set() };
  #blocked = 0;
  #isSettling = false;

  constructor(waits: Waits, port: Port, offset: number, isLeft: () => boolean) {
    this.#waits = waits;
    this.#port = port;
    this.offset = offset;
    this.#isLeft = isLeft;
  }

  /** Whether there is a unit, cheaply. */
  isLeft(): boolean {
    return this.#isLeft();
  }

  /** Whether a wait is under way. */
  get isAwaited(): boolean {
    return this.#looks.one.size + this.#looks.several.size > 0;
  }

  begin(look: () => void, units: Units): void {
    this.#looks[units].add(look);
  }

  end(look: () => void, units: Units): void {
    this.#looks[units].delete(look);
    if (!this.isAwaited && this.#blocked === 0 && !this.#port.isLost) disarm(this.#port.engine, this);
    this.#waits.ended();
  }

  arm(units: Units): number {
    const bell = readBell(this.#port);
    if (this.#waits.canListen && units !== 'none') arm(this.#port.engine, this, units === 'several');
    return bell;
  }

  listen(bell: number, look: () => void): boolean {
    // A look found nothing: there is nothing to pass on.
    if (this.#looks.one.has(look)) this.owes = false;
    if (!this.#waits.canListen) return false;
    this.#waits.listen(bell);
    if (!this.#looks.none.has(look) && this.#needsTick()) this.#waits.tick();
    return true;
  }

  /**
   * Pays what the thread owes here. A wait that only looked took nothing: its caller does that by the loop's next turn,
   * as a rule.
   */
  settle(isPeek: boolean): void {
    if (!isPeek) settle(this.#port.engine, this);
    else if (this.owes && !this.#isSettling) {
      this.#isSettling = true;
      nextTurn(() => {
        this.#isSettling = false;
        this.settle(false);
      });
    }
  }

  /** The bell was raised: the bits are set, and the waits look in their order, while there is something. */
  look(): void {
    this.#lookWhile(this.#isLeft);
  }

  /** After a while: pages in other ports' caches are found by taking alone. */
  lookAtTick(): void {
    if (this.offset === FREED) this.#lookWhile(() => true);
  }

  /** Every wait looks. */
  lookAll(): void {
    const { one, several, none } = this.#looks;
    for (const look of [...one, ...several, ...none]) look();
  }

  #lookWhile(isLeft: () => boolean): void {
    for (const units of ['one', 'several'] as const) {
      const looks = this.#looks[units];
      if (looks.size === 0) continue;
      this.arm(units);
      for (const look of looks) {
        if (!isLeft()) {
          if (units === 'one') this.owes = false;
          break;
        }
        look();
        if (looks.has(look)) break;
      }
      // Those that were not called wait on as they did.
      if (looks.size > 0 && this.#needsTick()) this.#waits.tick();
    }
  }

  /**
   * Pages in others' caches are found by looking alone; and in company another one may have been chosen, and be busy.
   */
  #needsTick(): boolean {
    return this.offset === FREED || hasCompany(this.#port, this);
  }

  /** Blocks until `probe` is true, or the time is over: false. Throws TypeError where a thread may not block. */
  block(probe: () => boolean | undefined, leftMs: () => number): boolean {
    const { engine, memory } = this.#port;
    this.#waits.withdraw(this);
    this.#blocked++;
    try {
      for (;;) {
        const bell = readBell(this.#port);
        this.#waits.live();
        arm(engine, this, false);
        const result = probe();
        if (result !== undefined) return result;
        this.owes = false;
        const left = leftMs();
        if (left <= 0) return false;
        const most = hasCompany(this.#port, this) ? COMPANY_MS : Infinity;
        Atomics.wait(memory.i32, bellIndex(this.#port), bell, Math.min(left, most));
      }
    } finally {
      this.#blocked--;
      if (!this.#port.isLost && !this.isAwaited) disarm(engine, this);
      this.settle(true);
      this.#waits.resume();
    }
  }
}
