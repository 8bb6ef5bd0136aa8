// Polling: a thread that looks again and again, and gives the core away only when that has gone on for milliseconds.

/** Looks that take a few milliseconds together: far more than any answer takes while both threads have a core. */
const LOOKS = 100_000;
const NAP_MS = 0.05;
const bed = new Int32Array(new SharedArrayBuffer(4));

/** Looks until it is so. */
export function lookFor(isReady: () => boolean): void {
  for (let looks = 1; !isReady(); looks++) if (looks % LOOKS === 0) nap();
}

/** Gives the core away for a moment: for threads that outnumber the cores. */
export function nap(): void {
  Atomics.wait(bed, 0, 0, NAP_MS);
}
