// The entry `pagepool/user`: the untrusted side of a user area. Re-exports only; nothing of the core.

export type { UserShare } from './user/layout.js';
export { Delivery, Receiver } from './user/receiver.js';
export type { ReceiveOptions } from './user/waiting.js';
