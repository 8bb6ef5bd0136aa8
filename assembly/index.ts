// What the core exports: the calls of src/engine/engine.ts, by the same names. Fixed arity, numbers only, no throw.

export { alloc, refCount, release, releaseHeld, retain } from './refcount';
export { allocFragment } from './fragment';
export { hasPages, press, unpark } from './cache';
export {
  allocBurst,
  extent,
  lastError,
  offset,
  open,
  park,
  poll,
  releaseBulk,
  scrub,
  trim,
} from './pool';
export { pin, unpin } from './pin';
export { canReceive, canSend, closeChannel, receiveBurst, send, sendBurst } from './channel';
export { adopt, lend } from './token';
export { accept, ask, cancel, collect, reply } from './call';
export { arm, disarm, pass, wake } from './event';
