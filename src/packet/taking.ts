// Packets of new memory: as many pages as it takes, all of them or none.
//
// A thread that waits for several pages counts before it takes: it takes none as long as there are too few. Two such
// threads that took what there is and returned it would wake each other for ever. Those that want one page may be
// served before: a wait for many can last.

import { CONTROL_BASE, HEADER_FRESH_OFFSET } from '../../assembly/layout.js';
import { press } from '../control/ending.js';
import { loadWord, magazineCount, portMagazines, ringPages } from '../control/nodes.js';
import { invalidArgument, invalidRange } from '../errors.js';
import { monotonicMs } from '../platform/clock.js';
import { freedOf, portOf } from '../pool/enrolled.js';
import type { PagePool, UnreadablePool } from '../pool/page-pool.js';
import { allocBulk } from '../port/bursts.js';
import type { Port } from '../port/port.js';
import { requireWaitOptions, type WaitOptions, waitFor } from '../port/waiting.js';
import type { Units } from '../port/waits.js';
import { seekPages } from '../port/want.js';
import { type Packet, packetOf } from './packet.js';
import { Part } from './part.js';
import type { UnreadablePacket } from './unreadable.js';

/** After a try that others were faster at, this long or longer none: what it returned woke them. */
const REST_MS = 1;
const REST_MS_MAX = 16;

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
export function takePacket(pool: PagePool, bytes: number): Packet | null;
export function takePacket(pool: UnreadablePool, bytes: number): UnreadablePacket | null;
export function takePacket(pool: PagePool | UnreadablePool, bytes: number): Packet | null {
  const port = portOf('takePacket', pool as PagePool);
  requireSize('takePacket', bytes, port);
  return take(port, 'takePacket', bytes);
}

/**
 * The same, waiting until there are enough pages at one time. This thread's cached pages go to the others meanwhile.
 *
 * @throws as `takePacket`; PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
 */
export function takePacketAsync(pool: PagePool, bytes: number, options?: WaitOptions): Promise<Packet>;
export function takePacketAsync(pool: UnreadablePool, bytes: number, options?: WaitOptions): Promise<UnreadablePacket>;
export async function takePacketAsync(
  pool: PagePool | UnreadablePool,
  bytes: number,
  options?: WaitOptions,
): Promise<Packet> {
  const call = 'takePacketAsync';
  const waitOptions = requireWaitOptions(call, options);
  const port = portOf(call, pool as PagePool);
  requireSize(call, bytes, port);
  const pages = Math.ceil(bytes / port.geometry.pageBytes);
  let isFirst = true;
  let restMs = REST_MS;
  let restUntilMs = 0;
  const hasEnough = (): boolean => takeablePages(port) >= pages;
  const probe = (): Packet | undefined => {
    // Before the port parks, the rest may fit into its open page. One page is taken or not: nothing is returned.
    const isDirect = isFirst || pages === 1;
    isFirst = false;
    if (!isDirect && !(hasEnough() || findMore(port, call, pages, hasEnough))) return undefined;
    if (!isDirect && monotonicMs() < restUntilMs) return undefined;
    const packet = take(port, call, bytes);
    if (packet !== null) return packet;
    // At random, so that two do not try at the same moments.
    restUntilMs = monotonicMs() + restMs * (1 + Math.random());
    restMs = Math.min(2 * restMs, REST_MS_MAX);
    return undefined;
  };
  const what = pages === 1 ? 'a page' : `${pages} pages`;
  const event = freedOf(pool as PagePool);
  // Chosen for one of several pages it would only stand in the way of those who want one.
  const units: Units = pages === 1 ? 'one' : 'none';
  return waitFor({ call, port, event, probe, units, what, isReported: true }, waitOptions);
}

function requireSize(call: string, bytes: number, { geometry }: Port): void {
  const most = geometry.pageBytes * geometry.pageCount;
  const rule = `an integer, 1..${most}, what all pages hold`;
  if (!Number.isInteger(bytes) || bytes < 1) throw invalidArgument(call, 'bytes', bytes, rule);
  if (bytes > most) throw invalidRange(call, 'bytes', bytes, rule, 'create the pool with more pages');
}

/** The packet, or null: nothing is taken then. */
function take(port: Port, call: string, bytes: number): Packet | null {
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

/** Asks the other ports and the provider for pages. */
function findMore(port: Port, call: string, pages: number, hasEnough: () => boolean): boolean {
  press(port);
  return seekPages(port, call, pages, () => (hasEnough() ? pages : 0)) !== 0;
}

/** Pages that this port could take now, one after the other; approximate while other threads work. */
function takeablePages({ geometry, id, memory }: Port): number {
  let pages = ringPages(memory, geometry);
  for (let other = 0; other < geometry.maxPorts; other++) {
    const [loaded, merge, spare] = portMagazines(memory, geometry, other);
    pages += magazineCount(memory, geometry, spare);
    if (other === id) pages += magazineCount(memory, geometry, loaded) + magazineCount(memory, geometry, merge);
  }
  for (let word = 0; word <= geometry.pageCount >>> 5; word++) {
    pages += bits(loadWord(memory, geometry.supplyBitsOffset + 4 * word));
  }
  // Fresh pages of the pool's own memory have no bits.
  const fresh = loadWord(memory, CONTROL_BASE + HEADER_FRESH_OFFSET);
  return pages + Math.max(0, geometry.ownPages + 1 - Math.max(fresh, 1));
}

/** How many bits of the word are set. */
function bits(word: number): number {
  let left = word;
  let count = 0;
  for (; left !== 0; left &= left - 1) count++;
  return count;
}
