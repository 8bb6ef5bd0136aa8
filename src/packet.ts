// The public entry pagepool/packet: re-exports only.

export {
  delimited,
  type FramingOptions,
  type LengthPrefixOptions,
  lengthPrefixed,
  lines,
  type PacketSource,
} from './packet/framing.js';
export { Packet, type PacketWindow } from './packet/packet.js';
export { nextPacket, packets, receivePacket, sendPacket, waitPacketRoom } from './packet/travel.js';
export { UnreadablePacket } from './packet/unreadable.js';
