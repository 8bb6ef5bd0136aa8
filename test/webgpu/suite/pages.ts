// The pages of a device: where they lie, when their buffers come and go, and what a device refuses.

import type { PoolOptions } from 'pagepool';
import { HUNG_MS, until } from '../../support/waiting.js';
import { codeOf, equal, rejection, withResolvers } from './checks.js';
import {
  asReadable,
  type Case,
  descriptionOf,
  KIB64,
  requireHome,
  setUp,
  takePage,
  tearDown,
  USAGE,
} from './setting.js';

export const pageCases: readonly Case[] = [
  [
    'pages are stretches of GPUBuffers, aligned as the device asks, and cannot be looked at',
    async (platform) => {
      const all = await setUp(platform, { webgpu: { bufferBytes: 4 * KIB64 } });
      const { gpu, memory, device, created } = all;
      const pool = asReadable(gpu);
      const handles = [gpu.alloc(), gpu.alloc(), ...[100, 1000, 5000].map((bytes) => gpu.allocFragment(bytes))];
      const seen = handles.map((handle) => memory.binding(handle));
      for (const [i, { buffer, offset, size }] of seen.entries()) {
        equal(offset % device.limits.minStorageBufferOffsetAlignment, 0, 'alignment');
        equal(size, gpu.extent(handles[i]), 'size');
        equal(offset + size <= buffer.size && buffer.size === 4 * KIB64, true, 'inside');
        for (const other of seen.slice(0, i)) {
          const isApart =
            other.buffer !== buffer || other.offset >= offset + size || offset >= other.offset + other.size;
          equal(isApart, true, 'apart');
        }
      }
      equal(memory.binding(handles[0]) === seen[0], true, 'a whole page has one binding');
      equal(
        created.map(({ size }) => size),
        [4 * KIB64],
        'buffers',
      );
      for (const handle of handles) {
        equal(gpu.isReadable(handle), false);
        for (const look of [() => pool.bytes(handle), () => pool.area(handle), () => pool.fragment(handle).bytes]) {
          equal(codeOf(look), 'POOL_ERR_UNREADABLE');
        }
        equal(
          codeOf(() => gpu.pin(handle)),
          'POOL_ERR_NOT_DETACHABLE',
        );
        gpu.release(handle);
        equal(
          codeOf(() => memory.binding(handle)),
          'POOL_ERR_STALE_HANDLE',
        );
      }
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'what does not fit the device is refused before any buffer is created',
    async (platform) => {
      const device = await platform.makeDevice();
      const refused = (options: object, pool: PoolOptions = {}) =>
        rejection(
          (async () => {
            const made = await platform.PagePool.create({
              provider: platform.webgpu(device, options),
              pageBytes: KIB64,
              pageCount: 8,
              ...pool,
            });
            await made.close();
          })(),
        );
      for (const options of [
        { usage: USAGE.STORAGE | USAGE.MAP_READ },
        { usage: 0 },
        { bufferBytes: device.limits.maxBufferSize + 1 },
        { keepBytes: -1 },
        { bufferSize: 1 },
      ]) {
        equal(await refused(options), 'POOL_ERR_INVALID_ARGUMENT', JSON.stringify(options));
      }
      // Fragments of 64 B cannot be bound, and neither can a uniform buffer of 128 KiB.
      equal(await refused({}, { pageBytes: 4096 }), 'POOL_ERR_PROVIDER');
      equal(await refused({}, { pageBytes: 4096, unitBytes: 256 }), 'nothing thrown');
      equal(await refused({ usage: USAGE.COPY_SRC | USAGE.COPY_DST }, { pageBytes: 4096 }), 'nothing thrown');
      const uniform = USAGE.UNIFORM | USAGE.COPY_DST;
      equal(await refused({ usage: uniform }, { pageBytes: 2 * KIB64 }), 'POOL_ERR_PROVIDER');
      equal(await refused({ bufferBytes: KIB64 / 2 }), 'POOL_ERR_PROVIDER');
      equal(
        codeOf(() =>
          platform.PagePool.createSync({ provider: platform.webgpu(device), pageBytes: KIB64, pageCount: 8 }),
        ),
        'POOL_ERR_PROVIDER',
      );
      equal(
        codeOf(() => platform.webgpu({} as never)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      device.destroy();
      await device.lost;
      equal(await refused({}), 'POOL_ERR_PROVIDER', 'a device that is lost');
    },
  ],
  [
    'buffers are taken as they are wanted, and given up above the low-water mark',
    async (platform) => {
      const all = await setUp(platform, {
        webgpu: { bufferBytes: 2 * KIB64, keepBytes: 4 * KIB64 },
        pool: { pageCount: 7 },
      });
      const { gpu, provider, created } = all;
      equal(descriptionOf(provider).bytes, 4 * KIB64);
      const handles = [];
      while (handles.length < 7) handles.push(await takePage(gpu));
      equal(gpu.alloc(), 0, 'more than the pool has');
      equal(
        created.map(({ size }) => size / KIB64),
        [2, 2, 2, 1],
      );
      for (const handle of handles) gpu.release(handle);
      gpu.trim();
      const { bytes, buffers, createdBuffers, destroyedBuffers } = descriptionOf(provider);
      equal(
        { bytes: bytes / KIB64, buffers, createdBuffers, destroyedBuffers },
        {
          bytes: 5 - (bytes === 4 * KIB64 ? 1 : 0),
          buffers,
          createdBuffers: 4,
          destroyedBuffers: 4 - buffers,
        },
      );
      equal(bytes >= 4 * KIB64 && bytes < 6 * KIB64, true, `kept ${bytes}`);
      // The numbers are used again, by another buffer.
      const again = [];
      while (again.length < 7) again.push(await takePage(gpu));
      for (const handle of again) gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'every page can be had, also where a buffer of another size took numbers out of a gap',
    async (platform) => {
      const all = await setUp(platform, { webgpu: { bufferBytes: 16 * KIB64, keepBytes: 0 }, pool: { pageCount: 40 } });
      const { gpu, device, provider } = all;
      const take = async () => await takePage(gpu);
      const held = [];
      while (held.length < 32) held.push(await take());
      // The last 8 pages are on their way when the first 16 leave: the new buffer takes numbers of theirs.
      const { popErrorScope } = device;
      const answer = withResolvers();
      device.popErrorScope = async () => {
        const said = popErrorScope.call(device);
        await answer.promise;
        return said;
      };
      equal(gpu.alloc(), 0, 'a page of a buffer that is not there');
      for (const handle of held.splice(0, 16)) gpu.release(handle);
      gpu.trim();
      equal(descriptionOf(provider).buffers, 1, 'buffers while one is on its way');
      device.popErrorScope = popErrorScope;
      answer.resolve();
      while (held.length < 40) held.push(await take());
      equal([gpu.alloc(), descriptionOf(provider).refusedBuffers, descriptionOf(provider).failure], [0, 0, null]);
      for (const handle of held) gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'a buffer that the device refuses circulates no page: the pool is refused, or says why it is empty',
    async (platform) => {
      const device = await platform.makeDevice();
      const { createBuffer } = device;
      let isRefusing = true;
      device.createBuffer = (descriptor) =>
        createBuffer.call(device, isRefusing ? { ...descriptor, usage: 0 } : descriptor);
      const provider = platform.webgpu(device, { bufferBytes: KIB64 });
      const make = () => platform.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      equal(await rejection(make()), 'POOL_ERR_PROVIDER');
      equal(descriptionOf(provider).pools, 0);
      isRefusing = false;
      const gpu = await make();
      const first = gpu.alloc();
      isRefusing = true;
      equal(gpu.alloc(), 0);
      await until(() => descriptionOf(provider).refusedBuffers > 0);
      const { failure } = descriptionOf(provider);
      equal(failure?.includes('createBuffer of 65536 bytes'), true, String(failure));
      equal(gpu.stats().provider.owner?.areas, 1);
      isRefusing = false;
      const second = await gpu.takeAsync(undefined, { timeoutMs: HUNG_MS });
      equal(descriptionOf(provider).failure, null);
      second.release();
      gpu.release(first);
      requireHome(gpu);
      await gpu.close();
      device.destroy();
    },
  ],
  [
    'a createBuffer that throws refuses the pool or the growth, and leaves the error scopes of the program alone',
    async (platform) => {
      const device = await platform.makeDevice();
      const { createBuffer } = device;
      let isThrowing = true;
      // Not a multiple of 4: both platforms throw a RangeError.
      device.createBuffer = (descriptor) =>
        createBuffer.call(device, isThrowing ? { ...descriptor, size: 6, mappedAtCreation: true } : descriptor);
      const provider = platform.webgpu(device, { bufferBytes: KIB64 });
      const make = () => platform.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      device.pushErrorScope('validation');
      equal(await rejection(make()), 'POOL_ERR_PROVIDER');
      isThrowing = false;
      const gpu = await make();
      const handle = gpu.alloc();
      isThrowing = true;
      equal(gpu.alloc(), 0);
      await until(() => descriptionOf(provider).refusedBuffers > 0);
      equal(await device.popErrorScope(), null, 'the scope of the program');
      equal(await rejection(device.popErrorScope()), 'OperationError', 'scopes that are left open');
      gpu.release(handle);
      requireHome(gpu);
      await gpu.close();
      device.destroy();
    },
  ],
  [
    'two pools on one provider have buffers of their own',
    async (platform) => {
      const all = await setUp(platform);
      const { provider, gpu, memory, host } = all;
      const other = await platform.PagePool.create({ provider, pageBytes: KIB64, pageCount: 4 });
      const [one, two] = [gpu.alloc(), other.alloc()];
      const second = provider.memory(other, { host });
      equal(memory.binding(one).buffer === second.binding(two).buffer, false);
      equal(provider.memory(other) === second, true);
      equal(
        codeOf(() => provider.memory(other, { host })),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      equal(
        codeOf(() => provider.memory(host)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      other.release(two);
      await other.close();
      gpu.release(one);
      await tearDown(all);
    },
  ],
  [
    'the conformance suite of providers passes',
    async (platform) => {
      const device = await platform.makeDevice();
      const sizes = { pageBytes: KIB64, pageCount: 16 };
      await platform.testProvider(() => platform.webgpu(device), sizes);
      await platform.testProvider(() => platform.webgpu(device, { bufferBytes: 4 * KIB64 }), sizes);
      await platform.testProvider(() => platform.webgpu(device, { bufferBytes: 3 * KIB64, keepBytes: 0 }), sizes);
      device.destroy();
    },
  ],
];
