// What is measured of sources: a TCP stream handed to two workers, and a file that is scanned; with what each is
// compared.

/** A measurement: the same for each of its variants. */
export interface SourceCase {
  readonly id: string;
  readonly name: string;
  /** Bytes of a record; 0: as they are read, up to 64 KiB. */
  readonly recordBytes: number;
  readonly kind: 'tcp' | 'file';
  readonly variants: readonly string[];
  readonly note: string;
}

export const WORKERS = 2;
export const READ_BYTES = 65_536;
/** Bytes on their way to the workers, in every variant. */
export const WINDOW_BYTES = 4 * 1024 * 1024;
/** Pages of the scan. */
export const SCAN_PAGE_BYTES = 262_144;

export const CASES: readonly SourceCase[] = [
  {
    id: 'source.tcp.2048',
    name: 'TCP to two workers, in records of 2 KiB',
    kind: 'tcp',
    recordBytes: 2048,
    variants: ['wasm', 'postMessage, copied', 'postMessage, transferred'],
    note: "The others cut what 'data' events bring. Each worker looks at the first byte of each record. Processor time and collections are of all threads of the receiving process; the sender is another.",
  },
  {
    id: 'source.tcp.reads',
    name: 'TCP to two workers, as it is read: up to 64 KiB',
    kind: 'tcp',
    recordBytes: 0,
    variants: ['wasm', 'postMessage, copied', 'postMessage, transferred'],
    note: 'Per 64 KiB.',
  },
  {
    id: 'source.file',
    name: 'a file of the page cache, searched for a byte that is not there',
    kind: 'file',
    recordBytes: 0,
    variants: ['wasm', 'createReadStream'],
    note: 'Per 64 KiB. readFileInto reads into pages of 256 KiB, createReadStream in its chunks of 64 KiB.',
  },
];
