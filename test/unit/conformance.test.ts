// The conformance suite itself: our providers and the documented one pass it, and broken ones do not.

import { wasmMemory } from 'pagepool';
import { slabs } from 'pagepool/providers';
import { testProvider } from 'pagepool/testing';
import { describe, expect, it } from 'vitest';
import { region } from '../../examples/providers/region.js';
import type { MemoryProvider, ProviderContext } from '../../src/provider/provider.js';
import { randomFrom } from '../../src/testing/random.js';

const host = { describe, it };
void testProvider(() => wasmMemory(), { host });
void testProvider(() => wasmMemory({ stepBytes: 65536 }), {
  host,
  name: 'wasm-memory in small steps',
  pageBytes: 65536,
});
void testProvider(() => slabs({ slabBytes: 65536 }), { host });
void testProvider(() => slabs({ slabBytes: 65536 }), { host, name: 'slab with other choices', seed: 1000 });
void testProvider(() => slabs({ slabBytes: 65536, keepBytes: 0 }), {
  host,
  name: 'slab that keeps nothing',
  pageCount: 50,
});
void testProvider(() => slabs({ slabBytes: 65536 }), {
  host,
  name: 'slab smaller than a page',
  pageBytes: 131072,
  pageCount: 8,
});
void testProvider(() => wasmMemory(), { host, name: 'wasm-memory of one page', pageCount: 1 });
void testProvider(() => slabs({ slabBytes: 65536 }), { host, name: 'slab of three pages', pageCount: 3 });
void testProvider(() => region(), { host });

/** The documented provider with something wrong. */
function broken(change: (provider: MemoryProvider) => Partial<MemoryProvider>): () => MemoryProvider {
  return () => {
    const provider = region();
    return { ...provider, ...change(provider) };
  };
}

it('what the suite chooses follows from its seed, and varies', () => {
  const numbersOf = (seed: number) => Array.from({ length: 1000 }, randomFrom(seed));
  expect(numbersOf(7)).toEqual(numbersOf(7));
  expect(new Set([...numbersOf(7), ...numbersOf(8)]).size).toBeGreaterThan(1990);
});

describe('the suite finds', () => {
  it.each([
    ['a provider that forgets retired pages', /after trim|nothing/, broken(() => ({ retire: () => {} }))],
    [
      'a provider whose areas overlap',
      /overwritten/,
      broken(() => {
        const buffer = new SharedArrayBuffer(4096);
        const fed = new Map<ProviderContext, number>();
        return {
          init: (context) => void fed.set(context, 0),
          grow: (context) => {
            if ((fed.get(context) as number) >= 8) return;
            fed.set(context, (fed.get(context) as number) + 1);
            const area = context.addArea({ buffer, byteLength: 4096 }, 1);
            context.feed(Uint32Array.of(area.firstPage));
          },
          retire: () => {},
        };
      }),
    ],
    ['a provider without pages', /no page at all/, broken(() => ({ grow: () => {} }))],
    [
      'a provider that swallows failures',
      /./,
      broken(({ init }) => ({
        init: (context) => {
          try {
            return init(context);
          } catch {}
        },
      })),
    ],
    ['a provider that describes nothing', /describe/, broken(() => ({ describe: () => undefined as never }))],
  ])('%s', async (_, text, make) => {
    await expect(testProvider(make, { pageCount: 16 })).rejects.toThrow(text);
  });

  it('nothing wrong with one that is right, without a test runner', async () => {
    await testProvider(() => region());
  });
});
