// The public entry pagepool/web: pages and the web's own sources and sinks of bytes. Re-exports only.

export { type AccessHandle, type FileReadOptions, readAt, readFileInto, writeAt } from './web/files.js';
export {
  type ChunkView,
  chunkOf,
  copyChunk,
  copyFrame,
  copySound,
  type FrameCopyOptions,
  type FrameView,
  frameOf,
  type Plane,
  type SoundCopyOptions,
  type SoundView,
  soundOf,
  toAudioData,
  toChunk,
  toVideoFrame,
} from './web/media.js';
export {
  copyImage,
  drawFrame,
  type TextureOptions,
  toBitmap,
  uploadBuffer,
  uploadTexture,
} from './web/pictures.js';
export type { Socket } from './web/platform-types.js';
export { type FrameSource, pagesFor } from './web/sizes.js';
export { type MessageOptions, messagesInto, type SocketSendOptions, sendOver } from './web/sockets.js';
export { readStreamInto, type StreamOptions, toStream } from './web/streams.js';
export { workletUrl } from './web/worklet-url.js';
