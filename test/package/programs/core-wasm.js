// The core's Wasm found through import.meta.resolve, compiled here and given to the pool.

import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { PagePool } from 'pagepool';

const path = fileURLToPath(import.meta.resolve('pagepool/core.wasm'));
const module = await WebAssembly.compile(await readFile(path));
const pool = await PagePool.create({ pageCount: 4, engine: 'wasm', module });
const isGiven = pool.share().module === module;
const page = pool.alloc();
pool.release(page);
const { isDestroyed } = await pool.close();
console.log(JSON.stringify({ engine: pool.engine, isGiven, isDestroyed }));
