// What a thread has that asks, or serves: an entry gives it to the pools of its realm.

import { Calls } from './calls.js';
import type { CallsPart } from './loaded-calls.js';
import { Replies } from './replies.js';

export const callsPart: CallsPart = {
  openReplies: (port, waits) => new Replies(port, waits),
  openCalls: (seat, index) => new Calls(seat, index),
};
