// The pools that this thread is attached to: one attachment a thread and pool, since a second one would be a second
// port that nobody detaches.

import { STATE_DESTROYED } from '../../assembly/layout.js';
import { freePort, keepClaim } from '../control/claims.js';
import { writeLabel } from '../control/label.js';
import { dropLifeline, needsLifeline } from '../control/lifeline.js';
import { announce, poolState } from '../control/state.js';
import type { Port } from '../port/port.js';

const attached = new Set<string>();

/** Whether this thread is attached to the pool. */
export function isAttachedTo(identity: string): boolean {
  return attached.has(identity);
}

/** From now on it is. */
export function beginAttachment({ identity }: Port): void {
  attached.add(identity);
}

/** Lets this thread attach once more, as another thread would: for the suite of providers, which has but one. */
export function letAttachAgain({ identity }: Pick<Port, 'identity'>): void {
  attached.delete(identity);
}

/** Forgets the attachment and, unless the pool ended with it, frees the port. */
export function endAttachment(port: Port): void {
  letAttachAgain(port);
  if (poolState(port.memory) === STATE_DESTROYED) return;
  if (!port.isLost) writeLabel(port.memory, port.geometry, port.id, '');
  if (needsLifeline(port.memory) && keepClaim(port)) dropLifeline(port);
  freePort(port);
}

/** What `make` makes on a port that was just opened; what fails half way leaves the port free. */
export function onPort<Pool>(port: Port, make: () => Pool): Pool {
  try {
    return make();
  } catch (error) {
    endAttachment(port);
    announce(port.memory);
    throw error;
  }
}
