// The TypeScript engine of a program: there once pagepool/typescript was imported.

import type { OpenTypeScript } from './open.js';

let loaded: OpenTypeScript | undefined;

/** From now on this realm has the engine. */
export function loadTypeScript(open: OpenTypeScript): void {
  loaded = open;
}

/** The engine, where it was loaded. */
export function loadedTypeScript(): OpenTypeScript | undefined {
  return loaded;
}
