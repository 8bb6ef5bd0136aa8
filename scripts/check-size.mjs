// The size budget of the core entry: build/index.js with the chunks it imports and the Wasm inside, gzipped.

import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { build } from 'esbuild';
import { buildDir, kilobytes, Refusal, runScript } from './support.mjs';

const CORE_BUDGET_BYTES = 14 * 1024;

/** A file and what it imports statically by relative path. */
function closure(file, done = new Set()) {
  if (done.has(file)) return done;
  done.add(file);
  for (const [, path] of readFileSync(file, 'utf8').matchAll(
    /^(?:import|export)\b[^'"]*?(?:from\s*)?["'](\.[^'"]+)["']/gm,
  )) {
    closure(join(dirname(file), path), done);
  }
  return done;
}

await runScript(async () => {
  const files = [...closure(join(buildDir, 'index.js'))];
  const plain = gzipSync(files.map((file) => readFileSync(file, 'utf8')).join('\n'), { level: 9 }).length;
  const { outputFiles } = await build({
    entryPoints: [join(buildDir, 'index.js')],
    bundle: true,
    minify: true,
    format: 'esm',
    platform: 'neutral',
    external: ['node:*'],
    charset: 'utf8',
    write: false,
  });
  const minified = gzipSync(outputFiles[0].contents, { level: 9 }).length;
  console.log(
    `core entry: ${kilobytes(plain)} gzipped as shipped, ${kilobytes(minified)} minified (at most ${kilobytes(CORE_BUDGET_BYTES)})`,
  );
  if (minified > CORE_BUDGET_BYTES)
    throw new Refusal(`core entry has ${minified} bytes (expected at most ${CORE_BUDGET_BYTES})`);
});
