// The site of the manual. scripts/docs-site.mjs writes its pages, and the sidebar, into build/site/source first.

import { readFileSync } from 'node:fs';
import { defineConfig } from 'vitepress';

const built = new URL('../../../build/site/', import.meta.url);
const sidebar = JSON.parse(readFileSync(new URL('sidebar.json', built), 'utf8'));

export default defineConfig({
  title: 'pagepool',
  description: 'A buffer pool for threads: shared, reference-counted pages that are recycled instead of allocated',
  srcDir: '../../build/site/source',
  outDir: '../../build/site/pages',
  cacheDir: '../../build/site/cache',
  // Code has up to 120 columns.
  head: [
    ['style', {}, ':root{--vp-code-font-size:.8em} .VPDoc.has-aside .content-container{max-width:840px!important}'],
  ],
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: 'local' },
    nav: [
      { text: 'Start', link: '/start' },
      { text: 'Recipes', link: '/calls' },
      { text: 'Reference', link: '/reference/' },
    ],
  },
  // Pages of tables are long on purpose.
  vite: { build: { chunkSizeWarningLimit: 4096 } },
});
