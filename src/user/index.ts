// The entry `pagepool/user`: the untrusted side of a user area. Re-exports only; nothing of the core.

export type { UserShare } from './layout.js';
export { Delivery, Receiver } from './receiver.js';
export type { ReceiveOptions } from './waiting.js';
