// What the cases of the device suite are written with. No test runner: pages run them as well, so a check throws.

const POLL_MS = 5;
/** Says only that something hangs. */
export const HUNG_MS = 50_000;

export function equal(actual: unknown, expected: unknown, what = 'value'): void {
  const [one, other] = [JSON.stringify(actual), JSON.stringify(expected)];
  if (one !== other) throw new Error(`${what}: ${one} (expected ${other})`);
}

/** The code of what a call throws. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    return (error as { code?: string }).code ?? String(error);
  }
  return 'nothing thrown';
}

/** The code of what a promise is rejected with, or the error's name where it has none. */
export async function rejection(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'nothing thrown',
    // A DOMException's code is a number.
    ({ code, name }: { code?: unknown; name: string }) => (typeof code === 'string' ? code : name),
  );
}

/** One turn of the event loop: what was caused so far arrives before. */
export function turn(ms = 0): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/** Waits until it is so. */
export async function until(isSo: () => boolean, what: string): Promise<void> {
  for (let waited = 0; waited < HUNG_MS; waited += POLL_MS) {
    if (isSo()) return;
    await turn(POLL_MS);
  }
  throw new Error(`never: ${what}`);
}

/** What the promise brings; throws when it hangs. */
export async function settled<T>(promise: Promise<T>, what: string): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const hangs = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`hangs: ${what}`)), HUNG_MS);
  });
  return Promise.race([promise, hangs]).finally(() => clearTimeout(timer));
}

/** A promise that the test settles. */
export interface Deferred {
  readonly promise: Promise<void>;
  resolve(): void;
  reject(reason: unknown): void;
}

export function withResolvers(): Deferred {
  let settle: Pick<Deferred, 'resolve' | 'reject'> | undefined;
  const promise = new Promise<void>((resolve, reject) => {
    settle = { resolve, reject };
  });
  return { promise, ...(settle as unknown as Pick<Deferred, 'resolve' | 'reject'>) };
}
