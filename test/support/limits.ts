// What pools of all kinds gave in a process whose addresses are limited: test/package/programs/under-limit.js.

import { expect } from 'vitest';

/** Pages that pools of few pages have, whatever the limit. */
const FEW: Readonly<Record<string, number>> = { auto: 64, typescript: 64, slab: 64, 'user-area': 64, reserve: 72 };

/** Each pool has its pages, or fewer, or an error that says which limit it is. */
export function expectLimited(found: Readonly<Record<string, string>>): void {
  for (const [kind, pages] of Object.entries(FEW)) {
    expect([kind, found[kind]]).toEqual([kind, expect.stringMatching(`^(wasm|typescript) ${pages}$`)]);
  }
  const refused = 'POOL_ERR_(MEMORY_LIMIT|PROVIDER): .*ulimit -v leaves \\d+ bytes';
  for (const [kind, pages] of Object.entries({ wasm: '64', many: '49152', 'many, typescript': '49152' })) {
    expect([kind, found[kind]]).toEqual([kind, expect.stringMatching(`^((wasm|typescript) ${pages}$|${refused})`)]);
  }
  for (const kind of ['many, slab', 'many, kept']) {
    expect([kind, found[kind]]).toEqual([kind, expect.stringMatching(`^((wasm|typescript) [1-9]\\d*$|${refused})`)]);
  }
}
