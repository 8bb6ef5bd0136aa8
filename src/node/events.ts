// What the adapters publish by `node:diagnostics_channel`: nothing is made where nobody listens.

import { channel } from 'node:diagnostics_channel';

/** What subscribers get. */
export interface ReadEvent {
  /** The call that reads: 'connectInto'. */
  readonly call: string;
  /** The pool's name. */
  readonly pool: string;
  /** Bytes that came so far. */
  readonly bytes: number;
}

/** The pool is empty: the source stands still. */
const paused = channel('pagepool:pause');
/** A page came back: the source goes on. */
const resumed = channel('pagepool:resume');
/** A datagram found no page. */
const dropped = channel('pagepool:drop');
/** The source has ended, or failed. */
const ended = channel('pagepool:end');

const channels = { pause: paused, resume: resumed, drop: dropped, end: ended };

/** Publishes an event, where somebody has subscribed. */
export function publish(name: keyof typeof channels, call: string, pool: string, bytes: number): void {
  const target = channels[name];
  if (target.hasSubscribers) target.publish({ call, pool, bytes } satisfies ReadEvent);
}
