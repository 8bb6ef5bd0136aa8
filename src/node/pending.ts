// Writes under way: who waits for a callback is notified as well where none will ever come.
//
// Streams forget the callbacks of what they drop when they are destroyed: HTTP messages, a Transform whose readable
// side is full, UDP sockets. There 'close' shows it. A response that waits behind another one (pipelining) is not told
// that its connection has died, so the connection is asked; a request that waits for its agent's connection, and a
// stream that emits no 'close', notify nobody, and are checked from time to time.

import { type EventEmitter, errorMonitor } from 'node:events';
import { isDatagramSocket, isMessage } from './brands.js';
import { isWorkerStream } from './target.js';

/** A write that has not been called back. */
export interface PendingWrite {
  /** The target is gone. */
  giveUp(): void;
  /** The target takes more. */
  onDrain?(): void;
}

type Carrier = EventEmitter & { readonly destroyed?: boolean };

/** What targets have of their state; each has some of it. */
interface TargetState {
  readonly destroyed?: boolean;
  readonly closed?: boolean;
  readonly socket?: EventEmitter | null;
  /** A response's request, which knows the connection. */
  readonly req?: { readonly socket?: Carrier | null } | null;
  readonly _writableState?: { readonly emitClose?: boolean };
}

/** How often a target is checked that notifies nobody. */
const CHECK_MS = 50;

const known = new WeakMap<EventEmitter, PendingWrites>();
const closings = new WeakMap<EventEmitter, Set<() => void>>();
const closed = new WeakSet<EventEmitter>();

/** The writes under way to a target. */
export class PendingWrites {
  readonly #target: EventEmitter;
  /** Whose end is the target's, too. */
  readonly #carrier: Carrier | undefined;
  readonly #isMessage: boolean;
  readonly #writes = new Set<PendingWrite>();
  #checkTimer: ReturnType<typeof setInterval> | undefined;

  private constructor(target: EventEmitter) {
    this.#target = target;
    onClose(target, this.#afterwards);
    this.#isMessage = isMessage(target);
    this.#carrier = carrierOf(target, this.#isMessage);
    if (this.#carrier !== undefined) onClose(this.#carrier, this.#afterwards);
    if (isDatagramSocket(target)) {
      // A socket that could not be bound drops what waits for that, and is not closed.
      (target as EventEmitter).on(errorMonitor, () => {
        if (!isBound(target)) this.#afterwards();
      });
    }
  }

  static of(target: EventEmitter): PendingWrites {
    let writes = known.get(target);
    if (writes === undefined) {
      writes = new PendingWrites(target);
      known.set(target, writes);
    }
    return writes;
  }

  /** Whether nobody will ever take, or call back, what is written to the target. */
  get isGone(): boolean {
    const carrier = this.#carrier;
    return carrier !== undefined && (carrier.destroyed === true || closed.has(carrier));
  }

  add(write: PendingWrite): void {
    this.#writes.add(write);
    if (this.#checkTimer !== undefined || !this.#isSilent()) return;
    this.#checkTimer = setInterval(() => {
      if ((this.#target as TargetState).destroyed === true) this.#afterwards();
      else if (!this.#isSilent()) this.#endChecks();
    }, CHECK_MS);
    this.#checkTimer.unref?.();
  }

  /** Whether it may be destroyed and notify nobody: a message while it has no connection, a stream without 'close'. */
  #isSilent(): boolean {
    const { socket, _writableState: state } = this.#target as TargetState;
    return (this.#isMessage && socket === null) || state?.emitClose === false;
  }

  delete(write: PendingWrite): void {
    this.#writes.delete(write);
    if (this.#writes.size === 0) this.#endChecks();
  }

  /** The target takes more: for those that wait for that. */
  drained(): void {
    for (const write of [...this.#writes]) write.onDrain?.();
  }

  #endChecks(): void {
    clearInterval(this.#checkTimer);
    this.#checkTimer = undefined;
  }

  /**
   * 'close' comes before libuv has called back the writes that it cancels: those come until the turn after the next.
   */
  readonly #afterwards = (): void => {
    this.#endChecks();
    const forgotten = [...this.#writes];
    setImmediate(() =>
      setImmediate(() => {
        for (const write of forgotten) if (this.#writes.has(write)) write.giveUp();
      }),
    );
  };
}

/** Calls it when the emitter is closed: one listener for all, since a connection may have many responses. */
function onClose(emitter: EventEmitter, call: () => void): void {
  let calls = closings.get(emitter);
  if (calls === undefined) {
    const all = new Set<() => void>();
    calls = all;
    closings.set(emitter, all);
    emitter.on('close', () => {
      closed.add(emitter);
      for (const each of all) each();
    });
  }
  calls.add(call);
}

/**
 * Whose end is the target's, too: the connection of a response that waits behind others, the port of a worker's
 * standard stream.
 */
function carrierOf(target: EventEmitter, isOfHttp: boolean): Carrier | undefined {
  const { socket, req } = target as TargetState;
  if (isOfHttp) return socket === null ? (req?.socket ?? undefined) : undefined;
  if (!isWorkerStream(target)) return undefined;
  const port = Object.getOwnPropertySymbols(target).find(({ description }) => description === 'kPort');
  const carrier = port === undefined ? undefined : (target as unknown as Record<symbol, unknown>)[port];
  return typeof (carrier as Partial<EventEmitter>)?.on === 'function' ? (carrier as Carrier) : undefined;
}

function isBound(socket: { address(): { readonly port: number } }): boolean {
  try {
    return socket.address().port !== 0;
  } catch {
    return false;
  }
}
