// Bundles the page and its thread for browsers, with the package as it is built.

import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { build } from 'esbuild';

/** Returns the folder of page.js and worker.js. */
export async function bundlePage(root: string): Promise<string> {
  const outdir = join(root, 'build/tools/bench-browser');
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: { page: 'bench/browser/page.ts', worker: 'bench/worker.ts' },
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'browser',
    target: 'es2022',
    alias: {
      'pagepool/packet': join(root, 'build/packet.js'),
      'pagepool/providers': join(root, 'build/providers.js'),
      'pagepool/typescript': join(root, 'build/typescript.js'),
      pagepool: join(root, 'build/index.js'),
    },
    // Variants of Node alone: their packages are never loaded here.
    external: ['typedarray-pool', 'bl', 'uint8arraylist', 'node:*'],
    tsconfigRaw: { compilerOptions: { target: 'ES2022' } },
    logLevel: 'warning',
  });
  return outdir;
}
