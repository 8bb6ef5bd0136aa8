// Closing: from "no page is allocated any more" to "every page is home", without ever blocking.
//
// The creator announces it on the state word, closes and drains the channels and asks every port to return its cache
// back; then it checks again each second, and whenever somebody waits for the end, until every port has parked and
// in-flight is 0. The header names who closes: when that port is gone, another one that finds that out goes on. Source:
// page_pool_destroy and its delayed release work.

import {
  CONTROL_BASE,
  HEADER_REAPS_OFFSET,
  STATE_ACTIVE,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { beginEnding, destroyIfHome, mayEnd, takeOver } from '../control/ending.js';
import { loadWord } from '../control/nodes.js';
import { withSoundWords } from '../control/sound.js';
import { inflight, pinnedPages, poolState, runningPorts } from '../control/state.js';
import { requireSound } from '../control/unsound.js';
import { PagePoolError, reasonOf } from '../errors.js';
import { publish, warn } from '../platform/console.js';
import { hasTimers, startTimer } from '../platform/timers.js';
import type { Timer } from '../platform/types.js';
import type { Port } from '../port/port.js';
import { type WaitOptions, waitFor } from '../port/waiting.js';
import type { WaitEvent } from '../port/waits.js';
import { hasQuarantine } from '../recovery/quarantine.js';
import { auditPool } from '../reports/audit.js';
import { findHolders, type Holder } from '../reports/holders.js';

/** What `close()` found at its end. */
export interface CloseReport {
  /** Every page is home; false when `timeoutMs` was over before. The pool goes on closing then. */
  readonly isDestroyed: boolean;
  /** Pages that are not with the provider: held by users, or in caches of ports that have not run since. */
  readonly inflight: number;
  /** Pages that somebody has pinned: they outlast the pool. */
  readonly pinned: number;
  /** Who keeps the pool from its end; none when it is destroyed. */
  readonly holders: readonly Holder[];
  /** This thread did not create the pool: it closes it in the place of a thread that is gone. */
  readonly isTakenOver: boolean;
}

const RETRY_MS = 1000;
/** Retries without progress before each warning: a minute. */
const STALL_RETRIES = 60;
/** Of somebody who waits, one probe of as many also settles what deaths left; fewer do where an audit takes long. */
const PROBES_PER_AUDIT = 16;
const PAGES_PER_PROBE = 256;

/** One thread's side of closing. */
export class Closing {
  readonly #port: Port;
  readonly #onDestroyed: () => void;
  readonly #isCreator: boolean;
  #isCloser = false;
  /** More came home than ever left: no retry can mend that. */
  #isStuck = false;
  #timer: Timer | undefined;
  #probes = 0;
  #progress = '';
  #stalledRetries = 0;

  constructor(port: Port, isCreator: boolean, onDestroyed: () => void) {
    this.#port = port;
    this.#isCreator = isCreator;
    this.#onDestroyed = onDestroyed;
  }

  /** Whether this thread ends the pool. */
  get isCloser(): boolean {
    return this.#isCloser;
  }

  /** Begins to close, once; later calls change nothing. False: it is another thread's to end. */
  start(): boolean {
    if (this.#isCloser) return true;
    if (!mayEnd(this.#port)) return false;
    this.#isCloser = true;
    if (poolState(this.#port.memory) === STATE_ACTIVE) beginEnding(this.#port);
    this.#tell('closing');
    this.#retry();
    return true;
  }

  /** Goes on closing in the place of a port that began and is gone. */
  follow(): void {
    if (this.#isCloser || poolState(this.#port.memory) !== STATE_CLOSING || !hasTimers()) return;
    if (!takeOver(this.#port)) return;
    this.#isCloser = true;
    this.#retry();
  }

  /** The thread is done with the pool. */
  stop(): void {
    if (this.#timer !== undefined) clearTimeout(this.#timer); // worklets have neither
    this.#timer = undefined;
  }

  /** Resolves when the pool is destroyed, or with the state of things when `timeoutMs` is over. */
  async finished(event: WaitEvent, options: WaitOptions): Promise<void> {
    const probesApart = Math.max(PROBES_PER_AUDIT, Math.ceil(this.#port.geometry.pageCount / PAGES_PER_PROBE));
    const probe = (): true | undefined => {
      const isThorough = this.#probes++ % probesApart === 0;
      return this.#port.isGone || this.#step(isThorough) || this.#isStuck ? true : undefined;
    };
    try {
      const wait = { call: 'close', port: this.#port, event, probe, units: 'none' } as const;
      await waitFor({ ...wait, what: 'the end', isReported: true }, options);
    } catch (error) {
      if (!(error instanceof PagePoolError && error.code === 'POOL_ERR_TIMEOUT')) throw error;
    }
  }

  /** Takes in what is home by now. True: everything is, and the pool is destroyed. */
  #step(isThorough: boolean): boolean {
    const { memory, engine } = this.#port;
    if (poolState(memory) === STATE_DESTROYED) return true;
    if (isThorough) requireSound(this.#port, 'close');
    withSoundWords(
      'close',
      () => engine.scrub(),
      (cause) => requireSound(this.#port, 'close', cause),
    );
    if (isThorough) this.#settleDeaths();
    if (!destroyIfHome(this.#port)) return false;
    this.#tell('destroyed');
    this.#onDestroyed();
    return true;
  }

  #tell(state: 'closing' | 'destroyed'): void {
    publish('pagepool:close', { pool: this.#port.name, state, text: `the pool is ${state}` });
  }

  /** What deaths left is settled by an audit while nothing moves; ports that were set aside are reaped by it. */
  #settleDeaths(): void {
    const { memory, geometry } = this.#port;
    const isTouched = loadWord(memory, CONTROL_BASE + HEADER_REAPS_OFFSET) !== 0 || hasQuarantine(this.#port);
    if (isTouched && inflight(memory, geometry) !== 0) auditPool(this.#port);
  }

  readonly #retry = (): void => {
    this.#timer = undefined;
    try {
      if (this.#port.isGone || this.#step(true)) return;
    } catch (error) {
      // Words were overwritten, and nobody catches what a timer throws: close() reports it to whoever asks.
      this.#isStuck = true;
      this.#warn(reasonOf(error));
      return;
    }
    const left = inflight(this.#port.memory, this.#port.geometry);
    if (left < 0) {
      this.#isStuck = true;
      this.#warn(`inflight=${left} (expected 0 or more); the pool's counters are corrupt, it cannot be destroyed`);
      return;
    }
    this.#watchProgress(left);
    this.#timer = startTimer(this.#retry, RETRY_MS);
  };

  #watchProgress(left: number): void {
    const progress = `${left} ${runningPorts(this.#port)}`;
    this.#stalledRetries = progress === this.#progress ? this.#stalledRetries + 1 : 0;
    this.#progress = progress;
    if (this.#stalledRetries === 0 || this.#stalledRetries % STALL_RETRIES !== 0) return;
    const seconds = (this.#stalledRetries * RETRY_MS) / 1000;
    const holders = findHolders(this.#port).map(({ text }) => text);
    this.#warn(`closing has not moved for ${seconds} s: inflight=${left} (expected 0); ${holders.join('; ')}`);
  }

  #warn(text: string): void {
    warn(this.#port.name, text);
  }

  /** How far closing is. */
  report(): CloseReport {
    const { memory, geometry, supply } = this.#port;
    const isDestroyed = poolState(memory) === STATE_DESTROYED;
    return {
      isDestroyed,
      inflight: inflight(memory, geometry),
      // The owner knows its own pins, by which areas are emptied: they end with the pool.
      pinned: pinnedPages(this.#port) - (supply?.recall.ownPins() ?? 0),
      holders: isDestroyed ? [] : findHolders(this.#port),
      isTakenOver: this.#isCloser && !this.#isCreator,
    };
  }
}
