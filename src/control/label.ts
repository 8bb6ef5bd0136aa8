// A port's label: what its thread calls itself, where every thread of the pool can read it.
//
// Written once, by the thread that has claimed the port, as UTF-16 code units: decoders refuse shared memory, or are
// missing. Read for reports alone, at any time, so plainly; a label that is just being written may show in part.

import { PORT_LABEL_OFFSET, PORT_LABEL_UNITS } from '../../assembly/layout.js';
import type { Geometry } from './geometry.js';
import type { PoolMemory } from './memory.js';
import { portOffset } from './places.js';

/** Writes the label of port `id`, as much of it as there is room for. */
export function writeLabel({ u16 }: PoolMemory, geometry: Geometry, id: number, label: string): void {
  const start = (portOffset(geometry, id) + PORT_LABEL_OFFSET) >>> 1;
  const length = Math.min(label.length, PORT_LABEL_UNITS);
  for (let i = 0; i < length; i++) u16[start + 1 + i] = label.charCodeAt(i);
  u16[start] = length;
}

/** The label of port `id`, or of the thread that had it last. */
export function readLabel({ u16 }: PoolMemory, geometry: Geometry, id: number): string {
  const start = (portOffset(geometry, id) + PORT_LABEL_OFFSET) >>> 1;
  const length = Math.min(u16[start] as number, PORT_LABEL_UNITS);
  return String.fromCharCode(...u16.subarray(start + 1, start + 1 + length));
}
