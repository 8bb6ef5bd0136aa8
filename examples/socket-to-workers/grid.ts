// How the stream is cut: into blocks of 64 KiB, and each block into records. The same for every variant and for the
// file.
//
// The record grid starts anew in each block, so no record spans two blocks; where the record size does not divide the
// block, the last record of each block is the shorter rest.

/** One read's worth, one page of the pool. */
export const blockBytes = 65_536;
/** How much may be on its way to the workers, in every variant. */
export const windowBytes = 4 * 1024 * 1024;

/** Where the record that starts at `at` in a full block ends. */
export function recordEnd(at: number, recordBytes: number): number {
  return Math.min(at + recordBytes, blockBytes);
}

/** Records in a full block. */
export function recordsPerBlock(recordBytes: number): number {
  return Math.ceil(blockBytes / recordBytes);
}

/** How many records may be on their way to the workers, in every variant. */
export function windowRecords(recordBytes: number): number {
  return Math.min(4096, Math.floor(windowBytes / recordBytes));
}
