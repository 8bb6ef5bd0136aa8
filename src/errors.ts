// Every error of the package: its codes, their causes and remedies, and the messages.
//
// One table serves the class, the documentation and the tests; a code without its row does not compile. A message reads
// `what failed: name=value (expected rule); what to do`. Engines answer with negative numbers: `engineError` converts
// those into errors. Nothing here touches shared memory; any thread may use it.

import {
  ERR_CALL_OVER,
  ERR_CHANNEL_CLOSED,
  ERR_FOREIGN_HANDLE,
  ERR_NO_REPLY_SLOT,
  ERR_NO_TOKEN,
  ERR_NOT_DETACHABLE,
  ERR_NOT_HELD,
  ERR_PIN,
  ERR_RANGE,
  ERR_REF_OVERFLOW,
  ERR_STALE_HANDLE,
  ERR_TOKEN_SPENT,
} from '../assembly/layout.js';

/** What a {@link PagePoolError} reports; the table in docs/errors.md has cause and remedy of each. */
export type PagePoolErrorCode =
  | 'POOL_ERR_INVALID_ARGUMENT'
  | 'POOL_ERR_STALE_HANDLE'
  | 'POOL_ERR_FOREIGN_HANDLE'
  | 'POOL_ERR_NOT_HELD'
  | 'POOL_ERR_REF_OVERFLOW'
  | 'POOL_ERR_UNREADABLE'
  | 'POOL_ERR_NOT_DETACHABLE'
  | 'POOL_ERR_DESTROYED'
  | 'POOL_ERR_CLOSING'
  | 'POOL_ERR_NO_PORT'
  | 'POOL_ERR_ABI_MISMATCH'
  | 'POOL_ERR_CORRUPT'
  | 'POOL_ERR_NOT_SHARED'
  | 'POOL_ERR_MEMORY_LIMIT'
  | 'POOL_ERR_PROVIDER'
  | 'POOL_ERR_CHANNEL_CLOSED'
  | 'POOL_ERR_TOKEN_SPENT'
  | 'POOL_ERR_PEER_GONE'
  | 'POOL_ERR_CALL_FAILED'
  | 'POOL_ERR_TIMEOUT';

/** Codes that no thread refuses by which only attaches to a pool whose memory is its own. */
type FurtherCode = 'POOL_ERR_UNREADABLE' | 'POOL_ERR_MEMORY_LIMIT';
type CommonCode = Exclude<PagePoolErrorCode, FurtherCode>;

/** What to do about an error of each code: the end of every message. */
export const REMEDIES: Readonly<Record<CommonCode, string>> = {
  POOL_ERR_INVALID_ARGUMENT: 'pass what the message expects',
  POOL_ERR_STALE_HANDLE: 'release each reference once and forget the number with it',
  POOL_ERR_FOREIGN_HANDLE: 'use a handle only with the pool it came from',
  POOL_ERR_NOT_HELD: 'send references through a channel, or with lend() and adopt(); a bare number carries none',
  POOL_ERR_REF_OVERFLOW: 'release or adopt what is out; at most 65,535 references a fragment, and a port and page',
  POOL_ERR_NOT_DETACHABLE: 'retain the fragment instead of pinning its page',
  POOL_ERR_DESTROYED: 'create a pool, or attach to one that lives',
  POOL_ERR_CLOSING: 'release what is held and stop allocating',
  POOL_ERR_NO_PORT: 'detach where the pool is no longer used, or create it with more maxPorts',
  POOL_ERR_ABI_MISMATCH: 'load the same version of the package in every thread',
  POOL_ERR_CORRUPT: 'pass on what share() returned, unchanged, while the pool lives',
  POOL_ERR_NOT_SHARED: 'allow shared memory: in browsers the page must be cross-origin isolated',
  POOL_ERR_PROVIDER: 'see the cause of the error; a provider only uses its context',
  POOL_ERR_CHANNEL_CLOSED: 'stop sending; entries inside can still be received',
  POOL_ERR_TOKEN_SPENT: 'use each token once',
  POOL_ERR_PEER_GONE: 'ask again where that does no harm: what the thread did is not known',
  POOL_ERR_CALL_FAILED: "see the message, which is the handler's; mend the handler or the request",
  POOL_ERR_TIMEOUT: 'wait longer, or do what the message names for those who hold the pages',
};

