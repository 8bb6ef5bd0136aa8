// One wait that nothing will end, as the only thing the process has left to do.
//
//   top     awaited by the module itself
//   inner   awaited inside a function that the module does not await
//   ref     awaited by the module, asking to be waited for, with a timeout

import { PagePool } from 'pagepool';

const pool = await PagePool.create({ pageCount: 4, channels: { quiet: {} } });
const [, , how] = process.argv;

async function wait() {
  await pool.channel('quiet').next(how === 'ref' ? { ref: true, timeoutMs: 200 } : {});
}

const ended = wait().catch((error) => console.log(error.code));
console.log('waits');
if (how !== 'inner') await ended;
