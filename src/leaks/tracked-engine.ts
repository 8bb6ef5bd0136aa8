// An engine around a port's engine that notifies a tracker of each reference that is taken or released.
//
// It takes the place of the port's engine where leaks are tracked, so that the fast paths of all other pools know
// nothing of it. Each call is the engine's own, with its arguments and its result; what it did is noted afterwards.

import { OK } from '../../assembly/layout.js';
import { titleOf } from '../control/geometry.js';
import { ENTRY_WORDS } from '../control/messages.js';
import { ENGINE_CALLS } from '../engine/closed.js';
import type { Engine } from '../engine/engine.js';
import { touchStack } from '../platform/stack.js';
import { ALLOCATED, type LeakSeat, type LeakTracker } from './tracker.js';

const RELEASED = 'released';

/** The port's engine, with a tracker of what goes through it. */
export function trackEngine({ engine, geometry, memory }: LeakSeat, tracker: LeakTracker): Engine {
  const channels = geometry.channels.map(titleOf);
  const sentTo = channels.map((name) => `sent to ${name}`);
  const receivedFrom = channels.map((name) => `received from ${name}`);
  /** The handles of a burst's items. */
  const handlesAt = (address: number, count: number, wordsEach = 1): number[] =>
    Array.from({ length: count }, (_, i) => memory.u32[(address >>> 2) + i * wordsEach] as number);
  // Bound: what is not replaced below is called as a function of this object.
  const calls = Object.fromEntries(ENGINE_CALLS.map((name) => [name, engine[name].bind(engine)])) as unknown as Engine;
  return {
    ...calls,
    kind: engine.kind,
    alloc() {
      touchStack();
      const handle = engine.alloc();
      if (handle !== 0) tracker.enter('alloc', ALLOCATED, [handle]);
      return handle;
    },
    allocFragment(bytes) {
      touchStack();
      const handle = engine.allocFragment(bytes);
      if (handle !== 0) tracker.enter('allocFragment', ALLOCATED, [handle]);
      return handle;
    },
    allocBurst(address, count) {
      touchStack();
      const got = engine.allocBurst(address, count);
      tracker.enter('allocBurst', ALLOCATED, handlesAt(address, got));
      return got;
    },
    retain(handle, count) {
      touchStack();
      const code = engine.retain(handle, count);
      if (code === OK) tracker.enter('retain', 'retained', [handle], count);
      return code;
    },
    release(handle) {
      touchStack();
      const code = engine.release(handle);
      if (code === OK) tracker.leave(RELEASED, [handle]);
      return code;
    },
    releaseBulk(address, count) {
      touchStack();
      const released = engine.releaseBulk(address, count);
      tracker.leave(RELEASED, handlesAt(address, released));
      return released;
    },
    send(channel, handle, offset, length, tag) {
      touchStack();
      const code = engine.send(channel, handle, offset, length, tag);
      if (code === OK) tracker.leave(sentTo[channel] as string, [handle]);
      return code;
    },
    sendBurst(channel, address, count, more) {
      touchStack();
      const sent = engine.sendBurst(channel, address, count, more);
      tracker.leave(sentTo[channel] as string, handlesAt(address, sent, ENTRY_WORDS));
      return sent;
    },
    receiveBurst(channel, address, maxCount) {
      touchStack();
      const received = engine.receiveBurst(channel, address, maxCount);
      tracker.enter('receiveBurst', receivedFrom[channel] as string, handlesAt(address, received, ENTRY_WORDS));
      return received;
    },
    ask(channel, address, count) {
      touchStack();
      const call = engine.ask(channel, address, count);
      if (call >= 0) tracker.leave(sentTo[channel] as string, handlesAt(address, count, ENTRY_WORDS));
      return call;
    },
    accept(channel, address) {
      touchStack();
      const received = engine.accept(channel, address);
      tracker.enter('accept', receivedFrom[channel] as string, handlesAt(address, received, ENTRY_WORDS));
      return received;
    },
    reply(call, handle, offset, length, status) {
      touchStack();
      const code = engine.reply(call, handle, offset, length, status);
      if (code === OK && handle !== 0) tracker.leave('answered', [handle]);
      return code;
    },
    collect(call, address) {
      touchStack();
      const code = engine.collect(call, address);
      const handles = code === OK ? handlesAt(address, 1).filter((handle) => handle !== 0) : [];
      tracker.enter('collect', 'answered', handles);
      return code;
    },
    lend(handle, offset, length, timeSeconds) {
      touchStack();
      const loan = engine.lend(handle, offset, length, timeSeconds);
      if (loan >= 0) tracker.leave('lent', [handle]);
      return loan;
    },
    adopt(index, sequence, address) {
      touchStack();
      const code = engine.adopt(index, sequence, address);
      if (code === OK) tracker.enter('adopt', 'adopted', handlesAt(address, 1));
      return code;
    },
  };
}
