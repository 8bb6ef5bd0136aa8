// Packets through channels: each one message, whole or not at all, and no copy.
//
// A packet's windows are the entries of one node (src/control/messages.ts), which one compare-exchange moves: nobody
// ever sees a part of it, whoever else sends, and whatever the channel drops. The references travel in the entries, so
// a death between two steps leaves each where a reaper finds it: docs/packets.md has the argument.

import { EMPTY, FULL, LANE_DROPPED_OFFSET, OK } from '../../assembly/layout.js';
import { ENTRY_WORDS, moreMask, nextMessage } from '../control/messages.js';
import { laneOffset } from '../control/nodes.js';
import { invalidArgument } from '../errors.js';
import { outerEntrances } from '../leaks/call-stack.js';
import { isWord } from '../numbers.js';
import { monotonicMs } from '../platform/clock.js';
import { touchDeepStack } from '../platform/stack.js';
import { type Channel, type ChannelEnd, closedChannelError, endOfChannel } from '../pool/channel.js';
import { foreignError } from '../pool/fragment.js';
import type { UnreadableChannel } from '../pool/unreadable.js';
import { destroyedError, refusal } from '../port/port.js';
import { requireWaitOptions, type TimedWait, type Wait, type WaitOptions, waitFor } from '../port/waiting.js';
import type { Units } from '../port/waits.js';
import { isPacket, type Packet, packetOf, partsOf, portOfPacket, spendPacket } from './packet.js';
import { ownParts, Part, shareAgain } from './part.js';
import type { UnreadablePacket } from './unreadable.js';

/** At run time there is one class of each. */
type AnyChannel = Channel | UnreadableChannel;
type AnyPacket = Packet | UnreadablePacket;

const WORD_MAX = 0xffffffff;

/** This thread's end of a channel, and the parts of a message that could not be taken to its end. */
interface PacketEnd extends ChannelEnd {
  begun: { readonly parts: Part[]; tag: number } | undefined;
}

const ends = new WeakMap<AnyChannel, PacketEnd>();

function endOf(channel: AnyChannel, call: string): PacketEnd {
  let end = ends.get(channel);
  if (end === undefined) {
    try {
      end = { ...endOfChannel(channel as Channel), begun: undefined };
    } catch {
      throw invalidArgument(call, 'channel', channel, 'a Channel');
    }
    ends.set(channel, end);
    if (!outerEntrances.includes(receivePacket)) outerEntrances.push(receivePacket, nextPacket, iterate);
  }
  return end;
}

/**
 * Sends a packet as one message. True: its references went along, and it is empty (or the channel's policy dropped a
 * message, whole, and released it); false: the channel is full, and the packet is as it was. Four locked operations
 * with the receipt, whatever its parts.
 *
 * @param tag a u32 for the receiver
 * @throws PagePoolError POOL_ERR_INVALID_ARGUMENT when the packet has no window, or more than the channel's `batch` or
 *   `capacity`: `coalesce()` it; POOL_ERR_REF_OVERFLOW when a window whose reference others have, too, can have none of
 *   its own; POOL_ERR_CHANNEL_CLOSED, POOL_ERR_FOREIGN_HANDLE, POOL_ERR_STALE_HANDLE, POOL_ERR_NOT_HELD; nothing
 *   changed then
 */
export function sendPacket(channel: Channel, packet: Packet, tag?: number): boolean;
export function sendPacket(channel: UnreadableChannel, packet: UnreadablePacket, tag?: number): boolean;
export function sendPacket(channel: AnyChannel, packet: AnyPacket, tag = 0): boolean {
  const end = endOf(channel, 'sendPacket');
  return send('sendPacket', end, packet, requireSendable('sendPacket', end, packet, tag), tag);
}

/** The packet's parts; throws where it can never be sent. */
function requireSendable(call: string, end: ChannelEnd, packet: AnyPacket, tag: number): readonly Part[] {
  requirePacket(call, packet);
  const parts = requireParts(call, packet, end.geometry);
  if (!isWord(tag)) throw invalidArgument(call, 'tag', tag, `an integer, 0..${WORD_MAX}`);
  if (portOfPacket(packet) !== end.port) throw foreignError(call, parts[0]?.handle);
  return parts;
}

