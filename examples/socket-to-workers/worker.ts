// A worker of any variant: hashes what it is handed, pass by pass, and says what it hashed.

import { type MessagePort, parentPort, workerData } from 'node:worker_threads';
import { type Collections, watchCollections } from './collections.js';
import type { Digest } from './digest.js';
import { poolReceiver } from './variants/pagepool.js';
import { postingReceiver } from './variants/posting.js';
import type { Setup, VariantName } from './variants/variant.js';

export interface WorkerData {
  variant: VariantName;
  setup: Setup;
  share: unknown;
}

/** What a worker says besides its acknowledgements (numbers). */
export type WorkerMessage = { type: 'digest'; value: Digest } | { type: 'ready'; value: Collections };

const { variant, setup, share } = workerData as WorkerData;
const port = parentPort as MessagePort;
const say = (message: WorkerMessage) => port.postMessage(message);
const collections = watchCollections();
const receiver = variant === 'pagepool' ? poolReceiver(share, setup) : postingReceiver(setup);
for (let pass = 0; pass < setup.passes; pass++) {
  say({ type: 'ready', value: await collections() });
  say({ type: 'digest', value: await receiver.receive(pass) });
}
say({ type: 'ready', value: await collections() });
receiver.close();
