// The engine of a port that is gone: it refuses everything and touches no memory.
//
// Put in the place of a port's engine when its thread detaches or the pool is destroyed, so that the fast paths need no
// check of their own. `ERR_CLOSED` is no code of the core: the public layer converts it to POOL_ERR_DESTROYED.

import type { CallName, Engine } from './engine.js';

/** What every refusing call returns. */
export const ERR_CLOSED = -100;

const none = (): number => 0;
const refuse = (): number => ERR_CLOSED;
const nothing = (): void => {};
/** The call itself returns what is wrong: whoever asks first makes it. */
const yes = (): number => 1;

/** An engine that refuses everything. */
export const closedEngine: Pick<Engine, CallName> = {
  alloc: none,
  allocFragment: none,
  allocBurst: none,
  hasPages: yes,
  retain: refuse,
  release: refuse,
  releaseBulk: none,
  offset: none,
  extent: refuse,
  refCount: refuse,
  pin: refuse,
  unpin: refuse,
  send: refuse,
  sendBurst: none,
  receiveBurst: none,
  canSend: yes,
  canReceive: yes,
  closeChannel: nothing,
  lastError: refuse,
  lend: refuse,
  adopt: refuse,
  ask: refuse,
  accept: none,
  reply: refuse,
  collect: refuse,
  cancel: refuse,
  park: nothing,
  unpark: nothing,
  press: nothing,
  poll: nothing,
  trim: none,
  scrub: none,
  releaseHeld: none,
  wake: nothing,
  pass: nothing,
  arm: none,
  disarm: none,
};

/** The calls of every engine, by name. */
export const ENGINE_CALLS = Object.keys(closedEngine) as readonly CallName[];
