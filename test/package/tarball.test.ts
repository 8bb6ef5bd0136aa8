// What npm would publish: the files, what they reach for, what the package's metadata promises, and that unused code
// goes away.

import { readdirSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { describe, expect, test } from 'vitest';
import { toolPath } from '../../scripts/toolchain.mjs';
import { consumer, tarball } from './support/consumer.js';
import { run } from './support/run.js';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = join(consumer, 'node_modules/pagepool');
const read = (path: string): string => readFileSync(join(folder, path), 'latin1');

const files = readdirSync(folder, { recursive: true, encoding: 'utf8' })
  .filter((path) => statSync(join(folder, path)).isFile())
  .sort();
const scripts = files.filter((path) => path.endsWith('.js'));
const declarations = files.filter((path) => path.endsWith('.d.ts'));

interface Manifest {
  readonly name: string;
  readonly exports: Record<string, string | Record<string, string>>;
  readonly bin: Record<string, string>;
  readonly scripts: Record<string, string>;
  readonly [field: string]: unknown;
}
const manifest = JSON.parse(read('package.json')) as Manifest;

/** Every file that `exports` names, by condition; a plain path is its own default. */
const targets = Object.values(manifest.exports).flatMap((target) =>
  Object.entries(typeof target === 'string' ? { default: target } : target).map(([condition, path]) => ({
    condition,
    path: path.replace(/^\.\//, ''),
  })),
);

/** The package's commands: they run in Node and may import its modules. */
const commands = Object.values(manifest.bin);

/** What the file imports or re-exports. */
function importsOf(path: string): string[] {
  const text = read(path).replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, '');
  return [...text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*(['"])([\w@#:./-]+)\1/g)].map((match) => match[2] as string);
}

/** The files that `entries` reach by relative imports, the entries among them. */
function closure(entries: readonly string[], toFile: (path: string) => string): string[] {
  const reached = new Set<string>();
  const pending = [...entries];
  for (let path = pending.pop(); path !== undefined; path = pending.pop()) {
    if (reached.has(path)) continue;
    reached.add(path);
    for (const specifier of importsOf(path)) {
      if (specifier.startsWith('.')) pending.push(toFile(join(dirname(path), specifier)));
    }
  }
  return [...reached].sort();
}

/** What only the entries for Node, and the command, reach. */
const forNode = (() => {
  const nodes = ['build/node.js', 'build/inspector.js', ...commands];
  const isScript = (path: string): boolean => path.endsWith('.js');
  const others = targets.map(({ path }) => path).filter((path) => isScript(path) && !nodes.includes(path));
  const everywhere = closure(others, (path) => path);
  return closure(nodes, (path) => path).filter((path) => !everywhere.includes(path));
})();

/** What a reader of the installed package has at hand; the whole manual is in a checkout. */
const reference = ['api', 'calls', 'choosing', 'errors', 'guarantees', 'uploads'].map((name) => `docs/${name}.md`);

/** The names that links may have behind `#` in a document. */
function headingsOf(path: string): string[] {
  return [...readFileSync(join(folder, path), 'utf8').matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replace(/[^\w\s-]/g, '')
      .replace(/\s/g, '-'),
  );
}

describe('the tarball', () => {
  test('holds the entries and what they reach, the core, the documents, and nothing else', () => {
    const documents = ['CHANGELOG.md', 'LICENSE', 'README.md', 'docs/pictures/inspector.webp', ...reference];
    const others = ['package.json', 'build/wasm/core.release.wasm'];
    const isScript = (path: string): boolean => path.endsWith('.js');
    const entries = [...targets.map(({ path }) => path), ...commands];
    const code = closure(entries.filter(isScript), (path) => path);
    const types = closure(
      targets.filter(({ condition }) => condition === 'types').map(({ path }) => path),
      (path) => path.replace(/\.js$/, '.d.ts'),
    );
    expect(files).toEqual([...documents, ...others, ...code, ...types].sort());
    expect(files).toEqual(expect.arrayContaining(entries));
  });

  test('is small', () => {
    const packedBytes = statSync(tarball).size;
    const unpackedBytes = files.reduce((bytes, path) => bytes + statSync(join(folder, path)).size, 0);
    console.log(`tarball: ${files.length} files, ${packedBytes} bytes packed, ${unpackedBytes} unpacked`);
    // 200 KB would be the aim. Modules are 205 of it: the inspector's page 38, its thread 20, what PagePool has beyond
    // pagepool/attach 31, the others what entries are made of. Declarations are 57, of which docs are 33, documents 24,
    // the README's picture 19, and the core as a file 7.
    expect(packedBytes).toBeLessThan(322 * 1024);
  });

  test('declares nothing that an installed package cannot name', () => {
    const texts = declarations.map((path) => read(path).replace(/\/\*\*[\s\S]*?\*\//g, ''));
    const words = texts.join('\n').match(/\w+/g) ?? [];
    const counts = new Map<string, number>();
    for (const word of words) counts.set(word, (counts.get(word) ?? 0) + 1);
    const declared = texts.flatMap((text) =>
      [...text.matchAll(/^(?:export )?(?:declare )?(?:class|interface|type|function|const|let) (\w+)/gm)].map(
        ([, name]) => name as string,
      ),
    );
    expect(declared.length).toBeGreaterThan(300);
    expect(declared.filter((name) => counts.get(name) === 1)).toEqual([]);
  });

  test.each(files.filter((path) => path.endsWith('.md')))('%s links to what is in the tarball', (path) => {
    const text = readFileSync(join(folder, path), 'utf8').replace(/^```[\s\S]*?^```$/gm, '');
    const links = [...text.matchAll(/\]\((?!https?:)([^)\s]+)\)|\b(?:src|href)="(?!https?:)([^"]+)"/g)];
    if (path === 'README.md') expect(links.length).toBeGreaterThan(5);
    for (const [, inline, attribute] of links) {
      const link = inline ?? (attribute as string);
      const [target = '', heading] = link.split('#');
      const file = target === '' ? path : join(dirname(path), target);
      expect(files, link).toContain(file);
      if (heading !== undefined) expect(headingsOf(file), link).toContain(heading);
    }
  });

  test('defines no field of the TypeScript engine before its constructor assigns it', () => {
    // Statements stand on lines of their own, so a field that is defined is a line with nothing but its name.
    const defined = /^(?:generationSeed|indexBits|magazineCapacity|unitLimit)$/m;
    expect(scripts.filter((path) => defined.test(read(path)))).toEqual([]);
    expect(scripts.some((path) => read(path).includes('this.magazineCapacity='))).toBe(true);
  });

  test('names no machine but the reader’s own, and no host but those of the changelog', () => {
    for (const path of files) {
      const text = read(path).replace(/^#!\/usr\/bin\/env node\n/, '');
      const hosts = [...text.matchAll(/\bhttps?:\/\/([^/:\s)"'`]+)/g)].map((match) => match[1] as string);
      // The inspector's page names the namespace of SVG, and loads nothing from there.
      const others = path.startsWith('build/chunks/') ? ['www.w3.org'] : [];
      const own = ['localhost', '127.0.0.1', ...others];
      const allowed = path === 'CHANGELOG.md' ? ['keepachangelog.com', 'semver.org'] : own;
      // A host that is put in when it runs: the inspector's own.
      const named = hosts.filter((host) => !host.startsWith('${'));
      expect(
        named.filter((host) => !allowed.includes(host)),
        path,
      ).toEqual([]);
      expect(text, path).not.toContain(root.replace(/\/$/, ''));
      expect(text.match(/(?<![\w.~-])\/(?:home|root|tmp|Users|usr|var|work)\/.{0,40}/g), path).toBeNull();
    }
  });

  test('has no source maps and points to none', () => {
    for (const path of [...scripts, ...declarations]) expect(read(path), path).not.toContain('sourceMappingURL');
  });

  test.each(scripts)('%s imports nothing from outside, starts no worker, and evaluates no text', (path) => {
    // Node's own modules: by the entries for Node and the command alone.
    const foreign = importsOf(path).filter((specifier) => !specifier.startsWith('.'));
    const others = foreign.filter((specifier) => !forNode.includes(path) || !specifier.startsWith('node:'));
    expect(others).toEqual([]);
    // The inspector's thread is started from its own text, the demo's from the command's file.
    if (path !== 'build/node.js' && forNode.includes(path)) return;
    expect(read(path).match(/import\.meta|\bnew Worker\b|\brequire\(|\beval\(|\bnew Function\b/g)).toBeNull();
  });
});

describe('package.json', () => {
  test('asks for no other package and runs nothing when it is installed', () => {
    for (const field of ['dependencies', 'optionalDependencies', 'bundleDependencies']) {
      expect(manifest, field).not.toHaveProperty(field);
    }
    // Whoever registers metrics has it; nothing of it is imported.
    expect(manifest.peerDependencies).toEqual({ '@opentelemetry/api': expect.any(String) });
    expect(manifest.peerDependenciesMeta).toEqual({ '@opentelemetry/api': { optional: true } });
    for (const hook of ['preinstall', 'install', 'postinstall', 'prepare']) {
      expect(manifest.scripts, hook).not.toHaveProperty(hook);
    }
    expect(readdirSync(join(consumer, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual(['pagepool']);
  });

  test('installs the command of the package', async () => {
    const { stdout, end } = await run(join(consumer, 'node_modules/.bin/pagepool'), ['doctor'], consumer);
    expect(stdout).toContain(`pagepool on node ${process.versions.node}\n`);
    expect(end).toBe(0);
  });

  test('satisfies publint, suggestions included', async () => {
    const { stdout, end } = await run(
      process.execPath,
      [toolPath('publint/src/cli.js'), '--strict', tarball],
      consumer,
    );
    expect(stdout.trimEnd().split('\n').at(-1)).toBe('All good!');
    expect(end).toBe(0);
  });
});

describe('a bundle', () => {
  /** The minified bundle of a consumer's module. */
  async function bundle(contents: string): Promise<string> {
    const { outputFiles, warnings } = await build({
      stdin: { contents, resolveDir: consumer },
      bundle: true,
      minify: true,
      format: 'esm',
      write: false,
      logLevel: 'silent',
    });
    expect(warnings).toEqual([]);
    return outputFiles[0]?.text ?? '';
  }

  test('keeps nothing of the package when nothing is used', async () => {
    const text = await bundle(
      `import { PagePool, wasmMemory } from 'pagepool'; import { Packet } from 'pagepool/packet';
       import { capabilities, sendable } from 'pagepool/border'; import { copyFrame, toStream } from 'pagepool/web';
       import { WorkletPool } from 'pagepool/worklet'; console.log(1);`,
    );
    expect(text).toBe('console.log(1);\n');
  });

  test('of the untrusted side has nothing of the core in it', async () => {
    const text = await bundle("import { Receiver } from 'pagepool/user'; console.log(Receiver);");
    expect(text.length).toBeLessThan(6000);
    expect(text).not.toContain('WebAssembly');
    const unused =
      "import { Receiver } from 'pagepool/user'; import { UserQueue, userArea } from 'pagepool/user-area'; console.log(1);";
    expect(await bundle(unused)).toBe('console.log(1);\n');
  });

  test('of packets alone keeps neither the pool nor the core', async () => {
    const text = await bundle(
      "import { Packet, lines, sendPacket } from 'pagepool/packet'; console.log(Packet, lines, sendPacket);",
    );
    console.log(`pagepool/packet: ${text.length} bytes minified`);
    expect(text.length).toBeLessThan(42_500);
    expect(text).not.toContain('WebAssembly.Instance');
  });

  test('of the border alone keeps neither the pool nor the core', async () => {
    const text = await bundle(
      "import { decodeText, digest, sendable } from 'pagepool/border'; console.log(decodeText, digest, sendable);",
    );
    console.log(`pagepool/border: ${text.length} bytes minified`);
    expect(text.length).toBeLessThan(20_000);
    expect(text).not.toContain('WebAssembly.Instance');
  });

  test('of the inspector for web pages needs nothing of Node, and goes away when it is not used', async () => {
    const used = await bundle("import { mountInspector } from 'pagepool/inspector-page'; console.log(mountInspector);");
    expect(used).not.toMatch(/\b(?:from|import) ?\(?["']node:/);
    expect(await bundle("import { mountInspector } from 'pagepool/inspector-page'; console.log(1);")).toBe(
      'console.log(1);\n',
    );
  });

  test('keeps the package when it is used', async () => {
    const text = await bundle("import { PagePool } from 'pagepool'; console.log(PagePool);");
    expect(text.length).toBeGreaterThan(20_000);
  });

  test('may leave the package out, since loading it has no effect', async () => {
    const program = `
      const names = Reflect.ownKeys(globalThis).length;
      await import('pagepool');
      await new Promise(setImmediate);
      console.log(Reflect.ownKeys(globalThis).length - names, process.getActiveResourcesInfo());`;
    const { stdout, stderr } = await run(process.execPath, ['--input-type=module', '--eval', program], consumer);
    expect({ stdout, stderr }).toEqual({ stdout: '0 []\n', stderr: '' });
  });
});
