// Packets through channels: each one message, whole or not at all, with every policy, every engine and several ports.
//
// Ports of one pool take turns in one thread, so that each moment can be chosen.

import { describe, expect, it } from 'vitest';
import { LANE_DROPPED_OFFSET, LANE_INBOX_OFFSET, LEDGER_MAX, NODE_TAKEN_OFFSET } from '../../assembly/layout.js';
import { claimOf } from '../../src/control/claims.js';
import { laneOffset, laneSum, loadWord, nodeOffset } from '../../src/control/nodes.js';
import { runSteps } from '../../src/control/steps.js';
import { Packet } from '../../src/packet/packet.js';
import { nextPacket, packets, receivePacket, sendPacket, waitPacketRoom } from '../../src/packet/travel.js';
import { Channel } from '../../src/pool/channel.js';
import { Fragment } from '../../src/pool/fragment.js';
import type { PoolOptions } from '../../src/pool/options.js';
import { emptyPort } from '../../src/port/detaching.js';
import type { Port } from '../../src/port/port.js';
import { Waits } from '../../src/port/waits.js';
import { DeadPort } from '../../src/recovery/dead-port.js';
import { claimDead, emptyFindings, reapClaimed } from '../../src/recovery/reap.js';
import { type EngineKind, MATRIX, openPorts, pageOf, requireBalance, track } from '../support/ports.js';
import { codeOf, messageOf } from '../support/realm.js';
import { HUNG_MS } from '../support/waiting.js';

/** A fragment of the port with these bytes. */
function fragment(port: Port, text: string): Fragment {
  const bytes = Buffer.from(text);
  const one = new Fragment(port, port.engine.allocFragment(Math.max(1, bytes.length)), 0, bytes.length, 0);
  one.bytes.set(bytes);
  return one;
}

/** A packet with a fragment for each of the texts. */
function packetOf(port: Port, ...texts: string[]): Packet {
  const packet = new Packet();
  for (const text of texts) packet.append(fragment(port, text));
  return packet;
}

/** The texts of a packet's windows, which is released. */
function textsOf(packet: Packet | null): string[] | null {
  if (packet === null) return null;
  const texts = packet.toBuffers().map((view) => Buffer.from(view).toString());
  packet.release();
  return texts;
}

/** Releases what is cached, and expects every page home. */
function expectAllHome(ports: readonly Port[]): void {
  for (const { engine } of ports) engine.park();
  ports[0]?.engine.trim();
  expect(requireBalance(ports[0] as Port)).toMatchObject({
    pages: { used: 0 },
    references: { ledgers: 0, channels: 0, tokens: 0 },
  });
}

function reap(dead: Port): ReturnType<typeof emptyFindings> {
  const { memory, geometry, id, engine } = dead;
  const port = new DeadPort(memory, geometry, id);
  const findings = emptyFindings(id);
  const act = () => engine;
  expect(runSteps(claimDead(port, claimOf(memory, geometry, id), 5), act)).toBe(true);
  runSteps(reapClaimed(port, 5, geometry.scratchOffset + id * geometry.scratchBytes, findings), act);
  return findings;
}

const TEXTS = ['first ', 'second ', 'third'];

