// Compresses what is asked, straight out of the shared page and into the one that came along for the answer.

import { workerData } from 'node:worker_threads';
import { brotliCompressSync } from 'node:zlib';
import { attach } from 'pagepool/attach';
import 'pagepool/calls';

const pool = attach(workerData, { label: 'compress' });
await pool.calls('compress').serve(({ request, reply }) => {
  const bytes = brotliCompressSync(request.bytes);
  if (bytes.length > reply.length) throw new Error(`${bytes.length} bytes are more than the page has`);
  reply.bytes.set(bytes);
  return bytes.length;
});
pool.detach();
