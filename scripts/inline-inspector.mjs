// Bundles the inspector's page and its thread, and turns them into one module: `import { assets, workerCode } from
// '#inspector-files'`.
//
// Both are whole files of their own, so that a bundler of the user's has nothing to find: the thread is started from
// text, the page is served from memory. Gzipped: the page goes to the browser as it is.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './support.mjs';

const COMMON = { absWorkingDir: root, bundle: true, minify: true, charset: 'ascii', write: false, logLevel: 'warning' };

async function text(options) {
  const { outputFiles } = await build({ ...COMMON, ...options });
  return outputFiles[0].text;
}

/** What the page is made of, by path: its type and its text. */
export async function pageFiles() {
  const script = await text({
    entryPoints: ['src/inspector/page/main.ts'],
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
  });
  const style = await text({ entryPoints: ['src/inspector/page/page.css'] });
  const html = readFileSync(join(root, 'src/inspector/page/index.html'), 'utf8');
  return {
    '/': ['text/html; charset=utf-8', html],
    '/page.css': ['text/css; charset=utf-8', style],
    '/page.js': ['text/javascript; charset=utf-8', script],
  };
}

async function workerText() {
  return text({ entryPoints: ['src/inspector/worker.ts'], format: 'cjs', platform: 'node', target: 'node20' });
}

const gzip = (content) => gzipSync(content, { level: 9 });

/** The text of the module and of its declaration. */
export async function inlineInspector() {
  const files = Object.entries(await pageFiles());
  const entries = files.map(([path, [type, content]]) => {
    return `  ${JSON.stringify(path)}: { type: ${JSON.stringify(type)}, bytes: bytes('${gzip(content).toString('base64')}') },`;
  });
  const js = `// Generated from src/inspector/worker.ts and src/inspector/page.
const bytes = (base64) => Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
export const assets = /* @__PURE__ */ (() => ({
${entries.join('\n')}
}))();
export const workerCode = /* @__PURE__ */ bytes('${gzip(await workerText()).toString('base64')}');
`;
  const types = `/** The page's files by path, gzipped. */
export declare const assets: Readonly<Record<string, { readonly type: string; readonly bytes: Uint8Array<ArrayBuffer> }>>;
/** The code of the inspector's thread, gzipped. */
export declare const workerCode: Uint8Array<ArrayBuffer>;
`;
  return { js, types };
}