describe.each(MATRIX)('with %s', (_, kinds) => {
  /** Three ports and their ends of one channel. */
  function open(channel: NonNullable<PoolOptions['channels']>[string], pageCount = 60) {
    const ports = openPorts({ pageBytes: 256, pageCount, channels: { work: channel } }, kinds as EngineKind[], 3);
    const ends = ports.map((port) => new Channel(port, 0, new Waits(port, () => false)));
    return { ports, ends } as unknown as { ports: [Port, Port, Port]; ends: [Channel, Channel, Channel] };
  }
  const dropped = (port: Port): number =>
    laneSum(port.memory, port.geometry, port.geometry.channels[0]!, LANE_DROPPED_OFFSET);

  it.each([2, 3, 8, 32])(
    'a packet of as many parts as a batch of %i arrives as it was sent, and no byte is copied',
    (batch) => {
      const { ports, ends } = open({ batch, capacity: 64 });
      const packet = packetOf(ports[0], ...Array.from({ length: batch }, (_, i) => `part ${i}`));
      const windows = packet.windows();
      expect(sendPacket(ends[0], packet, 0xffffffff)).toBe(true);
      expect({ length: packet.length, parts: packet.parts }).toEqual({ length: 0, parts: 0 });
      expect(ends[1].pending).toBe(batch);
      const received = receivePacket(ends[1]);
      expect(received?.tag).toBe(0xffffffff);
      expect(received?.windows()).toEqual(windows);
      expect(receivePacket(ends[1])).toBeNull();
      received?.release();
      expectAllHome(ports);
    },
  );

  it("messages of several senders are received one by one, each sender's in order", () => {
    const { ports, ends } = open({ batch: 4, capacity: 64 });
    for (let i = 0; i < 4; i++) {
      for (const who of [0, 1] as const)
        expect(sendPacket(ends[who], packetOf(ports[who], `${who}${i}`, 'x'), who)).toBe(true);
      expect(ends[0].sendFragment(fragment(ports[0], `alone ${i}`))).toBe(true);
    }
    for (let i = 0; i < 4; i++) {
      expect(textsOf(receivePacket(ends[2]))).toEqual([`0${i}`, 'x']);
      expect(textsOf(receivePacket(ends[2]))).toEqual([`1${i}`, 'x']);
      expect(textsOf(receivePacket(ends[2]))).toEqual([`alone ${i}`]);
    }
    expectAllHome(ports);
  });

  it('entries of one burst are messages of their own', () => {
    const { ports, ends } = open({ batch: 8 });
    const { scratch, engine } = ports[0];
    for (let i = 0; i < 3; i++) scratch.own.set([engine.alloc(), 0, 4, i], 4 * i);
    expect(ends[0].sendBurst(scratch.own, 3)).toBe(3);
    for (let i = 0; i < 3; i++) {
      const packet = receivePacket(ends[1]);
      expect({ parts: packet?.parts, tag: packet?.tag }).toEqual({ parts: 1, tag: i });
      packet?.release();
    }
    expectAllHome(ports);
  });

  it('refuses what never fits, and says what would; nothing changes', () => {
    const { ports, ends } = open({ batch: 8, capacity: 2 });
    const packet = packetOf(ports[0], ...TEXTS);
    const windows = packet.windows();
    expect(messageOf(() => sendPacket(ends[0], packet))).toBe(
      "sendPacket failed: the packet's parts=3 (expected 1..2, what fits into a node of the channel); coalesce() it, or declare the channel with a larger capacity",
    );
    expect(codeOf(() => sendPacket(ends[0], new Packet()))).toBe('POOL_ERR_INVALID_ARGUMENT');
    for (const tag of [-1, 1.5, 2 ** 32, '1']) {
      expect(codeOf(() => sendPacket(ends[0], packet, tag as number))).toBe('POOL_ERR_INVALID_ARGUMENT');
    }
    expect(codeOf(() => sendPacket(ends[0], {} as Packet))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(codeOf(() => sendPacket({} as Channel, packet))).toBe('POOL_ERR_INVALID_ARGUMENT');
    expect(packet.windows()).toEqual(windows);
    expect(packet.coalesce()).toBe(true);
    expect(sendPacket(ends[0], packet)).toBe(true);
    expect(textsOf(receivePacket(ends[1]))).toEqual([TEXTS.join('')]);
    expectAllHome(ports);
  });

  it("refuses another pool's packet, one of another port, and a closed channel; the sender keeps everything", () => {
    const { ports, ends } = open({ batch: 8 });
    const other = open({ batch: 8 });
    const packet = packetOf(ports[0], ...TEXTS);
    expect(codeOf(() => sendPacket(other.ends[0], packet))).toBe('POOL_ERR_FOREIGN_HANDLE');
    expect(codeOf(() => sendPacket(ends[1], packet))).toBe('POOL_ERR_FOREIGN_HANDLE');
    ends[1].close();
    expect(codeOf(() => sendPacket(ends[0], packet))).toBe('POOL_ERR_CHANNEL_CLOSED');
    expect(textsOf(packet)).toEqual(TEXTS);
    expectAllHome(ports);
  });

  it('goes not at all where one of its references is gone', () => {
    const { ports, ends } = open({ batch: 8 });
    const packet = packetOf(ports[0], ...TEXTS, 'last');
    const handle = packet.windows()[2]?.handle as number;
    ports[0].engine.release(handle);
    expect(codeOf(() => sendPacket(ends[0], packet))).toBe('POOL_ERR_STALE_HANDLE');
    expect({ parts: packet.parts, pending: ends[0].pending }).toEqual({ parts: 4, pending: 0 });
    expect(codeOf(() => packet.release())).toBe('POOL_ERR_STALE_HANDLE');
    // What follows goes alone: nothing of the message is left where it was put.
    expect(ends[0].sendFragment(fragment(ports[0], 'next'))).toBe(true);
    expect(textsOf(receivePacket(ends[1]))).toEqual(['next']);
    expectAllHome(ports);
  });

  it('a full channel takes all of it or nothing, by entries and by nodes', () => {
    const { ports, ends } = open({ batch: 4, capacity: 5 });
    expect(sendPacket(ends[0], packetOf(ports[0], ...TEXTS))).toBe(true);
    const packet = packetOf(ports[0], ...TEXTS);
    const windows = packet.windows();
    for (let i = 0; i < 3; i++) expect(sendPacket(ends[0], packet)).toBe(false);
    expect(packet.windows()).toEqual(windows);
    expect(ends[0].pending).toBe(3);
    // Two single entries still fit, in nodes of their own; now it is full.
    for (const text of ['a', 'b']) expect(ends[0].sendFragment(fragment(ports[0], text))).toBe(true);
    const third = fragment(ports[0], 'c');
    expect(ends[0].sendFragment(third)).toBe(false);
    third.release();
    expect(textsOf(receivePacket(ends[1]))).toEqual(TEXTS);
    expect(sendPacket(ends[0], packet)).toBe(true);
    expect([1, 2, 3].map(() => textsOf(receivePacket(ends[1])))).toEqual([['a'], ['b'], TEXTS]);
    expect(receivePacket(ends[1])).toBeNull();
    expectAllHome(ports);
  });

  it('drop-newest drops the message whole, and counts its entries', () => {
    const { ports, ends } = open({ batch: 4, capacity: 4, whenFull: 'drop-newest' });
    expect(sendPacket(ends[0], packetOf(ports[0], ...TEXTS), 1)).toBe(true);
    const packet = packetOf(ports[0], ...TEXTS);
    expect(sendPacket(ends[0], packet, 2)).toBe(true);
    expect({ parts: packet.parts, dropped: dropped(ports[0]), pending: ends[0].pending }).toEqual({
      parts: 0,
      dropped: 3,
      pending: 3,
    });
    // A packet of one part still fits, the next one does not.
    expect(sendPacket(ends[0], packetOf(ports[0], 'one'), 3)).toBe(true);
    expect(sendPacket(ends[0], packetOf(ports[0], 'two'), 4)).toBe(true);
    expect(dropped(ports[0])).toBe(4);
    expect([1, 2].map(() => textsOf(receivePacket(ends[1])))).toEqual([TEXTS, ['one']]);
    expect(receivePacket(ends[1])).toBeNull();
    expectAllHome(ports);
  });

  it('drop-oldest drops as many of the oldest messages as the new one needs, each whole', () => {
    const { ports, ends } = open({ batch: 4, capacity: 6, whenFull: 'drop-oldest' });
    for (let i = 0; i < 3; i++) expect(sendPacket(ends[i % 2]!, packetOf(ports[i % 2]!, `${i}`, 'x'), i)).toBe(true);
    expect(sendPacket(ends[1], packetOf(ports[1], ...TEXTS), 3)).toBe(true);
    expect(dropped(ports[0])).toBe(4);
    expect(ends[0].pending).toBe(5);
    expect([1, 2].map(() => textsOf(receivePacket(ends[2])))).toEqual([['2', 'x'], TEXTS]);
    expect(receivePacket(ends[2])).toBeNull();
    expectAllHome(ports);
  });

  it('number calls get the entries one by one, and packets what they left', () => {
    const { ports, ends } = open({ batch: 4 });
    expect(sendPacket(ends[0], packetOf(ports[0], ...TEXTS), 7)).toBe(true);
    const first = ends[1].receive();
    expect({ tag: first?.tag, text: Buffer.from(first!.bytes).toString() }).toEqual({ tag: 7, text: TEXTS[0] });
    first?.release();
    expect(textsOf(receivePacket(ends[1]))).toEqual(TEXTS.slice(1));
    expectAllHome(ports);
  });

  it('a receiver whose ledger is full keeps what came, and goes on later', () => {
    const { ports, ends } = open({ batch: 4 });
    const packet = packetOf(ports[0], 'a', 'b', 'c');
    const page = pageOf(ports[0], packet.windows()[0]?.handle as number);
    expect(new Set(packet.windows().map(({ handle }) => pageOf(ports[0], handle)))).toEqual(new Set([page]));
    expect(sendPacket(ends[0], packet, 7)).toBe(true);
    // As if the receiver held so many references on that page that two more fit.
    const { memory, geometry, id } = ports[1];
    const row = (geometry.ledgersOffset + id * geometry.ledgerBytes) / 2 + page;
    memory.u16[row] = LEDGER_MAX - 2;
    for (let i = 0; i < 2; i++) expect(codeOf(() => receivePacket(ends[1]))).toBe('POOL_ERR_REF_OVERFLOW');
    expect(memory.u16[row]).toBe(LEDGER_MAX);
    memory.u16[row] = 2;
    const received = receivePacket(ends[1]);
    expect(received?.tag).toBe(7);
    const rest = received?.split(1);
    expect([received?.tag, rest?.tag]).toEqual([7, 7]);
    expect([textsOf(received!), textsOf(rest!)]).toEqual([['a'], ['b', 'c']]);
    expectAllHome(ports);
  });

  it('a thread that detaches gives messages back whole, and drops the rest of one that it had begun', () => {
    const { ports, ends } = open({ batch: 8, capacity: 20 });
    const [a] = ports;
    const { engine, scratch } = ports[1];
    // One node with two messages and a single entry.
    for (let i = 0; i < 6; i++) scratch.own.set([engine.alloc(), 0, 4, i], 4 * i);
    expect(engine.sendBurst(0, scratch.ownAddress, 6, 0b011011)).toBe(6);
    const first = ends[2].receive();
    expect(first?.tag).toBe(0);
    first?.release();
    emptyPort(ports[2], false);
    expect(dropped(a)).toBe(2);
    const back = receivePacket(ends[0]);
    expect({ parts: back?.parts, tag: back?.tag }).toEqual({ parts: 3, tag: 5 });
    back?.release();
    expect(receivePacket(ends[0])).toBeNull();
    expectAllHome(ports);
  });

  it('a reaper gives messages of a dead inbox back whole, drops the rest of a begun one, and sends nothing of an outbox', () => {
    const { ports, ends } = open({ batch: 8, capacity: 20 });
    const [a, b] = ports;
    const { engine, scratch } = b;
    for (let i = 0; i < 6; i++) scratch.own.set([engine.alloc(), 0, 4, i], 4 * i);
    expect(engine.sendBurst(0, scratch.ownAddress, 6, 0b011011)).toBe(6);
    expect(ends[2].receive()?.tag).toBe(0);
    const findings = reap(ports[2]);
    expect(findings).toMatchObject({ references: 1, returnedEntries: 3, droppedEntries: 2 });
    expect(dropped(a)).toBe(2);
    const back = receivePacket(ends[0]);
    expect({ parts: back?.parts, tag: back?.tag }).toEqual({ parts: 3, tag: 5 });
    back?.release();
    expectAllHome([a, b]);
  });

  it('a reaper whose channel is full drops the message whole', () => {
    const { ports, ends } = open({ batch: 4, capacity: 4 });
    const [a, b] = ports;
    expect(sendPacket(ends[0], packetOf(a, ...TEXTS))).toBe(true);
    expect(sendPacket(ends[0], packetOf(a, 'one'))).toBe(true);
    const { engine, scratch, geometry, memory } = ports[2];
    expect(engine.receiveBurst(0, scratch.ownAddress, 1)).toBe(1);
    // As a thread leaves it that popped the node and took nothing.
    const inbox = nodeOffset(
      geometry.channels[0]!.ring,
      loadWord(memory, laneOffset(geometry.channels[0]!, 2) + LANE_INBOX_OFFSET),
    );
    memory.u32[(inbox + NODE_TAKEN_OFFSET) >>> 2] = 0;
    memory.u16[(geometry.ledgersOffset + 2 * geometry.ledgerBytes) / 2 + pageOf(a, scratch.own[0] as number)] = 0;
    expect(sendPacket(ends[0], packetOf(a, 'x', 'y', 'z'))).toBe(true);
    expect(reap(ports[2])).toMatchObject({ references: 0, returnedEntries: 0, droppedEntries: 3 });
    expect([1, 2].map(() => textsOf(receivePacket(ends[1])))).toEqual([['one'], ['x', 'y', 'z']]);
    expectAllHome([a, b]);
  });

  it('waits for messages and for room, and ends with the channel', async () => {
    const { ports, ends } = open({ batch: 4, capacity: 4 });
    await expect(nextPacket(ends[1], { timeoutMs: 5 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    await expect(nextPacket(ends[1], { timeoutMs: -1 })).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    const waiting = nextPacket(ends[1], { timeoutMs: HUNG_MS });
    expect(sendPacket(ends[0], packetOf(ports[0], ...TEXTS))).toBe(true);
    expect(textsOf(await waiting)).toEqual(TEXTS);
    expect(sendPacket(ends[0], packetOf(ports[0], ...TEXTS))).toBe(true);
    const packet = packetOf(ports[0], 'a', 'b');
    // There is room for one entry, but not for these.
    await ends[0].waitRoom({ timeoutMs: HUNG_MS });
    expect(sendPacket(ends[0], packet)).toBe(false);
    await expect(waitPacketRoom(ends[0], packet, { timeoutMs: 5 })).rejects.toMatchObject({ code: 'POOL_ERR_TIMEOUT' });
    const room = waitPacketRoom(ends[0], packet, { timeoutMs: HUNG_MS });
    receivePacket(ends[1])?.release();
    await room;
    expect(sendPacket(ends[0], packet)).toBe(true);
    const more = packetOf(ports[0], 'c', 'd', 'e', 'f');
    const refused = waitPacketRoom(ends[0], more, { timeoutMs: HUNG_MS });
    ends[2].close();
    await expect(refused).rejects.toMatchObject({ code: 'POOL_ERR_CHANNEL_CLOSED' });
    more.append(fragment(ports[0], 'g'));
    await expect(waitPacketRoom(ends[0], more)).rejects.toMatchObject({ code: 'POOL_ERR_INVALID_ARGUMENT' });
    more.release();
    const texts: unknown[] = [];
    for await (const each of packets(ends[1])) texts.push(textsOf(each));
    expect(texts).toEqual([['a', 'b']]);
    expectAllHome(ports);
  });

  it('what a packet holds is what the leak tracker says', () => {
    const { ports, ends } = open({ batch: 4 });
    for (const port of ports) track(port, 'all');
    const references = (port: Port) => port.leaks!.reports(0).reduce((sum, report) => sum + report.references, 0);
    const packet = packetOf(ports[0], ...TEXTS);
    const copy = packet.clone();
    const rest = packet.split(8);
    expect(references(ports[0])).toBe(7);
    packet.append(rest).consume(10);
    expect(references(ports[0])).toBe(5);
    expect(packet.coalesce()).toBe(true);
    expect(references(ports[0])).toBe(4);
    expect(copy.expandHead(4, 2)).not.toBeNull();
    expect(references(ports[0])).toBe(5);
    expect(sendPacket(ends[0], copy)).toBe(true);
    expect(references(ports[0])).toBe(1);
    const received = receivePacket(ends[1]);
    expect(references(ports[1])).toBe(4);
    received?.shift()?.release();
    expect(references(ports[1])).toBe(3);
    received?.release();
    packet.release();
    expect([references(ports[0]), references(ports[1])]).toEqual([0, 0]);
    expectAllHome(ports);
  });
});
