// A test in CommonJS that imports.

const { TextDecoder } = require('node:util');

globalThis.TextDecoder ??= TextDecoder; // jsdom has none

test('a test in CommonJS, import()', async () => {
  const names = ['pagepool', 'pagepool/border', 'pagepool/web'];
  const [pool, border, web] = await Promise.all(names.map((name) => import(name)));
  const { right, tryPool } = await import('./pool.mjs');
  expect(await tryPool(pool, border, web, globalThis)).toEqual(right);
});
