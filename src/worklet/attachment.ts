// The attachment of an audio thread: it waits for nothing, but hears what other threads ask of it.
//
// Its bell is listened to as any thread's is (src/port/waits.ts), where the platform can: the reaction of a waitAsync
// holds it weakly, since in Firefox an unsettled one keeps what it holds for good. Whoever made it keeps it.

import { holdLifeline, needsLifeline } from '../control/lifeline.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import { BaseAttachment } from '../pool/base-attachment.js';
import { bellIndex, readBell } from '../port/bell.js';
import { listen, type Port } from '../port/port.js';

/** Whether it is one, told by a field that only one has: also of a proxy, whose traps are not asked. */
export let isWorkletAttachment: (value: unknown) => value is WorkletAttachment;

/** One audio thread's attachment to a pool. */
export class WorkletAttachment extends BaseAttachment {
  readonly #hasLifeline: boolean;
  readonly #weak = new WeakRef(this);

  static {
    isWorkletAttachment = (value): value is WorkletAttachment =>
      typeof value === 'object' && value !== null && #weak in value;
  }

  constructor(port: Port) {
    super(port);
    this.#hasLifeline = needsLifeline(port.memory);
    listen(port, { engineChanged: () => {}, lost: () => this.end() });
    port.areas?.listen({ forget: () => {}, arrived: () => {} }, port);
    this.rung();
  }

  /** The bell was raised, or may have been: for the reaction of the thread's waitAsync. */
  rung(): void {
    const { port } = this;
    if (port.isGone) return;
    const bell = readBell(port);
    this.guard(() => this.serve());
    if (this.#hasLifeline && !port.isGone) holdLifeline(port);
    if (port.isGone || !port.memory.isShared || !hasWaitAsync()) return;
    const { async, value } = Atomics.waitAsync(port.memory.i32, bellIndex(port), bell);
    const weak = this.#weak;
    void (async ? value : Promise.resolve()).then(() => weak.deref()?.rung());
  }

  protected override leaving(): void {
    // N1 no ordering needed: lets go of this thread's own waitAsync.
    if (this.port.memory.isShared) Atomics.notify(this.port.memory.i32, bellIndex(this.port));
  }
}
