// Before the package tests: the toolchain is installed, and the packed package lies in an empty project as a consumer
// has it.

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
    /** The consumer's project, or why there is none. Tests ask test/package/support/consumer.ts. */
    consumer: { readonly folder: string; readonly tarball: string; readonly error?: string };
  }
}

const root = fileURLToPath(new URL('../../..', import.meta.url));

export default function setup({ provide }: TestProject): () => void {
  // Outside the repository: no tool finds its settings or its node_modules on the way up.
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-consumer-'));
  try {
    // What is missing is skipped, which scripts/test.mjs counts as failed with CI=true.
    for (const sentence of ensureToolchain()) console.log(sentence);
    provide('consumer', { folder, tarball: install(folder) });
  } catch (error) {
    // Thrown here it would end the other projects' tests as well.
    provide('consumer', { folder, tarball: '', error: String(error) });
  }
  return () => rmSync(folder, { recursive: true, force: true });
}

/** Packs the package, installs it into the folder, puts the programs beside it; the tarball's path. */
function install(folder: string): string {
  npm(['pack', '--pack-destination', folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  npm(['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`], folder);
  cpSync(join(root, 'test/package/programs'), join(folder, 'src'), { recursive: true });
  return join(folder, tarball);
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
