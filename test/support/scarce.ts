// A platform that has no large piece of memory left, or none that can be shared.
//
// Node makes a word of shared memory where it first loads node:worker_threads. Where it finds none to make, every later
// thread of the process throws in its first process.cwd(), those of other test files too: it is loaded here before.

import 'node:worker_threads';
import { vi } from 'vitest';

/** From here on there is no SharedArrayBuffer; `vi.unstubAllGlobals` ends it. */
export function withoutSharedBuffers(): void {
  vi.stubGlobal('SharedArrayBuffer', undefined);
}

/** From here on every SharedArrayBuffer of more than that many bytes is refused; `vi.unstubAllGlobals` ends it. */
export function refuseBuffers(bytesMax: () => number): void {
  class Scarce extends globalThis.SharedArrayBuffer {
    constructor(bytes: number) {
      if (bytes > bytesMax()) throw new RangeError('Array buffer allocation failed');
      super(bytes);
    }
  }
  vi.stubGlobal('SharedArrayBuffer', Scarce);
}
