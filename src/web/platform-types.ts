// Types of the web that a consumer's type libraries may lack: the platform's own where declared, the part used here
// elsewhere.
//
// Types alone, no code. What only passes through is an object elsewhere.

type Realm = typeof globalThis;

export type VideoFrameOf = Realm extends { VideoFrame: { prototype: infer Frame } } ? Frame : { close(): void };
export type AudioDataOf = Realm extends { AudioData: { prototype: infer Data } } ? Data : { close(): void };
export type VideoChunkOf = Realm extends { EncodedVideoChunk: { prototype: infer Chunk } } ? Chunk : object;
export type AudioChunkOf = Realm extends { EncodedAudioChunk: { prototype: infer Chunk } } ? Chunk : object;
export type BitmapOf = Realm extends { ImageBitmap: { prototype: infer Bitmap } } ? Bitmap : { close(): void };
export type ByteStreamOf = Realm extends { ReadableStream: { prototype: infer Stream } } ? Stream : object;

/** `WebSocket`. */
export type Socket = Realm extends { WebSocket: { prototype: infer Socket } } ? Socket : SocketLike;

interface SocketLike {
  binaryType: string;
  readonly readyState: number;
  readonly bufferedAmount: number;
  send(data: never): void;
  close(): void;
  addEventListener(type: string, listener: (event: never) => void): void;
  removeEventListener(type: string, listener: (event: never) => void): void;
}

/** A canvas context that draws pictures. */
export interface DrawingContext {
  drawImage(image: never, x: number, y: number, width: number, height: number): void;
}

/** A WebGL context: what uploads use of it. */
export interface GlContext {
  readonly TEXTURE_2D: number;
  readonly RGBA: number;
  readonly UNSIGNED_BYTE: number;
  bufferData(target: number, data: never, usage: number): void;
}
