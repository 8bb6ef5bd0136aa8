// A program of the threaded tests as one module without types, for a worker of Node or of a page.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** The module that lies beside this file, with what it imports. */
export async function program(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL(file, import.meta.url))],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    external: ['node:*'],
    target: 'es2022',
    write: false,
    logLevel: 'error',
  });
  return (outputFiles[0] as { text: string }).text;
}
