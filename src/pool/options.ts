// The options of a pool: their types, their defaults, and the checks of every one of them.
//
// Pure: no memory is touched. What leaves `resolveOptions` is complete and valid on its own; whether it all fits into
// one memory is the question of src/control/geometry.ts.

import { BATCH_MAX, GENERATION_BITS_MIN, MAX_PORTS_LIMIT, UNITS_PER_PAGE_MAX } from '../../assembly/layout.js';
import type { CallsPlan, ChannelPlan, WhenFull } from '../control/geometry.js';
import { loadedTypeScript } from '../engine/loaded.js';
import { invalidArgument, isArray, requireInteger, requireMilliseconds, requireRecord, show } from '../errors.js';
import type { LeakOptions } from '../leaks/report.js';
import { UNIT_BYTES_MIN } from '../numbers.js';
import { isKind } from '../platform/buffers.js';
import type { WasmModule } from '../platform/types.js';
import {
  type PageSource,
  type ReserveOptions,
  resolveProvider,
  resolveReserve,
  resolveSource,
} from '../provider/choose.js';
import type { MemoryProvider } from '../provider/provider.js';
import type { StallOptions } from '../reports/stall.js';
import { type OwnerPart, requireOwner } from '../supply/loaded.js';
import { type AttachedPoolOptions, resolveAttached } from './attach-options.js';
import {
  CHANNEL_CAPACITY_MAX,
  CHANNELS_MAX,
  PAGE_BYTES_MAX,
  PAGE_BYTES_MIN,
  PAGE_COUNT_MAX,
  TOKENS_MAX,
  unitsFit,
  WHEN_FULL,
} from './limits.js';
import { requireLeaks, type TrackPort } from './loaded-leaks.js';

/** How one channel is made. */
export interface ChannelOptions {
  /**
   * Entries that the channel has room for: 1..65535. If not given, 256 at most, and such that all channels together can
   * hold half of the pages: the other half is for the threads that work.
   */
  capacity?: number | undefined;
  /** Entries that travel in one step at most: 1..32; 8 if not given. 32 is best for bursts, 1 for sparse messages. */
  batch?: number | undefined;
  /** `'refuse'` (the default): `send` returns false. The others drop an entry, release it and count it. */
  whenFull?: WhenFull | undefined;
}

/** How the calls of one name are made. */
export interface CallsOptions {
  /** Calls that may wait to be served: 1..65535; 64 if not given. */
  capacity?: number | undefined;
}

/**
 * How a pool is made; every option has a default. Those of leaks and `onStall` are for the creating thread alone;
 * `stallMs` is for all that set no other.
 */
export interface PoolOptions<Channels extends string = string, Requests extends string = string>
  extends LeakOptions,
    StallOptions {
  /** For messages and statistics; 1..128 characters. */
  name?: string | undefined;
  /** Bytes of a page: a power of two from 256 to 64 MiB; 4096 if not given. */
  pageBytes?: number | undefined;
  /** Pages at most: the memory grows towards it; 1024 if not given. */
  pageCount?: number | undefined;
  /** The step of fragment sizes: a power of two from 16 to pageBytes; a 64th of the page, at least 64, if not given. */
  unitBytes?: number | undefined;
  /** Threads that can be attached at one time: 1..64; 16 if not given. */
  maxPorts?: number | undefined;
  /** Fragments that can be lent and not yet adopted, in all threads together: 1..65535; 256 if not given. */
  tokens?: number | undefined;
  /** The channels by name: the same in every thread. */
  channels?: Record<Channels, ChannelOptions> | undefined;
  /** The calls by name, requests that are answered: the same in every thread. */
  calls?: Record<Requests, CallsOptions> | undefined;
  /**
   * Where pages come from; `'wasm-memory'` if not given, with the defaults of `wasmMemory()`; `'slab'` with those of
   * `slabs()`. With pagepool/lean all but the default need pagepool/providers.
   */
  provider?: 'wasm-memory' | 'slab' | MemoryProvider | undefined;
  /** More pages, of another provider, for the moments when `provider` has none; each goes back to it after one use. */
  reserve?: ReserveOptions | undefined;
  /**
   * `'auto'` (the default) takes the Wasm engine where it can run, and elsewhere the TypeScript engine of
   * `pagepool/typescript`, which each thread of pagepool/lean or pagepool/attach imports that needs it.
   */
  engine?: 'auto' | 'wasm' | 'typescript' | undefined;
  /** The compiled core (`pagepool/core.wasm`), where the platform forbids compiling inlined bytes. */
  module?: WasmModule | undefined;
  /** `'on-release'` overwrites a page with zeros when its last reference is released; `'never'` is the default. */
  zero?: 'never' | 'on-release' | undefined;
}

