// Makes sure that the browsers and drivers which the tests use are installed: node scripts/browsers.mjs
//
// They are Debian's packages. As root this installs what is missing; otherwise it prints the command that does, and
// fails.

import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { isMain, Refusal, runScript } from './support.mjs';

/** Each program that the tests start, and the package that brings it. */
const PROGRAMS = {
  chromium: { path: () => '/usr/bin/chromium', package: 'chromium' },
  firefox: { path: () => '/usr/bin/firefox-esr', package: 'firefox-esr' },
  webKitDriver: { path: () => '/usr/bin/WebKitWebDriver', package: 'webkit2gtk-driver' },
  miniBrowser: { path: miniBrowserPath, package: 'webkit2gtk-driver' },
  display: { path: () => '/usr/bin/Xvfb', package: 'xvfb' },
  // For WebGPU outside of browsers: a Vulkan driver that draws with the processor, and what loads it.
  swiftShader: { path: () => '/usr/lib/chromium/vk_swiftshader_icd.json', package: 'chromium-common' },
  vulkanLoader: { path: vulkanLoaderPath, package: 'libvulkan1' },
};

/** A loader that a program brings for itself, as Chromium does in its own folder, is found by no other one. */
function vulkanLoaderPath() {
  return pathOfArchitecture('libvulkan.so.1');
}

/** WebKitGTK's own browser lies with its library. */
function miniBrowserPath() {
  return pathOfArchitecture('webkit2gtk-4.1/MiniBrowser');
}

/** Where the linker looks: the folder of the machine's architecture, as `/usr/lib/x86_64-linux-gnu`. */
function pathOfArchitecture(name) {
  const folders = existsSync('/usr/lib')
    ? readdirSync('/usr/lib').filter((folder) => folder.includes('-linux-gnu'))
    : [];
  const paths = folders.map((folder) => join('/usr/lib', folder, name));
  return paths.find((path) => existsSync(path)) ?? join('/usr/lib/*-linux-gnu', name);
}

/** Packages whose programs are not there. */
function missingPackages() {
  const missing = Object.values(PROGRAMS).filter(({ path }) => !existsSync(path()));
  return [...new Set(missing.map((program) => program.package))];
}

function installCommand(packages) {
  return `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
}

/**
 * Where the program is.
 * @param {keyof typeof PROGRAMS} name
 * @returns {string}
 * @throws {Refusal} when it is not installed; the message says how to
 */
export function requireProgram(name) {
  const path = PROGRAMS[name].path();
  if (existsSync(path)) return path;
  throw new Refusal(
    `${name}=${path} (expected an installed program); run as root: ${installCommand([PROGRAMS[name].package])}`,
  );
}

/** Installs what is missing, or says how. */
export function installBrowsers() {
  const packages = missingPackages();
  if (packages.length === 0) return;
  const command = installCommand(packages);
  if (process.getuid?.() !== 0) {
    throw new Refusal(`browsers for the tests are missing: ${packages.join(', ')}; run as root: ${command}`);
  }
  console.log(command);
  const { status } = spawnSync('sh', ['-c', command], {
    stdio: 'inherit',
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
  const left = missingPackages();
  if (status !== 0 || left.length > 0) {
    throw new Refusal(`browsers for the tests are missing: ${packages.join(', ')}; this failed: ${command}`);
  }
}

if (isMain(import.meta.url)) await runScript(installBrowsers);
