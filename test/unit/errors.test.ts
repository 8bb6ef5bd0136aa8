// Errors: the table, the class and the messages.

import { PagePool, PagePoolError } from 'pagepool';
import { describe, expect, it } from 'vitest';
import * as layout from '../../assembly/layout.js';
import { engineError, errorTable, show } from '../../src/errors.js';
import { messageOf } from '../support/realm.js';

const form = /^\w+ failed( at index \d+)?: [\w. ]+=.+ \(expected .+\)(: .+)?; .+$/;

describe('errors', () => {
  it('have a row with cause and remedy for each of the twenty codes', () => {
    expect(errorTable()).toHaveLength(20);
    for (const { code, cause, remedy } of errorTable()) {
      expect(code).toMatch(/^POOL_ERR_[A-Z_]+$/);
      expect(cause.length).toBeGreaterThan(20);
      expect(remedy.length).toBeGreaterThan(10);
    }
  });

  it('exist for every code that engines return', () => {
    const codes = Object.entries(layout).filter(([name]) => name.startsWith('ERR_'));
    expect(codes.length).toBeGreaterThanOrEqual(10);
    for (const [name, code] of codes) {
      const error = engineError(code, 'release', 'handle', 7);
      expect(error.code, name).not.toBe('POOL_ERR_CORRUPT');
      expect(error.message, name).toMatch(form);
    }
  });

  it('are Errors with a name, a code and, in bulk, an index', () => {
    const error = engineError(layout.ERR_STALE_HANDLE, 'releaseBulk', 'handle', 7, 3);
    expect(error).toBeInstanceOf(Error);
    expect(error).toMatchObject({ name: 'PagePoolError', code: 'POOL_ERR_STALE_HANDLE', index: 3 });
    expect(error.message).toContain('releaseBulk failed at index 3: handle=7 (expected');
  });

  it('show values of every type without running their code', () => {
    const hostile = { toString: () => expect.fail('ran'), [Symbol.toPrimitive]: () => expect.fail('ran') };
    const values = [hostile, Symbol('a'), 5n, -0, Number.NaN, null, undefined, 'x'.repeat(100), () => 0, [1]];
    expect(values.map(show)).toEqual([
      'object',
      'Symbol(a)',
      '5n',
      '-0',
      'NaN',
      'null',
      'undefined',
      `"${'x'.repeat(40)}…"`,
      'function',
      'array',
    ]);
  });

  it('say that references travel by channel or token when a thread holds none', () => {
    expect(engineError(layout.ERR_NOT_HELD, 'release', 'handle', 7).message).toMatch(
      /channel, or with lend\(\) and adopt\(\)/,
    );
  });

  it('tell 0 apart from other bad handles', () => {
    const pool = PagePool.createSync({ pageCount: 4 });
    expect(messageOf(() => pool.release(0))).toContain('it means an empty pool');
    expect(messageOf(() => pool.release(-1))).toMatch(form);
    expect(() => pool.release(-1)).toThrow(PagePoolError);
    pool.destroy();
  });
});
