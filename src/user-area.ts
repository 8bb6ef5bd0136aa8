// The entry `pagepool/user-area`: memory that somebody else made as a pool's pages, and the queue to a consumer that is
// not trusted.

export type { UserAreaOptions } from './provider/user-area.js';
export type { UserShare } from './user/layout.js';
export { userArea } from './user-area/provider.js';
export { UserQueue, type UserQueueOptions, type UserQueueStats } from './user-area/queue.js';
