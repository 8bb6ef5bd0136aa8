// What a thread of the test of packets does: sends packets that say what they must be, receives and checks others'.
//
// Knows no test: a worker runs it from the bundle, and the main thread checks what is left with the same code. Each
// part is filled with one word made of sender, number of the packet, and place in it; the first two words of the packet
// are its sender and how many parts it has, and its number.

import type { Channel, PagePool } from 'pagepool';
import type * as packetEntry from 'pagepool/packet';
import type { Packet } from 'pagepool/packet';

/** The channels of every run, and the parts of a packet at most. */
export const CHANNELS = {
  keep: { batch: 8, capacity: 24 },
  oldest: { batch: 4, capacity: 10, whenFull: 'drop-oldest' },
  newest: { batch: 3, capacity: 6, whenFull: 'drop-newest' },
} as const;
export type ChannelName = keyof typeof CHANNELS;

/** Words that all threads count in. */
export const COUNTS = ['sent', 'received', 'torn', 'disordered', 'refused', 'empty'] as const;
const count = (counts: Int32Array, name: (typeof COUNTS)[number], amount = 1): void => {
  Atomics.add(counts, COUNTS.indexOf(name), amount);
};

/** What a part is filled with; other packets' differ. */
function stampOf(sender: number, number: number, place: number): number {
  return (Math.imul(number, 0x9e3779b1) + (sender << 8) + place) >>> 0;
}

/** Checks whatever packet comes, and releases it; the numbers of each sender's rise on each channel, if `isOrdered`. */
export function createChecker(counts: Int32Array, isOrdered: boolean) {
  const last = new Map<string, number>();
  return (name: ChannelName, packet: Packet): void => {
    const head = packet.getUint32(0, true);
    const number = packet.getUint32(4, true);
    const [sender, parts] = [head >>> 8, head & 0xff];
    let isTorn = parts !== packet.parts;
    let place = 0;
    for (const view of packet) {
      const words = new Uint32Array(view.buffer, view.byteOffset, view.byteLength >>> 2);
      const stamp = stampOf(sender, number, place);
      for (let i = place === 0 ? 2 : 0; i < words.length; i++) isTorn ||= words[i] !== stamp;
      place++;
    }
    if (isTorn) count(counts, 'torn');
    const key = `${name} ${sender}`;
    if (isOrdered && number <= (last.get(key) ?? 0)) count(counts, 'disordered');
    last.set(key, number);
    count(counts, 'received', packet.parts);
    packet.release();
  };
}

/** A thread's work: some packets sent, some received. */
export function createChurn(
  pool: PagePool,
  { Packet, sendPacket, receivePacket }: typeof packetEntry,
  { sender, seed, counts, isOrdered }: { sender: number; seed: number; counts: Int32Array; isOrdered: boolean },
): () => void {
  const check = createChecker(counts, isOrdered);
  const names = Object.keys(CHANNELS) as ChannelName[];
  let state = seed >>> 0;
  let number = 0;

  function random(below: number): number {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) % below;
  }

  function make(parts: number): Packet | null {
    const packet = new Packet();
    for (let place = 0; place < parts; place++) {
      const fragment = pool.take(8 + 4 * random(20));
      if (fragment === null) {
        packet.release();
        count(counts, 'empty');
        return null;
      }
      const words = new Uint32Array(fragment.bytes.buffer, fragment.bytes.byteOffset, fragment.length >>> 2);
      words.fill(stampOf(sender, number, place));
      if (place === 0) words.set([(sender << 8) | parts, number]);
      packet.append(fragment);
    }
    return packet;
  }

  function send(name: ChannelName, channel: Channel): void {
    number++;
    const packet = make(1 + random(CHANNELS[name].batch));
    if (packet === null) return;
    const { parts } = packet;
    if (sendPacket(channel, packet)) count(counts, 'sent', parts);
    else {
      count(counts, 'refused');
      packet.release();
    }
  }

  return () => {
    const name = names[random(names.length)] as ChannelName;
    const channel = pool.channel(name);
    if (random(2) === 0) return send(name, channel);
    for (let left = 1 + random(4); left > 0; left--) {
      const packet = receivePacket(channel);
      if (packet === null) return;
      check(name, packet);
    }
  };
}
