// The bench itself: a quick run of every row leaves figures for every budget, and the page made from them.

import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { readResults } from '../../bench/harness/files.js';
import { budgets, judge } from '../../bench/report/budgets.js';
import { flowBudgets } from '../../bench/report/flow-budgets.js';
import { runTs } from './support/run-ts.js';

const folder = mkdtempSync(join(tmpdir(), 'bench-'));
afterAll(() => rmSync(folder, { recursive: true }));

describe('a quick run', () => {
  const docs = join(folder, 'quick');

  test('writes results for every budget and the page made from them', async () => {
    const to = ['--results', folder, '--docs', docs, '--name', 'quick'];
    const output = await runTs('--expose-gc', 'bench/main.ts', '--quick', '--write', ...to);
    expect(output).toContain('01 fast path');
    const results = readResults(join(folder, 'quick.json'));
    const hasDpdk = !results.machine.native.includes('left out');
    for (const { id, verdict } of judge(results)) {
      if (hasDpdk || !['pair', 'burst', 'channel.single', 'channel.burst'].includes(id))
        expect(verdict, id).not.toBe('not measured');
    }
    const page = readFileSync(join(docs, 'performance.md'), 'utf8');
    for (const { id } of budgets) expect(page).toContain(`(\`${id}\`)`);
    expect(page).toContain('**Provisional:**');
    for (const [, plot] of page.matchAll(/\]\((plots\/.+?)\)/g))
      expect(existsSync(join(docs, plot as string)), plot).toBe(true);
  });

  test('on another Node puts its figures beside those that are there', async () => {
    const to = ['--results', folder, '--docs', docs, '--name', 'quick'];
    const row = ['--case', 'fast.pair', '--node', '26'];
    const output = await runTs('--expose-gc', 'bench/main.ts', '--quick', '--write', ...row, ...to);
    expect(output).toContain('Node v26.');
    const page = readFileSync(join(docs, 'performance.md'), 'utf8');
    const own = `Node ${process.versions.node.split('.')[0]}`;
    expect(page).toContain(`| budget | bar | aim | ${own} | Node 26 |`);
    expect(page).toMatch(/^- beside it, a run on Node v26\./m);
    expect(page).toMatch(/\(`engines\.pair`\) \| at most 1\.2 × \| 1 × \| [\d.]+ × \| [\d.]+ × \|/);
  });

  test('of flow measures each of its budgets', async () => {
    // The other build is this one.
    const to = ['--results', folder, '--name', 'flow', '--other', '.'];
    const output = await runTs('--expose-gc', 'bench/main.ts', '--quick', '--group', 'flow', ...to);
    const lines = judge(readResults(join(folder, 'flow.json')), flowBudgets);
    for (const { id, operation, verdict } of lines) {
      expect(verdict, id).not.toBe('not measured');
      expect(output).toContain(operation);
    }
  });
});
