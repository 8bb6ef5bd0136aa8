// The clock by which time is measured: it never goes back, and nobody sets it.

// Node loads a module of its own where a thread first says `performance`: 1.6 to 3 ms, for which a first wait would
// hold the event loop up.
void globalThis.performance;

/** Milliseconds since some moment of this thread. The wall clock is for people: it is set, and goes back and forth. */
export function monotonicMs(): number {
  // Realms of sound have the wall clock alone; nobody waits there. Asked for each time: tests of programs put another
  // one in its place.
  return (globalThis.performance ?? Date).now();
}
