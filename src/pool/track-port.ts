// How a thread's references are followed, where it asks for that: by a tracker around its port's engine, which knows
// the public calls that may bring some.

import { trackEngine } from '../leaks/tracked-engine.js';
import { LeakTracker } from '../leaks/tracker.js';
import { followLeaks } from '../port/port.js';
import { Calls } from './calls.js';
import { Channel, iterate } from './channel.js';
import { Fragment } from './fragment.js';
import type { TrackPort } from './loaded-leaks.js';

/** From now on the port's references are followed, through its engine. */
export const trackPort: TrackPort = (port, options, calls) => {
  const { call, serve, take } = Calls.prototype;
  const { receive, receiveBurst, next } = Channel.prototype;
  const tracker = new LeakTracker(port, options, {
    alloc: [calls.alloc, calls.take, calls.takeAsync],
    allocFragment: [calls.allocFragment, calls.take, calls.takeAsync],
    allocBurst: [calls.allocBurst, calls.allocBulk],
    retain: [calls.retain, Fragment.prototype.slice, Fragment.prototype.retain],
    receiveBurst: [receiveBurst, receive, next, iterate],
    adopt: [calls.adopt],
    accept: [serve],
    collect: [call],
    wait: [next, iterate, calls.takeAsync, call, take, serve],
  });
  followLeaks(port, tracker, trackEngine(port, tracker));
};
