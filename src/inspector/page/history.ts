// What the plots show: figures of each look over the last minutes, in columns.

import type { Look } from '../wire.js';

/** Looks that are kept: five minutes of four a second. */
const LENGTH = 1200;

/** Changes a second that a look has against the one before, by thread. */
export interface PortRates {
  readonly taken: number;
  readonly refilled: number;
  readonly returned: number;
  readonly allocated: number;
  readonly lanes: readonly { readonly sent: number; readonly received: number }[];
}

/** The figures of one look. */
export interface Figures {
  readonly at: number;
  readonly allocated: number;
  /** Entries that were received, and calls that were answered. */
  readonly handOffs: number;
  readonly waiting: number;
  readonly longestWaitMs: number;
  readonly ports: readonly PortRates[];
}

/** Threads that wait for a page or for room; who waits for an entry is idle. */
export function stuckWaits({ ports }: Look): { readonly what: string; readonly forMs: number }[] {
  return ports.flatMap(({ waits }) => waits).filter(({ what }) => !what.startsWith('an entry'));
}

/** The last minutes. */
export class History {
  readonly at: number[] = [];
  readonly columns = new Map<string, (number | null)[]>();
  #before: Look | null = null;
  #figures: Figures | null = null;

  /** Forgets everything: another pool, or another moment. */
  clear(): void {
    this.at.length = 0;
    this.columns.clear();
    this.#before = null;
    this.#figures = null;
  }

  /** Takes in a look. */
  add(look: Look): Figures {
    const before = this.#before;
    this.#before = look;
    const seconds = before === null ? 0 : (look.atMs - before.atMs) / 1000;
    const rate = (now: number, then: number): number => (seconds > 0 ? Math.max(0, now - then) / seconds : 0);
    const wrapped = (now: number, then: number): number => (seconds > 0 ? ((now - then) >>> 0) / seconds : 0);
    const ports = look.ports.map((port, id): PortRates => {
      const then = before?.ports[id] ?? port;
      return {
        taken: wrapped(port.hold, then.hold),
        refilled: rate(port.alloc.refill, then.alloc.refill),
        returned: rate(port.recycle.ring, then.recycle.ring),
        allocated: rate(allocations(port), allocations(then)),
        lanes: port.lanes.map(({ received, sent }, i) => ({
          sent: wrapped(sent, then.lanes[i]?.sent ?? sent),
          received: wrapped(received, then.lanes[i]?.received ?? received),
        })),
      };
    });
    const waits = stuckWaits(look);
    const handOffs = handOffsOf(look);
    const figures: Figures = {
      at: look.at,
      allocated: look.rates?.allocated ?? 0,
      handOffs: Object.values(handOffs).reduce((sum, each) => sum + each, 0),
      waiting: waits.length,
      longestWaitMs: waits.reduce((most, { forMs }) => Math.max(most, forMs), 0),
      ports,
    };
    this.#figures = figures;
    const { alloc } = look.counters;
    const old = before?.counters.alloc ?? alloc;
    const { places, pageBytes } = look;
    this.#push(look.at, {
      'in flight': look.inflight,
      used: places.used + places.open,
      'in channels': places.channel,
      idle: places.cached + places.ring,
      cache: rate(alloc.fast, old.fast),
      ring: rate(alloc.refill, old.refill),
      provider: rate(alloc.slow, old.slow),
      stolen: rate(alloc.stolen, old.stolen),
      'found none': rate(alloc.fail, old.fail),
      'waiting threads': figures.waiting,
      held: (places.used + places.open + places.channel + places.token + places.reply) * pageBytes,
      out: look.inflight * pageBytes,
      ...handOffs,
    });
    return figures;
  }

  get figures(): Figures | null {
    return this.#figures;
  }

  #push(at: number, values: Readonly<Record<string, number>>): void {
    this.at.push(at / 1000);
    for (const [name, value] of Object.entries(values)) {
      let column = this.columns.get(name);
      if (column === undefined) {
        column = new Array(this.at.length - 1).fill(null);
        this.columns.set(name, column);
      }
      column.push(value);
    }
    if (this.at.length <= LENGTH) return;
    this.at.shift();
    for (const column of this.columns.values()) column.shift();
  }
}

/** A second, of each channel and of each calls: what the plot shows, and the sum of which the tile does. */
function handOffsOf({ calls, channels, rates }: Look): Readonly<Record<string, number>> {
  return Object.fromEntries([
    ...channels.map(({ name }, i) => [`channel ${name}`, rates?.channels[i]?.received ?? 0]),
    ...calls.map(({ name }, i) => [`calls ${name}`, rates?.calls[i]?.answered ?? 0]),
  ]);
}

function allocations({ alloc }: Look['ports'][number]): number {
  return alloc.fast + alloc.refill + alloc.slow;
}
