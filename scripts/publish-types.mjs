// Copies the declarations that the entries reach from build/generated/types/src to build/, and no others.
//
// A public type that reaches outside src/ (assembly/layout.ts, generated code) would not resolve in an installed
// package: that fails here. A file of which no entry exports anything is read by compilers alone: its comments stay
// out.

import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { buildDir, filesBelow, Refusal, root } from './support.mjs';

const generated = join(buildDir, 'generated/types/src');
const SPECIFIER = /((?:\bfrom|\bimport)\s*\(?\s*)(['"])(\.{1,2}\/[^'"]+?)\.(?:js|ts)\2/g;

/** The declaration files that the entries export something of, and the entries. */
function publicFiles(entries) {
  const exported = (file) =>
    [...readFileSync(file, 'utf8').matchAll(/^export [^;]*? from '(\.[^']+)\.[jt]s';$/gm)].map(([, path]) =>
      join(dirname(file), `${path}.d.ts`),
    );
  return new Set([...entries, ...entries.flatMap(exported)]);
}

/** @param {string[]} entries declaration files below the root, such as build/index.d.ts */
export function publishTypes(entries) {
  for (const file of filesBelow(buildDir)) {
    if (file.endsWith('.d.ts') && !file.startsWith(join(buildDir, 'generated'))) rmSync(file);
  }
  const pending = entries.map((path) => join(generated, relative(buildDir, join(root, path))));
  const shown = publicFiles(pending);
  const done = new Set();
  for (let file = pending.pop(); file !== undefined; file = pending.pop()) {
    if (done.has(file)) continue;
    done.add(file);
    if (!file.startsWith(generated) || !existsSync(file)) {
      throw new Refusal(`a public type reaches ${relative(root, file)} (expected: only files of src/)`);
    }
    const text = readFileSync(file, 'utf8').replace(SPECIFIER, (_, keyword, quote, path) => {
      pending.push(join(dirname(file), `${path}.d.ts`));
      return `${keyword}${quote}${path}.js${quote}`;
    });
    const target = join(buildDir, relative(generated, file));
    mkdirSync(dirname(target), { recursive: true });
    writeFileSync(target, shown.has(file) ? text : text.replace(/^ *\/\*\*[\s\S]*?\*\/\n/gm, ''));
  }
}
