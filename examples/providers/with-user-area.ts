// Pages from memory that somebody else made. For a consumer that is not trusted: examples/user-area.

import { userArea } from 'pagepool/user-area';
import { run } from './run.js';

const decoder = new WebAssembly.Memory({ initial: 8, maximum: 16, shared: true });
await run(userArea(decoder, { byteOffset: 65536, byteLength: 64 * 4096 }));
