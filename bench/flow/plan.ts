// What is measured of waiting: hand-offs to threads that are blocked, and how an event loop fares whose thread waits.

import type { RowInfo } from '../harness/results.js';

/** A measurement in a process of its own; a round has so many operations. */
export interface FlowCase {
  readonly row: RowInfo;
  readonly variants: readonly string[];
  readonly sizes: { readonly full: number; readonly quick: number };
  /** Each round in a process that has done nothing before. */
  readonly isFresh?: boolean;
}

/** Threads that are blocked at one channel, and how long nothing is sent to them between two entries. */
export const BLOCKED = 2;
export const NAP_MS = 1;
/** How long the consumer of a full channel takes for an entry, and how often the timer fires that tells gaps. */
export const CONSUMER_MS = 1;
export const TICK_MS = 2;
/** Entries of the largest channel that there is. */
export const CAPACITY_MAX = 65_535;

/** What the other build is called. */
export const OTHER = 'other build';

export const blocked: FlowCase = {
  row: {
    id: 'flow.blocked',
    group: 'flow',
    name: `an entry to one of ${BLOCKED} threads that are blocked at its channel, ${NAP_MS} ms after the last one`,
    per: 'entry',
    note: 'Nanoseconds from before the send until the entry was received; processor time is that of all three threads, the naps between two entries included.',
  },
  variants: ['wasm'],
  sizes: { full: 1000, quick: 50 },
};

export const flowCases: readonly FlowCase[] = [
  {
    row: {
      id: 'flow.gap',
      group: 'flow',
      name: `sends into a full default channel, whose consumer takes ${CONSUMER_MS} ms for each`,
      per: `longest gap of a ${TICK_MS} ms timer`,
      note: 'Nanoseconds between two turns of a timer of the thread that sends: the longest of a round. Processor time is of one send, both threads.',
    },
    variants: ['wasm, sendAsync', 'wasm, waitRoom'],
    sizes: { full: 5000, quick: 100 },
  },
  {
    row: {
      id: 'flow.first',
      group: 'flow',
      name: `the first waitRoom of a process, at a full channel of ${CAPACITY_MAX} entries, until it returns its promise`,
      per: 'call',
      note: 'Nanoseconds of processor time, compilers included.',
    },
    variants: ['wasm'],
    sizes: { full: 1, quick: 1 },
    isFresh: true,
  },
];
