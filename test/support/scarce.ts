// A platform that has no large piece of memory left.

import { vi } from 'vitest';

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
