// The steps that check the sources and what is built of them. Each is a program that ends with 0 when it finds nothing.
// `npm run lint` is this script and runs those of the sources; `npm run check` also runs those of the build, `npm test`
// all of them.

import { isMain, Refusal, runNode, runScript, tools } from './support.mjs';

/** Steps that need the sources alone: name and arguments of Node. */
export const lintSteps = [
  ['lint', [tools.biome, 'check', '.']],
  ['format of assembly', ['scripts/format-assembly.mjs']],
  ['atomics', ['scripts/lint-atomics.mjs']],
  ['floors', ['scripts/lint-floors.mjs']],
  ['layout tables', ['scripts/docs-layout.mjs', '--check']],
  ['error table', ['scripts/docs-errors.mjs', '--check']],
  ['prose', ['scripts/lint-prose.mjs']],
];

/** Steps that need the build. */
export const builtSteps = [
  // In one thread: several threads check much of it twice, and other steps run beside it.
  ['types', [tools.tsc, '--project', 'tsconfig.json', '--singleThreaded']],
  ['wasm gate', ['scripts/verify-wasm.mjs']],
  ['locked operations', ['scripts/count-locked.mjs']],
  ['size', ['scripts/check-size.mjs']],
];

/** Installs what the package tests run the package with: 1 GB. */
export const toolchainStep = ['toolchain', ['scripts/toolchain.mjs']];

if (isMain(import.meta.url)) {
  await runScript(async () => {
    const failed = [];
    for (const [name, args] of lintSteps) {
      const { code } = await runNode(args);
      if (code !== 0) failed.push(name);
    }
    if (failed.length > 0) throw new Refusal(`failed: ${failed.join(', ')}`);
  });
}
