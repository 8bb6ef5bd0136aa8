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
  PORT_CHOSEN_OFFSET,
  PORT_SHIFT,
} from '../../../assembly/layout.js';
import { Context } from './context.js';

/** Waiting, and waking who waits for something. */
export class EventSteps extends Context {
  /** Raises a port's bell: its thread probes again, wherever it waits. */
  protected ringBell(id: number): void {
    const bell = this.ports + (id << PORT_SHIFT) + PORT_BELL_OFFSET;
    // R1 pairs with A1 in src/port/bell.ts readBell: what was published before is visible to whoever finds the bell
    // raised.
    this.aadd(bell, 1);
    // N2 no ordering needed: the bell was raised before. All who wait there: a wait that was given up may be the first.
    this.anotify(bell);
  }

  /** Rings the ports of a word of bits, which starts with port `first`. */
  protected ringAll(bits: number, first: number): void {
    for (let left = bits; left !== 0; left &= left - 1) this.ringBell(first + 31 - Math.clz32(left & -left));
  }

  /** Takes all bits of a word, which starts with port `first`, and rings them. */
  protected takeAll(word: number, first: number): void {
    // A3 pairs with X4 in arm: a waiter that we do not see here sees what we published before.
    if (this.aload(word) === 0) return;
    // X5 pairs with X4 in arm: each bit is taken by one thread, which rings.
    this.ringAll(this.aand(word, 0), first);
  }

  /**
   * Which waiter is next: the first after the one that this port chose last, and this port itself when there is no
   * other.
   */
  protected choose(low: number, high: number): number {
    const { i32, port, portId } = this;
    const own = 1 << (portId & 31);
    const [l, h] = portId < 32 ? [low & ~own, high] : [low, high & ~own];
    if ((l | h) === 0) return portId;
    const start = i32[(port + PORT_CHOSEN_OFFSET) >>> 2]! + 1; // plain: owner only
    const laterLow = start < 32 ? l & (-1 << start) : 0;
    if (laterLow !== 0) return 31 - Math.clz32(laterLow & -laterLow);
    const laterHigh = start < 32 ? h : start < 64 ? h & (-1 << (start & 31)) : 0;
    if (laterHigh !== 0) return 63 - Math.clz32(laterHigh & -laterHigh);
    return l !== 0 ? 31 - Math.clz32(l & -l) : 63 - Math.clz32(h & -h);
  }

  /**
   * Wakes one of those who wait for one unit, if somebody does: what is left behind goes on to the next. Any thread.
   */
  pass(event: number): void {
    const { i32, maxPorts, port } = this;
    while (true) {
      // A6 pairs with X4 in arm: see A3.
      const low = this.aload(event + EVENT_ONE_OFFSET);
      // A7 pairs with X4 in arm: see A3; ports from 32 on.
      const high = maxPorts > 32 ? this.aload(event + EVENT_ONE_OFFSET + 4) : 0;
      if ((low | high) === 0) return;
      const id = this.choose(low, high);
      const bit = 1 << (id & 31);
      // X8 pairs with X4 in arm: the bit is taken by one thread, which rings. Where it was not, the bits are read anew.
      if ((this.aand(event + EVENT_ONE_OFFSET + ((id >>> 5) << 2), ~bit) & bit) === 0) continue;
      i32[(port + PORT_CHOSEN_OFFSET) >>> 2] = id; // plain: owner only
      this.ringBell(id);
      return;
    }
  }

  /** Something was published: wakes one of those who wait for one unit, and all who need several. Any thread. */
  wake(event: number): void {
    this.pass(event);
    this.takeAll(event + EVENT_SEVERAL_OFFSET, 0);
    if (this.maxPorts > 32) this.takeAll(event + EVENT_SEVERAL_OFFSET + 4, 32);
  }

  /** Wakes everybody who waits there: nothing more will come. */
  protected wakeAll(event: number): void {
    this.takeAll(event + EVENT_ONE_OFFSET, 0);
    this.takeAll(event + EVENT_SEVERAL_OFFSET, 0);
    if (this.maxPorts <= 32) return;
    this.takeAll(event + EVENT_ONE_OFFSET + 4, 32);
    this.takeAll(event + EVENT_SEVERAL_OFFSET + 4, 32);
  }

  /** Whether anybody waits there. */
  protected isAwaited(event: number): boolean {
    // A9 pairs with X4 in arm: see A3.
    let bits = this.aload(event + EVENT_ONE_OFFSET);
    // A10 pairs with X4 in arm: see A3.
    bits |= this.aload(event + EVENT_SEVERAL_OFFSET);
    if (this.maxPorts <= 32) return bits !== 0;
    // A11 pairs with X4 in arm: see A3.
    bits |= this.aload(event + EVENT_ONE_OFFSET + 4);
    // A12 pairs with X4 in arm: see A3.
    return (bits | this.aload(event + EVENT_SEVERAL_OFFSET + 4)) !== 0;
  }

  /**
   * This port waits there from now on, for one unit or for `several`. Its bell was read before; it probes after this.
   * 1: its bit was there already.
   */
  arm(event: number, several: number): number {
    const half = (this.portId >>> 5) << 2;
    const bit = 1 << (this.portId & 31);
    // N13 no ordering needed: this port's own bit.
    if ((this.aload(event + EVENT_KNOWN_OFFSET + half) & bit) === 0) this.greet(event, half, bit);
    const word = event + (several !== 0 ? EVENT_SEVERAL_OFFSET : EVENT_ONE_OFFSET) + half;
    // X4 pairs with A6 in pass: whoever publishes after this sees the bit, and whoever published before is seen by the
    // probe that follows.
    return (this.aor(word, bit) & bit) !== 0 ? 1 : 0;
  }

  /**
   * The port waits there for the first time: those who were alone until now are rung, and probe by a timer
   * from now on.
   */
  protected greet(event: number, half: number, bit: number): void {
    const known = event + EVENT_KNOWN_OFFSET;
    // X14 pairs with A15 in greet: of two that come at a time one sees the other.
    this.aor(known + half, bit);
    // A15 pairs with X14 in greet: whoever came before.
    this.ringAll(this.aload(known) & (half === 0 ? ~bit : -1), 0);
    // A16 pairs with X14 in greet: likewise, ports from 32 on.
    if (this.maxPorts > 32) this.ringAll(this.aload(known + 4) & (half !== 0 ? ~bit : -1), 32);
  }

  /** This port does not wait there any more, for one unit or for `several`. 1: nobody had chosen it. */
  disarm(event: number, several: number): number {
    const bit = 1 << (this.portId & 31);
    const word = event + (several !== 0 ? EVENT_SEVERAL_OFFSET : EVENT_ONE_OFFSET) + ((this.portId >>> 5) << 2);
    // X17 pairs with X8 in pass: either the bit goes here, or a thread has taken it, and this port owes what it was
    // woken for.
    return (this.aand(word, ~bit) & bit) !== 0 ? 1 : 0;
  }
}
