// The options of leak tracking and what it reports.

/** Which fragments are tracked: none, one of 128 that come, or every one. */
export type LeakLevel = 'off' | 'sampled' | 'all';

/** How a thread tracks what it holds: each thread's own choice, in `create` and in `attach`. */
export interface LeakOptions {
  /**
   * `'off'` (the default) costs nothing; `'sampled'` tracks one of 128 fragments, at random distances; `'all'` every
   * one. With pagepool/lean both need pagepool/leaks.
   */
  leaks?: LeakLevel | undefined;
  /** Called with each fragment whose Fragment object was collected with its reference; `console.warn` if not given. */
  onLeak?: ((report: LeakReport) => void) | undefined;
}

/** A fragment that this thread holds, and how it came by it. */
export interface LeakReport {
  /** The pool's name. */
  readonly pool: string;
  readonly handle: number;
  readonly page: number;
  /** Bytes reserved for the fragment. */
  readonly bytes: number;
  /** How long this thread has had it, milliseconds. */
  readonly ageMs: number;
  /** The port of the thread that has it, and what the thread calls itself. */
  readonly portId: number;
  readonly label: string;
  /** How it came: `allocated`, `retained`, `adopted` or `received from channel "work"`. */
  readonly origin: string;
  /** References on it that this thread holds now. */
  readonly references: number;
  /** References on it that went, by how they did: `released`, `lent` or `sent to channel "work"`. */
  readonly left: Readonly<Record<string, number>>;
  /** A Fragment object of it was collected with its reference: only the handle can still release that one. */
  readonly isDropped: boolean;
  /** The calls that led to it, below pagepool's own, at most 10, as the platform writes them. */
  readonly stack: string;
}

/** A Fragment object that was collected with its reference, as a sentence. */
export function leakText({ handle, page, bytes, ageMs, portId, label, origin }: LeakReport): string {
  return (
    `a Fragment was collected with its reference: handle=${handle} (expected release() before); ` +
    `page ${page}, ${bytes} bytes, ${origin} ${ageMs} ms ago by port ${portId} "${label}"; the page stays out`
  );
}

/** What is done with a report when nobody asked for it. */
export function warnOfLeak(report: LeakReport): void {
  globalThis.console?.warn(`pagepool "${report.pool}": ${leakText(report)}\n${report.stack}`);
}
