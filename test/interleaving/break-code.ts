// Puts a seeded fault into the code around the engines that its file belongs to.

import type { OuterFault } from './outer-faults.js';
import { breakOwnerCode } from './owner-code.js';
import { breakPoolCode } from './pool-code.js';
import { breakReaper } from './reaper-code.js';
import { breakWaiterCode } from './waiter-code.js';

/** Explores with the fault in the code until the returned function is called. */
export function breakCode({ also = [], ...fault }: OuterFault): Promise<() => void> {
  const isReaping = fault.file.startsWith('src/recovery/') || /control\/(calls|messages)\.ts$/.test(fault.file);
  if (isReaping) return breakReaper([fault, ...also]);
  const isOfWaiters = fault.file.startsWith('src/port/') || fault.file.endsWith('/real-waiter.ts');
  if (isOfWaiters) return breakWaiterCode([fault, ...also]);
  return fault.file.startsWith('src/supply/') ? breakOwnerCode([fault, ...also]) : breakPoolCode([fault, ...also]);
}
