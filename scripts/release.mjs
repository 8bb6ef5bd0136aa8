// Prepares a release, and refuses when something is not in order: node scripts/release.mjs [--tag]
//
// It looks at the version, the changelog, the ABI version, the working tree and the tags, builds, packs the tarball and
// looks into it. With --tag it also makes the tag, here and nowhere else. It publishes nothing: its last lines are the
// commands that do.

import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, root, runScript } from './support.mjs';

const BRANCH = 'main';
const VERSION = /^(\d+)\.(\d+)\.(\d+)$/;
const LAYOUT = 'assembly/layout.ts';
/** What npm puts into every tarball, or the package's `files` must name. */
const DOCUMENTS = ['package.json', 'README.md', 'LICENSE', 'CHANGELOG.md'];

/** What a program that ends with exit code 0 prints. */
function output(program, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error !== undefined) throw new Refusal(`${program} cannot be run: ${error.message}`);
  if (status !== 0)
    throw new Refusal(`${program} ${args.join(' ')} ended with exit code ${status}:\n${stdout}${stderr}`);
  return stdout;
}

function git(folder, ...args) {
  return output('git', args, folder).trim();
}

/** The numbers of a version; undefined for anything but MAJOR.MINOR.PATCH. */
function numbersOf(version) {
  return VERSION.exec(version)?.slice(1).map(Number);
}

/**
 * Which number of the version is raised first, and whether those before it are equal: 0 major, 1 minor, 2 patch; -1:
 * not newer.
 */
function raised(before, now) {
  const place = now.findIndex((number, i) => number !== before[i]);
  return place >= 0 && now[place] > before[place] ? place : -1;
}

