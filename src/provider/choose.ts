// Which providers a pool has: from its options to one provider, perhaps a reserve, and what other threads must know of
// them.
//
// Pure: nothing is reserved here. The providers themselves stay with the thread that creates the pool.

import { invalidArgument, is, requireInteger, requireRecord } from '../errors.js';
import type { MemoryProvider } from './provider.js';
import { isOwnMemory, wasmMemory } from './wasm-memory.js';

/** Pages for the moments when a pool's provider has none. */
export interface ReserveOptions {
  /** Any provider but `wasmMemory()`. */
  provider: 'slab' | MemoryProvider;
  /** Its pages, beside the pool's `pageCount`. */
  pageCount: number;
}

/** What every thread of a pool has to know of its providers. */
export interface PageSource {
  /** The provider's name. */
  readonly kind: string;
  /** All but the reserve's pages lie in the pool's own memory. */
  readonly isOwn: boolean;
  readonly readable: boolean;
  readonly detachable: boolean;
  readonly reservePages: number;
}

/** What the platforms' timers take. */
const TIMER_MS_MAX = 2 ** 31 - 1;

const CALLS = ['init', 'grow', 'retire', 'describe', 'destroy'] as const;

/** The provider that an option has; `slab` makes the one that is named so. */
export function resolveProvider(
  call: string,
  name: string,
  value: unknown,
  slab: (option: string) => MemoryProvider,
): MemoryProvider {
  if (value === undefined || value === 'wasm-memory') return wasmMemory();
  if (value === 'slab') return slab(name);
  const provider = value as Partial<MemoryProvider> | null;
  const isComplete = is(
    () =>
      typeof provider === 'object' &&
      provider !== null &&
      typeof provider.kind === 'string' &&
      typeof provider.readable === 'boolean' &&
      typeof provider.detachable === 'boolean' &&
      CALLS.every((each) => typeof provider[each] === 'function'),
  );
  if (!isComplete) {
    let shown = value;
    is(() => {
      shown = (provider as { kind?: unknown } | null)?.kind ?? value;
    });
    throw invalidArgument(call, name, shown, `'wasm-memory', 'slab' or a MemoryProvider with ${CALLS.join(', ')}`);
  }
  const { idleMs } = provider as MemoryProvider;
  if (idleMs !== undefined) requireInteger(call, `${name}.idleMs`, idleMs, 1, TIMER_MS_MAX);
  return provider as MemoryProvider;
}

/** The reserve that the option names, if there is one. */
export function resolveReserve(
  call: string,
  value: unknown,
  pagesMax: number,
  slab: (option: string) => MemoryProvider,
): { provider: MemoryProvider; pageCount: number } | undefined {
  if (value === undefined) return undefined;
  const given = requireRecord(call, 'reserve', value, ['provider', 'pageCount']) as Partial<ReserveOptions>;
  const provider = resolveProvider(call, 'reserve.provider', given.provider ?? null, slab);
  if (isOwnMemory(provider)) {
    throw invalidArgument(
      call,
      'reserve.provider',
      provider.kind,
      'a provider of other memory than the pool has itself',
    );
  }
  requireInteger(call, 'reserve.pageCount', given.pageCount, 1, pagesMax);
  return { provider, pageCount: given.pageCount as number };
}

/** What other threads must know: a pool does with all pages what it may do with each. */
export function resolveSource(
  provider: MemoryProvider,
  reserve: { provider: MemoryProvider; pageCount: number } | undefined,
): PageSource {
  return {
    kind: provider.kind,
    isOwn: isOwnMemory(provider),
    readable: provider.readable && reserve?.provider.readable !== false,
    detachable: provider.detachable && reserve?.provider.detachable !== false,
    reservePages: reserve?.pageCount ?? 0,
  };
}
