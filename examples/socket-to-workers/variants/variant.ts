// What a variant is: one way to hand records from the thread that reads the socket to the workers that hash them.

import type { Digest } from '../digest.js';

export const variantNames = ['pagepool', 'copy', 'transfer', 'shared buffer'] as const;
export type VariantName = (typeof variantNames)[number];

/** The same for every variant. */
export interface Setup {
  recordBytes: number;
  workerCount: number;
  /** How often the file is sent, warming up included. */
  passes: number;
}

/** What the pool says after the last pass. */
export interface PoolCheck {
  engine: string;
  /** Pages that came from the provider, and pages handed out again. */
  allocated: number;
  recycled: number;
  /** Pages that are not back, and what the audit finds wrong. */
  missing: number;
  problems: string[];
}

/** The reading side of a variant. */
export interface Sender {
  /** Goes to every worker, with the variant's name and the setup. */
  readonly share: unknown;
  /**
   * Receives a pass from the port: resolves when the stream has ended and its last record is on its way to the workers.
   */
  receive(pass: number, port: number, onBytes: (count: number) => void): Promise<void>;
  /** After the workers are gone. */
  close(): Promise<PoolCheck | null>;
}

/** The hashing side of a variant, in a worker. */
export interface Receiver {
  /** Resolves with what this worker hashed when the pass is over. */
  receive(pass: number): Promise<Digest>;
  close(): void;
}
