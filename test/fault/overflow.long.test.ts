// The stack ends inside a call, in the other versions of Node: which function V8 puts into which decides what it finds.

import { existsSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { runtimes } from '../../scripts/toolchain.mjs';
import { overflow } from '../support/overflow.js';

describe.each(runtimes.filter(({ name }) => name.startsWith('Node')))('$name', ({ program }) => {
  it.skipIf(!existsSync(program)).each(['wasm', 'typescript'])(
    'every call at every depth, after 2,000 times, with the %s engine',
    async (engine) => {
      const { overflows, calls, faults } = await overflow(program, engine, 2000, 13);
      expect(faults).toEqual([]);
      expect(calls).toBeGreaterThan(70);
      expect(overflows).toBeGreaterThan(2500);
    },
  );
});
