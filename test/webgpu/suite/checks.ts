// What the cases of the device suite are written with. No test runner: pages run them as well, so a check throws.

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
