// How a thread joins a pool that another one created: memory checked, a port claimed, an engine open on it.

import { layoutHash } from '#layout-hash';
import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET, STATE_ACTIVE } from '../../assembly/layout.js';
import { identityKey } from '../control/format.js';
import type { Geometry } from '../control/geometry.js';
import { poolState } from '../control/state.js';
import { loadedTypeScript } from '../engine/fallback.js';
import { chooseEngine, type Engines } from '../engine/open.js';
import { callError, invalidArgument, show } from '../errors.js';
import { openPort, type Port, type PortPlan, refuseClosing } from '../port/port.js';
import type { AreasPart } from '../supply/areas.js';
import { requireAreas } from '../supply/loaded-areas.js';
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

/** What a program has loaded for joining pools. */
export interface Loaded {
  readonly engines: Engines;
  /** What follows areas, for a pool with a provider of that kind; throws where there is nothing. */
  areas(kind: string): AreasPart;
}

/** Joins a pool that another thread created. */
export function joinPool(value: unknown, label: string, loaded: Loaded): { port: Port; share: PoolShare } {
  const { geometry, memory, share } = openShare(value, layoutHash);
  const openAreas = areasOf(share, geometry, loaded);
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
  const { engine, module, name, options } = share;
  const prepared = chooseEngine({ call: 'attach', engine, memory, module, stepPages }, loaded.engines);
  const { kind } = options.source;
  const port = openPort({ memory, geometry, name, label, kind, engine: prepared, openAreas });
  beginAttachment(port);
  return { port, share };
}

/** What opens the table of areas of that share; undefined where all pages are the pool's own. */
function areasOf(share: PoolShare, geometry: Geometry, loaded: Loaded): PortPlan['openAreas'] {
  if (geometry.ownPages === geometry.pageCount) return undefined;
  const part = loaded.areas(share.options.source.kind);
  const { areas } = share;
  if (!part.isSnapshot(areas, geometry)) {
    throw callError('POOL_ERR_CORRUPT', 'attach', `areas=${show(areas)}`, 'the areas that the pool had');
  }
  return (seat) => part.open(seat, areas);
}

/** What a program has loaded that only attaches. */
export function loadedParts(): Loaded {
  return { engines: { compile: noCore, openTypeScript: loadedTypeScript() }, areas: requireAreas };
}

/** The share brings the compiled core: only what has the whole package compiles one. */
function noCore(): never {
  throw new Error('the share has no compiled core; attach with PagePool of pagepool');
}
