// Standstills: a wait for a page, for room or for the pool's end that nobody answers is reported once, with what would
// help.
//
// One thread's waits. A timer runs only while one of them sleeps, and never keeps a process alive. Now and then it
// notes who has which pages, so that a report can state how long. What is read of other threads is approximate.

import { CHANNEL_NOT_FULL_OFFSET, CONTROL_BASE, HEADER_FREED_OFFSET } from '../../assembly/layout.js';
import { claimOf } from '../control/claims.js';
import { readLabel } from '../control/label.js';
import { waitingPorts } from '../control/nodes.js';
import type { LeakReport } from '../leaks/report.js';
import { monotonicMs } from '../platform/clock.js';
import { publish, warnOf } from '../platform/console.js';
import { startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import type { Port, WaitWatch, WatchedWait } from '../port/port.js';
import { findHolders, type Holder, portName } from './holders.js';

/** What becomes of waits that nobody answers: each thread's own choice, in `create` and in `attach`. */
export interface StallOptions {
  /** After so long a wait for a page or for room reports that it is not answered; 10,000 if not given; 0: never. */
  stallMs?: number | undefined;
  /** Gets the report; a process warning, or `console.warn` where there is no process, if not given. */
  onStall?: ((report: StallReport) => void) | undefined;
}

/** Waits that nobody answers, and where the pages are. */
export interface StallReport {
  /** The pool's name. */
  readonly pool: string;
  /** The port of the thread that waits, and what the thread calls itself. */
  readonly portId: number;
  readonly label: string;
  /** The waits: the call, what it waits for, and how long it has waited, milliseconds. */
  readonly waits: readonly { readonly call: string; readonly what: string; readonly ms: number }[];
  /** Other threads that wait for a page, or for room. */
  readonly others: readonly { readonly portId: number; readonly label: string; readonly what: string }[];
  /** Who has the pages; `forMs`: as long as that was seen, null where it was not. */
  readonly holders: readonly (Holder & { readonly forMs: number | null })[];
  /** What this thread holds, with its stacks: where `leaks` is on. */
  readonly leaks: readonly LeakReport[];
  /** All of it in a sentence, and what would help. */
  readonly text: string;
}

export const STALL_MS = 10_000;
/** How often the holders are read in the time of one report. */
const READINGS = 4;

/** One thread's waits that sleep. */
export class Stalls implements WaitWatch {
  readonly #port: Port;
  readonly #stallMs: number;
  readonly #onStall: StallOptions['onStall'];
  /** When each wait began. */
  readonly #waits = new Map<WatchedWait, number>();
  /** Since when each holder has what it has. */
  #since = new Map<string, number>();
  #timer: Timer | undefined;
  /** When a wait was answered last. */
  #answeredMs = 0;
  /** Nobody was answered since the last report. */
  #isReported = false;

  constructor(port: Port, { stallMs = STALL_MS, onStall }: StallOptions) {
    this.#port = port;
    this.#stallMs = stallMs;
    this.#onStall = onStall;
  }

  begin(wait: WatchedWait): void {
    if (wait.isReported !== true || this.#stallMs === 0 || this.#stallMs === Infinity) return;
    this.#waits.set(wait, wait.startMs ?? monotonicMs());
    this.#timer ??= startTimer(this.#check, this.#stallMs / READINGS);
  }

  end(wait: WatchedWait, isAnswered: boolean): void {
    if (!this.#waits.delete(wait)) return;
    if (isAnswered) {
      this.#isReported = false;
      this.#answeredMs = monotonicMs();
    }
    if (this.#waits.size > 0) return;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    this.#since.clear();
  }

  describe(wait: WatchedWait): string {
    const { places, remedy } = this.#report([[wait, monotonicMs()]]);
    return places === '' ? remedy : `${places}; ${remedy}`;
  }

  readonly #check = (): void => {
    this.#timer = startTimer(this.#check, this.#stallMs / READINGS);
    if (this.#isReported) return;
    const now = monotonicMs();
    // A reading takes in what was read before: who has the same pages still has them since then.
    this.#since = new Map(findHolders(this.#port).map(({ text }) => [text, this.#since.get(text) ?? now]));
    const waits = [...this.#waits];
    if (!waits.some(([, startMs]) => now - Math.max(startMs, this.#answeredMs) >= this.#stallMs)) return;
    this.#isReported = true;
    const { report } = this.#report(waits);
    publish('pagepool:stall', report);
    if (this.#onStall !== undefined) this.#onStall(report);
    else warnOf('PAGEPOOL_STALL', report.text);
  };

  #report(late: readonly (readonly [WatchedWait, number])[]): {
    readonly report: StallReport;
    readonly places: string;
    readonly remedy: string;
  } {
    const { geometry, id: portId, label, leaks, memory, name: pool, supply } = this.#port;
    const now = monotonicMs();
    const waits = late.map(([{ call, what = '' }, startMs]) => ({ call, what, ms: now - startMs }));
    const others = otherWaits(this.#port);
    const holders = findHolders(this.#port).map((holder) => {
      const since = this.#since.get(holder.text);
      return { ...holder, forMs: since === undefined || since === now ? null : now - since };
    });
    const own = leaks?.reports(0) ?? [];
    const [oldest] = own;
    const sentences = [
      ...others.map((other) => `${portName(other.portId, other.label, 0)} waits for ${other.what}`),
      ...holders.map(({ text, forMs }) => (forMs === null ? text : `${text}, for ${seconds(forMs)} or longer`)),
      ...(oldest === undefined
        ? []
        : [`page ${oldest.page} came to this thread ${seconds(oldest.ageMs)} ago${at(oldest)}`]),
    ];
    const places = sentences.join('; ');
    const unaware = supply?.waitingFor() ?? [];
    const named = unaware.map((id) => portName(id, readLabel(memory, geometry, id), 0)).join(', ');
    const remedy =
      named === ''
        ? remedyOf(
            holders,
            geometry,
            late.map(([wait]) => wait),
          )
        : `let ${named} return to the event loop: new memory waits until every thread has learned of it`;
    const [first] = waits;
    const more = waits.length > 1 ? ` (and ${waits.length - 1} more)` : '';
    const text = `pool ${JSON.stringify(pool)} stands still: ${first?.call} has waited ${seconds(first?.ms ?? 0)} for ${first?.what}${more}; ${places}; ${remedy}`;
    return { report: { pool, portId, label, waits, others, holders, leaks: own, text }, places, remedy };
  }
}

/** What other threads wait for. */
function otherWaits(port: Port): StallReport['others'] {
  const { geometry, id, memory } = port;
  const at = (event: number, what: string): StallReport['others'] =>
    waitingPorts(port, event)
      .filter((portId) => portId !== id && claimOf(memory, geometry, portId) !== 0)
      .map((portId) => ({ portId, label: readLabel(memory, geometry, portId), what }));
  return [
    ...at(CONTROL_BASE + HEADER_FREED_OFFSET, 'a page'),
    ...geometry.channels.flatMap(({ name, offset }) => at(offset + CHANNEL_NOT_FULL_OFFSET, roomIn(name))),
  ];
}

/** As a wait's `what`. */
function roomIn(channel: string): string {
  return `room in channel ${JSON.stringify(channel)}`;
}

/** What would help, by who has most of the pages. */
function remedyOf(
  holders: readonly Holder[],
  { channels, pageCount }: Port['geometry'],
  waits: readonly WatchedWait[],
): string {
  const full = channels.find(({ name }) => waits.some(({ what }) => what === roomIn(name)));
  if (full !== undefined) {
    return `receive from channel ${JSON.stringify(full.name)}, and watch() the threads that do: a dead one receives nothing`;
  }
  const queued = (name: string): number =>
    holders.reduce((sum, { channel, pageCount: pages }) => (channel === name ? sum + pages : sum), 0);
  const most = [...channels].sort((one, other) => queued(other.name) - queued(one.name))[0];
  if (most !== undefined && queued(most.name) * 2 >= pageCount) {
    const enough = Math.max(1, Math.floor(pageCount / (2 * channels.length)));
    return `give channel ${JSON.stringify(most.name)} a smaller capacity (${most.capacity} now; ${enough} leaves pages to those who work), answer in the page of the request, or create the pool with more pages`;
  }
  const kinds = new Set(holders.map(({ kind }) => kind));
  if (kinds.has('references'))
    return 'release what is held, reap the ports of dead threads, or create the pool with more pages';
  if (kinds.has('token')) return 'adopt() or reclaimTokens() what was lent';
  return 'let the threads that cache pages return to their event loops, or call poll() there';
}

function at({ stack }: LeakReport): string {
  const [frame = ''] = stack.split('\n');
  return frame === '' ? '' : ` ${frame.trim()}`;
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
