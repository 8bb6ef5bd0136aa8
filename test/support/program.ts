// A TypeScript program of the tests as one module without types, for a worker of Node or of a page.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const programs = new Map<string, Promise<string>>();

/** The module in `file`, with what it imports. */
export function program(file: URL): Promise<string> {
  const made = programs.get(file.href) ?? bundle(file);
  programs.set(file.href, made);
  return made;
}

async function bundle(file: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(file)],
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
