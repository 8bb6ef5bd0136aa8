// The clock by which time is measured: it never goes back, and nobody sets it.

// Realms of sound have the wall clock alone; nobody waits there. Asked for once: in Node it is a getter.
const clock: { now(): number } = globalThis.performance ?? Date;

/** Milliseconds since some moment of this thread. The wall clock is for people: it is set, and goes back and forth. */
export function monotonicMs(): number {
  return clock.now();
}
