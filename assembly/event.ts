// Events and bells: how a thread waits for something that other threads make true, and how one of those who wait is
// woken.
//
// A port has one bell, a word that is only ever raised, and its thread waits on that word for everything. An event
// keeps bits of the ports that wait there for one unit (a node, room, a page), and in words of their own of those that
// need several. Whoever makes something true publishes first, then takes one bit and rings that port; all who need
// several are rung. A waiter reads its bell, then sets its bits, then probes, and sleeps only if its bell is as it was
// read. A waiter that finds its bit gone has been chosen: it owes a wake-up to the others, should it leave something
// behind (src/port/bell.ts). What a thread killed here leaves: a bit that is gone, and a bell that was not rung. So a
// reaper rings every bell, last. Explored: docs/verification.md.

import {
  EVENT_KNOWN_OFFSET,
  EVENT_ONE_OFFSET,
  EVENT_SEVERAL_OFFSET,
  PORT_BELL_OFFSET,
  PORT_SHIFT,
  PORT_CHOSEN_OFFSET,
} from './layout';
import { aadd, aand, aload, anotify, aor } from './atomic';
import { maxPorts, port, portId, ports } from './context';

/** Raises a port's bell: its thread probes again, wherever it waits. */
export function ring(id: u32): void {
  const bell = ports + ((<usize>id) << PORT_SHIFT) + PORT_BELL_OFFSET;
  // R1 pairs with A1 in src/port/bell.ts readBell: what was published before is visible to whoever finds the bell
  // raised.
  aadd(bell, 1);
  // N2 no ordering needed: the bell was raised before. All who wait there: a wait that was given up may be the first.
  anotify(bell);
}

/** Rings the ports of a word of bits, which starts with port `first`. */
function ringAll(bits: u32, first: u32): void {
  while (bits != 0) {
    ring(first + ctz<u32>(bits));
    bits &= bits - 1;
  }
}

/** Takes all bits of a word, which starts with port `first`, and rings them. */
function takeAll(word: usize, first: u32): void {
  // A3 pairs with X4 in arm: a waiter that we do not see here sees what we published before.
  if (aload(word) == 0) return;
  // X5 pairs with X4 in arm: each bit is taken by one thread, which rings.
  ringAll(aand(word, 0), first);
}

/**
 * Which waiter is next: the first after the one that this port chose last, and this port itself when there is no other.
 */
// @ts-ignore: decorator
@inline
function choose(low: u32, high: u32): u32 {
  const others = (((<u64>high) << 32) | <u64>low) & ~((<u64>1) << (<u64>portId));
  if (others == 0) return portId;
  const start = load<u32>(port + PORT_CHOSEN_OFFSET) + 1; // plain: owner only
  return (<u32>ctz<u64>(rotr<u64>(others, <u64>start)) + start) & 63;
}

/** Wakes one of those who wait for one unit, if somebody does: what is left behind goes on to the next. Any thread. */
export function pass(event: usize): void {
  while (true) {
    // A6 pairs with X4 in arm: see A3.
    const low = aload(event + EVENT_ONE_OFFSET);
    // A7 pairs with X4 in arm: see A3; ports from 32 on.
    const high = maxPorts > 32 ? aload(event + EVENT_ONE_OFFSET + 4) : 0;
    if ((low | high) == 0) return;
    const id = choose(low, high);
    const word = event + EVENT_ONE_OFFSET + ((id >>> 5) << 2);
    const bit = (<u32>1) << (id & 31);
    // X8 pairs with X4 in arm: the bit is taken by one thread, which rings. Where it was not, the bits are read anew.
    if ((aand(word, ~bit) & bit) == 0) continue;
    store<u32>(port + PORT_CHOSEN_OFFSET, id); // plain: owner only
    return ring(id);
  }
}

/** Something was published: wakes one of those who wait for one unit, and all who need several. Any thread. */
export function wake(event: usize): void {
  pass(event);
  takeAll(event + EVENT_SEVERAL_OFFSET, 0);
  if (maxPorts > 32) takeAll(event + EVENT_SEVERAL_OFFSET + 4, 32);
}

/** As `wake`; where nobody waits, and the ports are few, nothing is entered. */
// @ts-ignore: decorator
@inline
export function wakeAwaited(event: usize): void {
  // A17 pairs with X4 in arm: see A3.
  const one = aload(event + EVENT_ONE_OFFSET);
  // A18 pairs with X4 in arm: see A3.
  if (maxPorts > 32 || (one | aload(event + EVENT_SEVERAL_OFFSET)) != 0) wake(event);
}

/** Wakes everybody who waits there: nothing more will come. */
export function wakeAll(event: usize): void {
  takeAll(event + EVENT_ONE_OFFSET, 0);
  takeAll(event + EVENT_SEVERAL_OFFSET, 0);
  if (maxPorts <= 32) return;
  takeAll(event + EVENT_ONE_OFFSET + 4, 32);
  takeAll(event + EVENT_SEVERAL_OFFSET + 4, 32);
}

/** Whether anybody waits there. */
export function isAwaited(event: usize): bool {
  // A9 pairs with X4 in arm: see A3.
  let bits = aload(event + EVENT_ONE_OFFSET);
  // A10 pairs with X4 in arm: see A3.
  bits |= aload(event + EVENT_SEVERAL_OFFSET);
  if (maxPorts <= 32) return bits != 0;
  // A11 pairs with X4 in arm: see A3.
  bits |= aload(event + EVENT_ONE_OFFSET + 4);
  // A12 pairs with X4 in arm: see A3.
  return (bits | aload(event + EVENT_SEVERAL_OFFSET + 4)) != 0;
}

/**
 * This port waits there from now on, for one unit or for `several`. Its bell was read before; it probes after this. 1:
 * its bit was there already.
 */
export function arm(event: usize, several: u32): u32 {
  const half = (portId >>> 5) << 2;
  const bit = (<u32>1) << (portId & 31);
  // N13 no ordering needed: this port's own bit.
  if ((aload(event + EVENT_KNOWN_OFFSET + half) & bit) == 0) greet(event, half, bit);
  const word = event + (several != 0 ? EVENT_SEVERAL_OFFSET : EVENT_ONE_OFFSET) + half;
  // X4 pairs with A6 in pass: whoever publishes after this sees the bit, and whoever published before is seen by the
  // probe that follows.
  return <u32>((aor(word, bit) & bit) != 0);
}

/**
 * The port waits there for the first time: those who were alone until now are rung, and probe by a timer from
 * now on.
 */
function greet(event: usize, half: u32, bit: u32): void {
  const known = event + EVENT_KNOWN_OFFSET;
  // X14 pairs with A15 in greet: of two that come at a time one sees the other.
  aor(known + half, bit);
  // A15 pairs with X14 in greet: whoever came before.
  ringAll(aload(known) & (half == 0 ? ~bit : <u32>-1), 0);
  // A16 pairs with X14 in greet: likewise, ports from 32 on.
  if (maxPorts > 32) ringAll(aload(known + 4) & (half != 0 ? ~bit : <u32>-1), 32);
}

/** This port does not wait there any more, for one unit or for `several`. 1: nobody had chosen it. */
export function disarm(event: usize, several: u32): u32 {
  const bit = (<u32>1) << (portId & 31);
  const word = event + (several != 0 ? EVENT_SEVERAL_OFFSET : EVENT_ONE_OFFSET) + ((portId >>> 5) << 2);
  // X17 pairs with X8 in pass: either the bit goes here, or a thread has taken it, and this port owes what it was woken
  // for.
  return <u32>((aand(word, ~bit) & bit) != 0);
}
