// Ports beside a pool of the public interface: other threads' ports as their threads leave them when they end.
//
// A port opened here belongs to this thread and to nobody who listens: no event loop serves it, so it is as quiet as a
// dead thread's, and stops wherever the test stops calling it.

import type { PagePool } from 'pagepool';
import { layoutHash } from '#layout-hash';
import { openShare } from '../../src/pool/share.js';
import type { Port } from '../../src/port/port.js';
import { type EngineKind, openPort } from './ports.js';

/** One more port of the pool, with that engine. */
export function portBeside(pool: PagePool, kind: EngineKind): Port {
  const { memory, geometry } = openShare(pool.share(), layoutHash);
  return openPort(memory, geometry, kind);
}
