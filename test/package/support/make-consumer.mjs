// node make-consumer.mjs FOLDER: installs the toolchain, packs the package, and makes of the folder an empty project
// that has it, as a consumer does. What came of it lies in FOLDER/made.json at the end: { tarball, error? }.

import { spawnSync } from 'node:child_process';
import { cpSync, readdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { installed } from '../../../scripts/installed.mjs';
import { ensureToolchain } from '../../../scripts/toolchain.mjs';

const root = fileURLToPath(new URL('../../..', import.meta.url));
const folder = process.argv[2];

/** Packs the package, installs it into the folder, puts the programs beside it; the tarball's path. */
function install() {
  npm(['pack', '--pack-destination', folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith('.tgz'));
  if (tarball === undefined) throw new Error('npm pack made no tarball');
  writeFileSync(join(folder, 'package.json'), '{ "name": "consumer", "private": true, "type": "module" }\n');
  npm(['install', '--offline', '--no-audit', '--no-fund', `./${tarball}`], folder);
  cpSync(join(root, 'test/package/programs'), join(folder, 'src'), { recursive: true });
  return join(folder, tarball);
}

function npm(args, cwd) {
  const { error, status, stdout, stderr } = spawnSync('npm', args, { cwd, encoding: 'utf8' });
  if (error !== undefined) throw error;
  if (status !== 0) throw new Error(`npm ${args.join(' ')} ended with exit code ${status}:\n${stdout}${stderr}`);
}

async function make() {
  try {
    await installed('toolchain');
    // What is missing is skipped, which scripts/test.mjs counts as failed with CI=true.
    for (const sentence of ensureToolchain()) console.log(sentence);
    return { tarball: install() };
  } catch (error) {
    return { tarball: '', error: String(error) };
  }
}

// Under another name first: whoever sees the file reads all of it.
const made = join(folder, 'made.json');
writeFileSync(`${made}.part`, JSON.stringify(await make()));
renameSync(`${made}.part`, made);
