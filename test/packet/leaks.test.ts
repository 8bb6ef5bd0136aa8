// Leak reports of references that packets hold: whose calls led to them, and packets that were collected with them.

import { type LeakReport, PagePool } from 'pagepool';
import { lines, Packet, receivePacket, sendPacket } from 'pagepool/packet';
import { describe, expect, it } from 'vitest';
import { collectGarbage, untilCollected } from '../support/garbage.js';
import { expectAllHome } from '../support/home.js';
import { fragmentOf } from './support.js';

describe.each(['wasm', 'typescript'] as const)('with the %s engine', (engine) => {
  const create = (onLeak?: (report: LeakReport) => void): PagePool =>
    PagePool.createSync({
      engine,
      pageCount: 16,
      channels: { work: {} },
      leaks: 'all',
      ...(onLeak === undefined ? {} : { onLeak }),
    });

  it('the stack begins with the call of the program, not with the package', async () => {
    const pool = create();
    const packet = new Packet().append(fragmentOf(pool, 'one\ntwo'));
    packet.expandHead(200, 3);
    const expectOwn = (origin: string): void => {
      const reports = pool.leaks();
      const [first] = (reports.at(-1)?.stack ?? '').split('\n');
      expect(reports.at(-1)?.origin).toBe(origin);
      expect(first).toContain('leaks.test.ts');
    };
    expectOwn('allocated');
    packet.append(fragmentOf(pool, 'x')).coalesce();
    expectOwn('allocated');
    expect(sendPacket(pool.channel('work'), packet)).toBe(true);
    const received = receivePacket(pool.channel('work'));
    expectOwn('received from channel "work"');
    received?.release();
    for await (const line of lines([fragmentOf(pool, 'a\nb\n')])) {
      expect(pool.leaks().length).toBe(1);
      line.release();
    }
    expect(pool.leaks()).toEqual([]);
    expectAllHome(pool);
    pool.destroy();
  });

  it('a packet that is collected with its references is reported, and nothing is freed', async () => {
    const reports: LeakReport[] = [];
    const pool = create((report) => reports.push(report));
    const handle = (() => {
      const packet = new Packet().append(fragmentOf(pool, 'dropped'));
      return packet.windows()[0]?.handle as number;
    })();
    await untilCollected(() => reports.length > 0);
    expect(reports.map((report) => ({ handle: report.handle, isDropped: report.isDropped }))).toEqual([
      { handle, isDropped: true },
    ]);
    pool.release(handle);
    expectAllHome(pool);
    pool.destroy();
  });

  it.each<[name: string, leave: (packet: Packet, pool: PagePool) => unknown]>([
    ['released', (packet) => packet.release()],
    ['consumed', (packet) => packet.consume(packet.length)],
    ['taken out', (packet) => packet.shift()?.release()],
    [
      'sent and received',
      (packet, pool) => {
        sendPacket(pool.channel('work'), packet);
        receivePacket(pool.channel('work'))?.release();
      },
    ],
    [
      'copied into another page',
      (packet) => {
        packet.expandHead(200, packet.length);
        packet.release();
      },
    ],
  ])('a packet whose window was %s is not reported, though others have its fragment', async (_, leave) => {
    const reports: LeakReport[] = [];
    const pool = create((report) => reports.push(report));
    // By its number: the pool knows of no object that has it.
    const kept = pool.allocFragment(4);
    pool.retain(kept);
    const handle = (() => {
      leave(new Packet().append(pool.fragment(kept, 0, 4)), pool);
      // What is dropped behind it is collected with it, or later.
      return new Packet().append(fragmentOf(pool, 'dropped')).windows()[0]?.handle as number;
    })();
    await untilCollected(() => reports.length > 0);
    await collectGarbage();
    expect(reports.map((report) => report.handle)).toEqual([handle]);
    expect(pool.refCount(kept)).toBe(1);
    pool.release(kept);
    pool.release(handle);
    expectAllHome(pool);
    pool.destroy();
  });
});
