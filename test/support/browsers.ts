// Starts the real browsers and drives them alike: open a page, evaluate in it, read what it printed, close.
//
// Chromium and Firefox by puppeteer (DevTools protocol and WebDriver BiDi), WebKitGTK's MiniBrowser by its WebDriver on
// a display of its own. Every browser starts with an empty profile. What is started here is stopped by `close`, or at
// the latest when this process ends.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import puppeteer, { type Browser as Puppet, type Page as Puppeteer } from 'puppeteer-core';
import { Builder, Capabilities } from 'selenium-webdriver';
import { requireProgram } from '../../scripts/browsers.mjs';
import { installed } from '../../scripts/installed.mjs';
import { HUNG_MS, TEST_HUNG_MS, until } from './waiting.js';

await installed('browsers');

/** A page that is loaded. */
export interface Page {
  /** The value of a JavaScript expression in the page, awaited there and copied as JSON; throws what it throws. */
  evaluate<T>(expression: string): Promise<T>;
  /** What the page printed with console.log; always empty in WebKitGTK. */
  readonly printed: readonly string[];
  /** Errors that nobody caught in the page; always empty in WebKitGTK. */
  readonly errors: readonly string[];
  /** Loads it again, and waits until that is done. */
  reload(): Promise<void>;
  /** To another page. */
  leaveTo(url: string): Promise<void>;
  /** Begins to go back to where it was, from the history. */
  goBack(): Promise<void>;
  close(): Promise<void>;
  /** The same page with all that puppeteer does; none in WebKitGTK. */
  readonly puppet?: Puppeteer;
}

/** A browser that runs. */
export interface Browser {
  readonly name: 'chromium' | 'firefox' | 'webkit';
  readonly version: string;
  /** The browser's first process. */
  readonly pid: number;
  /**
   * Loads a page in a new tab; in WebKitGTK in the only one.
   *
   * @throws in WebKitGTK when a page is open: it would end, and its tests would ask the new one
   */
  open(url: string): Promise<Page>;
  close(): Promise<void>;
}

/** Waits until the page has printed that many lines, or had an error. */
export async function untilPrinted(page: Page, lines: number, errors = () => page.errors): Promise<void> {
  await until(
    () => page.printed.length >= lines || errors().length > 0,
    () => page.printed,
  );
}

const CHROMIUM_FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** For a WebGPU device that draws with the processor. */
export const SWIFTSHADER = [
  '--enable-unsafe-webgpu',
  '--use-webgpu-adapter=swiftshader',
  '--enable-features=Vulkan',
] as const;

/** For a camera and a microphone that are none, and nobody who is asked. It has a sound device by itself. */
export const DEVICES = ['--use-fake-device-for-media-stream', '--use-fake-ui-for-media-stream'] as const;

/** Debian's Chromium, headless; `flags` come after the usual ones. */
export async function launchChromium(flags: readonly string[] = []): Promise<Browser> {
  const browser = await puppeteer.launch({
    browser: 'chrome',
    executablePath: requireProgram('chromium'),
    headless: true,
    args: [...CHROMIUM_FLAGS, ...flags],
    timeout: HUNG_MS,
    protocolTimeout: 0, // how long a call in the page takes is for its test to say
  });
  return puppetBrowser('chromium', browser);
}

/** Debian's Firefox ESR, headless, as it is delivered. */
export function launchFirefox(): Promise<Browser> {
  return startFirefox({});
}

/** The same with a sound device that plays nothing, a camera and a microphone that are none; it asks nobody. */
export function launchFirefoxWithDevices(): Promise<Browser> {
  return startFirefox({
    'media.cubeb.force_mock_context': true,
    'media.navigator.streams.fake': true,
    'media.navigator.permission.disabled': true,
  });
}

async function startFirefox(preferences: Readonly<Record<string, boolean>>): Promise<Browser> {
  const browser = await puppeteer.launch({
    browser: 'firefox',
    executablePath: requireProgram('firefox'),
    headless: true,
    extraPrefsFirefox: preferences,
    timeout: HUNG_MS,
    protocolTimeout: 0, // how long a call in the page takes is for its test to say
  });
  return puppetBrowser('firefox', browser);
}

async function puppetBrowser(name: 'chromium' | 'firefox', browser: Puppet): Promise<Browser> {
  return {
    name,
    version: await browser.version(),
    pid: browser.process()?.pid ?? 0,
    open: async (url) => {
      const page = await browser.newPage();
      const printed: string[] = [];
      const errors: string[] = [];
      page.on('console', (message) => void (message.type() === 'log' && printed.push(message.text())));
      page.on('pageerror', (error) => errors.push(String(error)));
      await page.goto(url, { waitUntil: 'load', timeout: HUNG_MS });
      return {
        printed,
        errors,
        puppet: page,
        evaluate: async (expression) => parseResult((await page.evaluate(asJson(expression))) as string),
        reload: async () => void (await page.reload({ waitUntil: 'load', timeout: HUNG_MS })),
        leaveTo: async (next) => void (await page.goto(next, { waitUntil: 'load', timeout: HUNG_MS })),
        // A page that was kept is not loaded: nothing would come to wait for.
        goBack: async () => void (await page.evaluate('history.back()').catch(() => {})),
        close: () => page.close(),
      };
    },
    close: () => browser.close(),
  };
}