/** The same of those that bundlers leave out of what only attaches. */
export const FURTHER_REMEDIES: Readonly<Record<FurtherCode, string>> = {
  POOL_ERR_UNREADABLE: 'ask isReadable() first, and send the handle to the thread that has the device',
  POOL_ERR_MEMORY_LIMIT: 'ask for fewer or smaller pages; end a stream whose messages are too long',
};

/** How an error of each code comes about: for the documentation, so bundlers leave it out. */
const CAUSES: Readonly<Record<PagePoolErrorCode, string>> = {
  POOL_ERR_INVALID_ARGUMENT: 'an option or an argument has the wrong type or lies outside its range',
  POOL_ERR_STALE_HANDLE:
    'the fragment that the handle named was released by its last holder, or the number never was a handle',
  POOL_ERR_FOREIGN_HANDLE: 'the number names a unit that this pool does not have',
  POOL_ERR_NOT_HELD: 'this thread holds no reference on the page',
  POOL_ERR_REF_OVERFLOW: 'one more reference, or one more token, than the pool can count',
  POOL_ERR_UNREADABLE: 'the processor cannot read this memory',
  POOL_ERR_NOT_DETACHABLE: 'the provider must have all its pages back, so none may be pinned',
  POOL_ERR_DESTROYED: 'the pool is destroyed, or this thread detached from it',
  POOL_ERR_CLOSING: 'destroy() or close() was called: pages come home, none goes out',
  POOL_ERR_NO_PORT: 'as many threads are attached as the pool has ports',
  POOL_ERR_ABI_MISMATCH: 'the pool was made by a version of the package that lays memory out differently',
  POOL_ERR_CORRUPT: 'the memory does not hold the pool that the share describes',
  POOL_ERR_NOT_SHARED: 'the pool lives in memory that other threads cannot see',
  POOL_ERR_MEMORY_LIMIT: 'the platform refused the memory, or a message of a stream is longer than was allowed',
  POOL_ERR_PROVIDER: 'a memory provider failed, or called back into the pool',
  POOL_ERR_CHANNEL_CLOSED: 'the channel takes no more entries',
  POOL_ERR_TOKEN_SPENT: 'the token was used before, or its reference was reclaimed',
  POOL_ERR_PEER_GONE: 'the thread that served the call ended, or left, before it answered',
  POOL_ERR_CALL_FAILED: 'the handler of a call threw, or gave what is no answer',
  POOL_ERR_TIMEOUT: 'the wait was not answered within timeoutMs',
};

/** The row of every code, with cause and remedy: what docs/errors.md is made from. */
export function errorTable(): { code: PagePoolErrorCode; cause: string; remedy: string }[] {
  const remedies = { ...REMEDIES, ...FURTHER_REMEDIES };
  const codes = Object.keys(CAUSES) as PagePoolErrorCode[];
  return codes.map((code) => ({ code, cause: CAUSES[code], remedy: remedies[code] }));
}

/**
 * What this package throws on misuse. `code` is the kind; the message names what failed, `name=value (expected
 * rule)`, and what to do. An empty pool or a full channel is a value, never an error; an aborted wait throws the
 * signal's reason.
 *
 * @example
 * try {
 *   pool.release(handle);
 * } catch (error) {
 *   if (error instanceof PagePoolError && error.code === 'POOL_ERR_STALE_HANDLE') report(error);
 *   else throw error;
 * }
 */
export class PagePoolError extends Error {
  readonly code: PagePoolErrorCode;
  /** In bulk calls: the index of the first item that was refused; those before it went through. */
  readonly index: number | undefined;

