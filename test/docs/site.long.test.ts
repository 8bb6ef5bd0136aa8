// The manual's site, built as `npm run docs:site` builds it: every link leads to a page and a place on it, the search
// of a real browser finds calls, and the reference has every export of every entry.

import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from 'vitest';
import { buildSite, entryNames, moduleOf } from '../../scripts/docs-site.mjs';
import { launchChromium } from '../support/browsers.js';
import { serve } from '../support/serve.js';
import { HUNG_MS } from '../support/waiting.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const site = join(root, 'build/site/pages');

const decode = (text: string): string =>
  decodeURIComponent(text.replaceAll('&amp;', '&').replaceAll('&quot;', '"').replaceAll('&#39;', "'"));

/** The pages, by their paths below the site. */
const pages = new Map<string, { readonly ids: ReadonlySet<string>; readonly links: readonly string[] }>();

beforeAll(async () => {
  await buildSite();
  for (const path of readdirSync(site, { recursive: true, encoding: 'utf8' })) {
    if (!path.endsWith('.html')) continue;
    const html = readFileSync(join(site, path), 'utf8');
    const values = (attribute: RegExp): string[] =>
      [...html.matchAll(attribute)].map(([, value]) => decode(value ?? ''));
    pages.set(path, { ids: new Set(values(/\sid="([^"]+)"/g)), links: values(/\s(?:href|src)="([^"]+)"/g) });
  }
});

test('every link and picture leads to what is there, a heading included', () => {
  const broken: string[] = [];
  let checked = 0;
  for (const [path, { links }] of pages) {
    for (const link of links.filter((link) => !/^(?:https?:|mailto:|data:)/.test(link))) {
      checked++;
      const [target = '', id] = link.split('#');
      const file = target === '' ? path : target.startsWith('/') ? target.slice(1) : join(dirname(path), target);
      const page = file === '' || file.endsWith('/') ? `${file}index.html` : file;
      const named = existsSync(join(site, page)) ? page : `${page}.html`;
      if (!existsSync(join(site, named))) broken.push(`${path}: ${link}`);
      else if (id !== undefined && id !== '' && !pages.get(named)?.ids.has(id)) broken.push(`${path}: ${link}`);
    }
  }
  expect(broken).toEqual([]);
  expect(checked).toBeGreaterThan(5000);
});

test('the search finds waitRoom, in the reference and in the options and calls', async () => {
  const server = await serve({ folders: { '/': site } });
  const browser = await launchChromium();
  try {
    const page = await browser.open(`${server.origin}/start.html`);
    const puppet = page.puppet!;
    puppet.setDefaultTimeout(HUNG_MS);
    await puppet.waitForSelector('button.DocSearch-Button');
    await puppet.click('button.DocSearch-Button');
    await puppet.waitForSelector('.search-input');
    await puppet.type('.search-input', 'waitRoom');
    await puppet.waitForSelector('.results .result');
    const found = await page.evaluate<string[]>(
      `[...document.querySelectorAll('.results a.result')].map((link) => new URL(link.href).pathname + new URL(link.href).hash)`,
    );
    expect(found).toContain('/reference/index/classes/Channel.html#waitroom');
    expect(found).toContain('/api.html#a-channel');
  } finally {
    await Promise.all([browser.close(), server.close()]);
  }
});

describe('the reference', () => {
  /** What an entry's declarations export, types too. */
  function exportsOf(entry: string): string[] {
    const text = readFileSync(join(root, `build/${moduleOf(entry)}.d.ts`), 'utf8').replace(/\/\*[\s\S]*?\*\//g, '');
    expect(text).not.toMatch(/export \*/);
    const lists = [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].flatMap(([, list = '']) => list.split(','));
    const names = lists
      .map((name) => name.replace(/^\s*type /, '').trim())
      .map((name) => name.split(' as ').at(-1) ?? '');
    const declared = [
      ...text.matchAll(/^export (?:declare )?(?:abstract )?(?:class|function|const|interface|type) (\w+)/gm),
    ];
    return [...new Set([...names, ...declared.map(([, name]) => name as string)])].filter((name) => name !== '').sort();
  }

  test.each(entryNames())('has a page for every export of %s', (entry) => {
    const folder = `reference/${moduleOf(entry)}/`;
    const own = [...pages.keys()].filter((path) => path.startsWith(folder) && path !== `${folder}index.html`);
    // What an entry exports again has its page with the first one; the entry's list links to it.
    const text = readFileSync(join(root, 'build/site/source', folder, 'index.md'), 'utf8');
    const again = [...text.slice(text.indexOf('## References')).matchAll(/^### (\w+)$/gm)].map(
      ([, name]) => name as string,
    );
    const listed = text.includes('## References') ? again : [];
    const named = own.map((path) => path.replace(/^.*\/(\w+)\.html$/, '$1'));
    const wanted = exportsOf(entry);
    const isForEffect = ['pagepool/areas', 'pagepool/leaks', 'pagepool/typescript'].includes(entry);
    if (!isForEffect) expect(wanted.length).toBeGreaterThan(0);
    expect([...new Set([...named, ...listed])].sort()).toEqual(wanted);
  });
});
