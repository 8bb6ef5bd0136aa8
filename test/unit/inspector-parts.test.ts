// What an inspector hears of a pool's thread, without a pool: which messages are events, and how long a standstill
// that was reported stays a finding.

import { describe, expect, it } from 'vitest';
import type { PoolSnapshot } from '../../src/inspect/snapshot.js';
import { HeardStalls } from '../../src/inspector/heard-stalls.js';
import { DIAGNOSTICS, eventOf } from '../../src/inspector/told.js';

describe('a message is an event', () => {
  const text = 'something happened';

  it.each(['stall', 'reap', 'leak', 'drop', 'close', 'grow'])('of the kind %s', (kind) => {
    expect(DIAGNOSTICS).toContain(`pagepool:${kind}`);
    expect(eventOf(`pagepool:${kind}`, { pool: 'work', text }, 'work')).toMatchObject({ kind, text });
  });

  it.each<[name: string, channel: string, message: unknown]>([
    ['on a channel of somebody else', 'pagepool:other', { pool: 'work', text }],
    ['of another pool', 'pagepool:reap', { pool: 'play', text }],
    ['without a text', 'pagepool:reap', { pool: 'work' }],
    ['whose text is none', 'pagepool:reap', { pool: 'work', text: 7 }],
    ['that is null', 'pagepool:reap', null],
    ['that is no object', 'pagepool:reap', 'text'],
    ['that is missing', 'pagepool:reap', undefined],
  ])('but not one %s', (_, channel, message) => expect(eventOf(channel, message, 'work')).toBe(null));

  it.each<[portId: unknown, waits: unknown, stall: object | undefined]>([
    [3, [{ ms: 5, what: 'a page' }], { portId: 3, waits: [{ ms: 5, what: 'a page' }] }],
    [3, [], { portId: 3, waits: [] }],
    [3, [{ ms: '5', what: 7 }], { portId: 3, waits: [{ ms: 5, what: '7' }] }],
    ['3', [], undefined],
    [3, 'none', undefined],
    [undefined, undefined, undefined],
  ])('of a standstill of port %j with the waits %j is %j', (portId, waits, stall) => {
    const message = { pool: 'work', text, portId, waits };
    expect(eventOf('pagepool:stall', message, 'work')?.stall).toEqual(stall);
    expect(eventOf('pagepool:drop', message, 'work')).not.toHaveProperty('stall');
  });
});

