// Staging buffers: used again, below their ceiling, and given back whatever fails on the way.

import { isStamped, stamp } from '../../support/stamp.js';
import { orHung, until } from '../../support/waiting.js';
import { equal, rejection } from './checks.js';
import { type Case, KIB64, requireHome, type Setting, setUp, stagingOf, tearDown } from './setting.js';

/** A staging buffer that tells what becomes of it. */
interface WatchedBuffer {
  /** Called with each mapAsync. */
  onMapping: () => void;
  /** Called before the mapped range is got. */
  onMapped: () => void;
}

/** One readback, so that there is a staging buffer. */
async function warmStaging({ device, gpu, memory }: Setting): Promise<{ staging: WatchedBuffer; handle: number }> {
  const watched: WatchedBuffer[] = [];
  const { createBuffer } = device;
  device.createBuffer = (descriptor) => {
    const buffer = createBuffer(descriptor);
    const { getMappedRange, mapAsync } = buffer;
    const own: WatchedBuffer = { onMapping: () => {}, onMapped: () => {} };
    buffer.mapAsync = (...range) => {
      own.onMapping();
      return mapAsync.apply(buffer, range);
    };
    buffer.getMappedRange = (...range) => {
      own.onMapped();
      return getMappedRange.apply(buffer, range);
    };
    watched.push(own);
    return buffer;
  };
  const handle = gpu.alloc();
  (await memory.readback(handle)).release();
  return { staging: watched[0] as WatchedBuffer, handle };
}

