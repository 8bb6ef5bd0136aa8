// The public entry pagepool/worklet: re-exports only.

export { WorkletChannel } from './worklet/channel.js';
export { WorkletPool } from './worklet/pool.js';
