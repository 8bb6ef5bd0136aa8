// The waits of one thread: on one bell, for everything that it waits for in one pool.
//
// A thread has one waitAsync, on its bell, for as long as it is attached: news wake it by the bell as well. When the
// bell was raised each event is checked: its bits are set again first, and its waits probe in their order until one
// finds nothing. Who waits in company probes every 20 ms, by one timer a thread: another waiter may have been chosen,
// and be busy, dead and not reaped yet, or gone to wait elsewhere. The reaction of a waitAsync holds all of this
// weakly: in Firefox an unsettled one keeps what it holds for good. Where waitAsync is missing, or memory is not
// shared, no bit is set, since nobody could ring; there only timers probe (waiting.ts).

import { holdLifeline, needsLifeline } from '../control/lifeline.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { startTimer } from '../platform/timers.js';
import { isTurnCheap, markTurn, nextTurn } from '../platform/turns.js';
import type { Timer } from '../platform/types.js';
import { type Awaited, arm, bellIndex, disarm, FREED, hasCompany, readBell, settle } from './bell.js';
import type { Port } from './port.js';
import { Spin } from './spin.js';

/** How often a thread probes that waits in company. */
const COMPANY_MS = 20;

/**
 * What a wait needs of an event: one unit, several at once, or none of its units. The last kind is woken by news alone,
 * and probes by its own timer: chosen for a unit it would only stand in the way.
 */
export type Units = 'one' | 'several' | 'none';

/** What a wait asks of the event that it waits for. */
export interface WaitEvent {
  /** A wait begins; `check` is called when a probe may succeed. */
  begin(check: () => void, units: Units): void;
  /** It is over. */
  end(check: () => void, units: Units): void;
  /** Afterwards, when the thread caches again: whoever was woken and took nothing, or not all, passes it on. */
  settle?(isPeek: boolean): void;
  /** Before each probe: what to listen with after it. */
  arm(units: Units): number;
  /** The probe found nothing: `check` is called when there is something new. False where only a timer can find out. */
  listen(armed: number, check: () => void): boolean;
  /** Probes before the thread sleeps; without, they are not worth the processor's time. */
  readonly spin?: Spin | null | undefined;
}

/** Threads' waits that may be rung: nothing else keeps them while a program has only promises of them. */
const rooted = new Set<Waits>();
let isHiding = false;

/**
 * Keeps the waits until they end. In Firefox the reaction of an unsettled waitAsync is kept for good, and reaches what
 * this module holds: so a page that goes leaves them to a listener, which the browser drops with the page. A page that
 * comes back from the history has them again.
 */
function root(waits: Waits): void {
  rooted.add(waits);
  if (isHiding || !('document' in globalThis)) return;
  isHiding = true;
  addEventListener('pagehide', () => {
    const left = [...rooted];
    rooted.clear();
    const take = (): void => {
      for (const each of left) if (!each.isOver) rooted.add(each);
    };
    addEventListener('pageshow', take, { once: true });
  });
}

/** The waits of one port. */
export class Waits {
  readonly #port: Port;
  readonly #onRung: () => boolean;
  readonly #events: PoolEvent[] = [];
  /** Whether a waitAsync is under way, or a check that starts one. */
  #isQueued = false;
  #isOver = false;
  #tick: Timer | undefined;
  readonly #hasLifeline: boolean;
  readonly #weak = new WeakRef(this);

  /**
   * @param onRung what the thread does whenever its bell was raised, before its waits probe: true, and all of them
   *   probe
   */
  constructor(port: Port, onRung: () => boolean) {
    this.#port = port;
    this.#onRung = onRung;
    this.#hasLifeline = needsLifeline(port.memory);
  }

