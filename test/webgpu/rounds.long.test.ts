// A hundred thousand rounds of 64 KiB through the device: uploaded, doubled by a shader, read back.
//
// The bytes of device memory stay as they are after warm-up, no buffer is created, and no page is missing.

import { PagePool } from 'pagepool';
import { webgpu } from 'pagepool/webgpu';
import { expect, it } from 'vitest';
import { until } from '../support/waiting.js';
import { makeDevice, missingDevice } from '../support/webgpu.js';
import { doubler, wordsOf } from './suite/doubler.js';
import { descriptionOf, setUp, stagingOf, tearDown } from './suite/setting.js';

const ROUNDS = 100_000;
const WARM_UP = 100;
/** Rounds under way at one time. */
const DEPTH = 4;
const missing = await missingDevice();
if (missing !== undefined) console.log(`no WebGPU in Node: ${missing}`);

it.skipIf(missing !== undefined)('100,000 rounds leave the device as they found it', async () => {
  const all = await setUp({ PagePool, webgpu, makeDevice });
  const { gpu, host, memory, device, provider, created } = all;
  const double = doubler(device);
  const stateOf = () => {
    const { bytes, buffers } = descriptionOf(provider);
    const staging = stagingOf(provider);
    return { bytes, buffers, staged: staging.bytes, stagingBuffers: staging.created, created: created.length };
  };
  let wrong = 0;
  const round = async (number: number): Promise<void> => {
    const input = await host.takeAsync();
    const words = wordsOf(input);
    // A few words of each round, all of every hundredth.
    const step = number % 100 === 0 ? 1 : 4099;
    for (let i = 0; i < words.length; i += step) words[i] = (number * 31 + i) >>> 1;
    const [from, to] = [memory.upload(input), gpu.alloc()];
    input.release();
    double(memory.binding(from), memory.binding(to));
    const back = memory.readback(to);
    void memory.afterSubmit([from, to]);
    const output = await back;
    const result = wordsOf(output);
    for (let i = 0; i < result.length; i += step) if (result[i] !== 2 * ((number * 31 + i) >>> 1)) wrong += 1;
    output.release();
  };
  let next = 0;
  let warm: ReturnType<typeof stateOf> | undefined;
  const runTo = (end: number) =>
    Promise.all(
      Array.from({ length: DEPTH }, async () => {
        while (next < end) await round(next++);
      }),
    );
  await runTo(WARM_UP);
  warm = stateOf();
  for (let end = ROUNDS / 10; end <= ROUNDS; end += ROUNDS / 10) {
    await runTo(end);
    expect(stateOf()).toEqual(warm);
    expect(wrong).toBe(0);
    await device.queue.onSubmittedWorkDone();
    await until(() => [gpu, host].every((pool) => pool.audit().references.ledgers === 0));
    for (const pool of [gpu, host]) {
      pool.trim();
      expect(pool.audit()).toMatchObject({ balanced: true, exact: true, errors: [], pages: { used: 0 } });
    }
  }
  console.log(`${ROUNDS} rounds of 64 KiB: ${JSON.stringify(warm)}`);
  await tearDown(all);
});