/** How a thread attaches with the whole package. */
export interface AttachOptions extends AttachedPoolOptions, LeakOptions, StallOptions {}

/** A pool's options, complete and each valid. */
export interface CompleteOptions {
  readonly name: string;
  readonly pageBytes: number;
  readonly pageCount: number;
  readonly unitBytes: number;
  readonly maxPorts: number;
  readonly tokens: number;
  readonly channels: readonly ChannelPlan[];
  readonly calls: readonly CallsPlan[];
  readonly provider: MemoryProvider;
  readonly reserve: MemoryProvider | undefined;
  /** What every thread has to know of the providers. */
  readonly source: PageSource;
  readonly engine: 'auto' | 'wasm' | 'typescript';
  readonly module: WasmModule | undefined;
  readonly zero: 'never' | 'on-release';
  readonly leaks: LeakOptions;
  readonly stalls: StallOptions;
}

/** What a program has loaded that the options ask for. */
interface CreationParts {
  /** What calls the providers, where one has other memory than the pool has itself. */
  readonly owner: OwnerPart | undefined;
  readonly track: TrackPort | undefined;
}

const DEFAULT_CAPACITY_MAX = 256;
const NAME_LENGTH_MAX = 128;
/** Generations that the default unit leaves room for: a stale handle is refused 1,023 times of 1,024. */
const GENERATION_BITS_WANTED = 10;

const OPTION_NAMES =
  'name pageBytes pageCount unitBytes maxPorts tokens channels calls provider reserve engine module zero leaks onLeak stallMs onStall'.split(
    ' ',
  );
const CHANNEL_OPTION_NAMES = 'capacity batch whenFull'.split(' ');

/**
 * The options with every default filled in.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when an option is unknown, has the wrong type or lies outside its
 *   range
 */
export function resolveOptions(call: string, options: unknown): CompleteOptions & CreationParts {
  const given = requireRecord(call, 'options', options === undefined ? {} : options, OPTION_NAMES) as PoolOptions;
  // Only what is not given has a default: null is a wrong type.
  const { pageBytes = 4096, pageCount = 1024, maxPorts = 16, tokens = 256 } = given;
  requirePowerOfTwo(call, 'pageBytes', pageBytes, PAGE_BYTES_MIN, PAGE_BYTES_MAX);
  requireInteger(call, 'pageCount', pageCount, 1, PAGE_COUNT_MAX);
  requireInteger(call, 'maxPorts', maxPorts, 1, MAX_PORTS_LIMIT);
  requireInteger(call, 'tokens', tokens, 1, TOKENS_MAX);
  const slab = (option: string): MemoryProvider => requireOwner(call, option, 'slab').slabs();
  const provider = resolveProvider(call, 'provider', given.provider, slab);
  const reserve = resolveReserve(call, given.reserve, PAGE_COUNT_MAX - pageCount, slab);
  const source = resolveSource(provider, reserve);
  const [option, other] = source.isOwn ? ['reserve.provider', reserve?.provider] : ['provider', provider];
  const allPages = pageCount + source.reservePages;
  const { unitBytes = defaultUnitBytes(pageBytes, allPages) } = given;
  requireUnitBytes(call, unitBytes, pageBytes, allPages);
  const zero = requireOneOf(call, 'zero', given.zero, ['never', 'on-release']);
  const leaks = resolveLeaks(call, given);
  const engine = requireOneOf(call, 'engine', given.engine, ['auto', 'wasm', 'typescript']);
  return {
    name: resolveName(call, given.name),
    pageBytes,
    pageCount,
    unitBytes,
    maxPorts,
    tokens,
    channels: resolveChannels(call, given.channels, pageCount),
    calls: resolveCalls(call, given.calls),
    provider,
    reserve: reserve?.provider,
    owner: other && requireOwner(call, option, other.kind),
    source,
    engine: zero === 'on-release' ? engineThatClears(call, source, engine) : engine,
    module: resolveModule(call, given.module),
    zero,
    leaks,
    track: trackingOf(call, leaks),
    stalls: resolveStalls(call, given),
  };
}

