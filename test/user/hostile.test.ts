// A hostile consumer on a thread of its own, with every word of its rings and of its area to write, while others go on
// beside it.
//
// Duplicate, stale, foreign, misaligned and torn refills, tails and heads that cannot be, garbage in every word,
// wake-ups without end. The pools are audited under way, honest consumers and a trusted user check every byte, and
// everything comes home. Prints its seed; SEED=n replays the choices (not the scheduling). LONG=1 goes through more
// than ten million refills.

import { Worker } from 'node:worker_threads';
import { PagePool } from 'pagepool';
import { UserQueue, type UserShare, userArea } from 'pagepool/user-area';
import { describe, expect, test } from 'vitest';
import { chooseSeed, randomFrom } from '../support/ports.js';
import { program } from '../support/program.js';
import { type Consumer, requireUnharmed, Scene } from './scene.js';

const isLong = process.env.LONG === '1';
const ENTRIES = isLong ? 2_600_000 : 100_000;
/** How often each thing must have happened. */
const TIMES = isLong ? 1000 : 50;
const DEATHS = isLong ? 60 : 6;
const seed = chooseSeed('hostile');
const source = new URL(
  `data:text/javascript,${encodeURIComponent(await program(new URL('./worker.ts', import.meta.url)))}`,
);
const breathe = () => new Promise((resolve) => setImmediate(resolve));

async function stage(engine: 'wasm' | 'typescript', writesArea: boolean, random: () => number, isViolent: boolean) {
  const failures: string[] = [];
  const start = (kind: 'honest' | 'hostile', share: UserShare, counts: Int32Array): Consumer => {
    const worker = new Worker(source, { workerData: { kind, share, counts, writesArea, seed: random() } });
    worker.on('error', (error) => failures.push(String(error.stack)));
    const exit = new Promise((resolve) => worker.once('exit', resolve));
    return {
      end: async () => {
        if (isViolent) await worker.terminate();
        await exit;
      },
    };
  };
  const given = { PagePool, UserQueue, userArea };
  return Scene.open({ package: given, engine, writesArea, random: (below) => random() % below, start, failures });
}

describe.each(['wasm', 'typescript'] as const)('engine %s', (engine) => {
  test.each([
    [false, 'its rings: others of the same area keep their data'],
    [true, 'its rings and all of its area: others in another area keep their data'],
  ])('a consumer that writes anything (area too: %s) into %s', async (writesArea) => {
    const scene = await stage(engine, writesArea, randomFrom(seed), false);
    const outcome = await scene.play(() => scene.hasSeen(ENTRIES, TIMES), breathe, false);
    console.log(`${engine}, area ${writesArea}: ${JSON.stringify(outcome)}`);
    requireUnharmed(outcome);
    expect(outcome.entries).toBeGreaterThanOrEqual(ENTRIES);
  });

  test('threads of consumers that are ended where they stand leave nothing behind', async () => {
    const random = randomFrom(seed + 1);
    let scrubbed = 0;
    for (let i = 0; i < DEATHS; i++) {
      const scene = await stage(engine, i % 2 === 0, random, true);
      const entries = 1 + (random() % 20_000);
      const outcome = await scene.play(() => scene.entries >= entries, breathe, true);
      requireUnharmed(outcome);
      scrubbed += outcome.scrubbed;
    }
    expect(scrubbed).toBeGreaterThan(0);
  });
});
