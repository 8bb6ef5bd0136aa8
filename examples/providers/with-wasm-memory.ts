// Pages in the pool's own Wasm memory, which grows in steps.

import { wasmMemory } from 'pagepool';
import { run } from './run.js';

await run(wasmMemory({ stepBytes: 65536 }));
