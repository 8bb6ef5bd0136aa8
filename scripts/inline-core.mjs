// Turns the release binary into a module, `import { wasmBytes } from '#core-wasm'`, and the shape of the control region
// into another one, `import { layoutHash } from '#layout-hash'`: threads that attach need the second alone.
//
// Encoding: ASCII alone, since a classic script on a page that names no charset is not read as UTF-8, and every bundle
// may become one. A byte is raised by 12 first, since those below 0 by their sign are more frequent than those around
// 90. One that is below 93 then, most of them, is one character; of the others two, so bytes keep an alignment that
// gzip finds repetitions in: a quarter smaller on the wire than base64. Decoding needs no atob, Buffer or TextDecoder,
// which an AudioWorkletGlobalScope does not have.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';
import { buildDir, root } from './support.mjs';

// 95 printable characters from the space on: 93 digits, and two that begin a pair.
const FIRST = 32;
const BASE = 93;
const RAISED = 12;

function encode(bytes) {
  const digit = (value) => String.fromCharCode(FIRST + value);
  const text = Array.from(bytes, (given) => {
    const byte = (given + RAISED) & 0xff;
    const high = Math.floor(byte / BASE);
    return (high === 0 ? '' : digit(BASE + high - 1)) + digit(byte % BASE);
  }).join('');
  return text.replace(/[\\']/g, '\\$&');
}

/** Where the flags of the imported memory stand: the byte behind its name and its kind. */
export function sharedFlagOf(bytes) {
  const name = [...'\u0003env\u0006memory\u0002'].map((character) => character.charCodeAt(0));
  const at = Buffer.from(bytes).indexOf(Buffer.from(name)) + name.length;
  if (at < name.length || bytes[at] !== 3) throw new Error('env.memory: no flags (expected shared, with a maximum)');
  return at;
}

/** The source of a function `wasmBytes` that returns these bytes. */
export function bytesFunction(bytes) {
  return `export function wasmBytes() {
  const text = '${encode(bytes)}';
  const bytes = new Uint8Array(${bytes.length});
  for (let i = 0, at = 0; i < bytes.length; i++) {
    const first = text.charCodeAt(at++) - ${FIRST};
    bytes[i] = (first < ${BASE} ? first : (first - ${BASE - 1}) * ${BASE} + text.charCodeAt(at++) - ${FIRST}) - ${RAISED};
  }
  return bytes;
}
`;
}

/** The constants of assembly/layout.ts by name. */
export async function layoutConstants() {
  const { outputFiles } = await build({
    absWorkingDir: root,
    entryPoints: ['assembly/layout.ts'],
    bundle: true,
    format: 'esm',
    write: false,
  });
  const url = `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`;
  return { ...(await import(url)) };
}

/**
 * FNV-1a over `name=value` of every constant, in the order of their names: changes with the meaning of a word's place.
 */
export function hashLayout(constants) {
  let hash = 0x811c9dc5;
  for (const name of Object.keys(constants).sort()) {
    for (const unit of `${name}=${JSON.stringify(constants[name])}\n`) {
      hash = Math.imul(hash ^ unit.charCodeAt(0), 0x01000193);
    }
  }
  return hash >>> 0;
}

/** The texts of the modules and of their declarations, by file name. */
export async function inlineCore() {
  const bytes = readFileSync(join(buildDir, 'wasm/core.release.wasm'));
  const hash = hashLayout(await layoutConstants());
  return {
    'core-wasm.js': `// Generated from build/wasm/core.release.wasm (${bytes.length} bytes).
${bytesFunction(bytes)}
export const sharedFlagAt = ${sharedFlagOf(bytes)};
`,
    'core-wasm.d.ts': `/** The release core, decoded anew by each call. */
export declare function wasmBytes(): Uint8Array<ArrayBuffer>;
/** Where it says of its imported memory that this is shared (3), and not one thread's (1). */
export declare const sharedFlagAt: number;
`,
    'layout-hash.js': `// Generated from assembly/layout.ts.
export const layoutHash = ${hash};
`,
    'layout-hash.d.ts': `/** Tells one shape of the control region from every other: a u32 over the constants of assembly/layout.ts. */
export declare const layoutHash: number;
`,
  };
}
