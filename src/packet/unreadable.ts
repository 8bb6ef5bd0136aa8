// Packets of memory that the processor cannot see, as the compiler sees them: everything that a packet has, but no
// bytes.
//
// At run time they are packets, whose reading calls throw POOL_ERR_UNREADABLE. See src/pool/unreadable.ts.

import type { UnreadableFragment } from '../pool/unreadable.js';
import { Packet } from './packet.js';

/** The calls that read bytes, and those whose other side is of the same kind. */
type Refused =
  | `get${string}`
  | 'copyTo'
  | 'indexOf'
  | 'toBuffers'
  | 'expandHead'
  | 'coalesce'
  | typeof Symbol.iterator
  | 'append'
  | 'appendSlice'
  | 'prepend'
  | 'slice'
  | 'clone'
  | 'split'
  | 'shift';

/** A packet of memory that the processor cannot see. */
export interface UnreadablePacket extends Omit<Packet, Refused> {
  append(part: UnreadableFragment | UnreadablePacket): this;
  prepend(part: UnreadableFragment | UnreadablePacket): this;
  appendSlice(fragment: UnreadableFragment, offset?: number, length?: number): this;
  slice(offset?: number, length?: number): UnreadablePacket;
  clone(): UnreadablePacket;
  split(offset: number): UnreadablePacket;
  shift(): UnreadableFragment | null;
}

/** An empty packet for fragments that the processor cannot see. */
export const UnreadablePacket = Packet as unknown as new () => UnreadablePacket;
