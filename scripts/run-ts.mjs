// Runs a TypeScript program: node scripts/run-ts.mjs [--node-flag ...] ENTRY.ts [args ...]
//
// Bundles the entry and the workers beside it (worker.ts, *.worker.ts, *-worker.ts below its folder) into build/tools/
// and runs the entry with the flags. A worker is started with new Worker(new URL('./worker.js', import.meta.url)).
// Packages stay outside: `pagepool` resolves to this package's own build, as it would for a user.

import { rmSync } from 'node:fs';
import { basename, dirname, join, relative, resolve, sep } from 'node:path';
import { build } from 'esbuild';
import { buildDir, filesBelow, Refusal, root, runNode, runScript } from './support.mjs';

await runScript(async () => {
  const args = process.argv.slice(2);
  const at = args.findIndex((arg) => !arg.startsWith('-'));
  if (at < 0) throw new Refusal('usage: node scripts/run-ts.mjs [--node-flag ...] ENTRY.ts [args ...]');
  const entry = resolve(args[at]);
  const folder = dirname(entry);
  const workers = filesBelow(folder).filter((path) => /(?:^|[.-])worker\.ts$/.test(basename(path)));
  // Of no other folder's: bench/ is bundled anew while bench/device/ runs.
  const outdir = join(buildDir, 'tools', relative(root, folder).replaceAll(sep, '.'));
  rmSync(outdir, { recursive: true, force: true });
  await build({
    absWorkingDir: root,
    entryPoints: [...new Set([entry, ...workers])],
    outbase: folder,
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    packages: 'external',
    // Not the tsconfig's paths: they name the sources, and what runs here is the package as it is built.
    tsconfigRaw: { compilerOptions: { target: 'ES2022' } },
    sourcemap: 'inline',
    logLevel: 'warning',
  });
  const program = join(outdir, basename(entry).replace(/\.ts$/, '.js'));
  const { code } = await runNode([...args.slice(0, at), '--enable-source-maps', program, ...args.slice(at + 1)]);
  process.exitCode = code;
});
