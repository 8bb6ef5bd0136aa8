// What is said to a page: objects that it posts although no other thread can use them, and waits that nobody answers.

import { Packet } from '../pagepool/packet.js';
import { PagePool } from './both.js';
import { endPool } from './ending.js';

export async function posting({ engine }) {
  const pool = await PagePool.create({ engine, pageCount: 1, channels: { work: {} } });
  const packet = new Packet().append(pool.take(10));
  const fragment = pool.take(20);
  const { port1 } = new MessageChannel();
  const errors = {};
  for (const [kind, object] of Object.entries({ fragment, packet, pool, channel: pool.channel('work') })) {
    try {
      port1.postMessage({ object });
      errors[kind] = 'none';
    } catch ({ name, message }) {
      errors[kind] = `${name}: ${message}`;
    }
  }
  port1.close();
  fragment.release();
  packet.release();
  return { errors, end: await endPool(pool) };
}

export async function stalls({ engine }) {
  const pool = await PagePool.create({ engine, pageCount: 1, stallMs: 20 });
  const held = pool.take();
  const { warn } = console;
  const warned = new Promise((resolve) => {
    console.warn = resolve;
  });
  const waiting = pool.takeAsync(10);
  const text = await warned;
  console.warn = warn;
  held.release();
  (await waiting).release();
  return { text, end: await endPool(pool) };
}
