// Before the package tests: the toolchain is installed, and the packed package lies in an empty project as a consumer has it.

import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { ensureToolchain } from '../../../scripts/toolchain.mjs';
import { consumerEnvironment } from './run.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The consumer's project: `src/` has the programs, `node_modules/` the package and nothing else. */
    consumer: string;
    tarball: string;
  }
}

const root = fileURLToPath(new URL('../../..', import.meta.url));

export default function setup({ provide }: TestProject): () => void {
  const missing = ensureToolchain();
  for (const sentence of missing) console.log(sentence);
  if (missing.length > 0 && process.env.CI === 'true') throw new Error('CI=true (expected every runtime and browser)');

  // Outside the repository: no tool finds its settings or its node_modules on the way up.
  const consumer = mkdtempSync(join(tmpdir(), 'pagepool-consumer-'));
  npm(['pack', '--pack-destination', consumer], root);
  const tarball = readdirSync(consumer).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  writeFileSync(join(consumer, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  npm(['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`], consumer);
  cpSync(join(root, 'test/package/programs'), join(consumer, 'src'), { recursive: true });
  provide('consumer', consumer);
  provide('tarball', join(consumer, tarball));
  return () => rmSync(consumer, { recursive: true, force: true });
}

function npm(args: string[], cwd: string): void {
  const { error, status, stdout, stderr } = spawnSync('npm', args, {
    cwd,
    env: consumerEnvironment(),
    encoding: 'utf8',
  });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with exit code ${status}:\n${stdout}${stderr}`);
}
