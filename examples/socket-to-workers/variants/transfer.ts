// Baseline: `postMessage` with a transfer. A whole block is given away as it is and replaced by a fresh one (not
// zeroed); a smaller record is copied into a buffer of its own, which is given away.

import { Buffer } from 'node:buffer';
import { blockBytes } from '../grid.js';
import type { Posting } from './posting.js';

export function transferring(recordBytes: number): Posting {
  const isWhole = recordBytes === blockBytes;
  return {
    nextBlock: (previous) => (previous === null || isWhole ? Buffer.allocUnsafeSlow(blockBytes) : previous),
    post(worker, tag, block, start, end) {
      const whole = block.buffer as ArrayBuffer;
      const bytes = end - start === blockBytes ? whole : whole.slice(start, end);
      worker.postMessage([tag, bytes], [bytes]);
    },
  };
}
