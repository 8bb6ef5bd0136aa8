// Packets of new memory: as many pages as it takes, all of them or none.
//
// Whoever waits for several pages takes none as long as there are too few (src/port/takers.ts). Those that want one
// page may be served before: a wait for many can last.

import { invalidArgument, invalidRange } from '../errors.js';
import { touchDeepStack } from '../platform/stack.js';
import type { UnreadableAttachedPool } from '../pool/attach.js';
import type { AttachedPool } from '../pool/attached-pool.js';
import { portOf, takersOf } from '../pool/enrolled.js';
import { allocBulk } from '../port/bursts.js';
import type { Port } from '../port/port.js';
import { requireWaitOptions, type WaitOptions } from '../port/waiting.js';
import { seekPages } from '../port/want.js';
import { type Packet, packetOf } from './packet.js';
import { Part } from './part.js';
import type { UnreadablePacket } from './unreadable.js';

/**
 * A packet of `bytes` new bytes, over as many fragments as it takes: whole pages, and one for the rest. Null when the
 * pool has too few pages now; none is taken then. What the bytes hold is undefined.
 *
 * @param bytes 1..pageBytes * pageCount; a packet of more windows than a channel's `batch` does not travel whole
 * @throws RangeError with code POOL_ERR_INVALID_ARGUMENT when `bytes` is more than the pool has; PagePoolError
 *   POOL_ERR_INVALID_ARGUMENT for no size at all; POOL_ERR_CLOSING, POOL_ERR_DESTROYED, POOL_ERR_PROVIDER
 * @example
 * using packet = takePacket(pool, 100_000);
 * if (packet !== null) for (const view of packet) view.fill(0);
 */
export function takePacket(pool: AttachedPool, bytes: number): Packet | null;
export function takePacket(pool: UnreadableAttachedPool, bytes: number): UnreadablePacket | null;
export function takePacket(pool: AttachedPool | UnreadableAttachedPool, bytes: number): Packet | null {
  const port = portOf('takePacket', pool as AttachedPool);
  requireSize('takePacket', bytes, port);
  return take(port, 'takePacket', bytes);
}

/**
 * The same, waiting until there are enough pages at one time. This thread's cached pages go to the others meanwhile. It
 * may wait for as long as others take single pages.
 *
 * @throws as `takePacket`; PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
 */
export function takePacketAsync(pool: AttachedPool, bytes: number, options?: WaitOptions): Promise<Packet>;
export function takePacketAsync(
  pool: UnreadableAttachedPool,
  bytes: number,
  options?: WaitOptions,
): Promise<UnreadablePacket>;
export async function takePacketAsync(
  pool: AttachedPool | UnreadableAttachedPool,
  bytes: number,
  options?: WaitOptions,
): Promise<Packet> {
  const call = 'takePacketAsync';
  const waitOptions = requireWaitOptions(call, options);
  const port = portOf(call, pool as AttachedPool);
  requireSize(call, bytes, port);
  const pages = Math.ceil(bytes / port.geometry.pageBytes);
  const taken = (): Packet | undefined => take(port, call, bytes) ?? undefined;
  return takersOf(pool as AttachedPool).take({ call, pages, take: taken }, waitOptions);
}

function requireSize(call: string, bytes: number, { geometry }: Port): void {
  const most = geometry.pageBytes * geometry.pageCount;
  const rule = `an integer, 1..${most}, what all pages hold`;
  if (!Number.isInteger(bytes) || bytes < 1) throw invalidArgument(call, 'bytes', bytes, rule);
  if (bytes > most) throw invalidRange(call, 'bytes', bytes, rule, 'create the pool with more pages');
}

/** The packet, or null: nothing is taken then. */
function take(port: Port, call: string, bytes: number): Packet | null {
  touchDeepStack();
  const { engine, geometry } = port;
  const { pageBytes } = geometry;
  const rest = bytes % pageBytes;
  const handles = new Uint32Array(Math.floor(bytes / pageBytes));
  if (handles.length > 0 && !allocBulk(port, call, handles, handles.length)) return null;
  let last = 0;
  try {
    const ask = (): number => engine.allocFragment(rest);
    if (rest > 0) last = ask() || seekPages(port, call, 1, ask);
  } finally {
    if (rest > 0 && last === 0) for (const handle of handles) engine.release(handle);
  }
  if (rest > 0 && last === 0) return null;
  const parts = Array.from(handles, (handle) => new Part(port, handle, 0, pageBytes));
  if (rest > 0) parts.push(new Part(port, last, 0, rest));
  return packetOf(port, parts, 0);
}