/**
 * The options of attaching, with every default filled in.
 *
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT as `resolveOptions`
 */
export function resolveAttach(
  call: string,
  options: unknown,
): Pick<CreationParts, 'track'> & Pick<CompleteOptions, 'leaks' | 'stalls'> & { readonly label: string } {
  const { given, label } = resolveAttached(call, options, ['leaks', 'onLeak', 'stallMs', 'onStall']);
  const leaks = resolveLeaks(call, given as AttachOptions);
  return { label, leaks, track: trackingOf(call, leaks), stalls: resolveStalls(call, given) };
}

function resolveStalls(call: string, { stallMs, onStall }: StallOptions): StallOptions {
  if (stallMs !== undefined) requireMilliseconds(call, 'stallMs', stallMs);
  if (onStall !== undefined && typeof onStall !== 'function') {
    throw invalidArgument(call, 'onStall', onStall, 'a function');
  }
  return { stallMs, onStall };
}

function resolveLeaks(call: string, { leaks, onLeak }: LeakOptions): LeakOptions {
  if (onLeak !== undefined && typeof onLeak !== 'function') throw invalidArgument(call, 'onLeak', onLeak, 'a function');
  return {
    leaks: requireOneOf(call, 'leaks', leaks, ['off', 'sampled', 'all']),
    ...(onLeak === undefined ? {} : { onLeak }),
  };
}

/** What follows leaks, where the thread asks for that. */
function trackingOf(call: string, { leaks }: LeakOptions): TrackPort | undefined {
  return leaks === undefined || leaks === 'off' ? undefined : requireLeaks(call, leaks);
}

/** A 64th of the page, at least 64 bytes, and larger where handles would have too few generations otherwise. */
function defaultUnitBytes(pageBytes: number, pageCount: number): number {
  return smallestUnitBytes(
    Math.min(pageBytes, Math.max(64, pageBytes / 64)),
    pageBytes,
    pageCount,
    GENERATION_BITS_WANTED,
  );
}

/** The smallest unit from `start` that leaves `generationBits`, or the page itself. */
function smallestUnitBytes(start: number, pageBytes: number, pageCount: number, generationBits: number): number {
  let unitBytes = start;
  while (unitBytes < pageBytes && !unitsFit(unitBytes, pageBytes, pageCount, generationBits)) unitBytes *= 2;
  return unitBytes;
}

function requireUnitBytes(call: string, unitBytes: unknown, pageBytes: number, pageCount: number): void {
  requirePowerOfTwo(call, 'unitBytes', unitBytes, UNIT_BYTES_MIN, pageBytes);
  if (unitsFit(unitBytes as number, pageBytes, pageCount)) return;
  const enough = smallestUnitBytes(UNIT_BYTES_MIN, pageBytes, pageCount, GENERATION_BITS_MIN);
  throw invalidArgument(
    call,
    'unitBytes',
    unitBytes,
    `at least ${enough} with pageBytes=${pageBytes} and pageCount=${pageCount}: at most ${UNITS_PER_PAGE_MAX} units a page and ${GENERATION_BITS_MIN} generation bits`,
    `pass unitBytes: ${enough}`,
  );
}

function resolveName(call: string, name: unknown): string {
  const value = name === undefined ? 'pool' : name;
  if (typeof value !== 'string' || value.length < 1 || value.length > NAME_LENGTH_MAX) {
    throw invalidArgument(call, 'name', value, `a string of 1..${NAME_LENGTH_MAX} characters`);
  }
  return value;
}

