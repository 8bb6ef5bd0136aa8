// Attaches and lives as it is told, until it is terminated. Nothing is given back.

import { PagePool } from './both.js';

const held = [];

function hold(fragment) {
  if (fragment === null) return;
  held.push(fragment);
  self.postMessage({});
}

function once(channel, pool) {
  const fragment = pool.take(100);
  if (fragment !== null && !channel.sendFragment(fragment)) fragment.release();
  channel.receive()?.release();
}

const lives = {
  /** Blocks at once and for good: never again in its event loop. */
  block(channel) {
    while (channel.waitSync()) hold(channel.receive());
  },
  /** Returns to its event loop once, and blocks then. */
  async later(channel) {
    await new Promise((resolve) => setTimeout(resolve));
    lives.block(channel);
  },
  async async(channel) {
    for await (const fragment of channel) hold(fragment);
  },
  /** Computes, and makes no call. */
  spin(_, pool) {
    held.push(pool.take());
    for (const words = new Int32Array(1); words[0] === 0; ) Atomics.load(words, 0);
  },
  /** Takes and gives back. */
  churn(channel, pool) {
    for (;;) once(channel, pool);
  },
  /** The same, and what it has left does so too, where the browser runs that when it has ended the rest. */
  rest(channel, pool) {
    void Promise.resolve().then(() => {
      for (let i = 0; i < 100; i++) once(channel, pool);
    });
    lives.churn(channel, pool);
  },
};

self.onmessage = ({ data: { share, label, how } }) => {
  const pool = PagePool.attach(share, { label });
  self.postMessage({ portId: pool.portId });
  void lives[how](pool.channel('frames'), pool);
};
