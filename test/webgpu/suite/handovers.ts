// References that somebody else has for a while: fences, and consumers with tokens.

import { until } from '../../support/waiting.js';
import { codeOf, equal, withResolvers } from './checks.js';
import { type Case, descriptionOf, reportOf, requireHome, setUp, tearDown } from './setting.js';

function throwingThenable(): PromiseLike<void> {
  return Object.defineProperty({}, 'then', {
    value: () => {
      throw new Error('no promise');
    },
  }) as PromiseLike<void>;
}

export const handoverCases: readonly Case[] = [
  [
    'fences release in the order that promises settle in, whatever way, each reference once',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, memory, provider } = all;
      const fences = [0, 1, 2].map(() => withResolvers());
      const handles = [gpu.alloc(), gpu.alloc(), gpu.allocFragment(500)];
      const done = fences.map(({ promise }, i) => memory.releaseAfter(handles[i], promise));
      gpu.retain(handles[0], 2);
      const more = memory.releaseAfter(Uint32Array.of(handles[0], handles[0]), fences[1].promise);
      equal(reportOf(provider).fences, { pending: 4, handles: 5, refused: 0 });
      fences[2].resolve();
      await done[2];
      equal(
        codeOf(() => gpu.extent(handles[2])),
        'POOL_ERR_STALE_HANDLE',
      );
      fences[1].reject(new Error('the device has a bad day'));
      await Promise.all([done[1], more]);
      equal(
        codeOf(() => gpu.extent(handles[1])),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(gpu.refCount(handles[0]), 1);
      fences[0].resolve();
      await done[0];
      requireHome(gpu);
      const stale = handles[0];
      const live = gpu.alloc();
      equal(
        codeOf(() => memory.releaseAfter([live, stale], Promise.resolve())),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(
        codeOf(() => memory.releaseAfter([live], 5 as never)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      equal(gpu.refCount(live), 1, 'a refused call takes nothing over');
      // A then() that throws has settled.
      gpu.retain(live);
      await memory.releaseAfter(live, throwingThenable());
      equal(gpu.refCount(live), 1);
      await memory.afterSubmit(live);
      requireHome(gpu);
      equal(reportOf(provider).fences, { pending: 0, handles: 0, refused: 0 });
      await tearDown(all);
    },
  ],
  [
    'a fence that opens after the pool began to close lets it end',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, memory, provider } = all;
      const fence = withResolvers();
      void memory.releaseAfter([gpu.alloc(), gpu.alloc()], fence.promise);
      const report = await gpu.close({ timeoutMs: 50 });
      equal([report.isDestroyed, report.inflight], [false, 2]);
      equal(descriptionOf(provider).buffers, 1, 'the buffer outlasts the close');
      fence.resolve();
      await until(() => descriptionOf(provider).pools === 0);
      await tearDown(all);
    },
  ],
  [
    'tokens come back in batches of ranges: at most 1,024 are looked at, unknown ones are skipped and counted',
    async (platform) => {
      const all = await setUp(platform, { pool: { pageCount: 64 } });
      const { gpu, memory, provider } = all;
      const consumer = memory.consumer({ name: 'renderer' });
      const tokens: number[] = [];
      for (let i = 0; i < 1500; i++) {
        const handle = gpu.allocFragment(256);
        equal(handle !== 0, true, 'room');
        tokens.push(consumer.give(handle));
      }
      equal(
        tokens.every((token, i) => token === tokens[0] + i),
        true,
        'one after the other',
      );
      equal(gpu.isReadable(consumer.handleOf(tokens[7])), false);
      const first = tokens[0];
      // Four thousand million tokens: 1,024 are looked at.
      equal(consumer.release([first, 2 ** 32 - 1]), 1024);
      equal([consumer.held, consumer.skipped], [476, 0]);
      equal(consumer.handleOf(first), 0);
      // Those again, some that never were, and ten that are out.
      equal(consumer.release([first, 100, 0, 1, first + 1490, 10, first + 1490, 5, 2 ** 31, 3]), 10);
      equal([consumer.held, consumer.skipped], [466, 109]);
      // Empty ranges end as well.
      equal(consumer.release(new Uint32Array(4096)), 0);
      equal(consumer.release(Uint32Array.from([...new Array(2048).fill(0), first + 1480, 1])), 0, 'beyond the 1,024');
      for (const bad of [[1], [1.5, 1], [-1, 1], [1, Number.NaN], ['1', 1]]) {
        equal(
          codeOf(() => consumer.release(bad as never)),
          'POOL_ERR_INVALID_ARGUMENT',
          JSON.stringify(bad),
        );
      }
      equal(reportOf(provider).tokens, { consumers: 1, held: 466, skipped: 109 });
      // It goes: all others come back. What it still sends is late and harmless.
      equal(consumer.close(), 466);
      equal([consumer.release([first, 1500]), consumer.close(), consumer.held], [0, 0, 0]);
      equal(reportOf(provider).tokens, { consumers: 0, held: 0, skipped: 109 + 1024 });
      const late = gpu.alloc();
      equal(
        codeOf(() => consumer.give(late)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      gpu.release(late);
      gpu.trim();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'ranges that change while they are looked at are read once, and what is no list is refused',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, memory } = all;
      const consumer = memory.consumer();
      const [one, two] = [consumer.give(gpu.alloc()), consumer.give(gpu.alloc())];
      // As shared memory does that the consumer writes meanwhile: another token, another count, another length.
      const reads = { length: 0, 0: 0, 1: 0 };
      const answers = { length: [2, 4], 0: [one, two], 1: [1, 2] };
      const ranges = new Proxy<number[]>([], {
        get: (_, name) => answers[name as keyof typeof reads][Math.min(reads[name as keyof typeof reads]++, 1)],
      });
      equal(consumer.release(ranges), 1);
      equal([consumer.handleOf(one), consumer.handleOf(two) !== 0], [0, true], 'what was checked is released');
      equal(reads, { length: 1, 0: 1, 1: 1 }, 'reads');
      for (const bad of [
        null,
        undefined,
        5,
        'ab',
        {},
        { length: -2 },
        { length: 1.5 },
        { length: '2', 0: two, 1: 1 },
      ]) {
        equal(
          codeOf(() => consumer.release(bad as never)),
          'POOL_ERR_INVALID_ARGUMENT',
          JSON.stringify(bad),
        );
      }
      equal([consumer.held, consumer.skipped], [1, 0]);
      equal(consumer.close(), 1);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'a reference that a fence or a token has cannot be handed over again',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, memory, provider } = all;
      const fence = withResolvers();
      const consumer = memory.consumer();
      const [one, two] = [gpu.alloc(), gpu.alloc()];
      const done = memory.releaseAfter(one, fence.promise);
      const token = consumer.give(two);
      for (const again of [
        () => memory.releaseAfter(one, Promise.resolve()),
        () => memory.afterSubmit([one]),
        () => consumer.give(one),
        () => consumer.give(two),
        () => memory.releaseAfter(two, fence.promise),
      ]) {
        equal(codeOf(again), 'POOL_ERR_NOT_HELD');
      }
      // With a second reference it can, once; a list is taken over as a whole or not at all.
      gpu.retain(one);
      equal(
        codeOf(() => memory.releaseAfter([one, one], fence.promise)),
        'POOL_ERR_NOT_HELD',
      );
      equal(reportOf(provider).fences, { pending: 1, handles: 1, refused: 0 });
      const more = memory.releaseAfter(one, fence.promise);
      equal(
        codeOf(() => consumer.give(one)),
        'POOL_ERR_NOT_HELD',
      );
      fence.resolve();
      await Promise.all([done, more]);
      equal(consumer.release([token, 1]), 1);
      // The pages' next users start anew.
      const next = [gpu.alloc(), gpu.alloc()];
      await memory.afterSubmit(next);
      equal(reportOf(provider).fences, { pending: 0, handles: 0, refused: 0 });
      requireHome(gpu);
      await tearDown(all);
    },
  ],
];
