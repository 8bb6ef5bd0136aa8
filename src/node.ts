// The public entry pagepool/node: re-exports only.

export { type DatagramReading, receiveInto } from './node/datagram.js';
export type { ReadEvent } from './node/events.js';
export { type ReadFileOptions, readFileInto } from './node/file.js';
export type { OnFragment, ReadOptions } from './node/options.js';
export { type ConnectTarget, connectInto, type ServeOptions, type SocketReading, serveInto } from './node/socket.js';
export { readStreamInto } from './node/stream.js';
export { fragments, type PacketWritableOptions, packetWritable, type Read } from './node/streams.js';
export { type PacketTarget, type WriteOptions, writePacket } from './node/write.js';
