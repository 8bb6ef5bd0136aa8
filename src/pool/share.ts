// What crosses to another thread so that it can attach, and the checks that it is what it claims to be.
//
// A share is a plain object that postMessage clones. Everything in it is compared with the memory before the first
// write: version and layout, identity, every constant word of the control region, and that the memory reaches as far as
// they say.

import {
  ABI_VERSION,
  CONTROL_BASE,
  HEADER_ABI_OFFSET,
  HEADER_HASH_OFFSET,
  HEADER_MAGIC_OFFSET,
  MAGIC,
} from '../../assembly/layout.js';
import { identityWords } from '../control/format.js';
import {
  type CallsPlan,
  type ChannelPlan,
  type Geometry,
  type GeometryPlan,
  planGeometry,
} from '../control/geometry.js';
import { PoolMemory } from '../control/memory.js';
import { callError, invalidArgument, is, type PagePoolError, requireRecord, show } from '../errors.js';
import { isSharedBuffer, isWasmMemory } from '../platform/buffers.js';
import type { WasmMemory, WasmModule } from '../platform/types.js';
import type { PageSource } from '../provider/choose.js';
import type { AreasChange } from '../supply/areas.js';
import type { PoolNames } from './names.js';

/**
 * What `share()` returns: structured-cloneable, made to be posted to another thread and passed to `PagePool.attach`
 * there.
 */
export interface PoolShare<Names extends PoolNames = PoolNames> {
  readonly kind: 'pagepool';
  readonly abi: number;
  readonly layoutHash: number;
  readonly identity: readonly number[];
  readonly name: string;
  /** The memory that all threads of the pool see. */
  readonly memory: WasmMemory | SharedArrayBuffer;
  /** The compiled core, where there is one. */
  readonly module?: WasmModule | undefined;
  /** The engine that attaching threads use: `{ ...pool.share(), engine: 'typescript' }` chooses another one. */
  readonly engine: 'auto' | 'wasm' | 'typescript';
  readonly options: {
    readonly pageBytes: number;
    readonly pageCount: number;
    readonly unitBytes: number;
    readonly maxPorts: number;
    readonly tokens: number;
    readonly zero: 'never' | 'on-release';
    readonly stallMs?: number | undefined;
    readonly channels: readonly ChannelPlan[];
    readonly calls: readonly CallsPlan[];
    readonly source: PageSource;
  };
  /** Where the pages of a provider lay when the share was made. */
  readonly areas?: AreasChange | undefined;
  /**
   * For the compiler alone, and never there: the names that `PagePool.attach` gives the pool. A method, so that a pool
   * of more channels is taken where one of them is asked for.
   */
  readonly names?:
    | { channel(name: Names['channels'] & string): void; calls(name: Names['calls'] & string): void }
    | undefined;
}

/** The names that a share carries. */
export type NamesOf<Share extends PoolShare> =
  NonNullable<Share['names']> extends {
    channel(name: infer Channels extends string): void;
    calls(name: infer Requests extends string): void;
  }
    ? { channels: Channels; calls?: Requests | undefined }
    : PoolNames;

/** A share whose memory was checked. */
export interface OpenedShare {
  readonly share: PoolShare;
  readonly memory: PoolMemory;
  readonly geometry: Geometry;
}

/**
 * Checks a share against its memory without writing to it, for `call`.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the value is not a share at all
 * @throws PagePoolError POOL_ERR_ABI_MISMATCH when another version of the package made it
 * @throws PagePoolError POOL_ERR_CORRUPT when share and memory differ, or the memory is too short
 */