/** The section of the changelog with that heading, without it; undefined where there is none. */
function sectionOf(changelog, heading) {
  const sections = changelog.split(/^(?=## )/m);
  const found = sections.find((section) => section.startsWith(`## [${heading}]`));
  return found === undefined ? undefined : found.slice(found.indexOf('\n') + 1).trim();
}

/** What the changelog lacks for this version, a sentence each. */
export function findInChangelog(changelog, version, today) {
  const headings = [...changelog.matchAll(/^## \[(.+?)\](.*)$/gm)];
  const [first, second] = headings;
  if (first?.[1] !== 'Unreleased')
    return ['CHANGELOG.md does not begin with [Unreleased] (expected it as the first section)'];
  if (second?.[1] !== version) {
    return [`CHANGELOG.md: the section behind [Unreleased] is [${second?.[1] ?? 'none'}] (expected [${version}])`];
  }
  const found = [];
  if (sectionOf(changelog, 'Unreleased') !== '') {
    found.push(`CHANGELOG.md: [Unreleased] has entries (expected all of them in [${version}])`);
  }
  if (sectionOf(changelog, version) === '')
    found.push(`CHANGELOG.md: [${version}] is empty (expected what has changed)`);
  const date = / - (\d{4}-\d{2}-\d{2})$/.exec(second[2])?.[1];
  if (date === undefined || Number.isNaN(Date.parse(date)) || date > today) {
    found.push(`CHANGELOG.md: [${version}]${second[2]} (expected " - " and a date that is not later than ${today})`);
  }
  return found;
}

/** The ABI version that a layout.ts says. */
function abiOf(layout) {
  return Number(/^export const ABI_VERSION: u32 = (\d+);$/m.exec(layout)?.[1]);
}

/** What is not in order before anything is built, a sentence each. */
export function findBefore(folder, today = new Date().toISOString().slice(0, 10)) {
  const read = (path) => readFileSync(join(folder, path), 'utf8');
  const { version } = JSON.parse(read('package.json'));
  const numbers = numbersOf(version);
  if (numbers === undefined) return [`package.json: version=${version} (expected MAJOR.MINOR.PATCH)`];
  const found = [];
  const locked = JSON.parse(read('package-lock.json'));
  for (const [place, value] of [
    ['version', locked.version],
    ["packages[''].version", locked.packages?.['']?.version],
  ]) {
    if (value !== version) found.push(`package-lock.json: ${place}=${value} (expected ${version}); run npm install`);
  }
  found.push(...findInChangelog(read('CHANGELOG.md'), version, today));

  const branch = git(folder, 'branch', '--show-current');
  if (branch !== BRANCH) found.push(`branch=${branch || 'none'} (expected ${BRANCH})`);
  const changed = git(folder, 'status', '--porcelain');
  if (changed !== '') found.push(`the working tree has changes (expected none):\n${changed}`);

  const tags = git(folder, 'tag', '--list', 'v*').split('\n');
  const known = tags.filter((tag) => numbersOf(tag.slice(1)) !== undefined);
  if (known.includes(`v${version}`)) return [...found, `the tag v${version} is there already (expected a new version)`];
  const byVersion = (one, other) => (raised(numbersOf(one.slice(1)), numbersOf(other.slice(1))) >= 0 ? 1 : -1);
  const [last] = known.sort(byVersion);
  if (last === undefined) return found;
  const place = raised(numbersOf(last.slice(1)), numbers);
  if (place < 0) found.push(`package.json: version=${version} (expected a later one than ${last})`);
  const [before, now] = [abiOf(git(folder, 'show', `${last}:${LAYOUT}`)), abiOf(read(LAYOUT))];
  if (now < before) found.push(`${LAYOUT}: ABI_VERSION=${now} (expected ${before} or more, as ${last} has it)`);
  // Threads of one pool run the same ABI version: with a new one the versions before cannot attach.
  const breaking = numbers[0] === 0 ? 1 : 0;
  if (now > before && place > breaking) {
    const step = breaking === 1 ? 'minor' : 'major';
    found.push(`${LAYOUT}: ABI_VERSION=${now} and version=${version} (expected a new ${step} version after ${last})`);
  }
  return found;
}

/** What package.json promises to have in the tarball. */
function promised({ exports = {}, bin = {} }) {
  const targets = Object.values(exports).flatMap((target) =>
    typeof target === 'string' ? [target] : Object.values(target),
  );
  return [...DOCUMENTS, ...[...targets, ...Object.values(bin)].map((path) => path.replace(/^\.\//, ''))];
}

/** Builds and packs; the tarball's path, its size, and what is not in order about it. */
function pack(folder) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const target = join(folder, 'build/release');
  rmSync(target, { recursive: true, force: true });
  mkdirSync(target, { recursive: true });
  // By itself, since npm would mix what it prints into the list of files.
  if (manifest.scripts?.prepack !== undefined) output('npm', ['run', 'prepack'], folder);
  const args = ['pack', '--ignore-scripts', '--json', '--pack-destination', target];
  const [{ filename, files, integrity }] = JSON.parse(output('npm', args, folder));
  const packed = new Set(files.map(({ path }) => path));
  const found = promised(manifest)
    .filter((path) => !packed.has(path))
    .map((path) => `${filename} has no ${path} (expected it: package.json, or whoever reads the package, names it)`);
  const tarball = join(target, filename);
  return { tarball, bytes: existsSync(tarball) ? statSync(tarball).size : 0, files: files.length, integrity, found };
}

/**
 * Prepares the release of the project in `folder`.
 * @param {string} folder
 * @param {{ tag?: boolean, say?: (line: string) => void }} [options]
 * @throws {Refusal} when something is not in order: everything that is not, a line each; nothing was tagged then
 */
export function release(folder, { tag = false, say = console.log } = {}) {
  const refuse = (found) => {
    if (found.length > 0) throw new Refusal(`no release:\n- ${found.join('\n- ')}`);
  };
  refuse(findBefore(folder));
  const { tarball, bytes, files, integrity, found } = pack(folder);
  refuse(found);
  refuse(findBefore(folder)); // what the build changed is no release either
  const { name, version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  say(`${name} ${version}: ${files} files, ${bytes} bytes, ${integrity}`);
  if (tag) {
    const notes = sectionOf(readFileSync(join(folder, 'CHANGELOG.md'), 'utf8'), version);
    git(
      folder,
      'tag',
      '--annotate',
      '--cleanup=verbatim',
      '--message',
      `${name} ${version}\n\n${notes}\n`,
      `v${version}`,
    );
    say(`tagged v${version}`);
  } else say('everything is in order: run it again with --tag');
  say(`Nothing is published. What does it:\n  git push origin ${BRANCH} v${version}\n  npm publish ${tarball}`);
}

if (isMain(import.meta.url)) await runScript(() => release(root, { tag: process.argv.includes('--tag') }));
