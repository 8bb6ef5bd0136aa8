// The sink of thread-stream: writes what arrives to /dev/null at once, as the reader of RecordWriter's pages does.

import { openSync, writeSync } from 'node:fs';
import { Writable } from 'node:stream';
import { countCollections } from '../harness/processes.js';
import { COLLECTED, DONE } from './plan.js';

/** What thread-stream calls in its thread. */
export default function sink({ counters }: { readonly counters: Int32Array }): Writable {
  countCollections(counters, COLLECTED);
  const file = openSync('/dev/null', 'w');
  return new Writable({
    decodeStrings: false,
    write(chunk: string | Uint8Array, _, done) {
      const bytes = typeof chunk === 'string' ? writeSync(file, chunk) : writeSync(file, chunk);
      Atomics.add(counters, DONE, bytes);
      Atomics.notify(counters, DONE);
      done();
    },
  });
}
