// The worker's side of the exchange in a web Worker, whichever way PagePool was loaded.

import { follow, messageQueue } from './exchange.js';

/** Follows one case and says so when it has detached. */
export async function runWorker(PagePool) {
  const { push, next } = messageQueue();
  self.onmessage = ({ data }) => push(data);
  await follow(PagePool, { post: (message) => self.postMessage(message), next });
  self.postMessage('detached');
}
