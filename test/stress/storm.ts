// What a storm of deaths and its threads say to each other.

import type { PoolShare } from 'pagepool';

/** How a thread ends that is told to; all others are ended from outside. */
export type End = 'exit' | 'throw' | 'reject' | 'overflow' | 'memory';

/** What a thread begins with. */
export interface Setup {
  readonly entry: string;
  /** This program, for threads of its own. */
  readonly source: string;
  readonly share: PoolShare;
  readonly engine: 'wasm' | 'typescript';
  readonly seed: number;
  /** Words: those of the churn, and behind them those of WORD. */
  readonly counts: Int32Array;
  /** Starts a thread of its own. */
  readonly isParent: boolean;
}

/** What threads count beside their churn. */
export const WORD = { turns: 3, attached: 4, children: 5, length: 6 } as const;

/** A heap so small that a thread soon ends for want of memory. */
export const LIMITS = { maxOldGenerationSizeMb: 32, maxYoungGenerationSizeMb: 4 } as const;
