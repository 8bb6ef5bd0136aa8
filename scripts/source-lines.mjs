// Where in the sources a stack of the built package is: `node scripts/source-lines.mjs < stack.txt`.
//
// The published modules are shortened, and their source maps are not published. A build of the same commit makes the
// same modules, by the names of their chunks, and writes the maps into build/maps. Lines of other modules, or of
// another commit's chunks, stay as they are.

import { existsSync, readFileSync } from 'node:fs';
import { SourceMap } from 'node:module';
import { dirname, join } from 'node:path';
import { buildDir, isMain, runScript } from './support.mjs';

const PLACE = /(?:[^\s()'"]*\/)?\bbuild\/((?:chunks\/)?[\w-]+\.js):(\d+):(\d+)/g;

/** The text with `src/file.ts:line:column` for each place in a module of the package. */
export function sourceLines(text) {
  return text.replace(PLACE, (place, module, line, column) => {
    const path = join(buildDir, 'maps', `${module}.map`);
    if (!existsSync(path)) return place;
    const map = new SourceMap(JSON.parse(readFileSync(path, 'utf8')));
    const { originalSource, originalLine, originalColumn } = map.findEntry(line - 1, column - 1);
    if (originalSource === undefined) return place;
    return `${join('build', dirname(module), originalSource)}:${originalLine + 1}:${originalColumn + 1}`;
  });
}

if (isMain(import.meta.url)) await runScript(() => process.stdout.write(sourceLines(readFileSync(0, 'utf8'))));
