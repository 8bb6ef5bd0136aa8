// Part: a window on a fragment inside a packet, and its reference.
//
// The one rule of references stands here: a window has a reference of its fragment, of the same kind as any user's (a
// pin never becomes one). Windows that this thread cut from one another share a reference: whoever is the last of them
// gives it back. A window that leaves the thread's packets takes one that is its own along.
//
// A share is a plain object of this thread. A thread that dies loses it with its packets, and the pool has counted one
// reference for all of them. Where references are tracked nothing is shared: each window stands for one in the reports.

import { DESCRIPTOR_PINS_OFFSET, OK, PIN_COUNT_MASK } from '../../assembly/layout.js';
import { loadWord } from '../control/nodes.js';
import { descriptorAt, pageOfHandle } from '../control/places.js';
import { fragmentView } from '../port/handles.js';
import { type Port, refusal } from '../port/port.js';

/** One reference, and how many windows of this thread have it. */
interface Share {
  windows: number;
}

/** A window on a fragment, with its reference. */
export class Part {
  readonly handle: number;
  /** Who has the reference, too; undefined while no other window had it. */
  share: Share | undefined;
  /** Where the window starts in the fragment, bytes. */
  offset: number;
  length: number;
  /** A view that ends where the window ends, made when somebody reads. */
  view: Uint8Array | undefined;
  /** Bytes of the view before the window: what was consumed since it was made. */
  lead = 0;

  constructor(port: Port, handle: number, offset: number, length: number) {
    this.handle = handle;
    this.offset = offset;
    this.length = length;
    port.leaks?.watch(this);
  }
}

/** A window inside the part's, on the same reference. */
export function sharePart(port: Port, call: string, part: Part, offset: number, length: number): Part {
  return besidePart(port, call, part, part.offset + offset, length);
}

/** A window anywhere in the part's fragment, on the same reference. */
export function besidePart(port: Port, call: string, part: Part, offset: number, length: number): Part {
  // Inside a provider's callback no reference may come or go: a share that is made there is one more holder of it.
  port.supply?.refuseReentry(call);
  if (port.leaks !== undefined || port.isGone) retainPart(port, call, part.handle);
  const window = new Part(port, part.handle, offset, length);
  if (port.leaks !== undefined) return window;
  part.share ??= { windows: 1 };
  part.share.windows++;
  window.share = part.share;
  return window;
}

/**
 * Sees to it that the part's reference is the part's alone: it may leave the packet then.
 *
 * @throws PagePoolError POOL_ERR_REF_OVERFLOW at 65,535 references
 */
export function ownPart(port: Port, call: string, part: Part): void {
  const { share } = part;
  if (share === undefined) return;
  if (share.windows > 1) retainPart(port, call, part.handle);
  share.windows--;
  part.share = undefined;
}

/**
 * Sees to it that each part's reference is its own: all of them may leave the packet then. Which shares they had, for
 * `shareAgain` where they stay; undefined where there was none.
 *
 * @throws PagePoolError POOL_ERR_REF_OVERFLOW at 65,535 references; nothing changed then
 */
export function ownParts(port: Port, call: string, parts: readonly Part[]): (Share | undefined)[] | undefined {
  if (parts.every(({ share }) => share === undefined)) return undefined;
  const shares = parts.map(({ share }) => share);
  try {
    for (const part of parts) ownPart(port, call, part);
  } catch (error) {
    shareAgain(port, parts, shares);
    throw error;
  }
  return shares;
}

/** Undoes `ownParts`: the parts have the references that they had. */
export function shareAgain(port: Port, parts: readonly Part[], shares: readonly (Share | undefined)[]): void {
  for (const [i, share] of shares.entries()) {
    const part = parts[i] as Part;
    if (share === undefined || part.share !== undefined) continue;
    // The last window of a share took its reference along, which is the share's again.
    if (share.windows > 0) port.engine.release(part.handle);
    share.windows++;
    part.share = share;
  }
}

/** One reference more of the fragment. */
export function retainPart(port: Port, call: string, handle: number): void {
  const code = port.engine.retain(handle, 1);
  if (code < 0) throw refusal(code, call, 'handle', handle);
}

/** Gives the part's reference back, unless another window has it, too; the engine's code. */
export function releasePart(port: Port, part: Part): number {
  const { share } = part;
  part.share = undefined;
  // Of a pool that was left the engine tells.
  const isLast = share === undefined || --share.windows === 0 || port.isGone;
  const code = isLast ? port.engine.release(part.handle) : OK;
  forgetPart(port, part);
  return code;
}

/** The part's reference, which is its own, went elsewhere. */
export function forgetPart(port: Port, part: Part): void {
  part.view = undefined;
  port.leaks?.unwatch(part);
}

/** Takes `bytes` off the window's start. */
export function trimStart(part: Part, bytes: number): void {
  part.offset += bytes;
  part.length -= bytes;
  if (part.view !== undefined) part.lead += bytes;
}

/** Cuts the window down to `bytes`. */
export function trimEnd(part: Part, bytes: number): void {
  part.length = bytes;
  part.view = undefined;
  part.lead = 0;
}

/** The part's view, which may begin `part.lead` bytes before the window. */
export function looseView(port: Port, call: string, part: Part): Uint8Array {
  if (part.view === undefined) {
    if (port.isGone) throw refusal(port.engine.extent(part.handle), call, 'handle', part.handle);
    part.view = fragmentView(port, call, part.handle, part.offset, part.length);
    part.lead = 0;
  }
  return part.view;
}

/** A view of exactly the window. */
export function exactView(port: Port, call: string, part: Part): Uint8Array {
  const view = looseView(port, call, part);
  if (part.lead === 0) return view;
  part.view = view.subarray(part.lead);
  part.lead = 0;
  return part.view;
}

/** Whether nobody else has a window or a reference on the part's fragment, and nobody outside reads its page. */
export function isExclusive(port: Port, call: string, { handle, share }: Part): boolean {
  if (share !== undefined && share.windows > 1) return false;
  const { engine, geometry, memory } = port;
  const references = engine.refCount(handle);
  if (references < 0) throw refusal(references, call, 'handle', handle);
  const descriptor = descriptorAt(geometry, pageOfHandle(port, handle));
  return references === 1 && (loadWord(memory, descriptor + DESCRIPTOR_PINS_OFFSET) & PIN_COUNT_MASK) === 0;
}
