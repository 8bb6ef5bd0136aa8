// The public entry pagepool/inspector: re-exports only.

export type { InspectorOptions } from './inspector/options.js';
export { type Inspector, serveInspector } from './inspector/serve.js';
