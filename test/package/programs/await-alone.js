// One wait that nothing will end, as the only thing the process has left to do.
//
//   held    inside a function that the module does not await, with a timeout
//   inner   the same with `ref: false`
//   top     awaited by the module itself, with `ref: false`

import { PagePool } from 'pagepool';

const pool = await PagePool.create({ pageCount: 4, channels: { quiet: {} } });
const [, , how] = process.argv;

async function wait() {
  await pool.channel('quiet').next(how === 'held' ? { timeoutMs: 200 } : { ref: false });
}

const ended = wait().catch((error) => console.log(error.code));
console.log('waits');
if (how === 'top') await ended;
