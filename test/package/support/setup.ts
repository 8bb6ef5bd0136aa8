// Before the package tests: a consumer's project is begun, which their files wait for (consumer.ts). The tests of other
// suites run meanwhile.

import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { consumerEnvironment } from './run.js';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder of the consumer's project. Tests ask test/package/support/consumer.ts. */
    consumerFolder: string;
  }
}

export default function setup({ provide }: TestProject): () => Promise<void> {
  // Outside the repository: no tool finds its settings or its node_modules on the way up.
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-consumer-'));
  provide('consumerFolder', folder);
  const script = fileURLToPath(new URL('make-consumer.mjs', import.meta.url));
  const maker = spawn(process.execPath, [script, folder], { env: consumerEnvironment(), stdio: 'inherit' });
  const made = join(folder, 'made.json');
  const ended = once(maker, 'exit').then(([code, signal]) => {
    const error = `it was not made: exit code ${code}, signal ${signal}`;
    if (!existsSync(made)) writeFileSync(made, JSON.stringify({ tarball: '', error }));
  });
  return async () => {
    maker.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
}
