// Geometry: the control region's budget, that its parts do not overlap, and that they are aligned.

import { describe, expect, it } from 'vitest';
import { type Geometry, planGeometry, type RingGeometry, totalBytesOf } from '../../src/control/geometry.js';
import { type PoolOptions, resolveOptions } from '../../src/pool/options.js';

const plan = (options: PoolOptions): Geometry => planGeometry(resolveOptions('create', options));

const pools: PoolOptions[] = [
  {},
  { pageCount: 1 },
  { pageCount: 8, pageBytes: 65536, maxPorts: 2 },
  { pageCount: 63, maxPorts: 64 },
  { pageCount: 3968 },
  { pageCount: 65536 },
  { pageCount: 1_000_000, pageBytes: 2048 },
  { pageCount: 8, pageBytes: 64 * 1024 * 1024 },
  {
    pageCount: 100,
    unitBytes: 16,
    channels: { a: {}, b: { capacity: 1, batch: 1 }, c: { capacity: 1000, batch: 32 } },
  },
];

/** Every part with its first and its last byte, in any order. */
function parts(geometry: Geometry): [name: string, start: number, bytes: number][] {
  const { pageCount, maxPorts, unitsPerPageShift } = geometry;
  const units = (pageCount + 1) * 2 ** unitsPerPageShift;
  const ringParts = (name: string, ring: RingGeometry, head: number): [string, number, number][] => [
    [`${name} block`, ring.offset, head],
    [`${name} slots`, ring.slotsOffset, ring.slotCount * 4],
    [`${name} nodes`, ring.nodesOffset, ring.nodeCount * ring.nodeBytes],
  ];
  return [
    ['header', 1024, 1536],
    ['ports', geometry.portsOffset, maxPorts * 512],
    ['ledgers', geometry.ledgersOffset, maxPorts * geometry.ledgerBytes],
    ['descriptors', geometry.descriptorsOffset, (pageCount + 1) * 16],
    ['words', geometry.fragmentWordsOffset, units * 4],
    ['extents', geometry.extentsOffset, units * 2],
    ...ringParts('ring', geometry.ring, 384),
    ['tokens', geometry.tokensOffset, geometry.tokenCount * 32],
    ['channel table', geometry.channelsOffset, geometry.channels.length * 4],
    ...geometry.channels.flatMap((channel) => ringParts(channel.name, channel.ring, 576 + 64 * maxPorts)),
    ['scratch', geometry.scratchOffset, maxPorts * geometry.scratchBytes],
    ['pages', geometry.pagesOffset, pageCount * geometry.pageBytes],
  ];
}

describe('the geometry', () => {
  it.each(pools)('of %j lays its parts side by side', (options) => {
    const geometry = plan(options);
    let end = 0;
    for (const [name, start, bytes] of parts(geometry).sort((a, b) => a[1] - b[1])) {
      expect(start, name).toBeGreaterThanOrEqual(end);
      expect(start % 4, name).toBe(0);
      end = start + bytes;
    }
    expect(end).toBeLessThanOrEqual(totalBytesOf(geometry));
    expect(geometry.pagesOffset % 65536).toBe(0);
    expect(geometry.ledgerBytes).toBeGreaterThanOrEqual((geometry.pageCount + 1) * 2);
  });

  it.each([1, 8, 100, 1024, 4000, 65536, 1_000_000])(
    'of %i pages keeps the budget of 64 bytes a page and 32 KiB',
    (pageCount) => {
      const geometry = plan({ pageCount, pageBytes: 2048 });
      const units = (pageCount + 1) * 2 ** geometry.unitsPerPageShift;
      expect(geometry.controlBytes - 1024 - units * 6).toBeLessThanOrEqual(64 * pageCount + 32 * 1024);
    },
  );

  it.each(pools)('of %j gives handles at least 4 generation bits and all bits of a unit', (options) => {
    const { generationBits, unitBits, unitsPerPageShift, pageCount } = plan(options);
    expect(generationBits).toBeGreaterThanOrEqual(4);
    expect(generationBits + unitBits).toBeLessThanOrEqual(30);
    expect((pageCount + 1) * 2 ** unitsPerPageShift - 1).toBeLessThan(2 ** unitBits);
  });

  it.each(pools)('of %j has room for every page in the ring, and a node for every slot and port', (options) => {
    const { ring, magazineCapacity, pageCount, maxPorts } = plan(options);
    expect(ring.slotCount * magazineCapacity).toBeGreaterThanOrEqual(pageCount);
    expect(ring.nodeCount).toBe(ring.slotCount + 3 * maxPorts);
    expect(ring.nodeBytes).toBeGreaterThanOrEqual(8 + 4 * magazineCapacity);
    expect(2 ** ring.nodeBits).toBeGreaterThanOrEqual(ring.nodeCount);
    expect(2 ** ring.indexBits).toBeGreaterThanOrEqual(ring.slotCount);
  });

  it('keeps magazines small in small pools', () => {
    expect(plan({ pageCount: 8 }).magazineCapacity).toBe(1);
    expect(plan({ pageCount: 15, maxPorts: 2 }).magazineCapacity).toBe(1);
    expect(plan({ pageCount: 1024 }).magazineCapacity).toBe(16);
    expect(plan({ pageCount: 1_000_000, pageBytes: 256 }).magazineCapacity).toBe(62);
  });

  it.each([
    // A page a port by its quarter: a few pages, as far as all ports' loaded magazines fit the pool together.
    { pageCount: 64, maxPorts: 16, expected: 4 },
    { pageCount: 255, maxPorts: 16, expected: 4 },
    { pageCount: 63, maxPorts: 16, expected: 3 },
    { pageCount: 31, maxPorts: 16, expected: 1 },
    { pageCount: 64, maxPorts: 64, expected: 1 },
    { pageCount: 128, maxPorts: 64, expected: 2 },
    // Few ports get no more than a 16th each by the floor, and their quarter where that is more.
    { pageCount: 32, maxPorts: 8, expected: 2 },
    { pageCount: 32, maxPorts: 2, expected: 4 },
    { pageCount: 320, maxPorts: 16, expected: 5 },
  ])('gives magazines a floor: %j', ({ expected, ...options }) => {
    expect(plan(options).magazineCapacity).toBe(expected);
  });
});
