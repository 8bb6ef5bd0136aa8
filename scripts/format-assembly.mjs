// Formats assembly/*.ts with Biome: checks, or rewrites with --write.
//
// Biome reads TypeScript, where a function takes no decorator. The decorators of AssemblyScript (`@inline`,
// `@external(...)`) stand on lines of their own, so they go through the formatter as comments. Lint rules are left out:
// they are made for JavaScript's types; the gate for assembly/ is its own compiler.

import { readFileSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { filesBelow, Refusal, root, runNode, runScript, tools } from './support.mjs';

const MARK = '//@decorator ';

async function format(path, source) {
  const disguised = source.replace(/^( *)(@\w+)/gm, `$1${MARK}$2`);
  const args = [tools.biome, 'format', '--config-path', root, '--stdin-file-path', `src/${path}`];
  const { code, output, stdout } = await runNode(args, { capture: true, input: disguised });
  if (code !== 0) throw new Refusal(`${path}: biome cannot read it:\n${output}`);
  return stdout.replaceAll(MARK, '');
}

await runScript(async () => {
  const files = filesBelow(join(root, 'assembly')).filter((path) => path.endsWith('.ts'));
  const unformatted = [];
  for (const file of files) {
    const source = readFileSync(file, 'utf8');
    const formatted = await format(relative(root, file), source);
    if (formatted === source) continue;
    if (process.argv.includes('--write')) writeFileSync(file, formatted);
    else unformatted.push(relative(root, file));
  }
  if (unformatted.length > 0) throw new Refusal(`not formatted (npm run format does it):\n${unformatted.join('\n')}`);
  console.log(`assembly: ${files.length} files formatted`);
});
