// Baseline: `postMessage` with a copy. The socket reads into one block over and over: posting has copied a record when
// it returns. A record that is not the whole block goes through a buffer of its size, since posting copies whole
// buffers.

import { blockBytes } from '../grid.js';
import type { Posting } from './posting.js';

export function copying(recordBytes: number): Posting {
  const record = new Uint8Array(recordBytes);
  return {
    nextBlock: (previous) => previous ?? new Uint8Array(blockBytes),
    post(worker, tag, block, start, end) {
      let source = block;
      if (end - start < blockBytes) {
        source = end - start === recordBytes ? record : new Uint8Array(end - start);
        source.set(block.subarray(start, end));
      }
      worker.postMessage([tag, source.buffer]);
    },
  };
}
