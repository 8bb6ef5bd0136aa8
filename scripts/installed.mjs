// What the test command installs while its tests already run: tests that need it wait for it.
//
// scripts/test.mjs names a folder in INSTALLING and leaves a file there for each thing whose installation has ended,
// well or badly: what is missing then says so itself. Without INSTALLING nobody installs, and nothing is waited for.

import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { buildDir } from './support.mjs';

/**
 * What runs `install` of each name, beside the tests that are started with `env`.
 * @param {Record<string, () => Promise<unknown>>} installs
 * @returns {{ env: NodeJS.ProcessEnv, done: Promise<unknown> }}
 */
export function installing(installs) {
  const folder = join(buildDir, 'installing');
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const ends = Object.entries(installs).map(([name, install]) =>
    install().finally(() => writeFileSync(join(folder, name), '')),
  );
  return { env: { INSTALLING: folder }, done: Promise.all(ends) };
}

/**
 * Resolves when nobody installs the named thing any more.
 * @param {'browsers' | 'toolchain'} name
 */
export async function installed(name) {
  const folder = process.env.INSTALLING;
  if (folder !== undefined) await appears(join(folder, name));
}

/**
 * Resolves when the file is there, however long that takes: whoever makes it leaves one too when it fails.
 * @param {string} path
 */
export async function appears(path) {
  while (!existsSync(path)) await setTimeout(50);
}
