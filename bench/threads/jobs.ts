// What the threads of the bench can be asked for.

import type { PoolShare } from 'pagepool';

/** Prepares one variant of a row, warms it up, and answers with the pool's share where other threads are to attach. */
export interface OpenRow {
  readonly type: 'row.open';
  readonly id: string;
  readonly variant: string;
  readonly warmUpMs: number;
  readonly sampleUs: number;
}

/** Times it for a while; answers with a Round. */
export interface RunRow {
  readonly type: 'row.run';
  readonly timeMs: number;
}

/** Looks what it leaves for the collector, in a loop of about this long; answers with Garbage. */
export interface LitterRow {
  readonly type: 'row.garbage';
  readonly timeMs: number;
}

/** Attaches to a pool and stays idle. */
export interface AttachIdle {
  readonly type: 'attach';
  readonly share: PoolShare;
}

export type Job = OpenRow | RunRow | LitterRow | AttachIdle;
