// capabilities(): what this realm allows, and what each API does with a view on a pool's memory.
//
// Found out by trying, in the first call; versions are named for the reader and decide nothing. Any thread: answers
// differ between a page and its workers.

import { chooseMemory, hasWaitAsync, type MemoryKind, takesSharedWasmMemory } from '../platform/capabilities.js';
import { apis, verdictOf } from './known.js';
import { type BorderApi, needsCopy, type Verdict } from './verdict.js';

/** Which program runs this. */
export interface Runtime {
  readonly name: 'node' | 'bun' | 'deno' | 'browser' | 'unknown';
  /** As the program reports it; in a browser its user agent. */
  readonly version: string;
}

/** What an API does with a view on pages. */
export interface ViewSupport {
  readonly verdict: Verdict;
  /** Whether `sendable` copies for it. */
  readonly copies: boolean;
}

/** What this realm allows. */
export interface Capabilities {
  readonly runtime: Runtime;
  /** Where the memory of a pool would lie here; local: it cannot be shared. */
  readonly memory: MemoryKind;
  /** Why it is not better; empty where it is shared Wasm memory. */
  readonly reason: string;
  /** `crossOriginIsolated`; null where pages have no such thing. */
  readonly isIsolated: boolean | null;
  /** Whether Wasm may be compiled: a content security policy can forbid it. */
  readonly wasm: boolean;
  readonly waitAsync: boolean;
  /** Whether this thread may block: `waitSync`. */
  readonly canBlock: boolean;
  /** Web Locks that are granted, which show that threads died. */
  readonly locks: boolean;
  /** Why there are none; empty where there are. */
  readonly locksReason: string;
  /** What a sandbox takes away here: a frame of an opaque origin, Node's permissions; empty where there is none. */
  readonly sandbox: string;
  /** Whether the platform's objects are of another realm than this one's classes: in jest, in `node:vm`. */
  readonly isForeignRealm: boolean;
  readonly memory64: boolean;
  /** By API. */
  readonly views: Readonly<Record<BorderApi, ViewSupport>>;
}

let found: Promise<Capabilities> | undefined;

/**
 * What this realm allows; the same object at every call. The first one takes some 10 to 100 ms, since everything is
 * tried.
 */
export function capabilities(): Promise<Capabilities> {
  found ??= detect();
  return found;
}

async function detect(): Promise<Capabilities> {
  const { kind, reason } = chooseMemory();
  const locksReason = await whyNoLocks();
  const rows = await Promise.all(
    apis.map(async (api): Promise<[BorderApi, ViewSupport]> => {
      const verdict = await verdictOf(api);
      return [api, { verdict, copies: needsCopy(api, verdict) }];
    }),
  );
  return {
    runtime: runtime(),
    memory: kind,
    reason,
    isIsolated: (globalThis as { crossOriginIsolated?: boolean }).crossOriginIsolated ?? null,
    wasm: compilesWasm(),
    waitAsync: hasWaitAsync(),
    canBlock: canBlock(),
    locks: locksReason === '',
    locksReason,
    sandbox: sandbox(),
    isForeignRealm: isForeignRealm(),
    memory64: takesSharedWasmMemory(true),
    views: Object.fromEntries(rows) as Record<BorderApi, ViewSupport>,
  };
}

function runtime(): Runtime {
  const { Bun, Deno, process, navigator } = globalThis as {
    Bun?: { version: string };
    Deno?: { version: { deno: string } };
    process?: { versions?: { node?: string } };
    navigator?: { userAgent?: string };
  };
  if (Bun !== undefined) return { name: 'bun', version: Bun.version };
  if (Deno !== undefined) return { name: 'deno', version: Deno.version.deno };
  if (process?.versions?.node !== undefined) return { name: 'node', version: process.versions.node };
  const version = navigator?.userAgent ?? '';
  return { name: version === '' ? 'unknown' : 'browser', version };
}

/** Whether an empty module compiles. */
function compilesWasm(): boolean {
  try {
    new WebAssembly.Module(Uint8Array.of(0, 97, 115, 109, 1, 0, 0, 0));
    return true;
  } catch {
    return false;
  }
}

function canBlock(): boolean {
  try {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 0);
    return true;
  } catch {
    return false;
  }
}

/** By asking: a frame of an opaque origin has them, and is refused. */
async function whyNoLocks(): Promise<string> {
  const { navigator } = globalThis as { navigator?: { locks?: { query?: () => Promise<unknown> } } };
  if (typeof navigator?.locks?.query !== 'function') return 'this realm has none';
  try {
    await navigator.locks.query();
    return '';
  } catch (error) {
    return `they are refused: ${(error as Error).name}`;
  }
}

function sandbox(): string {
  const { origin, process } = globalThis as {
    origin?: unknown;
    process?: { permission?: { has(right: string): boolean } };
  };
  if (process?.permission?.has('worker') === false) return 'Node may not make workers: --allow-worker';
  return origin === 'null' && process === undefined ? 'this frame has an opaque origin: allow-same-origin' : '';
}

/** Node's Buffers are Uint8Arrays of the realm that the process began with. */
function isForeignRealm(): boolean {
  const { process } = globalThis as { process?: { getBuiltinModule?(name: string): unknown } };
  const module = process?.getBuiltinModule?.('node:buffer') as { Buffer: { prototype: object } } | undefined;
  return module !== undefined && Object.getPrototypeOf(module.Buffer.prototype) !== Uint8Array.prototype;
}
