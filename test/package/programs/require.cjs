// The package from CommonJS: require() of an ES module, and the core's Wasm by its own entry.

const { readFileSync } = require('node:fs');
const { PagePool, PagePoolError } = require('pagepool');

const core = new WebAssembly.Module(readFileSync(require.resolve('pagepool/core.wasm')));
const pool = PagePool.createSync({ pageCount: 4, engine: 'wasm', module: core });
const page = pool.alloc();
pool.bytes(page).fill(7);
const sum = pool.bytes(page).reduce((total, byte) => total + byte, 0);
pool.release(page);
let isRefused = false;
try {
  pool.release(page);
} catch (error) {
  isRefused = error instanceof PagePoolError && error.code === 'POOL_ERR_STALE_HANDLE';
}
pool.close().then(({ isDestroyed }) => {
  console.log(JSON.stringify({ engine: pool.engine, sum, isRefused, isDestroyed }));
});
