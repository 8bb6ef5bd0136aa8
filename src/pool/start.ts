// How a thread joins a pool that another one created: memory checked, a port claimed, an engine open on it.

import { layoutHash } from '#layout-hash';
import { CONTROL_BASE, HEADER_GROW_STEP_OFFSET, STATE_ACTIVE } from '../../assembly/layout.js';
import { identityKey } from '../control/format.js';
import { poolState } from '../control/state.js';
import { loadedTypeScript } from '../engine/loaded.js';
import { chooseEngine, type Engines } from '../engine/open.js';
import { invalidArgument, is } from '../errors.js';
import { openPort, type Port, refuseClosing } from '../port/port.js';
import type { AreasPart } from '../supply/areas.js';
import { requireAreas } from '../supply/loaded.js';
import { beginAttachment, isAttachedTo } from './attached.js';
import type { Attachment, PoolCalls } from './attachment.js';
import { openShare, type PoolShare } from './share.js';

/** A pool's beginning in this thread, on a port that was just opened. */
export class Start<Made extends Attachment = Attachment> {
  readonly port: Port;
  readonly #make: (pool: PoolCalls) => Made;
  #made: Made | undefined;

  constructor(port: Port, make: (pool: PoolCalls) => Made) {
    this.port = port;
    this.#make = make;
  }

  /** The attachment of the pool that begins: made by the first call. */
  attachment(pool: PoolCalls): Made {
    this.#made ??= this.#make(pool);
    return this.#made;
  }

  /** Throws unless this module made it, told by a field that nothing else has: nobody else makes pools. */
  static check(start: unknown, pool: string): asserts start is Start {
    if (is(() => #made in (start as Start))) return;
    const rule = 'PagePool.create(), PagePool.attach() or attach()';
    throw invalidArgument(`new ${pool}`, 'start', start, rule, 'call one of them');
  }
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
  const { kind } = share.options.source;
  const hasAreas = geometry.ownPages < geometry.pageCount;
  const openAreas = hasAreas ? loaded.areas(kind).opener(share.areas, geometry) : undefined;
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
  const { engine, module, name } = share;
  const prepared = chooseEngine({ call: 'attach', engine, memory, module, stepPages }, loaded.engines);
  const port = openPort({ memory, geometry, name, label, kind, engine: prepared, openAreas });
  beginAttachment(port);
  return { port, share };
}

/** What a program has loaded that only attaches. */
export function loadedParts(): Loaded {
  return { engines: { compile: noCore, openTypeScript: loadedTypeScript() }, areas: requireAreas };
}

/** The share brings the compiled core: only what has the whole package compiles one. */
function noCore(): never {
  throw new Error('the share has no compiled core; attach with PagePool of pagepool');
}
