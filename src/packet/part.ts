// Part: a window on a fragment inside a packet, and the reference that it owns.
//
// The one rule of references stands here: a window owns one reference of its fragment, of the same kind as any user's
// (a pin never becomes one). Windows are made with a reference that came, or with a new one; what moves takes its
// reference along.

import { DESCRIPTOR_PINS_OFFSET, PIN_COUNT_MASK } from '../../assembly/layout.js';
import { loadWord } from '../control/nodes.js';
import { descriptorAt, pageOfHandle } from '../control/places.js';
import { fragmentView } from '../port/handles.js';
import { type Port, refusal } from '../port/port.js';

/** A window on a fragment, with its reference. */
export class Part {
  readonly handle: number;
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

/** A window inside the part's, with a reference of its own. */
export function sharePart(port: Port, call: string, part: Part, offset: number, length: number): Part {
  const code = port.engine.retain(part.handle, 1);
  if (code < 0) throw refusal(code, call, 'handle', part.handle);
  return new Part(port, part.handle, part.offset + offset, length);
}

/** Gives the part's reference back; the engine's code. */
export function releasePart(port: Port, part: Part): number {
  const code = port.engine.release(part.handle);
  forgetPart(port, part);
  return code;
}

/** The part's reference went elsewhere. */
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

/** Whether nobody else has a reference on the part's fragment, and nobody outside reads its page. */
export function isExclusive(port: Port, call: string, { handle }: Part): boolean {
  const { engine, geometry, memory } = port;
  const references = engine.refCount(handle);
  if (references < 0) throw refusal(references, call, 'handle', handle);
  const descriptor = descriptorAt(geometry, pageOfHandle(port, handle));
  return references === 1 && (loadWord(memory, descriptor + DESCRIPTOR_PINS_OFFSET) & PIN_COUNT_MASK) === 0;
}
