// The clock by which time is measured: it never goes back, and nobody sets it.

/** Milliseconds since some moment of this thread. The wall clock is for people: it is set, and goes back and forth. */
export function monotonicMs(): number {
  // Realms of sound have the wall clock alone; nobody waits there.
  return (globalThis.performance ?? Date).now();
}
