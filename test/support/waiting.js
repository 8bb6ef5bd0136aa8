// How tests wait: for what they need, never for a time. One file for tests, for their threads and programs, and for
// pages.
//
// Plain JavaScript, since programs and pages load it as it is. The platform's own calls are kept: tests put others in
// their place.

const { clearTimeout, performance, setTimeout } = globalThis;

/** A limit that only says "hung": on no machine does anything that works take this long. Nothing is measured by it. */
export const HUNG_MS = 120_000;

/** The same for a whole test, a scenario of a page, or a program that does many things. */
export const TEST_HUNG_MS = 900_000;

/** For `vi.waitFor`: looks again and again until the check passes. */
export const PATIENCE = { interval: 1, timeout: HUNG_MS };

/** What is waited for is looked at less often the longer it takes: a look at a page or a program takes time there. */
const PAUSE_MAX_MS = 100;

/**
 * Waits until it is so, and gives the event loop a turn after each look. It hangs when nothing has moved for HUNG_MS.
 *
 * @param {() => unknown} isSo may throw, and may return a promise
 * @param {() => unknown} [seen] what moves while things go on, such as a count; the error says it
 */
export async function until(isSo, seen = () => '') {
  let [last, end, pauseMs] = ['', performance.now() + HUNG_MS, 1];
  for (; !(await isSo()); await turn(pauseMs)) {
    pauseMs = Math.min(1.1 * pauseMs, PAUSE_MAX_MS);
    const now = String(await seen());
    if (now !== last) [last, end] = [now, performance.now() + HUNG_MS];
    else if (performance.now() > end) throw new Error(`hung: ${isSo}: ${last}`);
  }
}

/**
 * What comes, or an error when nothing ever comes.
 *
 * @template T
 * @param {PromiseLike<T>} promise
 * @param {string} what
 * @returns {Promise<T>}
 */
export async function orHung(promise, what) {
  let timer;
  const hung = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hung: ${what}`)), HUNG_MS);
  });
  try {
    return await Promise.race([promise, hung]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * Gives the event loop that many turns, in each of which timers and I/O that are due run: whatever follows by itself
 * from what was done has followed then. For what must not happen, and so cannot be waited for; what must happen is
 * waited for by `until`.
 */
export async function turns(count = 20) {
  for (let i = 0; i < count; i++) await turn();
}

/** A pause of one turn at least. By a timer: a page that posts messages to itself in a loop hears of nobody else. */
function turn(ms = 1) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
