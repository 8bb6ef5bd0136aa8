// The clock by which time is measured: it never goes back, and nobody sets it.

/**
 * Asked for when the module is loaded: Node 20 to 26 load a module of their own where a program first says
 * `performance`, which takes 1.6 to 3 ms, and a first wait would hold the event loop up for so long. Realms of sound
 * have the wall clock alone; nobody waits there.
 */
const clock: { now(): number } = globalThis.performance ?? Date;

/** Milliseconds since some moment of this thread. The wall clock is for people: it is set, and goes back and forth. */
export function monotonicMs(): number {
  return clock.now();
}