/**
 * Debian's WebKitGTK: MiniBrowser under its WebDriver, on an Xvfb display.
 *
 * @param env variables for the browser, such as options of its JavaScript engine
 */
export async function launchWebKit(env: NodeJS.ProcessEnv = {}): Promise<Browser> {
  const programs: Program[] = [];
  const stop = async (): Promise<void> => {
    for (const program of programs.reverse()) await program.stop();
  };
  try {
    const display = start(requireProgram('display'), [
      '-displayfd',
      '3',
      '-nolisten',
      'tcp',
      '-screen',
      '0',
      '800x600x24',
    ]);
    programs.push(display);
    const port = await freePort();
    const variables = { ...process.env, ...env, DISPLAY: `:${await displayNumber(display)}` };
    const driverProgram = start(requireProgram('webKitDriver'), [`--port=${port}`, '--host=127.0.0.1'], variables);
    programs.push(driverProgram);
    const server = `http://127.0.0.1:${port}`;
    await untilReady(server, driverProgram);
    const capabilities = new Capabilities({
      browserName: 'MiniBrowser',
      'webkitgtk:browserOptions': { binary: requireProgram('miniBrowser'), args: ['--automation'] },
    });
    const driver = await new Builder().usingServer(server).withCapabilities(capabilities).build();
    await driver.manage().setTimeouts({ script: TEST_HUNG_MS, pageLoad: HUNG_MS });
    const version = `WebKitGTK/${(await driver.getCapabilities()).get('browserVersion')}`;
    let openUrl = '';
    return {
      name: 'webkit',
      version,
      pid: driverProgram.child.pid ?? 0,
      open: async (url) => {
        if (openUrl !== '')
          throw new Error(`open=${openUrl} (expected no page: WebKitGTK has one tab; close it first)`);
        openUrl = url;
        await driver.get(url);
        // A page that needed another process is given back before its modules ran.
        await driver.executeAsyncScript(
          "const [done] = arguments; if (document.readyState === 'complete') done(); else addEventListener('load', () => done());",
        );
        return {
          printed: [],
          errors: [],
          evaluate: async (expression) =>
            parseResult(
              await driver.executeAsyncScript<string>(`${asJson(expression)}.then(arguments[arguments.length - 1])`),
            ),
          reload: () => driver.navigate().refresh(),
          leaveTo: (next) => driver.get(next),
          goBack: () => driver.navigate().back(),
          close: async () => {
            await driver.get('about:blank');
            openUrl = '';
          },
        };
      },
      close: async () => {
        await driver.quit().catch(() => {});
        await stop();
      },
    };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** An expression whose value is a promise of JSON text: `{ value }` or `{ error }`. */
function asJson(expression: string): string {
  return `(async () => (${expression}))().then(
    (value) => JSON.stringify({ value }),
    (error) => JSON.stringify({ error: String(error) + '\\n' + (error?.stack ?? '') }),
  )`;
}

function parseResult<T>(json: string): T {
  const { value, error } = JSON.parse(json) as { value: T; error?: string };
  if (error !== undefined) throw new Error(`in the page: ${error}`);
  return value;
}

/** A program that runs until it is stopped. */
interface Program {
  readonly child: ChildProcess;
  stop(): Promise<void>;
}

/** Starts a program; its file descriptor 3 is a pipe to here. */
function start(path: string, args: readonly string[], env: NodeJS.ProcessEnv = process.env): Program {
  const child = spawn(path, args, { env, stdio: ['ignore', 'ignore', 'ignore', 'pipe'] });
  const kill = (): void => void child.kill();
  const end = (): void => process.exit(143);
  process.once('exit', kill);
  // A signal alone would end this process without its 'exit'.
  process.once('SIGTERM', end);
  const ended = once(child, 'close').catch(() => {});
  return {
    child,
    stop: async () => {
      process.removeListener('exit', kill);
      process.removeListener('SIGTERM', end);
      child.kill();
      await ended;
    },
  };
}

/** The number of the display, which Xvfb chooses and writes when it is ready. */
async function displayNumber({ child }: Program): Promise<string> {
  const pipe = child.stdio[3] as NodeJS.ReadableStream;
  const failed = once(child, 'close').then(() => {
    throw new Error('Xvfb ended before it had a display');
  });
  const [chunk] = (await Promise.race([once(pipe, 'data'), failed])) as [Buffer];
  return chunk.toString().trim();
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Waits until the driver answers. */
async function untilReady(server: string, { child }: Program): Promise<void> {
  const answers = (): Promise<boolean> =>
    fetch(`${server}/status`).then(
      ({ ok }) => ok,
      () => false,
    );
  await until(async () => child.exitCode !== null || (await answers()));
  if (child.exitCode === null) return;
  throw new Error(`WebKitWebDriver exitCode=${child.exitCode} (expected an answer at ${server}/status)`);
}
