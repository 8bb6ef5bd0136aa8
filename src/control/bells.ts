// Bells, as whoever changes something for other threads outside of the engines rings them.
//
// Any thread; nothing here blocks. What is announced is written before.

import {
  CONTROL_BASE,
  HEADER_MAX_PORTS_OFFSET,
  HEADER_PORTS_OFFSET,
  PORT_BELL_OFFSET,
  PORT_SHIFT,
} from '../../assembly/layout.js';
import type { PoolMemory } from './memory.js';

/** Raises a port's bell: its thread probes again, wherever it waits. */
export function ringPort({ i32, u32 }: PoolMemory, id: number): void {
  // Plain: constant.
  const ports = u32[(CONTROL_BASE + HEADER_PORTS_OFFSET) >>> 2] as number;
  const bell = (ports + (id << PORT_SHIFT) + PORT_BELL_OFFSET) >>> 2;
  // R1 pairs with A1 in src/port/bell.ts readBell: what was written before is visible to whoever finds the bell raised.
  Atomics.add(i32, bell, 1);
  // N2 no ordering needed: the bell was raised before.
  Atomics.notify(i32, bell);
}

/** Raises the bell of every port, whatever its thread waits for. */
export function ringEveryPort(memory: PoolMemory): void {
  // Plain: constant.
  const count = memory.u32[(CONTROL_BASE + HEADER_MAX_PORTS_OFFSET) >>> 2] as number;
  for (let id = 0; id < count; id++) ringPort(memory, id);
}
