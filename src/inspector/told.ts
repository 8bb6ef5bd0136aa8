// What the pool's thread publishes by node:diagnostics_channel, as sentences for the page.

import type { HeardStall, PoolEvent } from './wire.js';

const KINDS = ['stall', 'reap', 'leak', 'drop', 'close', 'grow'] as const;

/** The names of the diagnostics channels that an inspector listens to. */
export const DIAGNOSTICS: readonly string[] = KINDS.map((kind) => `pagepool:${kind}`);

/** The event that a message is, if it is about the pool of that name. */
export function eventOf(channel: string, message: unknown, pool: string): PoolEvent | null {
  const kind = KINDS.find((each) => channel === `pagepool:${each}`);
  if (kind === undefined || typeof message !== 'object' || message === null) return null;
  const { pool: name, text } = message as { pool?: unknown; text?: unknown };
  if (name !== pool || typeof text !== 'string') return null;
  return { at: Date.now(), kind, text, ...(kind === 'stall' ? { stall: stallOf(message) } : {}) };
}

/** What is used of a `StallReport`; undefined where somebody else published something. */
function stallOf(message: Readonly<Partial<HeardStall>>): HeardStall | undefined {
  const { portId, waits } = message;
  if (typeof portId !== 'number' || !Array.isArray(waits)) return undefined;
  return { portId, waits: waits.map(({ ms, what }) => ({ ms: Number(ms), what: String(what) })) };
}
