// Closing: from "no page is handed out any more" to "every page is home", without ever blocking.
//
// The creator announces it on the state word, closes and drains the channels and asks every port to hand its cache back; then
// it looks again each second, and whenever somebody waits for the end, until in-flight is 0. Other threads follow the state
// word: an idle one is called by waitAsync, a busy one sees its cache limit at its next release.
// Source: page_pool_destroy and its delayed release work.

import {
  CONTROL_BASE,
  HEADER_FREED_OFFSET,
  HEADER_STATE_OFFSET,
  HEADER_STATE_SEQ_OFFSET,
  PORT_LIMIT_OFFSET,
  STATE_ACTIVE,
  STATE_CLOSING,
  STATE_DESTROYED,
} from '../../assembly/layout.js';
import { PagePoolError } from '../errors.js';
import { hasWaitAsync } from './capabilities.js';
import { inflight, type Port, poolState, portOffset } from './port.js';
import { type EventCount, startTimer, type WaitOptions, waitFor } from './waiting.js';

/** What `close()` found at its end. */
export interface CloseReport {
  /** Every page is home; false when `timeoutMs` was over before. The pool goes on closing then. */
  readonly isDestroyed: boolean;
  /** Pages that are not home: held by users, or cached by ports that have not run since. */
  readonly inflight: number;
}

const RETRY_MS = 1000;

/** The creator's side of closing. */
export class Closing {
  readonly #port: Port;
  readonly #onDestroyed: () => void;
  #isStarted = false;

  constructor(port: Port, onDestroyed: () => void) {
    this.#port = port;
    this.#onDestroyed = onDestroyed;
  }

  /** Begins to close, once; later calls change nothing. */
  start(): void {
    if (this.#isStarted) return;
    this.#isStarted = true;
    close(this.#port, STATE_CLOSING);
    press(this.#port);
    this.#retry();
  }

  /** Resolves when the pool is destroyed, or with the state of things when `timeoutMs` is over. */
  async finished(event: EventCount, options: WaitOptions): Promise<CloseReport> {
    const probe = (): true | undefined => (this.#step() ? true : undefined);
    try {
      await waitFor({ call: 'close', port: this.#port, event, probe, looks: true }, options);
    } catch (error) {
      if (!(error instanceof PagePoolError && error.code === 'POOL_ERR_TIMEOUT')) throw error;
    }
    const { memory, geometry } = this.#port;
    return { isDestroyed: poolState(memory) === STATE_DESTROYED, inflight: inflight(memory, geometry) };
  }

  /** Takes in what is home by now. True: everything is, and the pool is destroyed. */
  #step(): boolean {
    const { memory, geometry, engine } = this.#port;
    if (poolState(memory) === STATE_DESTROYED) return true;
    engine.scrub();
    if (inflight(memory, geometry) !== 0) return false;
    close(this.#port, STATE_DESTROYED);
    this.#onDestroyed();
    return true;
  }

  readonly #retry = (): void => {
    if (this.#step()) return;
    const { memory, geometry, name } = this.#port;
    const left = inflight(memory, geometry);
    if (left < 0) {
      // More came home than ever left: no retry can mend that.
      globalThis.console?.warn(
        `pagepool "${name}": inflight=${left} (expected 0 or more); the pool's counters are corrupt`,
      );
      return;
    }
    startTimer(this.#retry, RETRY_MS);
  };
}

/** Asks every port for its pages. */
function press({ memory, geometry }: Port): void {
  for (let id = 0; id < geometry.maxPorts; id++) {
    // R4 pairs with A2 in assembly/pool.ts poll: the port's next release, or poll, hands its pages back.
    Atomics.store(memory.i32, (portOffset(geometry, id) + PORT_LIMIT_OFFSET) >>> 2, 0);
  }
}

/** Closes the pool further, to `state`, and wakes everybody who may wait for that. */
function close({ memory, engine }: Port, state: number): void {
  const sequence = (CONTROL_BASE + HEADER_STATE_SEQ_OFFSET) >>> 2;
  // R1 pairs with A1 in assembly/cache.ts isActive: from here on no port hands pages out.
  Atomics.store(memory.i32, (CONTROL_BASE + HEADER_STATE_OFFSET) >>> 2, state);
  // R2 pairs with A5 in watchState: whoever sees the sequence move sees the state.
  Atomics.add(memory.i32, sequence, 1);
  // N3 no ordering needed: the sequence was raised before.
  Atomics.notify(memory.i32, sequence);
  engine.wake(CONTROL_BASE + HEADER_FREED_OFFSET);
}

/** Ends this thread's watch; others that watch look once for nothing. */
export function endWatch({ memory }: Port): void {
  // N6 no ordering needed: nothing changed, the queued wait is only let go.
  if (memory.isShared) Atomics.notify(memory.i32, (CONTROL_BASE + HEADER_STATE_SEQ_OFFSET) >>> 2);
}

/** Calls `onChange` when the pool's state changes, until that returns false. Does not keep Node's event loop alive. */
export function watchState(port: Port, onChange: () => boolean): void {
  const { memory } = port;
  if (!memory.isShared || !hasWaitAsync()) return;
  const index = (CONTROL_BASE + HEADER_STATE_SEQ_OFFSET) >>> 2;
  // A5 pairs with R2 in close: a change after this ends the wait.
  const sequence = Atomics.load(memory.i32, index);
  if (poolState(memory) !== STATE_ACTIVE && !onChange()) return;
  const { async, value } = Atomics.waitAsync(memory.i32, index, sequence);
  void (async ? value : Promise.resolve()).then(() => {
    if (onChange()) watchState(port, onChange);
  });
}
