// The intake, step by step, where a socket cannot be made to choose the moment.

import { expect, test } from 'vitest';
import { Intake } from '../../src/node/intake.js';
import { resolveRead } from '../../src/node/options.js';
import { PagePool } from '../../src/pool/page-pool.js';
import { expectAllHome } from '../support/home.js';
import { turns } from '../support/waiting.js';
import { Collector } from './support.js';

test('bytes that come while it waits find pages before its wait does: no page is lost', async () => {
  const pool = await PagePool.create({ pageBytes: 4096, pageCount: 4 });
  const held = Array.from({ length: 4 }, () => pool.take());
  const got = new Collector();
  const source = { resume() {}, stop() {} };
  const intake = new Intake('connectInto', pool, got.take, resolveRead('connectInto', pool, {}), false, source);
  const room = intake.room();
  expect(room.buffer).toBeInstanceOf(ArrayBuffer);
  for (const fragment of held) fragment?.release();
  room.fill(7, 0, 100);
  expect(intake.received(100, room)).toBe(false);
  expect(got.bytes.equals(Buffer.alloc(100, 7))).toBe(true);
  await turns(); // its wait finds that nothing is wanted any more
  intake.ended();
  expect(await intake.delivery.finished).toBe(100);
  expectAllHome(pool as never);
  await pool.close();
});
