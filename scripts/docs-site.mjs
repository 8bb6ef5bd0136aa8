// Builds the manual as a site in build/site/pages: `npm run docs:site`; with --serve it is served until Ctrl+C.
//
//   build/*.d.ts --typedoc--> build/site/source/reference --+
//   docs/, examples/, README ... ---------------------------+--vitepress--> build/site/pages
//
// VitePress refuses links to pages that are not there, TypeDoc those of docstrings; test/docs looks at the rest. Both
// have 150 MB and an older TypeScript, so they are installed into docs/site when the site is built, not by `npm ci`.

import { cpSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { outline } from '../docs/site/outline.mjs';
import { entryPoints } from './build.mjs';
import { filesBelow, isMain, packageJson, Refusal, root, runNode, runScript } from './support.mjs';
import { installLocked } from './toolchain.mjs';

const siteDir = join(root, 'docs/site');
const outDir = join(root, 'build/site');
const source = join(outDir, 'source');

/** Documents beside docs/, and what they are called on the site. */
const BESIDE = {
  'README.md': 'index',
  'CHANGELOG.md': 'changelog',
  'CONTRIBUTING.md': 'contributing',
  'SECURITY.md': 'security',
};

const read = (path) => readFileSync(join(root, path), 'utf8');
const titleOf = (markdown) => /^# (.+)$/m.exec(markdown)?.[1] ?? '';

function write(page, text) {
  const path = join(source, `${page}.md`);
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}

/** The page of the site that has a file of the checkout, or undefined. */
function pageOf(path) {
  if (path in BESIDE) return BESIDE[path];
  const [, document] = /^docs\/([\w-]+)\.md$/.exec(path) ?? [];
  if (document !== undefined) return document;
  const [, program] = /^examples\/([\w-]+)(?:\/|$)/.exec(path) ?? [];
  return program === undefined ? undefined : `programs/${program}`;
}

/**
 * A document of the checkout as a page: links lead to pages, a document that is named in code becomes a link, and a
 * link to a source file, which is no page, its text alone.
 */
function asPage(path, markdown) {
  const linked = (target) => {
    const page = pageOf(target);
    return page !== undefined && existsSync(join(root, target)) ? page : undefined;
  };
  return markdown
    .split(/^( *```[\s\S]*?^ *```$)/m)
    .map((part, i) =>
      i % 2 === 1
        ? part.replace(/^( *```\w*) .*$/m, '$1')
        : part
            .replace(/(!?)\[([^\]]*)\]\((?!https?:|#)([^)#\s]+)(#[^)]*)?\)/g, (_, picture, text, target, hash = '') => {
              if (/\.(?:png|svg|webp)$/.test(target))
                return `${picture}[${text}](/${relative('docs', join(dirname(path), target))})`;
              const page = linked(join(dirname(path), target));
              return page === undefined ? text : `[${text}](/${page}${hash})`;
            })
            .replace(
              /(?<!\[)`(docs\/[\w-]+\.md|examples\/[\w-]+|(?:README|CHANGELOG|CONTRIBUTING|SECURITY)\.md)`/g,
              (code, target) => {
                const page = linked(target);
                return page === undefined || page === pageOf(path) ? code : `[${code}](/${page})`;
              },
            ),
    )
    .join('');
}

/** A page for the program of a folder: what its main file says first, and its files. */
function programPage(name) {
  const folder = join('examples', name);
  const files = filesBelow(join(root, folder)).map((path) => relative(join(root, folder), path));
  const shown = files.filter((file) => /\.(?:ts|js|mjs|html|css)$/.test(file));
  const fence = (file) =>
    `## ${file}\n\n\`\`\`\`${file.split('.').at(-1)}\n${read(join(folder, file)).trimEnd()}\n\`\`\`\``;
  return `# ${name}\n\nThe program of \`${folder}\`, file by file.\n\n${shown.map(fence).join('\n\n')}\n`;
}

/** The sidebar by the outline; refuses where a document is not in it. */
function sidebarOf(programs, reference) {
  const documents = readdirSync(join(root, 'docs')).filter((name) => name.endsWith('.md'));
  const named = outline.flatMap(({ pages }) => pages).filter((page) => typeof page === 'string');
  const missing = documents.filter((name) => !named.includes(name.slice(0, -3)));
  if (missing.length > 0) throw new Refusal(`docs/site/outline.mjs does not name ${missing.join(', ')}`);
  const item = (page) =>
    typeof page === 'string'
      ? { text: titleOf(read(`docs/${page}.md`)), link: `/${page}` }
      : { text: page.title, link: `/${page.link}` };
  const groups = outline.map(({ group, pages }) => ({ text: group, items: pages.map(item) }));
  const entries = reference.map((entry) => ({ text: entry, link: `/reference/${moduleOf(entry)}/` }));
  groups.find(({ text }) => text === 'Reference').items.push({ text: 'Every export', collapsed: true, items: entries });
  groups
    .find(({ text }) => text === 'Recipes')
    .items.push({
      text: 'Programs',
      collapsed: true,
      items: programs.map((name) => ({ text: name, link: `/programs/${name}` })),
    });
  groups.push({
    text: 'The project',
    items: Object.values(BESIDE)
      .slice(1)
      .map((page) => ({ text: page[0].toUpperCase() + page.slice(1), link: `/${page}` })),
  });
  return groups;
}

/** `pagepool/packet` -> the folder of its pages, `packet`. */
export function moduleOf(entry) {
  return entry === packageJson.name ? 'index' : entry.slice(packageJson.name.length + 1);
}

/** The names of the entries that have declarations: `pagepool`, `pagepool/border` ... */
export function entryNames() {
  return entryPoints()
    .map((path) => path.slice('src/'.length, -'.ts'.length))
    .map((module) => (module === 'index' ? packageJson.name : `${packageJson.name}/${module}`));
}

async function run(what, args) {
  const { code, output } = await runNode(args, { capture: true });
  if (code !== 0) throw new Refusal(`${what} failed:\n${output}`);
}

async function makeReference(entries) {
  const declarations = entryPoints().map((path) => path.replace('src/', 'build/').replace(/\.ts$/, '.d.ts'));
  await run('typedoc', [
    join(siteDir, 'node_modules/typedoc/bin/typedoc'),
    '--options',
    join(siteDir, 'typedoc.json'),
    ...declarations.flatMap((path) => ['--entryPoints', path]),
  ]);
  // TypeDoc calls an entry by its file.
  for (const entry of entries) {
    const page = join(source, 'reference', moduleOf(entry), 'index.md');
    writeFileSync(page, readFileSync(page, 'utf8').replace(/^# .*$/m, `# ${entry}`));
  }
  const list = entries.map((entry) => `- [\`${entry}\`](/reference/${moduleOf(entry)}/)`);
  write('reference/index', `# Every export\n\nBy entry, made of the docstrings.\n\n${list.join('\n')}\n`);
}

export async function buildSite() {
  installLocked(siteDir, 'what builds the manual, 150 MB');
  rmSync(outDir, { recursive: true, force: true });
  mkdirSync(source, { recursive: true });
  const documents = [...Object.keys(BESIDE), ...filesBelow(join(root, 'docs')).map((path) => relative(root, path))];
  for (const path of documents.filter((path) => /^(?:docs\/)?[\w-]+\.md$/.test(path))) {
    write(pageOf(path), asPage(path, read(path)));
  }
  for (const folder of ['pictures', 'plots'])
    cpSync(join(root, 'docs', folder), join(source, 'public', folder), { recursive: true });
  const programs = readdirSync(join(root, 'examples'), { withFileTypes: true })
    .filter((entry) => entry.isDirectory())
    .map(({ name }) => name);
  for (const name of programs) write(`programs/${name}`, programPage(name));
  const entries = entryNames();
  await makeReference(entries);
  writeFileSync(join(outDir, 'sidebar.json'), JSON.stringify(sidebarOf(programs, entries)));
  await run('vitepress', [join(siteDir, 'node_modules/vitepress/bin/vitepress.js'), 'build', siteDir]);
  return { pages: filesBelow(join(outDir, 'pages')).filter((path) => path.endsWith('.html')).length };
}

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const { pages } = await buildSite();
    console.log(`${pages} pages in build/site/pages`);
    if (process.argv.includes('--serve')) {
      await runNode([
        join(siteDir, 'node_modules/vitepress/bin/vitepress.js'),
        'preview',
        siteDir,
        ...process.argv.slice(3),
      ]);
    }
  });
}
