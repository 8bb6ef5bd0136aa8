// Programs that end while records are pending, each a process of its own: flushSync in 'exit' loses none, in whatever
// state the writer, the channel and the pool are, and says so where it cannot help.

import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { HUNG_MS } from '../support/waiting.js';

const program = fileURLToPath(new URL('./programs/record-exit.mjs', import.meta.url));

interface Report {
  readonly isWhole: boolean | null;
  readonly pending: number;
  readonly dropped: number;
  readonly written: number;
}

/** Runs the program to its end; what it printed, its exit code, and the lines that arrived. */
async function end(way: string): Promise<{ report: Report; code: number; lines: string[] }> {
  const folder = mkdtempSync(join(tmpdir(), 'pagepool-'));
  const path = join(folder, 'log');
  try {
    const [code, stdout] = await new Promise<[number, string]>((resolve) => {
      const options = { timeout: HUNG_MS, killSignal: 'SIGKILL' as const };
      execFile(process.execPath, [program, way, path], options, (error, output) => {
        resolve([error === null ? 0 : Number(error.code ?? -1), output]);
      });
    });
    const text = existsSync(path) ? readFileSync(path, 'utf8') : '';
    return { report: JSON.parse(stdout) as Report, code, lines: text.split('\n').slice(0, -1) };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const numbered = (count: number): string[] => Array.from({ length: count }, (_, i) => `record ${i}`);

describe('no record is lost at flushSync in an exit listener', () => {
  it.each([
    ['the program is over', 0],
    ['process.exit', 0],
    ['an error that nobody caught', 1],
    ['a full channel, and a full page', 0],
    ['a wait under way', 0],
    ['a thread that ends', 0],
  ])('%s', async (way, expected) => {
    const { report, code, lines } = await end(way);
    expect({ ...report, code }).toEqual({
      isWhole: true,
      pending: 0,
      dropped: 0,
      written: report.written,
      code: expected,
    });
    expect(report.written).toBeGreaterThan(20);
    expect(lines).toEqual(numbered(report.written));
  });

  it('a record of several pages', async () => {
    const { report, lines } = await end('a record of several pages');
    expect(report).toMatchObject({ isWhole: true, dropped: 0 });
    expect(lines).toEqual(['x'.repeat(700)]);
  });
});

describe('flushSync says so where records are lost', () => {
  it('a reader that is dead: they are in the channel, and nobody reads them', async () => {
    const { report, code, lines } = await end('a reader that is dead');
    expect({ ...report, code }).toMatchObject({ isWhole: false, pending: 0, dropped: 0, code: 0 });
    expect(lines).toEqual([]);
  });

  it('a pool that closes', async () => {
    const { report, code, lines } = await end('a pool that closes');
    expect({ ...report, code }).toMatchObject({ isWhole: false, pending: 0, dropped: 5, code: 0 });
    expect(lines).toEqual([]);
  });
});

describe('records that are pending hold the process', () => {
  it('until flushMs has sent them', async () => {
    const { report, code } = await end('flushMs');
    expect({ ...report, code }).toMatchObject({ pending: 0, dropped: 0, code: 0 });
  });

  it('and do not with ref: false', async () => {
    const { report, code } = await end('flushMs without ref');
    expect({ ...report, code }).toMatchObject({ pending: 1, dropped: 0, code: 0 });
  });
});
