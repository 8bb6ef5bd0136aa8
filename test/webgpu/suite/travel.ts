// Device memory on its way: in packets, to another device, to another thread.

import { isStamped, stamp } from '../../support/stamp.js';
import { codeOf, equal, rejection } from './checks.js';
import { asReadable, type Case, KIB64, requireHome, setUp, tearDown } from './setting.js';

export const travelCases: readonly Case[] = [
  [
    'numbers, packets and fragments of another device are refused',
    async (platform) => {
      const [one, other] = [await setUp(platform), await setUp(platform)];
      const handle = one.gpu.alloc();
      equal(
        codeOf(() => other.memory.binding(handle)),
        'POOL_ERR_STALE_HANDLE',
      );
      equal(await rejection(other.memory.readback(handle)), 'POOL_ERR_STALE_HANDLE');
      for (const take of [
        () => other.memory.afterSubmit(handle),
        () => other.memory.consumer().give(handle),
        () => other.memory.write(handle, other.host.take()!),
      ]) {
        equal(codeOf(take), 'POOL_ERR_STALE_HANDLE');
      }
      equal(
        codeOf(() => other.provider.memory(one.gpu)),
        'POOL_ERR_INVALID_ARGUMENT',
      );
      const fragment = asReadable(one.gpu).fragment(handle);
      equal(
        codeOf(() => other.memory.upload(fragment)),
        'POOL_ERR_UNREADABLE',
      );
      equal(
        codeOf(() => asReadable(other.gpu).channel('work').sendFragment(fragment)),
        'POOL_ERR_FOREIGN_HANDLE',
      );
      const packet = new platform.packet.Packet().append(fragment);
      equal(
        codeOf(() => platform.packet.sendPacket(asReadable(other.gpu).channel('work'), packet)),
        'POOL_ERR_FOREIGN_HANDLE',
      );
      packet.release();
      requireHome(one.gpu);
      await tearDown(one);
      other.host.detach({ release: true });
      await other.gpu.close();
      other.device.destroy();
    },
  ],
  [
    'packets carry device memory like any other, refuse to be read, and never mix with what can be',
    async (platform) => {
      const { Packet, sendPacket, receivePacket, lines } = platform.packet;
      const all = await setUp(platform, { pool: { reserve: { provider: 'slab', pageCount: 2 }, pageCount: 4 } });
      const { host, memory } = all;
      const gpu = asReadable(all.gpu); // as code that does not know what it reads
      const sources = [1, 2].map((number) => {
        const source = host.take(1000)!;
        stamp(source.bytes, number);
        return source;
      });
      const packet = new Packet();
      for (const source of sources) packet.append(gpu.fragment(memory.upload(source), 0, 1000));
      equal([packet.isReadable, packet.length], [false, 2000]);
      for (const look of [
        () => packet.getUint8(0),
        () => packet.copyTo(new Uint8Array(2000)),
        () => packet.indexOf(0),
        () => packet.toBuffers(),
        () => [...packet],
        () => packet.expandHead(8),
        () => packet.coalesce(),
      ]) {
        equal(codeOf(look), 'POOL_ERR_UNREADABLE', String(look));
      }
      // The reserve can be read: whatever comes first, both refuse the other.
      const taken = [];
      for (let handle = gpu.alloc(); handle !== 0; handle = gpu.alloc()) taken.push(gpu.fragment(handle));
      const readable = taken.find(({ handle }) => gpu.isReadable(handle))!;
      const dark = taken.find(({ handle }) => !gpu.isReadable(handle))!;
      const light = new Packet().append(readable);
      for (const mix of [
        () => packet.append(light),
        () => packet.prepend(light),
        () => light.append(packet),
        () => light.prepend(dark),
      ]) {
        equal(codeOf(mix), 'POOL_ERR_UNREADABLE', String(mix));
      }
      equal([packet.parts, light.parts], [2, 1]);
      for (const each of [light, ...taken.filter((fragment) => fragment !== readable)]) each.release();
      // Cut in the middle of the second fragment, sent, and read back window by window.
      const rest = packet.split(1500);
      const work = gpu.channel('work');
      equal([sendPacket(work, packet, 1), sendPacket(work, rest, 2)], [true, true]);
      const back = [];
      for (const tag of [1, 2]) {
        const came = receivePacket(work)!;
        equal([came.tag, came.isReadable], [tag, false]);
        for (const { handle, offset, length } of came.windows()) {
          const fragment = await memory.readback(handle, { offset, length });
          back.push(...fragment.bytes);
          fragment.release();
        }
        equal(await rejection(lines([came]).next()), 'POOL_ERR_UNREADABLE');
      }
      equal(back, [...sources[0].bytes, ...sources[1].bytes]);
      for (const source of sources) source.release();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
  [
    'another thread holds, allocates, sends and releases the numbers, and is told who can resolve them',
    async (platform) => {
      const all = await setUp(platform, { pool: { channels: { work: {}, back: {} } }, webgpu: { bufferBytes: KIB64 } });
      const { gpu, host, memory } = all;
      const source = host.take()!;
      stamp(source.bytes, 9);
      const handle = memory.upload(source);
      gpu.channel('work').send(handle, 0, KIB64);
      const found = await platform.runThread(gpu.share());
      equal([found.isReadable, found.extent], [false, KIB64]);
      const texts = [
        /^POOL_ERR_UNREADABLE: .*thread that has the device/,
        /^POOL_ERR_UNREADABLE: .*thread that has the device/,
        /^POOL_ERR_INVALID_ARGUMENT: memory failed: .*GPUBuffers cannot be posted/,
        /^POOL_ERR_NOT_DETACHABLE/,
      ];
      equal(
        found.refusals.map((text, i) => texts[i].test(text)),
        [true, true, true, true],
        found.refusals.join('\n'),
      );
      const back = gpu.channel('back');
      const [own, same] = [back.receive()!, back.receive()!];
      equal([own.tag, same.tag, same.handle === handle], [2, 1, true]);
      equal(memory.binding(own.handle).size, KIB64, 'what the thread allocated');
      const fragment = await memory.readback(same.handle);
      equal(isStamped(fragment.bytes, 9), true, 'what came back');
      for (const each of [own, same, fragment, source]) each.release();
      requireHome(gpu);
      await tearDown(all);
    },
  ],
];
