// A release is refused when something is not in order, each refusal in a repository of its own; and made when
// everything is.

import { execFileSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { findBefore, findInChangelog, release } from '../../scripts/release.mjs';
import { messageOf } from '../support/realm.js';

let folder: string;

const git = (...args: string[]): string => execFileSync('git', args, { cwd: folder, encoding: 'utf8' }).trim();
const write = (path: string, text: string): void => writeFileSync(join(folder, path), text);
const read = (path: string): string => readFileSync(join(folder, path), 'utf8');
const commit = (): void => {
  git('add', '--all');
  git('commit', '--quiet', '--message', 'change');
};

const changelog = (version: string, { unreleased = '', entries = '- Pages.', date = '2026-01-31' } = {}): string =>
  `# Changelog\n\n## [Unreleased]\n${unreleased}\n## [${version}] - ${date}\n\n### Added\n\n${entries}\n`;

/** Writes the files of a version. */
function setVersion(version: string, abi = 3): void {
  const manifest = {
    name: 'pages',
    version,
    type: 'module',
    files: ['build', 'CHANGELOG.md'],
    bin: { pages: 'build/doctor.js' },
    exports: { '.': { types: './build/index.d.ts', default: './build/index.js' }, './package.json': './package.json' },
    scripts: { prepack: 'node make.mjs' },
  };
  write('package.json', JSON.stringify(manifest));
  write('package-lock.json', JSON.stringify({ name: 'pages', version, packages: { '': { version } } }));
  write('CHANGELOG.md', changelog(version));
  write('assembly/layout.ts', `// Words.\nexport const ABI_VERSION: u32 = ${abi};\n`);
}

/** What a release is refused for; empty when it is not. */
function refusals(): string {
  return messageOf(() => release(folder, { tag: true, say: () => {} }));
}

describe('a release', () => {
  /** A repository that is in order: each test has a copy. */
  let template: string;
  beforeAll(() => {
    template = mkdtempSync(join(tmpdir(), 'pagepool-release-'));
    folder = template;
    git('init', '--quiet', '--initial-branch', 'main');
    git('config', 'user.name', 'Anybody');
    git('config', 'user.email', 'anybody@localhost');
    git('config', 'commit.gpgSign', 'false');
    git('config', 'tag.gpgSign', 'false');
    mkdirSync(join(folder, 'assembly'));
    write('.gitignore', 'build/\n');
    write('README.md', '# Pages\n');
    write('LICENSE', 'MIT\n');
    const files = ['index.js', 'index.d.ts', 'doctor.js'].map((name) => `writeFileSync('build/${name}', '');`);
    const head = "import { mkdirSync, writeFileSync } from 'node:fs';\nmkdirSync('build', { recursive: true });\n";
    write('make.mjs', `${head}${files.join('\n')}\nconsole.log('[made]');\n`);
    setVersion('0.1.0');
    commit();
  });
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'pagepool-release-'));
    cpSync(template, folder, { recursive: true });
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));
  afterAll(() => rmSync(template, { recursive: true, force: true }));

  it('that is in order builds and packs, tags only when asked, and publishes nothing', () => {
    const lines: string[] = [];
    release(folder, { say: (line) => lines.push(line) });
    const tarball = join(folder, 'build/release/pages-0.1.0.tgz');
    expect(existsSync(tarball)).toBe(true);
    expect(lines[0]).toMatch(/^pages 0\.1\.0: 7 files, \d+ bytes, sha512-/);
    expect(lines.at(-1)).toContain(`git push origin main v0.1.0\n  npm publish ${tarball}`);
    expect(git('tag')).toBe('');
    release(folder, { tag: true, say: () => {} });
    expect(git('tag', '--list', '--format=%(objecttype) %(contents)', 'v0.1.0')).toBe(
      'tag pages 0.1.0\n\n### Added\n\n- Pages.',
    );
    expect(git('rev-parse', 'v0.1.0^{commit}')).toBe(git('rev-parse', 'HEAD'));
    expect(git('status', '--porcelain')).toBe('');
  });

  it('says everything that is not in order at once, and changes nothing', () => {
    git('checkout', '--quiet', '-b', 'other');
    write('CHANGELOG.md', changelog('0.0.9'));
    write('new.txt', '');
    const found = refusals();
    expect(found).toContain('CHANGELOG.md: the section behind [Unreleased] is [0.0.9] (expected [0.1.0])');
    expect(found).toContain('branch=other (expected main)');
    expect(found).toContain('M CHANGELOG.md');
    expect(found).toContain('?? new.txt');
    expect(git('tag')).toBe('');
    expect(existsSync(join(folder, 'build'))).toBe(false);
  });

  it.each(['1.0', 'v1.0.0', '1.0.0-beta.1', '01.x.0'])('of version %s is refused', (version) => {
    setVersion(version);
    expect(findBefore(folder)).toEqual([`package.json: version=${version} (expected MAJOR.MINOR.PATCH)`]);
  });

  it('whose lockfile has another version is refused', () => {
    write('package-lock.json', JSON.stringify({ version: '0.1.0', packages: { '': { version: '0.0.9' } } }));
    commit();
    expect(findBefore(folder)).toEqual([
      "package-lock.json: packages[''].version=0.0.9 (expected 0.1.0); run npm install",
    ]);
  });

  it('that is tagged already, or older than one that is, is refused', () => {
    git('tag', 'v0.1.0');
    expect(findBefore(folder)).toEqual(['the tag v0.1.0 is there already (expected a new version)']);
    setVersion('0.0.10');
    commit();
    expect(findBefore(folder)).toEqual(['package.json: version=0.0.10 (expected a later one than v0.1.0)']);
  });

  it('is compared with the latest version by its numbers, whatever other tags there are', () => {
    for (const tag of ['v0.9.0', 'v0.10.0', 'v0.11.0-beta', 'vault']) git('tag', tag);
    setVersion('0.9.1');
    commit();
    expect(findBefore(folder)).toEqual(['package.json: version=0.9.1 (expected a later one than v0.10.0)']);
    setVersion('0.10.1');
    commit();
    expect(findBefore(folder)).toEqual([]);
  });

  it.each([
    ['0.1.0', '0.1.1', 4, 'expected a new minor version after v0.1.0'],
    ['0.1.0', '0.2.0', 4, ''],
    ['0.1.0', '1.0.0', 4, ''],
    ['1.1.0', '1.2.0', 4, 'expected a new major version after v1.1.0'],
    ['1.1.0', '2.0.0', 4, ''],
    ['0.1.0', '0.1.1', 3, ''],
    ['0.1.0', '0.2.0', 2, 'ABI_VERSION=2 (expected 3 or more, as v0.1.0 has it)'],
  ])('from %s to %s with ABI version %i behind 3: %s', (before, after, abi, refused) => {
    setVersion(before);
    git('commit', '--quiet', '--allow-empty', '--all', '--message', before);
    git('tag', `v${before}`);
    setVersion(after, abi);
    commit();
    const found = findBefore(folder);
    expect(found.length).toBe(refused === '' ? 0 : 1);
    expect(found.join()).toContain(refused);
  });

  it('whose tarball lacks what the package promises is refused, and not tagged', () => {
    write('make.mjs', read('make.mjs').replace("writeFileSync('build/index.d.ts', '');", ''));
    commit();
    expect(refusals()).toContain('pages-0.1.0.tgz has no build/index.d.ts');
    expect(git('tag')).toBe('');
  });

  it('whose build changes the tree is refused, and not tagged', () => {
    write('make.mjs', `${read('make.mjs')}writeFileSync('README.md', 'changed');\n`);
    commit();
    expect(refusals()).toContain('the working tree has changes (expected none):\nM README.md');
    expect(git('tag')).toBe('');
  });

  it('whose build fails is refused with its words', () => {
    write('make.mjs', "throw new Error('no compiler');\n");
    commit();
    expect(refusals()).toContain('no compiler');
  });
});

describe('the changelog of a release', () => {
  const today = '2026-02-01';
  it.each([
    ['in order', changelog('1.0.0'), []],
    [
      'without [Unreleased]',
      changelog('1.0.0').replace('## [Unreleased]\n', ''),
      [/does not begin with \[Unreleased\]/],
    ],
    ['with entries left', changelog('1.0.0', { unreleased: '\n- More.\n' }), [/\[Unreleased\] has entries/]],
    ['without entries', changelog('1.0.0', { entries: '' }).replace('### Added', ''), [/\[1\.0\.0\] is empty/]],
    ['without a date', changelog('1.0.0').replace(' - 2026-01-31', ''), [/a date that is not later than 2026-02-01/]],
    ['of tomorrow', changelog('1.0.0', { date: '2026-02-02' }), [/2026-02-02 \(expected/]],
    ['of no day', changelog('1.0.0', { date: '2026-13-01' }), [/2026-13-01 \(expected/]],
  ] as const)('%s', (_, text, expected) => {
    const found = findInChangelog(text, '1.0.0', today);
    expect(found.length).toBe(expected.length);
    for (const [i, sentence] of expected.entries()) expect(found[i]).toMatch(sentence);
  });
});
