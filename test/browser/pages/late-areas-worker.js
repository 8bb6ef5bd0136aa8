// Attaches with a share that is out of date, in a thread whose greeting is delayed, or whose channel loses what comes
// first.

import { HUNG_MS, turns } from '../support/waiting.js';
import { PagePool } from './both.js';

/** Turns of the event loop by which the greeting comes too late. */
const LATE = 100;

self.onmessage = async ({ data: { share, late } }) => {
  if (late === 'greeting') {
    const post = self.postMessage.bind(self);
    self.postMessage = (message, transfer) => void turns(LATE).then(() => post(message, transfer));
  } else {
    // As a channel that comes into being a moment after its constructor returned.
    let isFirst = true;
    self.BroadcastChannel = class extends BroadcastChannel {
      set onmessage(listener) {
        super.onmessage = (event) => {
          if (!isFirst) listener(event);
          isFirst = false;
        };
      }
    };
  }
  const pool = PagePool.attach(share);
  const page = await pool.takeAsync(100, { timeoutMs: HUNG_MS }).catch(({ code }) => ({ code, release() {} }));
  page.release();
  if (page.code === undefined) pool.detach();
  self.postMessage({ code: page.code ?? 'none' });
};