  /**
   * An event of the pool; `isLeft` asks whether there is a unit. Where that is not cheap, `spin` is null: a wait
   * probes once before it sleeps.
   */
  event(offset: number, isLeft: () => boolean, spin: Spin | null = new Spin()): PoolEvent {
    const event = new PoolEvent(this, this.#port, offset, isLeft, spin);
    this.#events.push(event);
    return event;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** Whether other threads can call this one while it stands in its event loop. */
  get canListen(): boolean {
    return this.#port.memory.isShared && hasWaitAsync();
  }

  /** From here on the thread listens to its bell. */
  start(): void {
    this.#answerBell(false);
    // Behind what may throw: nothing keeps a pool that could not be made.
    if (this.canListen) root(this);
  }

  /**
   * The thread is done with the pool: its bits are others' from now on, and its waits probe once more, which ends them.
   */
  end(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    rooted.delete(this);
    if (this.#tick !== undefined) clearTimeout(this.#tick); // worklets have neither
    if (!this.#port.isLost) this.withdraw();
    this.checkAgain();
    // N1 no ordering needed: lets go of this thread's own waitAsync.
    if (this.#port.memory.isShared) Atomics.notify(this.#port.memory.i32, bellIndex(this.#port));
  }

  /** Every wait probes again, soon: something has changed that no event announces, or the thread is done. */
  checkAgain(): void {
    void Promise.resolve().then(() => {
      for (const event of this.#events) event.checkAll();
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

  /** The thread goes on: its waits set their bits again and probe. */
  resume(): void {
    if (this.#events.some((event) => event.isAwaited)) void Promise.resolve().then(() => this.#answerBell(false));
  }

  /** For events: the thread came by. */
  live(): void {
    if (this.#hasLifeline && !this.#isOver) holdLifeline(this.#port);
  }

  /** For events: the bell is listened to from what it was before the probe. */
  listen(bell: number): void {
    if (!this.#isQueued) this.sleep(bell);
  }

  /** For events: checks again after a while. */
  tick(): void {
    if (this.#isOver) return;
    this.#tick ??= startTimer(() => {
      this.#tick = undefined;
      this.#answerBell(false);
      for (const event of this.#events) event.checkAtTick();
    }, COMPANY_MS);
  }

  /** For events: a wait is over. */
  ended(): void {
    if (this.#tick === undefined || this.#events.some((event) => event.isAwaited)) return;
    clearTimeout(this.#tick);
    this.#tick = undefined;
  }

  /** The bell was raised, or may have been. `isWoken`: by another thread. */
  #answerBell(isWoken: boolean): void {
    if (this.#isOver) return;
    const wasQueued = this.#isQueued;
    // Waits that probe meanwhile must not listen from a later bell than this: it may have been raised for others.
    this.#isQueued = true;
    const bell = readBell(this.#port);
    try {
      const isNews = this.#onRung();
      this.live();
      for (const event of this.#events) {
        if (this.#isOver) break;
        if (isNews) event.checkAll();
        else event.check();
      }
    } finally {
      this.#isQueued = wasQueued || isWoken;
      // What the probes found keeps the thread busy for a while: rung meanwhile, it needs no wake-up.
      if (isWoken && isTurnCheap) nextTurn(() => this.sleep(bell));
      else if (!wasQueued) this.sleep(bell);
    }
  }

  /** The thread has nothing to do any more, as far as is known: listens to its bell, if that is as it was. */
  sleep(bell: number): void {
    this.#isQueued = !this.#isOver && this.canListen;
    if (!this.#isQueued) return;
    const weak = this.#weak;
    const { memory } = this.#port;
    const isRung = readBell(this.#port) !== bell;
    // Always on a fresh stack; and where the bell is raised again and again, the event loop runs now and then. A
    // waitAsync that finds another value costs much more than to read that.
    const news = isRung ? markTurn() : Atomics.waitAsync(memory.i32, bellIndex(this.#port), bell).value;
    void Promise.resolve(news).then(() => weak.deref()?.rung());
  }

  /** For the reaction of the thread's waitAsync. */
  rung(): void {
    this.#isQueued = false;
    this.#answerBell(true);
  }
}

/** One event of the pool, as one thread waits there. */
export class PoolEvent implements WaitEvent, Awaited {
  readonly offset: number;
  isArmed = false;
  isArmedForSeveral = false;
  owes = false;
  readonly spin: Spin | null;
  readonly #waits: Waits;
  readonly #port: Port;
  /** Whether there is a unit, cheaply. */
  readonly isLeft: () => boolean;
  /** By which each wait probes, in their order. */
  readonly #checks: Readonly<Record<Units, Set<() => void>>> = { one: new Set(), several: new Set(), none: new Set() };
  #blocked = 0;
  #isSettling = false;

  constructor(waits: Waits, port: Port, offset: number, isLeft: () => boolean, spin: Spin | null) {
    this.spin = spin;
    this.#waits = waits;
    this.#port = port;
    this.offset = offset;
    this.isLeft = isLeft;
  }

  /** Whether a wait is under way. */
  get isAwaited(): boolean {
    return this.#checks.one.size + this.#checks.several.size > 0;
  }

  begin(check: () => void, units: Units): void {
    this.#checks[units].add(check);
  }

  end(check: () => void, units: Units): void {
    this.#checks[units].delete(check);
    if (!this.isAwaited && this.#blocked === 0 && !this.#port.isLost) disarm(this.#port.engine, this);
    this.#waits.ended();
  }

  arm(units: Units): number {
    const bell = readBell(this.#port);
    if (this.#waits.canListen && units !== 'none') arm(this.#port.engine, this, units === 'several');
    return bell;
  }

  listen(bell: number, check: () => void): boolean {
    // A probe found nothing: there is nothing to pass on.
    if (this.#checks.one.has(check)) this.owes = false;
    if (!this.#waits.canListen) return false;
    this.#waits.listen(bell);
    if (!this.#checks.none.has(check) && this.#needsTick()) this.#waits.tick();
    return true;
  }

  /**
   * Pays what the thread owes here. A wait that only probed took nothing: its caller does that by the loop's next turn,
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

  /** The bell was raised: the bits are set, and the waits probe in their order, while there is something. */
  check(): void {
    this.#checkWhile(this.isLeft);
  }

  /** After a while: pages in other ports' caches are found by taking alone. */
  checkAtTick(): void {
    if (this.offset === FREED) this.#checkWhile(() => true);
  }

  /** Every wait probes. */
  checkAll(): void {
    const { one, several, none } = this.#checks;
    for (const check of [...one, ...several, ...none]) check();
  }

  #checkWhile(isLeft: () => boolean): void {
    for (const units of ['one', 'several'] as const) {
      const checks = this.#checks[units];
      if (checks.size === 0) continue;
      this.arm(units);
      for (const check of checks) {
        if (!isLeft()) {
          if (units === 'one') this.owes = false;
          break;
        }
        check();
        if (checks.has(check)) break;
      }
      // Those that were not called wait on as they did.
      if (checks.size > 0 && this.#needsTick()) this.#waits.tick();
    }
  }

  /**
   * Pages in others' caches are found by probing alone; and in company another one may have been chosen, and be busy.
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
