// The declarations as consumers' compilers read them: strict, libraries checked too, old and new TypeScript, with and
// without DOM.
//
// The consumer's files are test/package/programs/consumer*.ts; their @ts-expect-error lines fail where a misuse is
// accepted.

import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { casesOfRun } from '../support/lane.js';
import { compile } from './support/compile.js';
import { consumer } from './support/consumer.js';
import { record } from './support/record.js';

const root = fileURLToPath(new URL('../..', import.meta.url));

/** What declares the platform for a consumer. */
interface Libraries {
  readonly name: string;
  readonly file: string;
  readonly lib: readonly string[];
  readonly hasNodeTypes?: boolean;
}

const libraries: Libraries[] = [
  { name: 'ES2022 alone', file: 'consumer.ts', lib: ['ES2022'] },
  { name: "ES2022 and Node's types", file: 'consumer.ts', lib: ['ES2022'], hasNodeTypes: true },
  { name: 'ES2022 and DOM', file: 'consumer.ts', lib: ['ES2022', 'DOM'] },
  { name: 'ES2022 and WebWorker', file: 'consumer.ts', lib: ['ES2022', 'WebWorker'] },
  { name: '`using`, ES2022 and DOM', file: 'consumer-dom.ts', lib: ['ES2022', 'ESNext.Disposable', 'DOM'] },
];

const modes = [
  { name: '`module: nodenext`', options: { module: 'nodenext' } },
  { name: '`moduleResolution: bundler`', options: { module: 'esnext', moduleResolution: 'bundler' } },
];

const compilers = [join(root, 'node_modules/typescript'), toolPath('typescript-5.9'), toolPath('typescript-5.2')].map(
  (folder) => {
    const { version } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { version: string };
    return { folder, version };
  },
);

/** Compiles one file in the consumer's project and returns what the compiler says. */
async function check(folder: string, name: string, options: object, file: string): Promise<string> {
  const config = join(consumer, `tsconfig.${name}.json`);
  // Of libraries the package is checked, and whatever declares the platform for it; not the compiler's own against
  // themselves.
  const checked = { strict: true, skipLibCheck: false, skipDefaultLibCheck: true };
  const compilerOptions = { ...checked, noEmit: true, target: 'ES2022', ...options };
  writeFileSync(config, JSON.stringify({ compilerOptions, files: [`src/${file}`] }));
  return compile(folder, config);
}

function libraryOptions({ lib, hasNodeTypes }: Libraries): object {
  return hasNodeTypes ? { lib, types: ['node'], typeRoots: [join(root, 'node_modules/@types')] } : { lib, types: [] };
}

/** The newest; the others in the long run. */
const some = casesOfRun({ short: compilers.slice(0, 1), long: compilers.slice(1) });

describe.each(some)('TypeScript $version', ({ folder, version }) => {
  const number = compilers.findIndex((compiler) => compiler.folder === folder);
  // The newest one is quick and takes every combination, the others take a second each: four that differ most.
  const few = [libraries.slice(0, 2).concat(libraries.slice(4)), libraries.slice(2, 3)];
  const cases = modes.flatMap((mode, m) =>
    (number === 0 ? libraries : (few[m] ?? [])).map((library) => ({ mode, library })),
  );

  test.each(cases)('accepts the package under $mode.name with $library.name', async ({ mode, library }) => {
    const name = `${number}-${modes.indexOf(mode)}-${libraries.indexOf(library)}`;
    const options = { ...mode.options, ...libraryOptions(library) };
    expect(await check(folder, name, options, library.file)).toBe('exit code 0');
  });

  // Without types of WebGPU, with those of npm, and with the compiler's own, which older ones do not have.
  test.each([
    { name: 'no types of WebGPU', file: 'consumer-device.ts', options: { lib: ['ES2022'], types: [] } },
    {
      name: '@webgpu/types',
      file: 'consumer-webgpu.ts',
      options: { lib: ['ES2022', 'DOM'], types: ['@webgpu/types'], typeRoots: [join(root, 'node_modules')] },
    },
    { name: 'DOM', file: 'consumer-webgpu.ts', options: { lib: ['ES2022', 'DOM'], types: [] } },
  ])('accepts the device entry with $name', async ({ name, file, options }) => {
    if (name === '@webgpu/types' ? number === 0 : name === 'DOM' && number !== 0) return;
    const skipLibCheck = name === '@webgpu/types'; // DOM of some compilers declares a part of it
    const config = { module: 'nodenext', skipLibCheck, ...options };
    expect(await check(folder, `${number}-device-${file}-${name.length}`, config, file)).toBe('exit code 0');
  });

  test('accepts options that are undefined where optional properties are exact', async () => {
    const config = { module: 'nodenext', lib: ['ES2022', 'DOM'], types: [], exactOptionalPropertyTypes: true };
    expect(await check(folder, `${number}-exact`, config, 'consumer-exact.ts')).toBe('exit code 0');
  });

  test('accepts the entry for Node with its types', async () => {
    const types = { types: ['node'], typeRoots: [join(root, 'node_modules/@types')] };
    const config = { module: 'nodenext', lib: ['ES2022', 'ESNext.Disposable'], ...types };
    expect(await check(folder, `${number}-node`, config, 'consumer-node.ts')).toBe('exit code 0');
  });

  test('refuses a consumer that misuses the package', async () => {
    writeFileSync(join(consumer, 'src', 'misuse.ts'), "import { PagePool } from 'pagepool';\nPagePool.attach(1);\n");
    const options = { module: 'nodenext', lib: ['ES2022'], types: [] };
    expect(await check(folder, `${number}-misuse`, options, 'misuse.ts')).toMatch(
      /^src\/misuse\.ts\(2,17\): error TS2345: .*PoolShare.*exit code [12]$/s,
    );
    record('types', number, {
      version,
      modes: modes.map((mode) => ({
        name: mode.name,
        libraries: cases.filter((one) => one.mode === mode).map(({ library }) => library.name),
      })),
    });
  });
});

test('every optional property of the declarations may be undefined, but those of the platform', () => {
  const build = join(consumer, 'node_modules/pagepool/build');
  const optional = (line: string): boolean =>
    /^\s*(?:readonly )?\w+\?: /.test(line) && !/(?:\| undefined|unknown);$|\{$/.test(line);
  const files = readdirSync(build, { recursive: true, encoding: 'utf8' }).filter(
    (file) => file.endsWith('.d.ts') && !/(?:^|\/)(?:platform\/types|platform-types)\.d\.ts$/.test(file),
  );
  const lines = files.flatMap((file) =>
    readFileSync(join(build, file), 'utf8')
      .split('\n')
      .map((line) => `${file}: ${line.trim()}`),
  );
  expect(lines.filter((line) => /\?: .*\| undefined;$/.test(line)).length).toBeGreaterThan(60);
  expect(lines.filter((line) => optional(line.slice(line.indexOf(': ') + 2)))).toEqual([]);
});