function send(call: string, end: ChannelEnd, packet: AnyPacket, parts: readonly Part[], tag: number): boolean {
  touchDeepStack();
  const { port, index, geometry } = end;
  const { engine, scratch } = port;
  const shares = ownParts(port, call, parts);
  let at = 0;
  for (const { handle, offset, length } of parts) {
    scratch.own[at++] = handle;
    scratch.own[at++] = offset;
    scratch.own[at++] = length;
    scratch.own[at++] = tag;
  }
  if (engine.sendBurst(index, scratch.ownAddress, parts.length, moreMask(parts.length)) === parts.length) {
    spendPacket(packet as Packet);
    end.tellDrops();
    return true;
  }
  const code = engine.lastError();
  if (shares !== undefined) shareAgain(port, parts, shares);
  if (code !== FULL) throw refusal(code, call, 'packet', parts[0]?.handle);
  if (geometry.whenFull !== 'drop-newest') return false;
  const dropped = (laneOffset(geometry, port.id) + LANE_DROPPED_OFFSET) >>> 2;
  const { length } = parts;
  packet.release(); // first of all: where it throws, the packet is as it was
  // Plain: a lane's counters are its port's own.
  port.memory.u32[dropped] = (port.memory.u32[dropped] as number) + length;
  end.tellDrops();
  return true;
}

/**
 * The same, waiting for room. When it resolves the packet is empty; when it rejects the packet is still the caller's,
 * as it is until then: leave it alone meanwhile. What one thread sends to a channel this way, or by `sendAsync`,
 * arrives in the order of its calls.
 *
 * @throws PagePoolError as `sendPacket`; POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
 */
export function sendPacketAsync(channel: Channel, packet: Packet, tag?: number, options?: WaitOptions): Promise<void>;
export function sendPacketAsync(
  channel: UnreadableChannel,
  packet: UnreadablePacket,
  tag?: number,
  options?: WaitOptions,
): Promise<void>;
export async function sendPacketAsync(
  channel: AnyChannel,
  packet: AnyPacket,
  tag = 0,
  options?: WaitOptions,
): Promise<void> {
  const call = 'sendPacketAsync';
  const waitOptions = requireWaitOptions(call, options);
  const end = endOf(channel, call);
  requireSendable(call, end, packet, tag);
  // The packet is its caller's meanwhile: what it is then is sent.
  const probe = (): true | undefined =>
    send(call, end, packet, requireSendable(call, end, packet, tag), tag) || undefined;
  await end.line.waitFor(roomFor(call, end, channel, packet as Packet, probe), waitOptions);
}

/** A wait for room for the packet. */
function roomFor<T>(
  call: string,
  { port, index, geometry, quoted, notFull: event }: ChannelEnd,
  channel: AnyChannel,
  packet: Packet,
  probe: () => T | undefined,
): TimedWait<T> {
  // A channel that drops messages takes one at any time: sendPacket drops for it what the engine refuses.
  const isPatient = geometry.whenFull === 'refuse';
  const ask = (): boolean => !isPatient || channel.isClosed || port.engine.canSend(index, partsOf(packet).length) !== 0;
  const what = `room in channel ${quoted}`;
  const units: Units = partsOf(packet).length > 1 ? 'several' : 'one';
  return { call, port, event, probe, ask, units, startMs: monotonicMs(), what, isReported: true };
}

function requirePacket(call: string, packet: AnyPacket): asserts packet is Packet {
  if (!isPacket(packet)) throw invalidArgument(call, 'packet', packet, 'a Packet');
}

function requireParts(call: string, packet: Packet, { batch, capacity }: ChannelEnd['geometry']): readonly Part[] {
  const parts = partsOf(packet);
  const limit = Math.min(batch, capacity);
  if (parts.length >= 1 && parts.length <= limit) return parts;
  const wider = capacity < batch ? 'capacity' : 'batch, up to 32';
  throw invalidArgument(
    call,
    "the packet's parts",
    parts.length,
    `1..${limit}, what fits into a node of the channel`,
    parts.length === 0 ? 'append something first' : `coalesce() it, or declare the channel with a larger ${wider}`,
  );
}

/**
 * The oldest message as a packet that the caller releases, or null when the channel is empty. What was sent as single
 * entries comes as packets of one window.
 *
 * @throws PagePoolError POOL_ERR_REF_OVERFLOW when this thread already holds 65,535 references on a page; nothing is
 *   lost, and the next call goes on where this one stopped
 */
