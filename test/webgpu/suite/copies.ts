// Bytes that go into device memory from shared pages and come back, also through a shader.

import { randomFrom } from '../../../src/testing/random.js';
import { isStamped, stamp } from '../../support/stamp.js';
import { until } from '../../support/waiting.js';
import { codeOf, equal, rejection } from './checks.js';
import { doubler, wordsOf } from './doubler.js';
import { asReadable, type Case, descriptionOf, KIB64, reportOf, requireHome, setUp, tearDown } from './setting.js';

export const copyCases: readonly Case[] = [
  [
    'bytes go in from shared pages and come back whole, whatever their length and place',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, host, memory, provider } = all;
      equal(descriptionOf(provider).takesSharedViews, platform.takesSharedViews, 'takesSharedViews');
      const next = randomFrom(platform.seed);
      let bytes = 0;
      for (let round = 0; round < 60; round++) {
        const length = 1 + (next() % KIB64);
        const whole = host.take(Math.min(KIB64, length + 7))!;
        const window = whole.slice(Math.min(next() % 7, whole.length - length), length);
        stamp(window.bytes, round);
        const handle = memory.upload(window);
        window.bytes.fill(0);
        window.release();
        whole.release();
        bytes += length;
        const back = memory.readback(handle, { length });
        gpu.release(handle); // the copy is submitted
        const fragment = await back;
        equal(fragment.length, length);
        equal(isStamped(fragment.bytes, round), true, `round ${round}, ${length} bytes`);
        fragment.release();
      }
      equal(reportOf(provider).copiedBytes, platform.takesSharedViews ? 0 : bytes, 'copied on the way');
      // The rest of a word is zeros, not what lies behind the window.
      const page = host.take()!;
      page.bytes.fill(0xff);
      const odd = page.slice(0, 5);
      const handle = memory.upload(odd);
      const tail = await memory.readback(handle, { offset: 4, length: 4 });
      equal([...tail.bytes], [0xff, 0, 0, 0]);
      equal(
        codeOf(() => memory.write(handle, page)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      for (const options of [{ offset: 2 }, { length: 0 }, { length: KIB64 + 1 }, { size: 1 }]) {
        equal(await rejection(memory.readback(handle, options)), 'POOL_ERR_INVALID_ARGUMENT', JSON.stringify(options));
      }
      equal(
        codeOf(() => memory.upload(asReadable(gpu).fragment(handle))),
        'POOL_ERR_UNREADABLE',
      );
      for (const each of [page, odd, tail]) each.release();
      gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await tearDown(all);
    },
  ],
  [
    'an empty device pool is a value, and a fragment longer than a page a RangeError',
    async (platform) => {
      const all = await setUp(platform, { pool: { pageCount: 1 }, host: { pageBytes: 2 * KIB64 } });
      const { gpu, host, memory } = all;
      const fragment = host.take(KIB64)!;
      const handle = memory.upload(fragment);
      equal(handle !== 0, true);
      equal(memory.upload(fragment), 0);
      const long = host.take(KIB64 + 1)!;
      try {
        memory.upload(long);
        throw new Error('nothing thrown');
      } catch (error) {
        equal((error as Error).name, 'RangeError');
      }
      for (const each of [fragment, long]) each.release();
      gpu.release(handle);
      await tearDown(all);
    },
  ],
  [
    'fragments of one page are written and read apart from each other',
    async (platform) => {
      const all = await setUp(platform, { pool: { pageCount: 2 } });
      const { gpu, host, memory } = all;
      const next = randomFrom(platform.seed);
      const parts = [];
      for (let number = 0; ; number++) {
        const source = host.take(1 + (next() % 3000))!;
        stamp(source.bytes, number);
        const handle = memory.upload(source);
        source.release();
        if (handle === 0) break;
        parts.push({ handle, number, length: source.length });
      }
      equal(parts.length > 20, true, `${parts.length} fragments on two pages`);
      for (const { handle, number, length } of parts) {
        const back = await memory.readback(handle, { length });
        equal(isStamped(back.bytes, number), true, `fragment ${number}`);
        back.release();
        gpu.release(handle);
      }
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'an upload takes no page of a reserve that the device does not see',
    async (platform) => {
      const all = await setUp(platform, { pool: { reserve: { provider: 'slab', pageCount: 1 }, pageCount: 1 } });
      const { gpu, host, memory } = all;
      const source = host.take(256)!;
      const first = memory.upload(source);
      equal(gpu.isReadable(first), false);
      const rest = [];
      for (let handle = gpu.allocFragment(256); !gpu.isReadable(handle); handle = gpu.allocFragment(256))
        rest.push(handle);
      equal([memory.upload(source), memory.upload(source)], [0, 0]);
      // Device memory is back, and found, though fragments were cut from the reserve's page and one is still held.
      for (const handle of [first, ...rest]) gpu.release(handle);
      const again = memory.upload(source);
      equal(again !== 0 && !gpu.isReadable(again), true, 'an upload after the release');
      source.release();
      gpu.detach({ release: true });
      await host.close();
      all.device.destroy();
    },
  ],
  [
    'uploads, a compute shader and readbacks create no buffer after warm-up',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, host, memory, device, created } = all;
      const double = doubler(device);
      const rounds = 40;
      let warm = 0;
      for (let round = 0; round < rounds; round++) {
        if (round === 3) warm = created.length;
        const input = host.take()!;
        const words = wordsOf(input);
        for (let i = 0; i < words.length; i++) words[i] = round * 1000 + i;
        const [from, to] = [memory.upload(input), gpu.alloc()];
        double(memory.binding(from), memory.binding(to));
        const back = memory.readback(to);
        void memory.afterSubmit([from, to]);
        const output = await back;
        const result = wordsOf(output);
        equal(
          result.every((word, i) => word === 2 * words[i]),
          true,
          `round ${round}`,
        );
        input.release();
        output.release();
      }
      equal(created.length, warm, 'buffers created after warm-up');
      await until(() => gpu.audit().pages.used === 0);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
];
