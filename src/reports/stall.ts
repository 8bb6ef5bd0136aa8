// Standstills: a wait for a page, for room or for the pool's end that nobody answers is reported once, with what would
// help; and a call that no thread takes.
//
// One thread's waits. A timer runs only while one of them sleeps, and never keeps a process alive. Now and then it
// notes who has which pages, so that a report can state how long. What is read of other threads is approximate.

import {
  CHANNEL_NOT_FULL_OFFSET,
  CONTROL_BASE,
  HEADER_FREED_OFFSET,
  REPLY_CHANNEL_OFFSET,
  REPLY_OUT,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import { replyOffset } from '../control/calls.js';
import { claimOf, type SharedWords } from '../control/claims.js';
import { type ChannelGeometry, titleOf } from '../control/geometry.js';
import { readLabel } from '../control/label.js';
import { loadWord, waitingPorts } from '../control/nodes.js';
import type { LeakReport } from '../leaks/report.js';
import { monotonicMs } from '../platform/clock.js';
import { publish, warnOf } from '../platform/console.js';
import { startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import type { Port, WaitWatch, WatchedWait } from '../port/port.js';
import { findHolders, type Holder, portName } from './holders.js';
import { remedyForCalls } from './servers.js';

/** What becomes of waits that nobody answers: each thread's own choice, in `create` and in `attach`. */
export interface StallOptions {
  /**
   * After so long a wait for a page or for room that is not answered is reported, and a call that no thread takes;
   * 10,000 if not given; 0: never.
   */
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
  /** Since when each call of this thread was seen in a queue. */
  #queued = new Map<number, number>();
  /** Waits for answers that sleep; a timer of their own runs while there are any. */
  #answers = 0;
  #callTimer: Timer | undefined;
  #isCallReported = false;

  constructor(port: Port, { stallMs = STALL_MS, onStall }: StallOptions) {
    this.#port = port;
    this.#stallMs = stallMs;
    this.#onStall = onStall;
  }

  begin(wait: WatchedWait, leftMs: number): void {
    if (this.#stallMs === 0 || this.#stallMs === Infinity) return;
    if (wait.isAnswer === true) {
      this.#answers++;
      this.#callTimer ??= startTimer(this.#checkCalls, this.#stallMs / READINGS);
    }
    if (wait.isReported !== true) return;
    this.#waits.set(wait, wait.startMs ?? monotonicMs());
    // A wait that is over before the first look needs none.
    if (leftMs > this.#stallMs / READINGS) this.#timer ??= startTimer(this.#check, this.#stallMs / READINGS);
  }

  end(wait: WatchedWait, isAnswered: boolean): void {
    if (wait.isAnswer === true && this.#callTimer !== undefined && --this.#answers === 0) {
      clearTimeout(this.#callTimer);
      this.#callTimer = undefined;
      this.#queued.clear();
      this.#isCallReported = false;
    }
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

  readonly #checkCalls = (): void => {
    this.#callTimer = startTimer(this.#checkCalls, this.#stallMs / READINGS);
    const { geometry, id, memory } = this.#port;
    const now = monotonicMs();
    const queued = new Map<number, number>();
    let oldest: readonly [WatchedWait, number] | undefined;
    for (let slot = 0; slot < geometry.replyCount; slot++) {
      const reply = replyOffset(geometry, id, slot);
      const word = loadWord(memory, reply);
      if ((word & REPLY_STATE_MASK) !== REPLY_OUT) continue;
      // A word is of one call in one slot: two slots may have the same one.
      const key = word * geometry.replyCount + slot;
      const sinceMs = this.#queued.get(key) ?? now;
      queued.set(key, sinceMs);
      if (oldest !== undefined && sinceMs >= oldest[1]) continue;
      const channel = geometry.channels[loadWord(memory, reply + REPLY_CHANNEL_OFFSET)] as ChannelGeometry;
      oldest = [{ call: 'call', what: answerOf(channel) }, sinceMs];
    }
    this.#queued = queued;
    if (oldest === undefined) {
      this.#isCallReported = false;
      return;
    }
    if (this.#isCallReported || now - oldest[1] < this.#stallMs) return;
    this.#isCallReported = true;
    this.#tell([oldest]);
  };

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
    this.#tell(waits);
  };

  #tell(late: readonly (readonly [WatchedWait, number])[]): void {
    const { report } = this.#report(late);
    publish('pagepool:stall', report);
    if (this.#onStall !== undefined) this.#onStall(report);
    else warnOf('PAGEPOOL_STALL', report.text);
  }

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
            this.#port,
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
    ...geometry.channels.flatMap((channel) => at(channel.offset + CHANNEL_NOT_FULL_OFFSET, roomIn(channel))),
  ];
}

/** As a wait's `what`. */
function roomIn(channel: ChannelGeometry): string {
  return `room in ${titleOf(channel)}`;
}

/** As a wait's `what`. */
function answerOf(channel: ChannelGeometry): string {
  return `an answer of ${titleOf(channel)}`;
}

/** What would help, by who has most of the pages. */
function remedyOf(holders: readonly Holder[], words: SharedWords, waits: readonly WatchedWait[]): string {
  const { channels, pageCount } = words.geometry;
  const full = channels.find((channel) => waits.some(({ what }) => what === roomIn(channel)));
  if (full !== undefined && !full.isCalls) {
    return `receive from ${titleOf(full)}, and watch() the threads that do: a dead one receives nothing`;
  }
  const asked = full ?? channels.find((channel) => waits.some(({ what }) => what === answerOf(channel)));
  const queued = (name: string): number =>
    holders.reduce((sum, { channel, pageCount: pages }) => (channel === name ? sum + pages : sum), 0);
  const most = [...channels].sort((one, other) => queued(other.name) - queued(one.name))[0];
  const isMost = most !== undefined && queued(most.name) * 2 >= pageCount;
  const unserved = asked ?? (isMost && most.isCalls ? most : undefined);
  const remedy = unserved === undefined ? undefined : remedyForCalls(words, unserved);
  if (remedy !== undefined) return remedy;
  if (isMost) {
    const enough = Math.max(1, Math.floor(pageCount / (2 * channels.length)));
    const smaller =
      enough < most.capacity
        ? `give ${titleOf(most)} a smaller capacity (${most.capacity} now; ${enough} leaves pages to those who work), `
        : '';
    return `${smaller}answer in the page of the request, or create the pool with more pages`;
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
