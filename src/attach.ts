// The public entry pagepool/attach: re-exports only.

export type { WhenFull } from './control/geometry.js';
export { PagePoolError, type PagePoolErrorCode } from './errors.js';
export { type AttachedPoolOf, attach, type UnreadableAttachedPool } from './pool/attach.js';
export type { AttachedPoolOptions } from './pool/attach-options.js';
export { AttachedPool, type Handle, type PinToken } from './pool/attached-pool.js';
export type { CallRoom, Calls, RequestPacket, SendOptions, ServeOptions } from './pool/calls.js';
export { Channel } from './pool/channel.js';
export { Fragment, type FragmentToken } from './pool/fragment.js';
export type { PoolNames } from './pool/names.js';
export type { Call, CallHandler } from './pool/serving.js';
export type { PoolShare } from './pool/share.js';
export type { UnreadableChannel, UnreadableFragment, UnreadableShare } from './pool/unreadable.js';
export type { WaitOptions } from './port/waiting.js';
