// Blocking a thread for what comes from another one, where a thread may block.
//
// For what no word of the pool shows: messages that are fetched. Checks once a millisecond, and gives up.

const BLOCK_MS = 1000;

/** Blocks until `isSo` is true, where a thread may block, and a second at most. */
export function blockUntil(isSo: () => boolean): boolean {
  try {
    const cell = new Int32Array(new SharedArrayBuffer(4));
    for (let ms = 0; ms < BLOCK_MS; ms++) {
      // Nobody else has the word: it stands for the time alone.
      Atomics.wait(cell, 0, 0, 1);
      if (isSo()) return true;
    }
  } catch {
    // A thread that may not block.
  }
  return false;
}
