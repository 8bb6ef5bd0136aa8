// A TypeScript program of the tests as one module without types, for a worker of Node or of a page.

import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

interface Options {
  /** Parts of the language that a program may have, or may not. */
  readonly supported?: Record<string, boolean>;
}

const programs = new Map<string, Promise<string>>();

/** The module in `file`, with what it imports. */
export function program(file: URL): Promise<string> {
  return once(file, {});
}

/**
 * The module in `file`, for a thread that may be ended while it loads: a top-level `await` is refused. Where a thread
 * of Node 20 or 22 is ended as it begins to evaluate a module that has one, V8 ends the whole process.
 */
export function mortalProgram(file: URL): Promise<string> {
  return once(file, { supported: { 'top-level-await': false } });
}

function once(file: URL, options: Options): Promise<string> {
  const made = programs.get(file.href) ?? bundle(file, options);
  programs.set(file.href, made);
  return made;
}

async function bundle(file: URL, options: Options): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(file)],
    bundle: true,
    format: 'esm',
    platform: 'neutral',
    external: ['node:*'],
    target: 'es2022',
    write: false,
    logLevel: 'error',
    ...options,
  });
  return (outputFiles[0] as { text: string }).text;
}