export function openShare(value: unknown, layoutHash: number, call = 'attach'): OpenedShare {
  const requireSame: RequireSame = (code, name, found, expected) => {
    if (found !== expected) throw corrupt(call, code, name, found, show(expected));
  };
  const share = requireShape(call, value, requireSame);
  requireSame('POOL_ERR_ABI_MISMATCH', 'abi', share.abi, ABI_VERSION);
  requireSame('POOL_ERR_ABI_MISMATCH', 'layoutHash', share.layoutHash, layoutHash);
  const geometry = planShared(call, share);
  const memory = new PoolMemory(share.memory);
  const firstBytes = geometry.scratchOffset + geometry.maxPorts * geometry.scratchBytes;
  if (memory.bytes.byteLength < firstBytes) {
    throw corrupt(call, 'POOL_ERR_CORRUPT', 'memory.byteLength', memory.bytes.byteLength, `at least ${firstBytes}`);
  }
  const read = (address: number): number => memory.u32[address >>> 2] as number;
  requireSame('POOL_ERR_CORRUPT', 'magic', read(CONTROL_BASE + HEADER_MAGIC_OFFSET), MAGIC);
  requireSame('POOL_ERR_ABI_MISMATCH', 'abi', read(CONTROL_BASE + HEADER_ABI_OFFSET), ABI_VERSION);
  requireSame('POOL_ERR_ABI_MISMATCH', 'layoutHash', read(CONTROL_BASE + HEADER_HASH_OFFSET), layoutHash);
  for (const [i, word] of identityWords(memory).entries())
    requireSame('POOL_ERR_CORRUPT', `identity[${i}]`, share.identity[i], word);
  for (const [address, expected] of geometry.constants) {
    requireSame('POOL_ERR_CORRUPT', `word ${address}`, read(address), expected);
  }
  return { share, memory, geometry };
}

function requireShape(call: string, value: unknown, requireSame: RequireSame): PoolShare {
  const isShare = is(() => (value as PoolShare).kind === 'pagepool');
  if (!isShare) {
    throw invalidArgument(
      call,
      'share',
      value,
      'what share() returned',
      'post pool.share() to this thread and pass it on',
    );
  }
  // Read once: what is used is what was checked.
  const share = requireRecord(call, 'share', value) as unknown as PoolShare;
  const isComplete = is(
    () =>
      Array.isArray(share.identity) &&
      share.identity.length === 4 &&
      typeof share.name === 'string' &&
      ['auto', 'wasm', 'typescript'].includes(share.engine) &&
      (isWasmMemory(share.memory) || isSharedBuffer(share.memory)),
  );
  // A share of another version may lack what this one has: its version explains more than what is missing.
  if (!isComplete) {
    requireSame('POOL_ERR_ABI_MISMATCH', 'abi', share.abi, ABI_VERSION);
    throw corrupt(
      call,
      'POOL_ERR_CORRUPT',
      'share',
      Object.keys(share).join(' '),
      'every part of what share() returned',
    );
  }
  return share;
}

/** The geometry that the share's options give; bad options mean that the share was changed. */
function planShared(call: string, { options }: PoolShare): Geometry {
  try {
    const { channels, calls, source, ...rest } = read<PoolShare['options']>(call, options);
    const plan = {
      ...rest,
      channels: channels.map((each) => read<ChannelPlan>(call, each)),
      calls: calls.map((each) => read<CallsPlan>(call, each)),
      source: read<PageSource>(call, source),
    };
    if (isPlan(plan)) return planGeometry(plan);
    throw new RangeError('an option of the share is no option of a pool');
  } catch (cause) {
    const found = `share.options=${show(options)}`;
    throw callError('POOL_ERR_CORRUPT', call, found, 'the options of a pool', undefined, { cause });
  }
}

/** What the object has, read once. */
function read<Shape extends object>(call: string, value: Shape): Shape {
  return requireRecord(call, 'options', value) as Shape;
}

/**
 * Whether everything is of its type. Whoever created the pool has checked the ranges by name: all that a geometry is
 * planned of is in the memory's constant words, or is a sum that is, so a plan out of range is no plan of that memory.
 */
function isPlan({ channels, calls, source, zero, ...sizes }: GeometryPlan): boolean {
  const { pageBytes, pageCount, unitBytes, maxPorts, tokens } = sizes;
  const { detachable, isOwn, kind, readable, reservePages } = source;
  return (
    [pageBytes, pageCount, unitBytes, maxPorts, tokens, reservePages + 1].every(
      (count) => Number.isInteger(count) && count > 0,
    ) &&
    [isOwn, readable, detachable].every((each) => typeof each === 'boolean') &&
    ['never', 'on-release'].includes(zero) &&
    [kind, ...[...channels, ...calls].map(({ name }) => name)].every((each) => typeof each === 'string')
  );
}

type ShareCode = 'POOL_ERR_ABI_MISMATCH' | 'POOL_ERR_CORRUPT';

/** Throws an error of that code unless the two are the same. */
type RequireSame = (code: ShareCode, name: string, found: unknown, expected: unknown) => void;

function corrupt(call: string, code: ShareCode, name: string, value: unknown, rule: string): PagePoolError {
  return callError(code, call, `${name}=${show(value)}`, rule);
}
