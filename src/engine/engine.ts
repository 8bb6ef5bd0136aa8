// What an engine is: the hot path of one port, as calls on numbers.
//
// Two engines implement it on the same words (assembly/layout.ts): wasm.ts passes the calls to the Wasm core,
// typescript.ts is written in TypeScript. Both may serve ports of one pool at the same time. A call belongs to the
// port's own thread. Addresses are bytes in the control memory. Results below 0 are codes of layout.ts (ERR_*, FULL,
// EMPTY); nothing throws, but the platform's RangeError where the stack ends, and nothing has changed then.

/** The hot path of one port. */
export interface Engine {
  readonly kind: 'wasm' | 'typescript';

  /** A whole page's handle, or 0. */
  alloc(): number;
  /** Whether there is a page where `alloc` searches first: 1 or 0. What other ports have cached only `alloc` finds. */
  hasPages(): number;
  /** A handle on `bytes` bytes of a page, or 0. `bytes` is 1..pageBytes, checked by the caller. */
  allocFragment(bytes: number): number;
  /** Writes up to `count` page handles at `address`; how many. */
  allocBurst(address: number, count: number): number;
  retain(handle: number, count: number): number;
  release(handle: number): number;
  /**
   * How many of the handles at `address` were released, from the front; fewer than `count`: the next one was refused.
   */
  releaseBulk(address: number, count: number): number;

  /**
   * Where the fragment starts in its area, an unsigned byte offset passed as an int32, or 0 when refused (`extent`
   * returns why).
   */
  offset(handle: number): number;
  /** Bytes reserved for the fragment, or a code. */
  extent(handle: number): number;
  /** How many references the fragment has, or a code. */
  refCount(handle: number): number;

  /** The page's number, a token good for one unpin, or a code. */
  pin(handle: number): number;
  unpin(page: number): number;

  /** OK (the reference went along, or the channel's policy dropped it), FULL, or a code. */
  send(channel: number, handle: number, offset: number, length: number, tag: number): number;
  /**
   * How many of the entries (4 words each) at `address` went, from the front; below `count` with `lastError()` telling
   * why (FULL or a code). `more` is 0, or a bit for each entry whose next one belongs to the same message: then all go
   * together or none does, a channel that drops the newest returns FULL, too, and `count` is at most the channel's
   * batch and its capacity.
   */
  sendBurst(channel: number, address: number, count: number, more: number): number;
  /** Writes up to `maxCount` entries at `address`; how many came. 0: empty, or `lastError()` < 0. */
  receiveBurst(channel: number, address: number, maxCount: number): number;
  /** Whether `send`, or with several entries a message of them, would not return FULL now: 1 or 0. */
  canSend(channel: number, entries: number): number;
  /** Whether `receiveBurst` would bring an entry now: 1 or 0. */
  canReceive(channel: number): number;
  /** No more sends; wakes every waiter. Entries inside can still be received. */
  closeChannel(channel: number): void;
  /** Why the last burst stopped early: OK, FULL, EMPTY or a code. */
  lastError(): number;

  /** Moves this thread's reference into a token; the loan's {sequence, index of the token}, or a code. */
  lend(handle: number, offset: number, length: number, timeSeconds: number): number;
  /**
   * Takes a lent reference over: writes {handle, offset, length} at `address`; OK or ERR_TOKEN_SPENT, ERR_REF_OVERFLOW.
   */
  adopt(index: number, sequence: number, address: number): number;

  /**
   * Sends a call of 1 or 2 entries (4 words each) at `address`, whose tags become the call's number; that number, or
   * FULL, ERR_NO_REPLY_SLOT or another code, and nothing changed.
   */
  ask(channel: number, address: number, count: number): number;
  /** Takes the oldest call: writes its 1 or 2 entries at `address`; how many. 0: none, or `lastError()` < 0. */
  accept(channel: number, address: number): number;
  /**
   * Answers a call that this port serves, with a reference that goes along, or fails it (`handle` 0). OK; ERR_CALL_OVER
   * when the asker wants it no more; a code. The reference stays where it is not OK.
   */
  reply(call: number, handle: number, offset: number, length: number, status: number): number;
  /**
   * Collects the answer of this port's call: writes {handle, offset, length, status} at `address`; handle 0: it failed.
   * OK, EMPTY (not yet), or a code.
   */
  collect(call: number, address: number): number;
  /** Gives this port's call up: OK, or ERR_CALL_OVER when it is answered and can be collected. */
  cancel(call: number): number;

  /** Returns magazines and the fragment page to the ring; releases go through at once until `unpark`. */
  park(): void;
  unpark(): void;
  /** Asks every other port for its cached pages, as `alloc` does that finds none anywhere. */
  press(): void;
  /** Serves what others asked of this port: pressure, closing. */
  poll(): void;
  /** Gives the pages in the ring to the provider; how many. Parks first. */
  trim(): number;
  /** Closing: drains every channel this thread can reach and the ring, gives all to the provider; pages given. */
  scrub(): number;
  /** Releases `count` references the port holds on the page, whatever fragment they are of (detach with release). */
  releaseHeld(page: number, count: number): number;
  /** Something was published: wakes one of those who wait there for one unit, and all who need several. */
  wake(event: number): void;
  /** Wakes one of those who wait there for one unit: for whoever was woken and leaves something behind. */
  pass(event: number): void;
  /** This port waits there, for one unit or for several: 1 if it did before, and nobody has chosen it since. */
  arm(event: number, several: number): number;
  /** It does not wait there any more: 1 if nobody had chosen it. */
  disarm(event: number, several: number): number;
}

/** A call of an engine. */
export type CallName = Exclude<keyof Engine, 'kind'>;
