// Takes every page of pools of all kinds, one pool after the other, and prints what each gave: its engine and how many
// pages, or an error.
//
//   under-limit.js start | pools <folder of the package's build>
//
// `start` makes no pool, and tells whether the runtime itself can run.

import process from 'node:process';

const [, , what, build] = process.argv;
const load = (entry) => import(build === undefined ? `pagepool/${entry}` : `${build}${entry}.js`);
const { PagePool } = await (build === undefined ? import('pagepool') : load('index'));
const { slabs } = await load('providers');
const { userArea } = await load('user-area');
await load('typescript');
const MANY = { pageBytes: 65536, pageCount: 49_152 };
const KINDS = {
  auto: () => ({}),
  typescript: () => ({ engine: 'typescript' }),
  wasm: () => ({ engine: 'wasm' }),
  slab: () => ({ provider: 'slab' }),
  'user-area': () => ({ provider: userArea(new SharedArrayBuffer(64 * 4096)) }),
  reserve: () => ({ reserve: { provider: slabs(), pageCount: 8 } }),
  many: () => MANY,
  'many, typescript': () => ({ ...MANY, engine: 'typescript' }),
  'many, slab': () => ({ ...MANY, pageCount: 131_072, provider: slabs({ slabBytes: 2 ** 28 }) }),
  'many, kept': () => ({ ...MANY, pageCount: 131_072, provider: slabs({ slabBytes: 2 ** 30, keepBytes: 2 ** 33 }) }),
};

async function playOne(kind) {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 64, maxPorts: 2, ...KINDS[kind]() });
  let pages = 0;
  while (pool.alloc() !== 0) pages++;
  // What collections need is there, whatever the pool took.
  const litter = Array.from({ length: 200_000 }, (_, i) => ({ i }));
  const { engine } = pool;
  pool.detach({ release: true });
  return `${engine} ${litter.length === 200_000 ? pages : -1}`;
}

const found = {};
for (const kind of what === 'pools' ? Object.keys(KINDS) : []) {
  try {
    found[kind] = await playOne(kind);
  } catch (error) {
    found[kind] = `${error.code}: ${error.message}`;
  }
}
console.log(JSON.stringify(found));
process.exit(0);
