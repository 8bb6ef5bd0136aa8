// The public entry pagepool/calls: importing it lets this realm's threads ask and serve calls, by `pool.calls(name)`.

import { Calls } from './pool/calls.js';
import { loadCalls } from './pool/loaded-calls.js';
import { Replies } from './pool/replies.js';

export { type CallRoom, Calls, type RequestPacket, type SendOptions, type ServeOptions } from './pool/calls.js';
export type { Call, CallHandler } from './pool/serving.js';

loadCalls({
  openReplies: (port, waits) => new Replies(port, waits),
  openCalls: (seat, index) => new Calls(seat, index),
});
