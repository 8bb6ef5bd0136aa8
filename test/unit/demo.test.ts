// The parts of the demo that its verdict rests on: the digest, the record grid, the faults it reports, its arguments.

import { describe, expect, test, vi } from 'vitest';
import { parseArguments } from '../../examples/socket-to-workers/arguments.js';
import {
  addRecord,
  digestOf,
  emptyDigest,
  formatDigest,
  mergeDigests,
} from '../../examples/socket-to-workers/digest.js';
import { blockBytes, recordEnd } from '../../examples/socket-to-workers/grid.js';
import type { Run } from '../../examples/socket-to-workers/receiver.js';
import { faultsOf } from '../../examples/socket-to-workers/verdict.js';

const file = Uint8Array.from({ length: 2 * blockBytes + 4567 }, (_, i) => (i * 31 + (i >>> 8)) & 255);
const expected = digestOf(file, 2048);

describe('the digest', () => {
  test('is the same when two threads hash the records in any order, at any alignment', () => {
    const shifted = new Uint8Array(file.length + 3);
    shifted.set(file, 3);
    const view = new DataView(shifted.buffer, 3);
    const halves = [emptyDigest(), emptyDigest()] as const;
    const records: [tag: number, at: number, length: number][] = [];
    for (let block = 0; block < file.length; block += blockBytes) {
      const filled = Math.min(blockBytes, file.length - block);
      for (let at = 0; at < filled; at = Math.min(recordEnd(at, 2048), filled)) {
        records.push([records.length, block + at, Math.min(2048, filled - at)]);
      }
    }
    for (const [tag, at, length] of records.reverse()) addRecord(halves[tag % 2] as never, tag, view, at, length);
    expect(formatDigest(mergeDigests(...halves))).toBe(formatDigest(expected));
  });

  test.each([0, 1, 2047, 2048, blockBytes - 1, blockBytes, file.length - 1])('changes with byte %i', (index) => {
    const other = file.slice();
    other[index] = (other[index] as number) ^ 1;
    expect(formatDigest(digestOf(other, 2048))).not.toBe(formatDigest(expected));
  });

  test('changes when two records are swapped', () => {
    const other = file.slice();
    other.set(file.subarray(2048, 4096), 0);
    other.set(file.subarray(0, 2048), 2048);
    expect(formatDigest(digestOf(other, 2048))).not.toBe(formatDigest(expected));
  });

  test('begins the record grid anew in each block', () => {
    expect(digestOf(file, 3000).records).toBe(2 * Math.ceil(blockBytes / 3000) + Math.ceil(4567 / 3000));
    expect(digestOf(file, 3000).bytes).toBe(file.length);
  });
});

describe('the verdict', () => {
  const pool = { engine: 'wasm', allocated: 3, recycled: 9, missing: 0, problems: [] };
  const sums = { records: 1, bytes: 1, seconds: 1, cpuSeconds: 1, collections: { count: 0, ms: 0 }, peakBytes: 1 };
  const good: Run = { variant: 'pagepool', recordBytes: 2048, digests: [expected, expected], ...sums, pool };

  test('finds no fault when every digest is the one of the file and every page is home', () => {
    expect(faultsOf(good, expected)).toEqual([]);
  });

  test('names the pass whose digest differs', () => {
    const digests = [expected, { ...expected, sum: expected.sum ^ 1 }];
    expect(faultsOf({ ...good, digests }, expected)).toEqual([expect.stringContaining('pass 1: the digest is')]);
  });

  test('counts the pages that are missing', () => {
    const faults = faultsOf({ ...good, pool: { ...pool, missing: 1 } }, expected);
    expect(faults).toEqual([expect.stringContaining('pages missing at the end: 1')]);
  });

  test('passes on what the audit says, and that there was none', () => {
    const problems = ['page 3 counts 2 references'];
    expect(faultsOf({ ...good, pool: { ...pool, problems } }, expected)).toHaveLength(1);
    expect(faultsOf({ ...good, pool: null }, expected)).toHaveLength(1);
    expect(faultsOf({ ...good, digests: [] }, expected)).toHaveLength(1);
  });
});

describe('the arguments', () => {
  test('have defaults', () => {
    const { file: path, record, workers } = parseArguments([]);
    expect({ path, record }).toEqual({ path: process.execPath, record: 2048 });
    expect(workers).toBeGreaterThanOrEqual(1);
  });

  test.each([
    [['--record', '63'], 'an integer from 64 to 65536'],
    [['--record', '2e3'], 'an integer from 64 to 65536'],
    [['--record', '65537'], 'an integer from 64 to 65536'],
    [['--workers', '0'], 'an integer from 1 to 32'],
    [['--workers', '-1'], 'an integer from 1 to 32'],
    [['--workers', '1.5'], 'an integer from 1 to 32'],
    [['--rounds', 'NaN'], 'an integer from 1 to 100'],
    [['--file', '/nowhere/at/all'], 'a readable file'],
    [['--file', '/'], 'not a regular file'],
    [['--colour', 'red'], 'unknown option'],
    [['stray'], 'too many arguments'],
  ])('%j are refused with exit code 2', (argv, message) => {
    const exit = vi.spyOn(process, 'exit').mockImplementation((code) => {
      throw new Error(`exit ${code}`);
    });
    const write = vi.spyOn(process.stderr, 'write').mockReturnValue(true);
    try {
      expect(() => parseArguments(argv)).toThrow('exit 2');
      expect(write.mock.calls.join('')).toContain(message);
    } finally {
      exit.mockRestore();
      write.mockRestore();
    }
  });
});
