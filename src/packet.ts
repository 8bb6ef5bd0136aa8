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
export { RecordWriter, type RecordWriterOptions } from './packet/record-writer.js';
export { records } from './packet/records.js';
export { takePacket, takePacketAsync } from './packet/taking.js';
export {
  type TextLinesOptions,
  type TextPiece,
  type TextSource,
  type TextStream,
  textLines,
} from './packet/text-lines.js';
export { nextPacket, packets, receivePacket, sendPacket, sendPacketAsync, waitPacketRoom } from './packet/travel.js';
export { UnreadablePacket } from './packet/unreadable.js';