export function receivePacket(channel: Channel): Packet | null;
export function receivePacket(channel: UnreadableChannel): UnreadablePacket | null;
export function receivePacket(channel: AnyChannel): Packet | null {
  touchDeepStack();
  const end = endOf(channel, 'receivePacket');
  const { port, index, geometry } = end;
  const message = end.begun ?? { parts: [], tag: 0 };
  const { parts } = message;
  for (;;) {
    const { entries, isRest } = nextMessage(port.memory, geometry, port.id);
    if (parts.length > 0 && !isRest) {
      const packet = packetOf(port, parts, message.tag);
      end.begun = undefined;
      return packet;
    }
    // Where the inbox is empty, the first entry of what comes has how many follow it there.
    const wanted = Math.max(1, entries);
    const { engine, scratch } = port;
    const received = engine.receiveBurst(index, scratch.ownAddress, wanted);
    if (end.notEmpty.owes) end.notEmpty.settle(false);
    for (let at = 0; at < received * ENTRY_WORDS; at += ENTRY_WORDS) {
      const [handle = 0, offset = 0, length = 0, own = 0] = scratch.own.subarray(at, at + ENTRY_WORDS);
      parts.push(new Part(port, handle, offset, length));
      message.tag = own;
    }
    // What came is kept, whatever happens: the next call goes on with it.
    if (parts.length > 0) end.begun = message;
    if (received === wanted) continue;
    const code = engine.lastError();
    if (code === EMPTY || code === OK) return null;
    throw refusal(code, 'receivePacket', 'channel', channel.name);
  }
}

/**
 * The next message as a packet that the caller releases; null when the channel is closed and empty.
 *
 * @throws PagePoolError POOL_ERR_TIMEOUT when `timeoutMs` is over; an aborted signal's reason
 */
export function nextPacket(channel: Channel, options?: WaitOptions): Promise<Packet | null>;
export function nextPacket(channel: UnreadableChannel, options?: WaitOptions): Promise<UnreadablePacket | null>;
export async function nextPacket(channel: AnyChannel, options?: WaitOptions): Promise<Packet | null> {
  const { port, index, quoted, notEmpty: event } = endOf(channel, 'nextPacket');
  const ask = (): boolean => port.engine.canReceive(index) !== 0 || channel.isClosed;
  const probe = (): Packet | null | undefined => {
    // Closed first: what was sent before the close is still received.
    const { isClosed } = channel;
    if (isClosed && port.isGone) return null;
    return receivePacket(channel as Channel) ?? (isClosed ? null : undefined);
  };
  const what = `a message of channel ${quoted}`;
  const wait = { call: 'nextPacket', port, event, probe, ask, what };
  return waitFor(wait, requireWaitOptions('nextPacket', options));
}

/**
 * The messages as they come, each a packet that the loop's body releases; ends when the channel is closed and empty.
 * Nothing is received ahead of the loop.
 *
 * @param options for the wait for each message: `timeoutMs` counts anew for each
 */
export function packets(channel: Channel, options?: WaitOptions): AsyncGenerator<Packet, void, undefined>;
export function packets(
  channel: UnreadableChannel,
  options?: WaitOptions,
): AsyncGenerator<UnreadablePacket, void, undefined>;
export function packets(channel: AnyChannel, options?: WaitOptions): AsyncGenerator<Packet, void, undefined> {
  endOf(channel, 'packets');
  return iterate(channel as Channel, requireWaitOptions('packets', options));
}

async function* iterate(channel: Channel, options: WaitOptions): AsyncGenerator<Packet, void, undefined> {
  for (let packet = await nextPacket(channel, options); packet !== null; packet = await nextPacket(channel, options)) {
    yield packet;
  }
}

/**
 * Resolves when sendPacket() would take the packet. Another sender may be faster: sendPacket() can still return false.
 * A channel that drops messages takes one at any time.
 *
 * @throws PagePoolError as `sendPacket` for a packet that never fits; POOL_ERR_CHANNEL_CLOSED when the channel is
 *   closed; POOL_ERR_DESTROYED when this thread has left the pool; POOL_ERR_TIMEOUT when `timeoutMs` is over
 */
export function waitPacketRoom(channel: Channel, packet: Packet, options?: WaitOptions): Promise<void>;
export function waitPacketRoom(
  channel: UnreadableChannel,
  packet: UnreadablePacket,
  options?: WaitOptions,
): Promise<void>;
export async function waitPacketRoom(channel: AnyChannel, packet: AnyPacket, options?: WaitOptions): Promise<void> {
  const end = endOf(channel, 'waitPacketRoom');
  requirePacket('waitPacketRoom', packet);
  requireParts('waitPacketRoom', packet, end.geometry);
  const probe = (): true | undefined => {
    if (channel.isClosed) throw closedChannelError(channel as Channel, 'waitPacketRoom');
    if (end.port.isGone) throw destroyedError('waitPacketRoom');
    return wait.ask?.() || undefined;
  };
  const room = roomFor('waitPacketRoom', end, channel, packet, probe);
  const wait: Wait<true> = { ...room, isPeek: true };
  await waitFor(wait, requireWaitOptions('waitPacketRoom', options));
}
