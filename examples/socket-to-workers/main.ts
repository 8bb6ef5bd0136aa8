// The demo of pagepool: a file goes over a TCP socket into shared pages, and its records to workers that hash them.
//
//   npm run demo -- [--file PATH] [--workers N] [--record BYTES]
//
// One program in three roles: the demo itself, the process that sends, and a process that receives, one a run. The last
// starts the workers (worker.ts).

import { parseArguments } from './arguments.js';
import { runDemo } from './demo.js';
import { type Job, runReceiver } from './receiver.js';
import { runSender } from './sender.js';

const [flag, role, argument = ''] = process.argv.slice(2);
if (flag === '--role' && role === 'send') runSender(argument);
else if (flag === '--role' && role === 'receive') await runReceiver(JSON.parse(argument) as Job);
else {
  process.exitCode = await runDemo(parseArguments(process.argv.slice(2))).catch((error: Error) => {
    console.error(`FAILED ${error.message}`);
    return 1;
  });
}
