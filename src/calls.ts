// The public entry pagepool/calls: importing it lets this realm's threads ask and serve calls, by `pool.calls(name)`.

import { callsPart } from './pool/calls-part.js';
import { loadCalls } from './pool/loaded-calls.js';

export { type CallRoom, Calls, type RequestPacket, type SendOptions, type ServeOptions } from './pool/calls.js';
export type { Call, CallHandler } from './pool/serving.js';

loadCalls(callsPart);
