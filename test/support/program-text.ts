// Programs of a few lines in processes of their own, with the package as it is built: what runs in the tests' own
// processes has everything loaded.

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';

/** The address of an entry, as an expression. */
export const at = (name: string): string => JSON.stringify(new URL(`../../build/${name}.js`, import.meta.url).href);

/** A function of such a program: what a call throws, as `code: message`. */
export const REFUSED = `
  const refused = async (run) => {
    try {
      await run();
      return 'nothing';
    } catch ({ code, message }) {
      return code + ': ' + message;
    }
  };`;

/** What the program prints, as JSON; with flags of Node's. */
export async function printed(program: string, ...flags: string[]) {
  const args = [...flags, '--input-type=module', '--eval', program];
  const { stdout } = await promisify(execFile)(process.execPath, args, { env: { ...process.env, NODE_OPTIONS: '' } });
  return JSON.parse(stdout);
}