  constructor(code: PagePoolErrorCode, message: string, options?: { cause?: unknown; index?: number | undefined }) {
    super(message, options);
    this.name = 'PagePoolError';
    this.code = code;
    this.index = options?.index;
  }
}

/** A value as an error message shows it: short, and never through the value's own code. */
export function show(value: unknown): string {
  const type = typeof value;
  if (typeof value === 'string') return JSON.stringify(value.length > 40 ? `${value.slice(0, 40)}…` : value);
  if (type === 'object') return value === null ? 'null' : isArray(value) ? 'array' : type;
  if (type === 'function') return type;
  if (type === 'bigint') return `${value}n`;
  return Object.is(value, -0) ? '-0' : String(value);
}

interface ErrorParts {
  readonly cause?: unknown;
  readonly index?: number | undefined;
}

/**
 * An error in the words of all of them: `call failed: found (expected rule); todo`.
 *
 * @param todo what to do; the remedy of the code if not given
 */
export function callError(
  code: CommonCode,
  call: string,
  found: string,
  rule: string,
  todo?: string,
  options?: ErrorParts,
): PagePoolError;
export function callError(
  code: PagePoolErrorCode,
  call: string,
  found: string,
  rule: string,
  todo: string,
  options?: ErrorParts,
): PagePoolError;
export function callError(
  code: PagePoolErrorCode,
  call: string,
  found: string,
  rule: string,
  todo: string = REMEDIES[code as CommonCode],
  options?: ErrorParts,
): PagePoolError {
  return new PagePoolError(code, `${call} failed: ${found} (expected ${rule}); ${todo}`, options);
}

/** The message of a thrown value, whatever it is. */
export function reasonOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** The error for `name=value (expected rule)`. */
export function invalidArgument(
  call: string,
  name: string,
  value: unknown,
  rule: string,
  todo?: string,
): PagePoolError {
  return callError('POOL_ERR_INVALID_ARGUMENT', call, `${name}=${show(value)}`, rule, todo);
}

/** The same as a `RangeError`, for the one call whose contract names it. */
export function invalidRange(call: string, name: string, value: number, rule: string, todo: string): RangeError {
  return Object.assign(new RangeError(`${call} failed: ${name}=${show(value)} (expected ${rule}); ${todo}`), {
    code: 'POOL_ERR_INVALID_ARGUMENT' as const,
  });
}

/** Throws unless `value` is an integer in [min, max]. */
export function requireInteger(call: string, name: string, value: unknown, min: number, max: number): void {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < min || value > max) {
    throw invalidArgument(call, name, value, `an integer, ${min}..${max}`);
  }
}

/** The option of that name, false if it is not given; throws unless it is a boolean and `options` has no other. */
export function requireFlag(call: string, options: unknown, name: string): boolean {
  const { [name]: value = false } = requireRecord(call, 'options', options ?? {}, [name]);
  if (typeof value !== 'boolean') throw invalidArgument(call, name, value, 'a boolean');
  return value;
}

/** Throws unless `value` is a number of milliseconds; Infinity is one. */
export function requireMilliseconds(call: string, name: string, value: unknown): asserts value is number {
  if (typeof value !== 'number' || !(value >= 0)) {
    throw invalidArgument(call, name, value, 'a number of milliseconds, 0 or more');
  }
}

/**
 * What `value` has of `names`, or all that it has: read once, so that what is used is what was checked, and the
 * caller's own code runs before anything is changed. Throws unless it is an object with no other keys.
 */
export function requireRecord(
  call: string,
  name: string,
  value: unknown,
  names?: readonly string[],
): Record<string, unknown> {
  if (typeof value !== 'object' || value === null || isArray(value)) {
    throw invalidArgument(call, name, value, 'an object');
  }
  const given = value as Record<string, unknown>;
  let keys: readonly string[];
  const record: Record<string, unknown> = {};
  try {
    keys = Object.keys(given);
    for (const key of names ?? keys) {
      const each = given[key];
      if (each !== undefined || names === undefined) record[key] = each;
    }
  } catch (cause) {
    throw callError('POOL_ERR_INVALID_ARGUMENT', call, `${name}=object`, 'one that can be read', undefined, { cause });
  }
  const unknown = names === undefined ? undefined : keys.find((key) => !names.includes(key));
  if (unknown === undefined) return record;
  const path = name === 'options' ? unknown : `${name}.${unknown}`;
  throw invalidArgument(call, path, ownValue(given, unknown), `no such option; there are ${names?.join(', ')}`);
}