export const stagingCases: readonly Case[] = [
  [
    'staging buffers are used again, stay below their ceiling, and are mapped only while they are copied from',
    async (platform) => {
      const all = await setUp(platform, { memory: { stagingBytes: 2 * KIB64 }, host: { pageCount: 3, maxPorts: 2 } });
      const { gpu, host, memory, provider } = all;
      const handles = Array.from({ length: 8 }, () => gpu.alloc());
      const source = host.take()!;
      for (const [i, handle] of handles.entries()) {
        stamp(source.bytes, i);
        memory.write(handle, source);
      }
      // No host page: copies are submitted, nothing is mapped.
      const hold = [host.take()!, host.take()!];
      const backs = handles.map((handle) => memory.readback(handle));
      await until(() => stagingOf(provider).submitted === 2 && stagingOf(provider).created === 2);
      const { bytes, free, mapping, mapped, waiting } = stagingOf(provider);
      equal(
        { bytes, free, mapping, mapped, waiting },
        { bytes: 2 * KIB64, free: 0, mapping: 0, mapped: 0, waiting: 6 },
      );
      const abort = new AbortController();
      const aborted = memory.readback(handles[0], { signal: abort.signal });
      abort.abort(new Error('enough'));
      equal(await rejection(aborted), 'Error');
      equal(stagingOf(provider).waiting, 6);
      for (const fragment of hold) fragment.release();
      source.release();
      for (const [i, back] of backs.entries()) {
        const fragment = await back;
        equal(isStamped(fragment.bytes, i), true, `page ${i}`);
        fragment.release();
      }
      const end = stagingOf(provider);
      equal([end.created, end.free, end.waiting, end.bytes], [2, 2, 0, 2 * KIB64]);
      // Smaller ones make room for themselves.
      const small = await memory.readback(handles[0], { length: 1000 });
      small.release();
      equal(stagingOf(provider).bytes <= 2 * KIB64, true, 'the ceiling');
      for (const handle of handles) gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await tearDown(all);
    },
  ],
  [
    'the statistics follow a staging buffer from submitted to mapping, mapped and free',
    async (platform) => {
      const all = await setUp(platform, { host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, provider } = all;
      const { staging, handle } = await warmStaging(all);
      const states = () => {
        const { free, submitted, mapping, mapped } = stagingOf(provider);
        return [free, submitted, mapping, mapped];
      };
      equal(states(), [1, 0, 0, 0]);
      const page = host.take()!;
      const back = memory.readback(handle);
      equal(states(), [0, 1, 0, 0], 'no host page');
      const seen: number[][] = [];
      staging.onMapping = () => seen.push(states());
      staging.onMapped = () => seen.push(states());
      page.release();
      (await back).release();
      seen.push(states());
      equal(seen, [
        [0, 0, 1, 0],
        [0, 0, 0, 1],
        [1, 0, 0, 0],
      ]);
      gpu.release(handle);
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  ...['mapping', 'mapped'].map(
    (state): Case => [
      `a readback whose device is lost while its staging buffer is ${state} says so and holds nothing`,
      async (platform) => {
        const all = await setUp(platform);
        const { gpu, host, memory, device, live } = all;
        const { staging, handle } = await warmStaging(all);
        if (state === 'mapped') staging.onMapped = () => device.destroy();
        const back = rejection(memory.readback(handle));
        if (state === 'mapping') device.destroy();
        equal(await back, 'POOL_ERR_PROVIDER');
        gpu.release(handle);
        requireHome(gpu);
        requireHome(host);
        await gpu.close();
        await host.close();
        equal(live.size, 0, 'buffers that are left');
      },
    ],
  ),
  [
    'a readback that fails on its way gives its staging buffer back',
    async (platform) => {
      const all = await setUp(platform, { memory: { stagingBytes: KIB64 }, host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, device, provider } = all;
      const handle = gpu.alloc();
      // The copy cannot be submitted.
      const { createCommandEncoder } = device;
      device.createCommandEncoder = () => {
        device.createCommandEncoder = createCommandEncoder;
        throw new RangeError('no encoder');
      };
      equal(await rejection(memory.readback(handle)), 'RangeError');
      equal([stagingOf(provider).free, stagingOf(provider).submitted], [1, 0]);
      // Aborted while a staging buffer is made, and then there is no host page.
      const page = host.take()!;
      const abort = new AbortController();
      const aborted = rejection(memory.readback(handle, { length: 4, signal: abort.signal }));
      abort.abort(new Error('enough'));
      equal(await orHung(aborted, 'the readback that was aborted'), 'Error');
      equal(stagingOf(provider).submitted, 0);
      page.release();
      // The thread leaves its host pool while the buffer is mapped.
      (await memory.readback(handle)).release();
      const leaving = rejection(memory.readback(handle));
      equal(stagingOf(provider).mapping, 1);
      host.detach({ release: true });
      equal(await leaving, 'POOL_ERR_DESTROYED');
      const { mapping, mapped, submitted } = stagingOf(provider);
      equal([mapping, mapped, submitted], [0, 0, 0]);
      gpu.release(handle);
      requireHome(gpu);
      await gpu.close();
      equal(all.live.size, 0, 'buffers that are left');
      device.destroy();
    },
  ],
  [
    'readbacks that are under way when the device is lost, or when their host closes, fail and hold nothing',
    async (platform) => {
      const all = await setUp(platform, { memory: { stagingBytes: KIB64 }, host: { pageCount: 1, maxPorts: 2 } });
      const { gpu, host, memory, device, provider } = all;
      const handle = gpu.alloc();
      const page = host.take()!;
      const backs = [memory.readback(handle), memory.readback(handle), memory.readback(handle)];
      const ends = backs.map(rejection);
      const isUnderWay = () => stagingOf(provider).submitted === 1 && stagingOf(provider).waiting === 2;
      await until(isUnderWay);
      device.destroy();
      equal(await Promise.all(ends), Array(3).fill('POOL_ERR_PROVIDER'));
      page.release();
      gpu.release(handle);
      requireHome(gpu);
      requireHome(host);
      await gpu.close();
      await host.close();
      const other = await setUp(platform, { host: { pageCount: 1, maxPorts: 2 } });
      const own = other.gpu.alloc();
      const kept = other.host.take()!;
      const back = rejection(other.memory.readback(own));
      await until(() => stagingOf(other.provider).submitted === 1);
      other.host.destroy();
      equal(await back, 'POOL_ERR_CLOSING');
      kept.release();
      other.gpu.release(own);
      requireHome(other.gpu);
      await tearDown(other);
    },
  ],
  [
    'a readback that is under way when its pool closes arrives',
    async (platform) => {
      const all = await setUp(platform);
      const { gpu, host, memory } = all;
      const source = host.take()!;
      stamp(source.bytes, 5);
      const handle = memory.upload(source);
      const back = memory.readback(handle);
      gpu.release(handle);
      await gpu.close();
      const fragment = await back;
      equal(isStamped(fragment.bytes, 5), true);
      fragment.release();
      source.release();
      await tearDown(all);
    },
  ],
];
