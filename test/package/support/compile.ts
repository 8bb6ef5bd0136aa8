// A TypeScript compiler of a consumer, as its command line works: a project's file in, the diagnostics out.
//
// The newest one is a program. The older ones are loaded here, and parse what declares the platform once for all
// projects: most of a compilation is that, and the start of the program.

import { existsSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { consumer } from './consumer.js';
import { run } from './run.js';

/** What is used of a compiler's API. */
interface Api {
  readonly sys: object;
  readConfigFile(path: string, read: unknown): { readonly config: unknown };
  parseJsonConfigFileContent(
    config: unknown,
    host: object,
    folder: string,
  ): {
    readonly options: { readonly module?: number };
    readonly fileNames: readonly string[];
    readonly errors: readonly unknown[];
  };
  createCompilerHost(options: object): Host;
  createProgram(fileNames: readonly string[], options: object, host: Host): object;
  getPreEmitDiagnostics(program: object): readonly unknown[];
  formatDiagnostics(diagnostics: readonly unknown[], host: object): string;
}

interface Host {
  getSourceFile(name: string, options: unknown, ...rest: unknown[]): unknown;
}

/** What declares the platform, parsed: everything outside of the consumer's project. */
const libraries = new Map<string, unknown>();

/** Compiles the project of `config` by the compiler in `folder`; what it prints, and how it ends. */
export async function compile(folder: string, config: string): Promise<string> {
  const library = join(folder, 'lib/typescript.js');
  if (!existsSync(library)) {
    const args = [join(folder, 'bin/tsc'), '--project', config];
    const { stdout, stderr, end } = await run(process.execPath, args, consumer);
    return `${stdout}${stderr}exit code ${end}`;
  }
  const api = createRequire(import.meta.url)(library) as Api;
  const { readFile } = api.sys as { readonly readFile: unknown };
  const parsed = api.parseJsonConfigFileContent(api.readConfigFile(config, readFile).config, api.sys, consumer);
  const host = api.createCompilerHost(parsed.options);
  const read = host.getSourceFile.bind(host);
  host.getSourceFile = (name, options, ...rest) => {
    if (name.startsWith(consumer)) return read(name, options, ...rest);
    const key = `${folder} ${parsed.options.module} ${name} ${JSON.stringify(options)}`;
    const file = libraries.get(key) ?? read(name, options, ...rest);
    libraries.set(key, file);
    return file;
  };
  const program = api.createProgram(parsed.fileNames, parsed.options, host);
  const found = [...parsed.errors, ...api.getPreEmitDiagnostics(program)];
  const printed = api.formatDiagnostics(found, {
    getCurrentDirectory: () => consumer,
    getCanonicalFileName: (name: string) => name,
    getNewLine: () => '\n',
  });
  return `${printed}exit code ${found.length === 0 ? 0 : 2}`;
}
