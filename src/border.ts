// The public entry pagepool/border: re-exports only.

export { advice } from './border/advice.js';
export { type Capabilities, capabilities, type Runtime, type ViewSupport } from './border/capabilities.js';
export { type DecodeOptions, type DigestAlgorithm, decodeText, digest, sendable, toUnshared } from './border/copies.js';
export type { ByteSource, OwnBytes } from './border/source.js';
export type { BorderApi, Verdict } from './border/verdict.js';
