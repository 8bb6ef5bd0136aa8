// Looks at the pool as long as somebody wants to see it, and hands each look on: to every client the same text.
//
// With nobody there, no timer runs and the pool is not read. Two observers: one for the map and the rates of each look,
// and one for lints, which judge by what lasts over seconds.

import { type Lint, stalledWait } from '../inspect/lints.js';
import type { Observer } from '../inspect/observer.js';
import type { PageMap } from '../inspect/page-map.js';
import type { ObservedPort, PoolSnapshot } from '../inspect/snapshot.js';
import { monotonicMs } from '../platform/clock.js';
import { startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import { type Holder, portName } from '../reports/holders.js';
import { type Beside, NOTHING } from './beside.js';
import { HeardStalls } from './heard-stalls.js';
import { type Look, type PoolEvent, packMap } from './wire.js';

const LOOK_MS = 250;
const LINTS_MS = 1000;
/** A look may take one part in so many of the time, as long as it comes once a second. */
const REST = 10;
const LATE_MS = 1000;
/** Frames after which a map is whole again, so that a recording can be wound back. */
const WHOLE_AFTER = 40;
/** A whole map needs a look of its own: a pool of very many pages is looked at less often. */
const PAGES_A_LOOK = 1 << 16;
const EVENTS_MAX = 200;

/** One pool's looks. */
export class Watcher {
  readonly #observer: Observer;
  readonly #judge: Observer;
  readonly #askBeside: () => void;
  readonly #stalls = new HeardStalls();
  readonly #clients = new Map<(json: string) => void, { isNew: boolean }>();
  #timer: Timer | undefined;
  #before: PoolSnapshot | null = null;
  #map: PageMap | null = null;
  #frames = 0;
  #lints: Lint[] = [];
  #holders: Holder[] = [];
  #beside: Beside = NOTHING;
  #events: PoolEvent[] = [];
  #judgedMs = -Infinity;

  /**
   * @param askBeside asks for what only the pool's own thread knows; the answer comes by `setBeside`, now or later
   */
  constructor(observer: Observer, judge: Observer, askBeside: () => void) {
    this.#observer = observer;
    this.#judge = judge;
    this.#askBeside = askBeside;
  }

  /** Bytes of a whole map as text. */
  get mapBytes(): number {
    return 3 * (this.#map?.places.length ?? 0);
  }

  /** Gives every look to `client`, the first one with its whole map, until what is returned is called. */
  subscribe(client: (json: string) => void): () => void {
    this.#clients.set(client, { isNew: true });
    clearTimeout(this.#timer);
    this.#tick();
    return () => {
      this.#clients.delete(client);
      if (this.#clients.size > 0) return;
      clearTimeout(this.#timer);
      this.#timer = undefined;
      this.#map = null;
    };
  }

  /** A look for somebody who wants one. */
  lookAsJson(): string {
    const { map, ...look } = this.#look();
    return JSON.stringify({ ...look, map: { places: [...map.places], owners: [...map.owners] } });
  }

  /** The snapshot and lints for metrics. */
  look(): Look {
    return this.#look();
  }

  setBeside(beside: Beside): void {
    this.#beside = beside;
  }

  /** Something that another thread saw. */
  happened(event: PoolEvent): void {
    this.#events = [...this.#events, event].slice(-EVENTS_MAX);
    if (event.stall === undefined) return;
    this.#stalls.hear(event.stall, this.#judge.snapshot());
    this.#judgedMs = -Infinity;
  }

  readonly #tick = (): void => {
    const startMs = monotonicMs();
    const look = this.#look();
    const { map, ...rest } = look;
    const isWholeDue = this.#map === null || this.#frames++ % WHOLE_AFTER === 0;
    const events = this.#events.splice(0);
    const text = (before: PageMap | null): string => JSON.stringify({ ...rest, events, map: packMap(map, before) });
    let [whole, changes]: (string | undefined)[] = [];
    for (const [client, state] of [...this.#clients]) {
      if (state.isNew || isWholeDue) whole ??= text(null);
      else changes ??= text(this.#map);
      client((state.isNew || isWholeDue ? whole : changes) as string);
      state.isNew = false;
    }
    this.#map = map;
    const tookMs = monotonicMs() - startMs;
    const slower = Math.ceil(look.pageCount / PAGES_A_LOOK);
    const restMs = Math.max(LOOK_MS * slower, Math.min(LATE_MS, REST * tookMs));
    if (this.#clients.size > 0) this.#timer = startTimer(this.#tick, restMs);
  };

  #look(): Look {
    const snapshot = this.#observer.snapshot();
    this.#compare(snapshot);
    if (this.#stalls.follow(snapshot)) this.#judgedMs = -Infinity;
    if (monotonicMs() - this.#judgedMs >= LINTS_MS) {
      this.#judgedMs = monotonicMs();
      this.#holders = this.#judge.holders();
      this.#lints = this.#findings(snapshot);
      this.#askBeside();
    }
    const { leaks, ...descriptions } = this.#beside;
    return {
      ...snapshot,
      ports: this.#stalls.portsOf(snapshot),
      provider: { ...snapshot.provider, ...descriptions },
      at: Date.now(),
      lints: this.#lints,
      holders: this.#holders,
      leaks,
      events: this.#events,
    };
  }

  /** What the lints find, and the standstills that threads reported, which they may not see for a while. */
  #findings(snapshot: PoolSnapshot): Lint[] {
    const found = this.#judge.lints();
    if (snapshot.state === 'destroyed') return found;
    const heard = this.#stalls.waits(snapshot);
    const isHeard = ({ name, portId }: Lint): boolean =>
      name === 'stalled-wait' && heard.some(({ port }) => port.portId === portId);
    return [
      ...heard.map(({ port, wait }) => stalledWait(port, wait, this.#holders)),
      ...found.filter((lint) => !isHeard(lint)),
    ];
  }

  /** What has happened, by two snapshots. */
  #compare(after: PoolSnapshot): void {
    const before = this.#before;
    this.#before = after;
    if (before === null) return;
    const say = (kind: PoolEvent['kind'], text: string): void => this.happened({ at: Date.now(), kind, text });
    if (after.state !== before.state) say('close', `the pool is ${after.state}`);
    for (const [id, port] of after.ports.entries()) this.#comparePort(before.ports[id] as ObservedPort, port, say);
  }

  #comparePort(before: ObservedPort, after: ObservedPort, say: (kind: PoolEvent['kind'], text: string) => void): void {
    const name = ({ label, portId }: ObservedPort): string => portName(portId, label, 0);
    const isOther = before.isClaimed && after.isClaimed && before.thread !== after.thread;
    if (before.isClaimed && (!after.isClaimed || isOther)) {
      const had = before.held > 0 ? `; it had held ${before.held} pages` : '';
      say('leave', `${name(before)} is free${had}`);
    }
    if (after.isClaimed && (!before.isClaimed || isOther)) say('attach', `${name(after)} attached`);
    if (after.state === 'set aside' && before.state !== 'set aside') say('set aside', `${name(after)} is set aside`);
  }
}
