// What a reaping reports: the public type, apart from the code that fills it in.

/** What a reaping found. */
export interface ReapReport {
  readonly portId: number;
  /** False: there was nothing to reap, the port is free (reaped or detached before). */
  readonly isReaped: boolean;
  /** The port may live: it was set aside, and nothing it has is touched until it is shown to be quiet. */
  readonly isQuarantined: boolean;
  /** The thread died inside a step; it was finished or undone. */
  readonly isRepaired: boolean;
  /** Pages on which the thread held references, and how many those were. */
  readonly pages: number;
  readonly references: number;
  /** Pages in its cache. */
  readonly cachedPages: number;
  /** Entries it was about to send, or to drop: released. */
  readonly unsentEntries: number;
  /**
   * Entries it had taken out of channels in a batch and not received: back in the channel, or dropped where it is full
   * or closed.
   */
  readonly returnedEntries: number;
  readonly droppedEntries: number;
  /** Tokens it was adopting: released. */
  readonly tokens: number;
  /**
   * Pages that its death may have left with one reference too many; the next quiet audit, or the close, settles them.
   */
  readonly suspects: readonly number[];
  /** Ports that the thread was reaping when it died: they are reaped as well. */
  readonly inherited: readonly number[];
}
