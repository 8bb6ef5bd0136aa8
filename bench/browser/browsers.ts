// The browsers of the bench: where they are, how they are installed on a machine that has none, and how they are
// started.

import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import puppeteer, { type Browser } from 'puppeteer-core';

interface BrowserKind {
  readonly label: string;
  readonly programs: readonly string[];
  /** Debian's package. */
  readonly package: string;
  readonly browser: 'chrome' | 'firefox';
  readonly flags: readonly string[];
}

export const browserKinds = {
  chromium: {
    label: 'Chromium',
    programs: ['chromium', 'chromium-browser', 'google-chrome'],
    package: 'chromium',
    browser: 'chrome',
    flags: [
      ...['--headless', '--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync'],
      ...['--disable-background-networking', '--disable-component-update'],
    ],
  },
  firefox: {
    label: 'Firefox',
    programs: ['firefox', 'firefox-esr'],
    package: 'firefox-esr',
    browser: 'firefox',
    flags: [],
  },
} as const satisfies Record<string, BrowserKind>;

export type BrowserName = keyof typeof browserKinds;
export const browserNames = Object.keys(browserKinds) as BrowserName[];

function find(programs: readonly string[]): string | undefined {
  const folders = (process.env.PATH ?? '').split(delimiter);
  return programs.flatMap((name) => folders.map((folder) => join(folder, name))).find((path) => existsSync(path));
}

/** The program; installed with apt where that is possible. Throws with the command to run where it is not. */
export function requireBrowser(name: BrowserName): string {
  const { programs, package: debianPackage } = browserKinds[name];
  const found = find(programs);
  if (found !== undefined) return found;
  const command = `apt-get install -y --no-install-recommends ${debianPackage}`;
  if (process.getuid?.() !== 0 || find(['apt-get']) === undefined) {
    throw new Error(`${name} is missing (expected one of ${programs.join(', ')} on the PATH): ${command}, as root`);
  }
  console.log(command);
  execFileSync('apt-get', ['update'], { stdio: 'inherit' });
  execFileSync('apt-get', command.split(' ').slice(1), { stdio: 'inherit' });
  const installed = find(programs);
  if (installed === undefined) throw new Error(`${command} brought no ${programs.join(' or ')}`);
  return installed;
}

export async function launch(name: BrowserName): Promise<Browser> {
  const { browser, flags } = browserKinds[name];
  return puppeteer.launch({ browser, executablePath: requireBrowser(name), headless: true, args: [...flags] });
}
