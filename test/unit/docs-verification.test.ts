// The tables of docs/verification.md: made of what was explored, and refused where the page has no place for it.

import { describe, expect, it } from 'vitest';
import { fillVerification } from '../../scripts/docs-verification.mjs';

const PAGE = [
  'Before.',
  '<!-- explored scenarios -->',
  'old',
  '<!-- /explored -->',
  '<!-- explored deaths -->',
  'of another run',
  '<!-- /explored -->',
  '<!-- faults -->',
  '<!-- /faults -->',
  'Behind.',
].join('\n');

const exploration = { name: 'a | b', threads: 2, kills: 0, states: 7, longest: 3, outcomes: 2, seconds: 1 };
const scenarios = [
  { ...exploration, engine: 'wasm', schedules: 12 },
  { ...exploration, engine: 'typescript', schedules: 2.5e9, bound: 3 },
];
const fault = { name: 'a store', file: 'assembly/a.ts', scenario: 'a | b', engine: 'wasm', message: '' };

describe('the tables of what was explored', () => {
  it('are made anew, and those of groups that were not run stay', () => {
    const filled = fillVerification(PAGE, { groups: new Map([['scenarios', scenarios]]), faults: [fault] });
    expect(filled.split('\n').filter((line) => line !== '')).toEqual([
      'Before.',
      '<!-- explored scenarios -->',
      '| scenario | threads | preemptions | kills | wasm | typescript | outcomes |',
      '|---|---|---|---|---|---|---|',
      '| a \\| b | 2 | wasm all, typescript 3 | 0 | 12 | 2.5e+9 | 2 |',
      '| all 1 |  |  |  | 7 states | 7 states |  |',
      '<!-- /explored -->',
      '<!-- explored deaths -->',
      'of another run',
      '<!-- /explored -->',
      '<!-- faults -->',
      '| fault | in | caught by | engine |',
      '|---|---|---|---|',
      '| a store | `assembly/a.ts` | a \\| b | wasm |',
      '<!-- /faults -->',
      'Behind.',
    ]);
  });

  it('are refused for a group without a place', () => {
    const reports = { groups: new Map([['more', scenarios]]), faults: [] };
    expect(() => fillVerification(PAGE, reports)).toThrow('no region for more');
  });
});
