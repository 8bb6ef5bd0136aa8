// What a run of the bench leaves: the types of the files in bench/results/.
//
// Every kind of measurement (a loop in one thread, several threads, a hand-off, a native program) becomes the same
// thing: a row with variants, each with rounds. Tables, plots, losses and budgets are made from this alone.

import type { PoolOptions } from 'pagepool';

/** The groups, in the order in which they are shown. */
export type GroupId =
  | 'baseline'
  | 'memory'
  | 'fast'
  | 'provider'
  | 'ring'
  | 'slow'
  | 'fragment'
  | 'packet'
  | 'source'
  | 'record'
  | 'call'
  | 'flow'
  | 'demo'
  | 'channel'
  | 'garbage'
  | 'contention'
  | 'watched'
  | 'handoff-rate'
  | 'handoff-latency'
  | 'pages'
  | 'ports'
  | 'page-bytes';

/** Where a row stands on the axis of its group, for plots and ratios. */
export interface Place {
  /** Which line of the plot. */
  readonly series: string;
  /** Pages, ports, threads, or bytes. */
  readonly value: number;
}

/** What a row is, whoever runs it. */
export interface RowInfo {
  /** For budgets and explanations: never changes. */
  readonly id: string;
  readonly group: GroupId;
  readonly name: string;
  /** What the nanoseconds are counted by: a pair, a page, an entry, a message. */
  readonly per: string;
  readonly place?: Place;
  /** Whether the operation touches the bytes of the pages. */
  readonly touches?: 'one word a page' | 'one byte' | 'every byte';
  /** Said under the table. */
  readonly note?: string;
  readonly pool?: PoolOptions;
}

/** One round of one variant; nanoseconds of one operation. */
export interface Round {
  readonly median: number;
  /** null where a round has one sample. */
  readonly p99: number | null;
  readonly samples: number;
  /** Nanoseconds of processor time of all threads, where a variant has a process of its own. */
  readonly processor?: number;
  /** Nanoseconds in collections, of all threads. */
  readonly collection?: number;
}

/** What a variant leaves for the garbage collector, measured in a bare loop outside the rounds. */
export interface Garbage {
  /** Operations that the collections were counted over. */
  readonly operations: number;
  readonly collections: number;
  /** Growth of the JavaScript heap while nothing was collected; null where the platform does not tell. */
  readonly heapBytesPerOperation: number | null;
  /** The same of memory outside the heap: ArrayBuffers. */
  readonly externalBytesPerOperation: number | null;
}

export interface VariantResult {
  /** `wasm`, `typescript` (with a suffix where there are several ways), or what it is compared with. */
  readonly name: string;
  readonly rounds: readonly Round[];
  readonly garbage?: Garbage;
}

export interface RowResult extends RowInfo {
  readonly variants: readonly VariantResult[];
}

/** What the numbers were taken on. */
export interface Machine {
  readonly processor: string;
  readonly cores: number;
  readonly memoryGib: number;
  /** The system's load average when the run began: what else the machine did. */
  readonly load: number;
  readonly system: string;
  /** Node or browser, with versions. */
  readonly runtime: string;
  readonly commit: string;
  readonly flags: readonly string[];
  /** DPDK's version and how it was compiled, or why it was left out. */
  readonly native: string;
}

export interface Settings {
  readonly profile: 'full' | 'quick';
  readonly rounds: number;
  readonly roundMs: number;
  readonly warmUpMs: number;
  /** A sample lasts at least this long: 0 where the clock is fine enough. */
  readonly sampleUs: number;
}

/** What is counted instead of timed. */
export interface Facts {
  /** Locked operations of the release binary's functions. */
  readonly locked: readonly {
    readonly name: string;
    readonly what: string;
    readonly locked: number;
    readonly max: number;
  }[];
  readonly control: readonly ControlFact[];
  readonly coreMinifiedBytes: number;
  readonly wasmBytes: number;
}

/** The control region of a pool with 16 ports, channels, fragment words and extents aside. */
export interface ControlFact {
  readonly pageCount: number;
  readonly pageBytes: number;
  readonly controlBytes: number;
  readonly wordBytes: number;
  readonly scratchBytes: number;
}

export interface Results {
  readonly format: 1;
  readonly date: string;
  readonly seconds: number;
  readonly machine: Machine;
  readonly settings: Settings;
  readonly rows: readonly RowResult[];
  /** Only of a run in Node. */
  readonly facts?: Facts;
}