describe('a standstill that was reported', () => {
  const ALLOC = { fast: 1, refill: 1, slow: 1, fragments: 1 };
  const SENT = { sent: 4, received: 4 };
  interface Made {
    waits?: string[];
    thread?: number;
    isClaimed?: boolean;
    alloc?: object;
    sent?: number;
    atMs?: number;
  }
  /** Two ports that are the same. */
  const snapshotOf = ({ waits = [], thread = 1, isClaimed = true, alloc, sent = 4, atMs = 1000 }: Made = {}) => {
    const port = (portId: number) => ({
      ...{ portId, isClaimed, thread, alloc: { ...ALLOC, ...alloc } },
      lanes: [SENT, { sent, received: 4 }],
      waits: waits.map((what) => ({ what, forMs: 7 })),
    });
    const channels = [{ name: 'other' }, { name: 'work' }];
    return { atMs, ports: [port(0), port(1)], channels } as unknown as PoolSnapshot;
  };
  const found = (stalls: HeardStalls, now = snapshotOf()) =>
    stalls.waits(now).map(({ port, wait }) => [port.portId, wait.what, wait.forMs]);

  it('is of its port, each wait once and as old as the oldest', () => {
    const stalls = new HeardStalls();
    stalls.hear(
      {
        portId: 1,
        waits: [
          { ms: 10, what: 'a page' },
          { ms: 30, what: 'a page' },
          { ms: 5, what: 'x' },
        ],
      },
      snapshotOf(),
    );
    expect(found(stalls)).toEqual([
      [1, 'a page', 30],
      [1, 'x', 5],
    ]);
    expect(found(stalls, snapshotOf({ atMs: 1100 }))).toEqual([
      [1, 'a page', 130],
      [1, 'x', 105],
    ]);
    // A port that is none has nothing; a new report takes the place of the port's last one alone.
    stalls.hear({ portId: 2, waits: [{ ms: 1, what: 'a page' }] }, snapshotOf());
    stalls.hear({ portId: 0, waits: [{ ms: 2, what: 'y' }] }, snapshotOf());
    stalls.hear({ portId: 1, waits: [{ ms: 3, what: 'z' }] }, snapshotOf());
    expect(found(stalls)).toEqual([
      [0, 'y', 2],
      [1, 'z', 3],
    ]);
    stalls.hear({ portId: 0, waits: [] }, snapshotOf());
    expect(found(stalls)).toEqual([[1, 'z', 3]]);
  });

  it('makes the waits of its port older, and no others', () => {
    const stalls = new HeardStalls();
    const now = snapshotOf({ waits: ['a page', 'x'] });
    expect(stalls.portsOf(now)).toBe(now.ports);
    stalls.hear({ portId: 1, waits: [{ ms: 30, what: 'a page' }] }, now);
    stalls.hear({ portId: 0, waits: [{ ms: 3, what: 'x' }] }, now);
    expect(stalls.portsOf(now).map(({ waits }) => waits.map(({ forMs }) => forMs))).toEqual([
      [7, 7],
      [30, 7],
    ]);
  });

  const A_PAGE = 'a page';
  const ROOM = 'room in channel "work"';
  it.each<[name: string, what: string, now: Made, isFound: boolean]>([
    ['a wait that is there', A_PAGE, { waits: [A_PAGE] }, true],
    ['another thread', A_PAGE, { waits: [A_PAGE], thread: 2 }, false],
    ['a port that is free', A_PAGE, { waits: [A_PAGE], isClaimed: false }, false],
    ['a page by the cache', A_PAGE, { waits: [A_PAGE], alloc: { fast: 2 } }, false],
    ['a page by a refill', A_PAGE, { waits: [A_PAGE], alloc: { refill: 2 } }, false],
    ['a page by the provider', A_PAGE, { waits: [A_PAGE], alloc: { slow: 2 } }, false],
    ['a fragment', A_PAGE, { waits: [A_PAGE], alloc: { fragments: 2 } }, false],
    ['what was sent meanwhile', A_PAGE, { waits: [A_PAGE], sent: 5 }, true],
    ['what it waited to send', ROOM, { waits: [ROOM], sent: 5 }, false],
    ['a page, for room', ROOM, { waits: [ROOM], alloc: { fast: 2 } }, true],
    ['anything, for a wait that nothing is read of', 'x', { waits: ['x'], sent: 5, alloc: { fast: 2 } }, true],
  ])('with %s', (_, what, now, isFound) => {
    const stalls = new HeardStalls();
    stalls.hear({ portId: 0, waits: [{ ms: 10, what }] }, snapshotOf());
    expect(stalls.follow(snapshotOf(now))).toBe(!isFound);
    expect(found(stalls).length).toBe(isFound ? 1 : 0);
  });

  it('goes with the second look in a row that has no such wait', () => {
    const stalls = new HeardStalls();
    stalls.hear({ portId: 0, waits: [{ ms: 10, what: A_PAGE }] }, snapshotOf());
    const [none, other, same] = [snapshotOf(), snapshotOf({ waits: ['x'] }), snapshotOf({ waits: [A_PAGE] })];
    expect([none, same, other, same, none].map((now) => stalls.follow(now))).toEqual(Array(5).fill(false));
    expect(stalls.follow(none)).toBe(true);
    expect([stalls.follow(none), found(stalls)]).toEqual([false, []]);
  });
});
