// A test in CommonJS that requires.

const { TextDecoder } = require('node:util');

globalThis.TextDecoder ??= TextDecoder; // jsdom has none

test('a test in CommonJS, require()', async () => {
  const [pool, border, web] = ['pagepool', 'pagepool/border', 'pagepool/web'].map((name) => require(name));
  const { right, tryPool } = await import('./pool.mjs');
  expect(await tryPool(pool, border, web, globalThis)).toEqual(right);
});
