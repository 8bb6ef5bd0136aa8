// What the headers of a page decide in each browser: whether its threads share memory, and which engine they get.

import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Browser, launchChromium, launchFirefox, launchWebKit } from '../support/browsers.js';
import { isLong } from '../support/lane.js';
import { HOME, launchSharingWebKit, play } from '../support/pages.js';
import { chooseSeed } from '../support/ports.js';
import { DOCUMENT_ISOLATION, type Headers, ISOLATION } from '../support/serve.js';

const seed = chooseSeed('browser isolation');
const COUNT = 1000;

type Case = readonly [name: string, headers: Headers];
type PolicyCase = readonly [name: string, headers: Headers, engine: 'wasm' | 'typescript'];

const COEP = 'Cross-Origin-Embedder-Policy';
const COOP = 'Cross-Origin-Opener-Policy';
const CSP = 'Content-Security-Policy';

const ISOLATED: Case = ['COOP same-origin and COEP require-corp', ISOLATION];
const CREDENTIALLESS: Case = ['COOP same-origin and COEP credentialless', { ...ISOLATION, [COEP]: 'credentialless' }];
const DOCUMENT: Case = ['Document-Isolation-Policy alone', DOCUMENT_ISOLATION];
const NOT_ENOUGH: readonly Case[] = [
  ['no header', {}],
  ['COOP alone', { [COOP]: 'same-origin' }],
  ['COEP alone', { [COEP]: 'require-corp' }],
];
const STRICT = "a CSP with script-src 'self'";
const POLICIES: readonly PolicyCase[] = [
  [...ISOLATED, 'wasm'],
  [STRICT, { ...ISOLATION, [CSP]: "script-src 'self'" }, 'typescript'],
  ["a CSP with 'wasm-unsafe-eval'", { ...ISOLATION, [CSP]: "script-src 'self' 'wasm-unsafe-eval'" }, 'wasm'],
];
/** The page's policy allows Wasm and its worker's does not, or the other way round. */
const MIXED: readonly (readonly [string, object, (isWorker: boolean) => boolean])[] = [
  ['the worker', { engine: 'wasm', echoed: { engine: 'typescript' } }, (isWorker) => isWorker],
  ['the page', { engine: 'typescript', echoed: { engine: 'wasm' } }, (isWorker) => !isWorker],
];

interface Row {
  readonly name: string;
  readonly launch: () => Promise<Browser>;
  readonly local: readonly Case[];
  readonly shared: readonly PolicyCase[];
}

/** Where memory is shared and where it is not. */
const EVERY_ROW: readonly Row[] = [
  {
    name: 'Chromium',
    launch: launchChromium,
    local: NOT_ENOUGH,
    shared: [...POLICIES, [...CREDENTIALLESS, 'wasm'], [...DOCUMENT, 'wasm']],
  },
  {
    name: 'Firefox',
    launch: launchFirefox,
    local: [...NOT_ENOUGH, DOCUMENT],
    shared: [...POLICIES, [...CREDENTIALLESS, 'wasm']],
  },
  // Isolated by its headers, it makes shared memory and posts none of it.
  { name: 'WebKitGTK', launch: launchWebKit, local: [...NOT_ENOUGH, CREDENTIALLESS, DOCUMENT, ISOLATED], shared: [] },
  { name: 'WebKitGTK with shared memory switched on', launch: launchSharingWebKit, local: [], shared: POLICIES },
];

/** What `npm test` asks of each browser; of Chromium all that it can be asked. The long run has the rest. */
const ASKED: Readonly<Record<string, readonly string[]>> = {
  Firefox: ['no header', DOCUMENT[0], ISOLATED[0], STRICT],
  WebKitGTK: ['no header', ISOLATED[0]],
};

const BROWSERS = EVERY_ROW.map((row) => {
  const isAsked = ([name]: Case | PolicyCase): boolean =>
    (row.name === 'Chromium' || (ASKED[row.name] ?? []).includes(name)) !== isLong;
  return { ...row, local: row.local.filter(isAsked), shared: row.shared.filter(isAsked) };
}).filter(({ local, shared }) => local.length + shared.length > 0);

/** What a page, or its worker, finds where memory is not shared. */
function alone(isIsolated: boolean): object {
  const reason = isIsolated
    ? 'this realm makes shared memory but refuses to post it to other threads'
    : 'this page is not cross-origin isolated';
  return {
    crossOriginIsolated: isIsolated,
    hasSharedBuffers: false,
    mode: 'local',
    engine: 'wasm',
    total: { came: COUNT, torn: 0 },
    refusal: {
      code: 'POOL_ERR_NOT_SHARED',
      message: expect.stringMatching(`^share failed: mode="local" \\(expected "shared"\\): ${reason}`),
    },
    isMemoryKept: true,
    end: HOME,
  };
}

describe.each(BROWSERS.map((row) => [row.name, row] as const))('%s', (_, { launch, local, shared }) => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launch();
  });
  afterAll(() => browser?.close());

  test.each(local)('%s: a pool is local, works in one thread, and says why', async (name, headers) => {
    const found = alone(name === ISOLATED[0]);
    const result = await play(browser, headers, 'local', { seed, count: COUNT });
    expect(result).toMatchObject({ inPage: found, inWorker: found });
  });

  test.each(shared)('%s: page and worker share pages', async (_, headers, engine) => {
    const code = engine === 'wasm' ? 'none' : 'POOL_ERR_INVALID_ARGUMENT';
    // Firefox reports what its policy blocks, also where the package falls back.
    expect(await play(browser, headers, 'engines', { seed }, /blocked WebAssembly/)).toMatchObject({
      isIsolated: true,
      mode: 'shared',
      engine,
      torn: 0,
      echoed: { engine, received: 8, returned: 2, torn: 0 },
      wasm: { code },
      end: HOME,
    });
  });

  const strict = shared.filter(([, , engine]) => engine === 'typescript');
  test.each(strict)("%s: engine 'typescript' asks for nothing that the policy blocks", async (_, headers, engine) => {
    expect(await play(browser, headers, 'engines', { seed, engine })).toMatchObject({
      engine,
      echoed: { engine },
      end: HOME,
    });
  });

  test.each(strict.length === 0 ? [] : MIXED)('a policy that blocks Wasm for %s alone', async (_, found, isBlocked) => {
    const headers = (path: string): Headers =>
      isBlocked(path.includes('worker')) ? { ...ISOLATION, [CSP]: "script-src 'self'" } : ISOLATION;
    // Firefox drops a message with a compiled module where Wasm is blocked.
    const options = { seed, withModule: false };
    expect(await play(browser, headers, 'engines', options, /blocked WebAssembly/)).toMatchObject({
      mode: 'shared',
      torn: 0,
      end: HOME,
      ...found,
    });
  });
});
