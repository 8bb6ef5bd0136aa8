// How a thread joins a pool that another one created: memory checked, a port claimed, an engine open on it.

import { layoutHash } from '#layout-hash';
import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET, STATE_ACTIVE } from '../../assembly/layout.js';
import { identityKey } from '../control/format.js';
import { poolState } from '../control/state.js';
import { chooseEngine, type Engines } from '../engine/open.js';
import { invalidArgument } from '../errors.js';
import { openPort, type Port, refuseClosing } from '../port/port.js';
import { NO_AREAS } from '../supply/areas.js';
import { beginAttachment, isAttachedTo } from './attached.js';
import type { Attachment, PoolCalls } from './attachment.js';
import { openShare, type PoolShare } from './share.js';

/** A pool's beginning in this thread. */
export interface Start<Made extends Attachment = Attachment> {
  readonly port: Port;
  /** The attachment of the pool that begins: made by the first call. */
  attachment(pool: PoolCalls): Made;
}

const started = new WeakSet<object>();

/** A beginning on a port that was just opened. */
export function startOn<Made extends Attachment>(port: Port, make: (pool: PoolCalls) => Made): Start<Made> {
  let made: Made | undefined;
  const start: Start<Made> = {
    port,
    attachment: (pool) => {
      made ??= make(pool);
      return made;
    },
  };
  started.add(start);
  return start;
}

/** Throws unless this module made it: nobody else makes pools. */
export function requireStart(start: unknown, pool: string): asserts start is Start {
  if (typeof start === 'object' && start !== null && started.has(start)) return;
  throw invalidArgument(
    `new ${pool}`,
    'start',
    start,
    'PagePool.create(), PagePool.attach() or attach()',
    'call one of them',
  );
}

/** Joins a pool that another thread created. */
export function joinPool(value: unknown, label: string, engines: Engines): { port: Port; share: PoolShare } {
  const { geometry, memory, share } = openShare(value, layoutHash);
  if (isAttachedTo(identityKey(memory))) {
    throw invalidArgument(
      'attach',
      'share',
      share.name,
      'a pool that this thread is not attached to',
      'use the PagePool that this thread has, or detach it first',
    );
  }
  if (poolState(memory) !== STATE_ACTIVE) refuseClosing(memory);
  const stepPages = memory.u32[(CONTROL_BASE + HEADER_GROW_STEP_OFFSET) >>> 2] as number;
  const { areas = NO_AREAS, engine, module, name, options } = share;
  const prepared = chooseEngine({ call: 'attach', engine, memory, module, stepPages }, engines);
  const { kind } = options.source;
  const port = openPort({ memory, geometry, name, label, kind, engine: prepared, areas });
  beginAttachment(port);
  return { port, share };
}
