// One wait that nothing will end, as the only thing the process has left to do; with the argument `ref` it asks to be waited for.

import { PagePool } from 'pagepool';

const pool = await PagePool.create({ pageCount: 4, channels: { quiet: {} } });
const isHeld = process.argv[2] === 'ref';
console.log('waits');
try {
  await pool.channel('quiet').next(isHeld ? { ref: true, timeoutMs: 200 } : {});
} catch (error) {
  console.log(error.code);
}
