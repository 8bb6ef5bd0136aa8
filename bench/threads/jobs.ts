// What the threads of the bench can be asked for.

import type { PoolShare } from 'pagepool';
import type { Scenario } from '../handoff/scenario.js';

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

/** Prepares one end of a hand-off; answers with what the other end needs. */
export interface OpenEnd {
  readonly type: 'end.open';
  readonly measure: 'rate' | 'latency';
  readonly end: 'first' | 'second';
  readonly variant: string;
  readonly scenario: Scenario;
  readonly port: MessagePort;
  readonly shared: unknown;
}

/** Sends messages, or receives and checks them; answers when all are sent, or all have come. */
export interface RunEnd {
  readonly type: 'end.send' | 'end.receive';
  readonly first: number;
  readonly count: number;
}

/** Does round trips; answers with a Round. */
export interface CallEnd {
  readonly type: 'end.call';
  readonly first: number;
  readonly count: number;
  /** Round trips that make one sample. */
  readonly perSample: number;
}

/** Prepares one thread's part of a contention case; thread 0 answers with the pool's share. */
export interface OpenCrew {
  readonly type: 'crew.open';
  readonly id: string;
  readonly variant: string;
  readonly index: number;
  readonly threads: number;
  readonly control: SharedArrayBuffer;
  readonly share: PoolShare | null;
}

/** Does it for a while, together with the others; answers with a Part. */
export interface RunCrew {
  readonly type: 'crew.run';
  readonly timeMs: number;
}

export type Job = OpenRow | RunRow | LitterRow | AttachIdle | OpenEnd | RunEnd | CallEnd | OpenCrew | RunCrew;