/** A property for a message: not asked for where it is the caller's code. */
function ownValue(given: object, key: string): unknown {
  try {
    return Object.getOwnPropertyDescriptor(given, key)?.value;
  } catch {
    return undefined;
  }
}

/** Whether it is an array: Array.isArray of a revoked proxy throws. */
export function isArray(value: unknown): boolean {
  return is(() => Array.isArray(value));
}

/** Whether `check` is true; false where it runs code of the caller that throws. */
export function is(check: () => unknown): boolean {
  try {
    return check() === true;
  } catch {
    return false;
  }
}

/** The error for a value that cannot be a handle. */
export function invalidHandle(call: string, value: unknown): PagePoolError {
  const todo =
    value === 0 ? 'test for 0 what alloc() returns: it means an empty pool' : 'pass a handle as it was received';
  return invalidArgument(call, 'handle', value, 'an integer, 0 < handle < 2^30', todo);
}

/** What the engines' codes mean: the error's code, and what was expected of the value. */
const ENGINE_ERRORS: Readonly<Record<number, readonly [CommonCode, string, todo?: string]>> = {
  [ERR_STALE_HANDLE]: ['POOL_ERR_STALE_HANDLE', 'a handle whose fragment lives'],
  [ERR_FOREIGN_HANDLE]: ['POOL_ERR_FOREIGN_HANDLE', 'a handle of this pool'],
  [ERR_NOT_HELD]: ['POOL_ERR_NOT_HELD', 'a fragment that this thread holds a reference on'],
  [ERR_REF_OVERFLOW]: ['POOL_ERR_REF_OVERFLOW', 'at most 65,535 references'],
  [ERR_NOT_DETACHABLE]: ['POOL_ERR_NOT_DETACHABLE', 'a page that may leave the pool'],
  [ERR_CHANNEL_CLOSED]: ['POOL_ERR_CHANNEL_CLOSED', 'an open channel'],
  [ERR_TOKEN_SPENT]: ['POOL_ERR_TOKEN_SPENT', 'a token that was not used before'],
  [ERR_RANGE]: ['POOL_ERR_INVALID_ARGUMENT', 'offset and length inside the fragment'],
  [ERR_PIN]: ['POOL_ERR_TOKEN_SPENT', 'a page with pins to undo'],
  [ERR_NO_REPLY_SLOT]: ['POOL_ERR_REF_OVERFLOW', 'fewer calls of this thread that are not answered yet'],
  [ERR_CALL_OVER]: ['POOL_ERR_STALE_HANDLE', 'a call that is not over'],
  [ERR_NO_TOKEN]: [
    'POOL_ERR_REF_OVERFLOW',
    'fewer than 256 fragments lent and not yet adopted',
    'adopt what is lent, or take it back with reclaimTokens()',
  ],
};

/**
 * The error for an engine's negative result.
 *
 * @param call what failed, as its caller knows it: 'release'
 * @param name the argument that was refused, with `value`
 */
export function engineError(code: number, call: string, name: string, value: unknown, index?: number): PagePoolError {
  const [publicCode, rule, todo] = ENGINE_ERRORS[code] ?? ['POOL_ERR_CORRUPT', `a known result, not ${code}`];
  const at = index === undefined ? '' : ` at index ${index}`;
  return new PagePoolError(
    publicCode,
    `${call} failed${at}: ${name}=${show(value)} (expected ${rule}); ${todo ?? REMEDIES[publicCode]}`,
    index === undefined ? undefined : { index },
  );
}
