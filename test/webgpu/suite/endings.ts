// Ends: of the consumer, the pool and the device, in every order; the loss of a device, and a thread that leaves.

import type { CloseReport } from 'pagepool';
import { HUNG_MS, orHung, turns, until } from '../../support/waiting.js';
import { codeOf, equal, rejection, withResolvers } from './checks.js';
import { type Case, descriptionOf, KIB64, reportOf, requireHome, setUp, takePage } from './setting.js';

/** The three ends in each order. */
const ENDS = ['consumer', 'pool', 'device'] as const;
type End = (typeof ENDS)[number];
const ORDERS: readonly (readonly End[])[] = ENDS.flatMap((first) =>
  ENDS.filter((end) => end !== first).map((second) => [
    first,
    second,
    ...ENDS.filter((end) => end !== first && end !== second),
  ]),
);

export const endCases: readonly Case[] = [
  ...ORDERS.map(
    (order): Case => [
      `ends in the order ${order.join(', ')}: every page is accounted for, and what comes late is harmless`,
      async (platform) => {
        const all = await setUp(platform, { webgpu: { bufferBytes: 4 * KIB64 } });
        const { gpu, host, memory, device, provider } = all;
        // A worker that is terminated, where its end can be heard of.
        const thread = platform.startThread?.();
        const consumer = memory.consumer(thread === undefined ? {} : { worker: thread.worker });
        const tokens: number[] = [];
        // More than one buffer's.
        while (tokens.length < 6) tokens.push(consumer.give(await takePage(gpu)));
        const never = memory.releaseAfter(gpu.allocFragment(4096), new Promise(() => {}));
        const held = gpu.allocFragment(1000);
        let closing: Promise<CloseReport> | undefined;
        const ends: Record<End, () => void | Promise<void>> = {
          consumer: async () => {
            equal(consumer.held, 6, 'tokens');
            if (thread === undefined) equal(consumer.close(), 6);
            await thread?.worker.terminate();
            equal(consumer.held, 0);
          },
          pool: () => {
            closing = gpu.close({ timeoutMs: HUNG_MS });
          },
          device: async () => {
            device.destroy();
            await device.lost;
            // Only the loss opens a fence whose promise never settles.
            await never;
          },
        };
        for (const each of order) {
          await ends[each]();
          await turns(1);
        }
        equal(descriptionOf(provider).state, 'lost');
        equal(consumer.release([tokens[0], 6]), 0, 'late tokens');
        equal(
          codeOf(() => memory.binding(held)),
          'POOL_ERR_PROVIDER',
        );
        equal(await rejection(memory.readback(held)), 'POOL_ERR_PROVIDER');
        gpu.release(held);
        const report = (await closing)!;
        equal([report.isDestroyed, report.inflight, report.holders], [true, 0, []]);
        const { pools, buffers, bytes } = descriptionOf(provider);
        equal({ pools, buffers, bytes }, { pools: 0, buffers: 0, bytes: 0 });
        await host.close();
      },
    ],
  ),
  [
    'after the loss nothing is handed out, and a pool on the same provider is refused',
    async (platform) => {
      const all = await setUp(platform, { webgpu: { bufferBytes: 2 * KIB64 } });
      const { gpu, host, memory, device, provider } = all;
      const handles = [gpu.alloc(), gpu.alloc()];
      const fragment = host.take()!;
      const waiting = rejection(gpu.takeAsync(undefined, { timeoutMs: HUNG_MS }));
      device.destroy();
      await device.lost;
      equal(await waiting, 'POOL_ERR_PROVIDER', 'who waits is told');
      equal(
        codeOf(() => memory.upload(fragment)),
        'POOL_ERR_PROVIDER',
      );
      equal(
        codeOf(() => gpu.allocBulk(new Uint32Array(4), 4)),
        'POOL_ERR_PROVIDER',
      );
      await memory.afterSubmit(handles[0]);
      gpu.release(handles[1]);
      fragment.release();
      gpu.trim();
      requireHome(gpu);
      equal(
        await rejection(platform.PagePool.create({ provider, pageBytes: KIB64, pageCount: 2 })),
        'POOL_ERR_PROVIDER',
      );
      equal(gpu.stats().provider.owner?.areas, 0);
      await gpu.close();
      await host.close();
    },
  ],
  [
    'memory() that is called for the first time after the loss releases at once what waits for the device',
    async (platform) => {
      const device = await platform.makeDevice();
      const provider = platform.webgpu(device);
      const gpu = await platform.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      const handle = gpu.alloc();
      device.destroy();
      await device.lost;
      await until(() => descriptionOf(provider).state === 'lost');
      const memory = provider.memory(gpu);
      const released = memory.releaseAfter(handle, new Promise(() => {})).then(() => 'released');
      equal(await orHung(released, 'a fence of a device that is lost'), 'released');
      equal(reportOf(provider).fences, { pending: 0, handles: 0, refused: 0 });
      requireHome(gpu);
      await gpu.close();
    },
  ],
  [
    'a thread that leaves its pool has its references taken back, and what settles later is harmless',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, host, memory, device, provider } = all;
      const fence = withResolvers();
      const consumer = memory.consumer();
      const done = memory.releaseAfter(gpu.alloc(), fence.promise);
      const never = memory.releaseAfter(gpu.alloc(), new Promise(() => {}));
      const token = consumer.give(gpu.alloc());
      gpu.detach({ release: true });
      await never; // the pool has the reference back, whatever the fence waits for
      fence.resolve();
      await done;
      equal([consumer.release([token, 1]), consumer.close()], [0, 0]);
      equal(descriptionOf(provider).buffers, 0);
      equal(
        codeOf(() => provider.memory(gpu)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      device.destroy();
      await host.close();
    },
  ],
];
