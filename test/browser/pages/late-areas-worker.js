// Attaches with a share that is out of date, in a thread whose greeting is delayed, or whose channel loses what comes first.

import { PagePool } from '../pagepool/index.js';

const DELAY_MS = 300;
const LOST_MS = 30;

self.onmessage = async ({ data: { share, late } }) => {
  if (late === 'greeting') {
    const post = self.postMessage.bind(self);
    self.postMessage = (message, transfer) => void setTimeout(() => post(message, transfer), DELAY_MS);
  } else {
    // As a channel that comes into being a moment after its constructor returned.
    const since = performance.now();
    self.BroadcastChannel = class extends BroadcastChannel {
      set onmessage(listener) {
        super.onmessage = (event) => performance.now() - since > LOST_MS && listener(event);
      }
    };
  }
  const pool = PagePool.attach(share);
  const page = await pool.takeAsync(100, { timeoutMs: 10_000 }).catch(({ code }) => ({ code, release() {} }));
  page.release();
  if (page.code === undefined) pool.detach();
  self.postMessage({ code: page.code ?? 'none' });
};
