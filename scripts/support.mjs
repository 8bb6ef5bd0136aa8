// What the scripts share: paths, running programs, input hashes, and one build at a time.

import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  existsSync,
  linkSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

export const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
export const buildDir = join(root, 'build');
export const packageJson = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));

/** The program of a development dependency, started with this Node and without a shell. */
export const tools = {
  asc: join(root, 'node_modules/assemblyscript/bin/asc.js'),
  biome: join(root, 'node_modules/@biomejs/biome/bin/biome'),
  tsc: join(root, 'node_modules/typescript/bin/tsc'),
  vitest: join(root, 'node_modules/vitest/vitest.mjs'),
};

/** Every file below a folder (or the file itself), sorted; nothing when it does not exist. */
export function filesBelow(path) {
  if (!existsSync(path)) return [];
  if (statSync(path).isFile()) return [path];
  return readdirSync(path, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath ?? entry.path, entry.name))
    .sort();
}

/**
 * Runs a Node program and resolves with its exit code (never 0 when a signal ended it) and, with `capture`, its output.
 * @param {string[]} args
 * @param {{ capture?: boolean, env?: NodeJS.ProcessEnv, input?: string }} [options]
 * @returns {Promise<{ code: number, output: string, stdout: string }>} `output` is both streams
 */
export function runNode(args, { capture = false, env = process.env, input } = {}) {
  return new Promise((done, fail) => {
    const stdio = [
      input === undefined ? 'inherit' : 'pipe',
      capture ? 'pipe' : 'inherit',
      capture ? 'pipe' : 'inherit',
    ];
    const child = spawn(process.execPath, args, { cwd: root, env, stdio });
    const chunks = [];
    const written = [];
    child.stdout?.on('data', (chunk) => chunks.push(chunk) && written.push(chunk));
    child.stderr?.on('data', (chunk) => chunks.push(chunk));
    child.stdin?.end(input);
    child.on('error', fail);
    child.on('close', (code, signal) => {
      const text = (parts) => Buffer.concat(parts).toString('utf8');
      done({ code: code ?? (signal ? 1 : 0), output: text(chunks), stdout: text(written) });
    });
  });
}

/**
 * Runs `make` unless it ran before on the same inputs and all it made is still there. Returns whether it ran.
 * @param {string} name
 * @param {{ inputs: string[], outputs: string[] }} files paths below the root; folders stand for all their files
 * @param {() => void | Promise<void>} make
 */
export async function unlessFresh(name, { inputs, outputs }, make) {
  const hash = createHash('sha256').update(process.version);
  for (const file of inputs.flatMap((path) => filesBelow(join(root, path)))) {
    hash.update(`\0${relative(root, file)}\0`).update(readFileSync(file));
  }
  const digest = hash.digest('hex');
  const stamp = join(buildDir, 'generated/stamps', name);
  const isFresh = existsSync(stamp) && readFileSync(stamp, 'utf8') === digest;
  if (isFresh && outputs.every((path) => existsSync(join(root, path)))) return false;
  rmSync(stamp, { force: true });
  await make();
  mkdirSync(dirname(stamp), { recursive: true });
  writeFileSync(stamp, digest);
  return true;
}

/** Runs one build at a time in this checkout; a lock whose owner is gone is taken over. */
export async function withBuildLock(work) {
  const lock = join(buildDir, '.lock');
  mkdirSync(buildDir, { recursive: true });
  for (;;) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
      if (!dropStale(lock)) await new Promise((wake) => setTimeout(wake, 100));
    }
  }
  try {
    return await work();
  } finally {
    rmSync(lock, { force: true });
  }
}

/** Removes a lock whose owner is gone. False: the owner is alive, or has not written its id yet. */
function dropStale(lock) {
  try {
    const owner = readFileSync(lock, 'utf8');
    if (owner === '' ? Date.now() - statSync(lock).mtimeMs < 5000 : isAlive(Number(owner))) return false;
    // Aside first: another waiter may have taken the lock over since it was read, and gets it back.
    const aside = `${lock}.${process.pid}`;
    renameSync(lock, aside);
    if (readFileSync(aside, 'utf8') !== owner) linkSync(aside, lock);
    rmSync(aside, { force: true });
  } catch (error) {
    if (error.code !== 'ENOENT' && error.code !== 'EEXIST') throw error;
  }
  return true;
}

function isAlive(pid) {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
}

/** 12345 -> "12.1 KB". */
export function kilobytes(bytes) {
  return `${(bytes / 1024).toFixed(1)} KB`;
}

/** Runs the work of a script and exits with 1 and a plain message when it throws. */
export async function runScript(work) {
  try {
    await work();
  } catch (error) {
    console.error(error instanceof Refusal ? error.message : error);
    process.exitCode = 1;
  }
}

/** A failure whose message says it all: no stack is printed. */
export class Refusal extends Error {}

/** Whether the module with this `import.meta.url` is the program that was started. */
export function isMain(url) {
  return process.argv[1] !== undefined && fileURLToPath(url) === resolve(process.argv[1]);
}
