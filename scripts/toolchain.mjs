// Installs what the package tests run the package with: other runtimes, bundlers, checkers (test/package/toolchain).
//
// They weigh about 1 GB, so the root's `npm ci` leaves them out. They are installed again when their lockfile changes.
// Where one cannot be had this says which; that is an error with CI=true, and elsewhere its tests are skipped.

import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, root, runScript } from './support.mjs';

export const toolchainDir = join(root, 'test/package/toolchain');

const modules = join(toolchainDir, 'node_modules');

/** The foreign runtimes: their programs, and the names that the tests and the documents give them. */
export const runtimes = [
  { name: 'Node 22', program: join(modules, 'node-22/bin/node') },
  { name: 'Node 24', program: join(modules, 'node-24/bin/node') },
  { name: 'Node 26', program: join(modules, 'node-26/bin/node') },
  { name: 'Bun', program: join(modules, '@oven/bun-linux-x64/bin/bun') },
  { name: 'Deno', program: join(modules, '@deno/linux-x64-glibc/deno') },
];

/** A file of one of the toolchain's packages. */
export function toolPath(path) {
  return join(modules, path);
}

/**
 * Installs what the lockfile of a folder names, unless it is there already.
 * @param {string} folder with a package.json and a lockfile of its own
 * @param {string} what it is and how large, for the line that is printed
 */
export function installLocked(folder, what) {
  const lockfile = readFileSync(join(folder, 'package-lock.json'));
  const digest = createHash('sha256').update(lockfile).digest('hex');
  const stamp = join(folder, 'node_modules/.lockfile-digest');
  if (existsSync(stamp) && readFileSync(stamp, 'utf8') === digest) return;
  console.log(`installing ${what}`);
  // None of them needs its install script: binaries lie in packages of their own.
  run('npm', ['ci', '--ignore-scripts', '--no-audit', '--no-fund'], folder);
  writeFileSync(stamp, digest);
}

/** Installs what is missing or out of date, and returns what cannot be had here, a sentence each. */
export function ensureToolchain() {
  installLocked(toolchainDir, 'the runtimes and bundlers of the package tests, about 1 GB');
  return runtimes
    .filter(({ program }) => !existsSync(program))
    .map(
      ({ name }) =>
        `${name} cannot be had: its package is for linux-x64 with glibc, not ${process.platform}-${process.arch}`,
    );
}

function run(program, args, cwd) {
  const { error, status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: 'utf8' });
  if (error !== undefined) throw new Refusal(`${program} cannot be run: ${error.message}`);
  if (status !== 0)
    throw new Refusal(`${program} ${args.join(' ')} ended with exit code ${status}:\n${stdout}${stderr}`);
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const missing = ensureToolchain();
    for (const sentence of missing) console.log(sentence);
    if (missing.length > 0 && process.env.CI === 'true') throw new Refusal('CI=true (expected every runtime)');
  });
}
