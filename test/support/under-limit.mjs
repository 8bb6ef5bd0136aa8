// Takes every page of pools of several kinds, one after the other, and prints what each gave.
//
//   node under-limit.mjs <build>

const [, , build] = process.argv;
const { PagePool, slabs } = await import(`${build}index.js`);
const KINDS = [
  {},
  { engine: 'typescript' },
  { provider: 'slab' },
  { provider: slabs({ slabBytes: 2 ** 28 }), pageBytes: 65536, pageCount: 131_072 },
  { engine: 'wasm' },
];
const found = [];
for (const kind of KINDS) {
  try {
    const pool = await PagePool.create({ pageCount: 64, maxPorts: 2, ...kind });
    let pages = 0;
    while (pool.alloc() !== 0) pages++;
    // What collections need is there, whatever the pool took.
    const litter = Array.from({ length: 200_000 }, (_, i) => ({ i }));
    found.push(`${pool.engine} ${litter.length === 200_000 ? pages : -1}`);
    pool.detach({ release: true });
    await pool.close();
  } catch (error) {
    found.push(`${error.code}: ${error.message}`);
  }
}
console.log(JSON.stringify(found));
process.exit(0);