function resolveChannels(call: string, channels: unknown, pageCount: number): ChannelPlan[] {
  if (channels === undefined) return [];
  if (isArray(channels)) {
    const todo = 'declare each by its name: { work: {} }';
    throw invalidArgument(call, 'channels', channels, 'an object of options by name', todo);
  }
  const record = requireRecord(call, 'channels', channels);
  const names = Object.keys(record);
  if (names.length > CHANNELS_MAX)
    throw invalidArgument(call, 'channels', names.length, `at most ${CHANNELS_MAX} of them`);
  // What is queued leaves half of the pages to the threads that work with them.
  const share = Math.floor(pageCount / (2 * names.length));
  const defaultCapacity = Math.min(Math.max(share, 1), DEFAULT_CAPACITY_MAX);
  return names.map((name) => resolveChannel(call, name, record[name], defaultCapacity));
}

/** The options of all calls with the defaults filled in. */
function resolveCalls(call: string, calls: unknown): CallsPlan[] {
  if (calls === undefined) return [];
  const record = requireRecord(call, 'calls', calls);
  const names = Object.keys(record);
  if (names.length > CHANNELS_MAX)
    throw invalidArgument(call, 'calls', names.length, `at most ${CHANNELS_MAX} of them`);
  return names.map((name) => {
    requireNameLength(call, 'calls', name);
    const { capacity = 64 } = requireRecord(call, `calls.${name}`, record[name], ['capacity']) as CallsOptions;
    requireInteger(call, `calls.${name}.capacity`, capacity, 1, CHANNEL_CAPACITY_MAX);
    return { name, capacity };
  });
}

function requireNameLength(call: string, option: string, name: string): void {
  if (name.length >= 1 && name.length <= NAME_LENGTH_MAX) return;
  throw invalidArgument(call, option, name, `names of 1..${NAME_LENGTH_MAX} characters`);
}

/** One channel's options with the defaults filled in. */
function resolveChannel(call: string, name: string, options: unknown, defaultCapacity: number): ChannelPlan {
  requireNameLength(call, 'channels', name);
  const path = `channels.${name}`;
  const given = requireRecord(call, path, options, CHANNEL_OPTION_NAMES) as ChannelOptions;
  const { capacity = defaultCapacity, batch = 8 } = given;
  requireInteger(call, `${path}.capacity`, capacity, 1, CHANNEL_CAPACITY_MAX);
  requireInteger(call, `${path}.batch`, batch, 1, BATCH_MAX);
  const whenFull = requireOneOf(call, `${path}.whenFull`, given.whenFull, WHEN_FULL);
  return { name, capacity, batch, whenFull };
}

/** The engine for a pool that clears pages: the core reaches its own memory alone. */
function engineThatClears(
  call: string,
  { isOwn, readable, reservePages }: PageSource,
  engine: CompleteOptions['engine'],
): CompleteOptions['engine'] {
  if (!readable)
    throw invalidArgument(call, 'zero', 'on-release', "'never' with memory that the processor cannot reach");
  if (isOwn && reservePages === 0) return engine;
  if (engine === 'wasm') {
    throw invalidArgument(call, 'engine', engine, "'auto' or 'typescript' with zero: 'on-release' and this provider");
  }
  if (loadedTypeScript() === undefined) {
    const rule = "'never' with this provider, since the Wasm core clears its own memory alone";
    throw invalidArgument(call, 'zero', 'on-release', rule, 'import pagepool/typescript in this thread');
  }
  return 'typescript';
}

function resolveModule(call: string, module: unknown): WebAssembly.Module | undefined {
  if (module === undefined) return undefined;
  if (!isKind(module, 'WebAssembly.Module')) {
    throw invalidArgument(call, 'module', module, 'a WebAssembly.Module, compiled from pagepool/core.wasm');
  }
  return module as WebAssembly.Module;
}

function requirePowerOfTwo(call: string, name: string, value: unknown, min: number, max: number): void {
  if (
    typeof value !== 'number' ||
    !Number.isInteger(value) ||
    value < min ||
    value > max ||
    2 ** Math.round(Math.log2(value)) !== value
  ) {
    throw invalidArgument(call, name, value, `a power of two, ${min}..${max}`);
  }
}

/** One of the values; the first where none is given. */
function requireOneOf<const T extends string>(
  call: string,
  name: string,
  value: unknown,
  allowed: readonly [T, ...T[]],
): T {
  if (value === undefined) return allowed[0];
  if (!allowed.includes(value as T)) throw invalidArgument(call, name, value, `one of ${allowed.map(show).join(', ')}`);
  return value as T;
}
