// Writers and readers at random: channels of any capacity and policy, pools of few pages, records of any size, writers
// that take turns. Each writer's records arrive in order, once and whole; what is missing was refused or counted.
//
// Prints its seed; SEED=n replays the run.

import type { Channel, Fragment } from 'pagepool';
import { RecordWriter, receivePacket, records } from 'pagepool/packet';
import { describe, expect, it } from 'vitest';
import { expectAllHome } from '../support/home.js';
import { chooseSeed, create, KINDS, randomFrom } from '../support/ports.js';

const PAGE_BYTES = 256;
const ROUNDS = Number(process.env.RUNS ?? 150);
const STEPS = 300;
const seed = chooseSeed('records');

/** What records are filled with: characters of one to four bytes, and half of one. */
const FILLINGS = ['x', 'é', 'x', '€', 'x', '😀', 'x', '\ud83d'];

/** A record says who wrote it, and the how-manieth it is; the rest follows from both. */
function recordOf(writer: number, number: number, bytes: number): Uint8Array | string {
  const head = `${writer} ${number} `;
  // Some in a row are of the same characters.
  const filling = FILLINGS[(number >> 3) % FILLINGS.length] as string;
  const text = head + filling.repeat(Math.max(0, bytes - head.length) / Buffer.byteLength(filling));
  return number % 3 === 0 ? Buffer.from(text) : text;
}

describe.each(KINDS)('with the %s engine', (kind) => {
  it(`nothing is lost, doubled or torn, ${ROUNDS} times`, () => {
    const next = randomFrom(seed);
    const random = (below: number): number => next() % below;
    for (let round = 0; round < ROUNDS; round++) {
      const whenFull = (['refuse', 'refuse', 'drop-newest'] as const)[random(3)] as 'refuse';
      const [batch, capacity, pageCount] = [1 + random(8), 1 + random(12), 2 + random(14)];
      const pool = create(kind, { pageBytes: PAGE_BYTES, pageCount, channels: { log: { batch, capacity, whenFull } } });
      const channel = pool.channel('log');
      const held: Fragment[] = [];
      const writers = [0, 1].map(() => {
        const isDropping = random(3) === 0;
        const options = { flushMs: 60_000, whenFull: isDropping ? ('drop-newest' as const) : ('refuse' as const) };
        return { writer: new RecordWriter(channel, options), taken: [] as number[], count: 0 };
      });
      const got: number[][] = [[], []];
      const read = (): void => readOne(channel, got);
      for (let step = 0; step < STEPS; step++) {
        const which = random(2);
        const state = writers[which] as (typeof writers)[number];
        const choice = random(20);
        if (choice < 14) {
          const most = random(10) === 0 ? state.writer.maxRecordBytes : 60;
          if (state.writer.write(recordOf(which, state.count, random(most + 1)))) state.taken.push(state.count);
          state.count++;
        } else if (choice < 17) read();
        else if (choice < 18) state.writer.flushSync(0);
        else if (choice < 19) held.pop()?.release();
        else {
          const fragment = pool.take(1 + random(PAGE_BYTES));
          if (fragment !== null) held.push(fragment);
        }
      }
      for (const fragment of held) fragment.release();
      for (const { writer } of writers) {
        for (let i = 0; writer.pending > 0; i++) {
          expect(i, `seed ${seed}, round ${round}`).toBeLessThan(1000);
          writer.flushSync(0);
          read();
        }
      }
      while (channel.pending > 0) read();
      writers.forEach(({ writer, taken }, which) => {
        const message = `seed ${seed}, round ${round}, writer ${which}: ${JSON.stringify({ batch, capacity, pageCount })}`;
        const known = new Set(taken);
        const own = got[which] as number[];
        expect(own, message).toEqual([...own].sort((a, b) => a - b));
        expect(new Set(own).size, message).toBe(own.length);
        expect(
          own.every((number) => known.has(number)),
          message,
        ).toBe(true);
        expect(own.length, message).toBe(taken.length - writer.dropped);
        expect(writer.flushSync(0), message).toBe(true);
      });
      expectAllHome(pool);
      pool.destroy();
    }
  });
});

/** Reads one message; each record must be what its head says. */
function readOne(channel: Channel, got: number[][]): void {
  const message = receivePacket(channel);
  if (message === null) return;
  for (const record of records(message)) {
    const text = Buffer.from(record).toString();
    const [writer, number] = text.split(' ', 2).map(Number) as [number, number];
    expect(text).toBe(Buffer.from(recordOf(writer, number, record.length)).toString());
    (got[writer] as number[]).push(number);
  }
  message.release();
}
