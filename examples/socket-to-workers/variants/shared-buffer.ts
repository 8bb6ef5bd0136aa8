// Baseline: a new SharedArrayBuffer for each message. The socket reads a whole block straight into it; a smaller record
// is copied into one of its size.

import { blockBytes } from '../grid.js';
import type { Posting } from './posting.js';

export function sharing(recordBytes: number): Posting {
  const isWhole = recordBytes === blockBytes;
  return {
    nextBlock: (previous) =>
      previous === null || isWhole ? new Uint8Array(new SharedArrayBuffer(blockBytes)) : previous,
    post(worker, tag, block, start, end) {
      let bytes = block.buffer;
      if (end - start < blockBytes) {
        bytes = new SharedArrayBuffer(end - start);
        new Uint8Array(bytes).set(block.subarray(start, end));
      }
      worker.postMessage([tag, bytes]);
    },
  };
}
