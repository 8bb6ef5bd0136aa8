// Who serves calls, as any thread can read it: what would help where calls are not answered.

import {
  CHANNEL_NOT_EMPTY_OFFSET,
  REPLY_CHANNEL_OFFSET,
  REPLY_SERVER_MASK,
  REPLY_SERVER_SHIFT,
  REPLY_SERVING,
  REPLY_STATE_MASK,
} from '../../assembly/layout.js';
import { replyOffset } from '../control/calls.js';
import type { SharedWords } from '../control/claims.js';
import { type ChannelGeometry, titleOf } from '../control/geometry.js';
import { readLabel } from '../control/label.js';
import { loadWord, waitingPorts } from '../control/nodes.js';
import { portName } from './holders.js';

/** What would help the calls of a name that wait; undefined where a thread waits to serve them. Approximate. */
export function remedyForCalls(words: SharedWords, channel: ChannelGeometry): string | undefined {
  if (waitingPorts(words, channel.offset + CHANNEL_NOT_EMPTY_OFFSET).length > 0) return undefined;
  const { geometry, memory } = words;
  const index = geometry.channels.indexOf(channel);
  const busy = new Set<number>();
  for (let i = 0; i < geometry.maxPorts * geometry.replyCount; i++) {
    const reply = replyOffset(geometry, 0, i);
    const word = loadWord(memory, reply);
    if ((word & REPLY_STATE_MASK) !== REPLY_SERVING || loadWord(memory, reply + REPLY_CHANNEL_OFFSET) !== index)
      continue;
    busy.add(((word & REPLY_SERVER_MASK) >>> REPLY_SERVER_SHIFT) - 1);
  }
  const title = titleOf(channel);
  if (busy.size === 0)
    return `nobody serves ${title}: serve() them in a thread, and watch() it: a dead one serves nothing`;
  const names = [...busy].map((id) => portName(id, readLabel(memory, geometry, id), 0)).join(', ');
  return `${names} serves ${title} and has not answered: look for a handler that never returns, or serve in more threads`;
}
