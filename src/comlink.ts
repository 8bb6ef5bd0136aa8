// The public entry pagepool/comlink: re-exports only.

export { type FragmentTransferHandler, fragmentHandler } from './comlink/handler.js';
