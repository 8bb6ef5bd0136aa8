// What is measured of records and lines, and with what each is compared.

/** A measurement: the same for each of its variants. */
export interface RecordCase {
  readonly id: string;
  readonly name: string;
  readonly per: string;
  /** Records a turn of the event loop, as a server writes that does something else as well; 0: as fast as they go. */
  readonly perTurn: number;
  readonly variants: readonly string[];
  readonly note: string;
}

/** Counters that a process's threads share: bytes that the sink is done with, microseconds of collections. */
export const DONE = 0;
export const COLLECTED = 1;
/** Bytes of a record, and of a line: its end is the last one. */
export const RECORD_BYTES = 120;
export const LINE_BYTES = 80;
/** Bytes of a piece of the text: what a file or a socket brings at a time. */
export const PIECE_BYTES = 65_536;

/** The variant that writes nothing: what the turns cost. */
export const TURNS_ALONE = 'baseline';

/** Records of one turn of the event loop, where turns are measured. */
const PER_TURN = 4;

export const CASES: readonly RecordCase[] = [
  {
    id: 'record.text',
    name: `text of ${RECORD_BYTES} B to a thread that writes it to /dev/null`,
    per: 'record',
    perTurn: 0,
    variants: ['wasm', 'wasm, read one by one', 'thread-stream', "pino's transport", 'sonic-boom'],
    note: "thread-stream runs the same sink as pagepool; pino's transport is its own, pino/file; sonic-boom has no thread and writes from the main one. Each waits where it is told to, and every round ends when everything is written.",
  },
  {
    id: 'record.turns',
    name: `the same, ${PER_TURN} records a turn of the event loop`,
    per: 'record',
    perTurn: PER_TURN,
    variants: ['wasm', 'wasm, read one by one', 'thread-stream', "pino's transport", 'sonic-boom', TURNS_ALONE],
    note: 'As a server writes that does something else as well. The turns themselves, by setImmediate, are in every figure; the last variant writes nothing.',
  },
  {
    id: 'record.lines',
    name: `lines of ${LINE_BYTES} B as strings, out of pieces of 64 KiB`,
    per: 'line',
    perTurn: 0,
    variants: ['wasm', 'textLines, of Buffers', 'readline, iterated', "readline, 'line' events"],
    note: 'The first reads pages of a pool, the others the same stream of Buffers.',
  },
];
