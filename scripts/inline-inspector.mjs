// Bundles the inspector's page and its thread, and turns each into a module: `import { page, style, html } from
// '#inspector-page'` and `import { threadCode } from '#inspector-thread'`.
//
// Both are whole, so that a bundler of the user's has nothing to find. The page is a function: mountInspector calls it,
// and serveInspector serves its text. The thread is started from text, compressed.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { build } from 'esbuild';
import { root } from './support.mjs';

const COMMON = { absWorkingDir: root, bundle: true, minify: true, charset: 'ascii', write: false, logLevel: 'warning' };

async function text(options) {
  const { outputFiles } = await build({ ...COMMON, ...options });
  return outputFiles[0].text;
}

/** What the page is made of: the text of its function, which returns the exports of main.ts, its style and its HTML. */
export async function pageParts() {
  const module = await text({
    entryPoints: ['src/inspector/page/main.ts'],
    format: 'iife',
    globalName: 'page',
    platform: 'browser',
    target: 'es2022',
  });
  const style = await text({ entryPoints: ['src/inspector/page/page.css'] });
  const html = readFileSync(join(root, 'src/inspector/page/index.html'), 'utf8');
  return { script: `function () { ${module.replace('"use strict";', '')}return page; }`, style, html };
}

async function threadText() {
  return text({ entryPoints: ['src/inspector/worker.ts'], format: 'cjs', platform: 'node', target: 'node20' });
}

/** The texts of the modules and of their declarations, by their names. */
export async function inlineInspector() {
  const { html, script, style } = await pageParts();
  const thread = brotliCompressSync(await threadText()).toString('base64');
  return {
    'inspector-page.js': `// Generated from src/inspector/page.
export const page = ${script};
export const style = ${JSON.stringify(style)};
export const html = ${JSON.stringify(html)};
`,
    'inspector-page.d.ts': `/** Runs the page's code. Needs nothing but the globals of a page: its text can be served. */
export declare function page(): {
  startServed(): void;
  startMounted(
    root: HTMLElement,
    source: (hearing: { open(): void; frame(json: string): void; lose(reason: string): void }) => () => void,
  ): () => void;
};
/** The page's style sheet. */
export declare const style: string;
/** The document that is served: it loads /page.css and /page.js. */
export declare const html: string;
`,
    'inspector-thread.js': `// Generated from src/inspector/worker.ts.
export const threadCode = /* @__PURE__ */ Uint8Array.from(atob('${thread}'), (letter) => letter.charCodeAt(0));
`,
    'inspector-thread.d.ts': `/** The code of the inspector's thread, compressed by Brotli. */
export declare const threadCode: Uint8Array<ArrayBuffer>;
`,
  };
}
