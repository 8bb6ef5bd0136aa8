// The public entry pagepool/inspector-page: re-exports only.

export { type MountedInspector, type MountTarget, mountInspector } from './inspector/mount.js';
