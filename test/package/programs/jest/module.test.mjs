// A test that is a module.

import { TextDecoder } from 'node:util';
import { PagePool, PagePoolError } from 'pagepool';
import * as border from 'pagepool/border';
import * as web from 'pagepool/web';
import { right, tryPool } from './pool.mjs';

globalThis.TextDecoder ??= TextDecoder; // jsdom has none

test('a test that is a module', async () => {
  expect(await tryPool({ PagePool, PagePoolError }, border, web, globalThis)).toEqual(right);
});
