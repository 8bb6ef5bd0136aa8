// Messages in a channel's nodes: which entries travel together.
//
// A node has a bit for each entry: the next one belongs to the same message. A message lies in one node, so
// that one exchange moves it; a receiver that has its first entry has the others in its inbox. Read plainly: by the
// thread whose inbox it is, or by the reaper that acts for it.

import {
  ENTRY_BYTES,
  ENTRY_TAG_OFFSET,
  LANE_DROPPED_OFFSET,
  LANE_INBOX_OFFSET,
  NODE_COUNT_OFFSET,
  NODE_ENTRIES_OFFSET,
  NODE_MORE_OFFSET,
  NODE_TAKEN_OFFSET,
} from '../../assembly/layout.js';
import { askerOf, giveUpAll, letGoOfAll, letGoOfCall, replyOfCall, takeCall, unmarkCall } from './calls.js';
import type { Seat } from './claims.js';
import type { ChannelGeometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { laneOffset, nodeOffset } from './nodes.js';
import type { Steps } from './steps.js';

/** Words of an entry: handle, offset, length, tag. */
export const ENTRY_WORDS: number = ENTRY_BYTES / 4;

/** What comes next in an inbox. */
export interface NextMessage {
  /** Entries up to the end of the message; 0: the inbox is empty. */
  readonly entries: number;
  /** Its first entries were taken out already. */
  readonly isRest: boolean;
  /** The tag of the entry that is next. */
  readonly tag: number;
}

/** The mark of a message of `entries` entries: 0 for one that is alone. */
export function moreMask(entries: number): number {
  return 2 ** (entries - 1) - 1;
}

/** What comes next in the inbox of port `id`. */
export function nextMessage({ u32 }: PoolMemory, channel: ChannelGeometry, id: number): NextMessage {
  const inbox = u32[(laneOffset(channel, id) + LANE_INBOX_OFFSET) >>> 2] as number;
  const node = nodeOffset(channel.ring, inbox);
  const count = u32[(node + NODE_COUNT_OFFSET) >>> 2] as number;
  const taken = u32[(node + NODE_TAKEN_OFFSET) >>> 2] as number;
  const more = u32[(node + NODE_MORE_OFFSET) >>> 2] as number;
  if (taken >= count) return EMPTY_INBOX;
  let last = taken;
  while (last + 1 < count && ((more >>> last) & 1) === 1) last++;
  const tag = u32[(node + NODE_ENTRIES_OFFSET + taken * ENTRY_BYTES + ENTRY_TAG_OFFSET) >>> 2] as number;
  return { entries: last + 1 - taken, isRest: taken > 0 && ((more >>> (taken - 1)) & 1) === 1, tag };
}

const EMPTY_INBOX: NextMessage = { entries: 0, isRest: false, tag: 0 };

/** What becomes of the entries of an inbox whose thread leaves, or is gone. */
export interface Returned {
  /** Back in the channel. */
  returnedEntries: number;
  /** Released: the channel is closed or full, or the first entries of their message were received. */
  droppedEntries: number;
}

/** A port that leaves, or whose thread is gone. */
type Leaver = Omit<Seat, 'claim'>;

/**
 * Settles every call that the port serves or has asked for, those excepted that are still whole in an inbox:
 * `returnInbox` has them go on to another server. The port's row is empty; `scratch`: where an entry may be written.
 */
export function* leaveCalls(leaver: Leaver, scratch: number): Steps<void> {
  const { geometry, id, memory } = leaver;
  for (const channel of geometry.channels) {
    if (!channel.isCalls) continue;
    const { entries, isRest, tag } = nextMessage(memory, channel, id);
    if (entries !== 0 && !isRest) yield* unmarkCall(leaver, tag);
  }
  yield* letGoOfAll(leaver);
  yield* giveUpAll(leaver, scratch);
}

/**
 * Sends what is left in the port's inbox again, at the end of the channel and each message whole; what the channel does
 * not take is dropped and counted, a call so that it fails. `scratch`: an address where the entries of a node may be
 * written. True: the inbox is empty; false: the port cannot take what is in it.
 */
export function* returnInbox(leaver: Leaver, index: number, scratch: number, returned: Returned): Steps<boolean> {
  const { geometry, id, memory } = leaver;
  const { u32 } = memory;
  const channel = geometry.channels[index] as ChannelGeometry;
  for (;;) {
    const { entries, isRest, tag } = nextMessage(memory, channel, id);
    if (entries === 0) return true;
    // A call that is over goes nowhere. On its way it is this port's: should the thread die, it is seen to have failed.
    const isOver = isRest || (channel.isCalls && !(yield* takeCall(leaver, tag)));
    if ((yield { call: ['receiveBurst', index, scratch, entries] }) === 0) return false;
    if (!isOver && (yield { call: ['sendBurst', index, scratch, entries, moreMask(entries)] }) !== 0) {
      if (channel.isCalls) yield* unmarkCall(leaver, tag);
      returned.returnedEntries += entries;
      continue;
    }
    if (channel.isCalls && !isOver) yield* letGoOfCall(leaver, replyOfCall(geometry, tag), askerOf(tag));
    for (let i = 0; i < entries; i++) yield { call: ['release', u32[(scratch + i * ENTRY_BYTES) >>> 2] as number] };
    // Plain: a lane's counters are its port's own.
    const dropped = (laneOffset(channel, id) + LANE_DROPPED_OFFSET) >>> 2;
    u32[dropped] = (u32[dropped] as number) + entries;
    returned.droppedEntries += entries;
  }
}
