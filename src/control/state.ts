// The state word: what every thread of a pool is told, and how it hears of it while it stands still.
//
// The sequence beside the state is raised with whatever concerns all of them: the pool closes, a port was freed, set aside or
// reaped, locks are wanted. An idle thread waits on it asynchronously and looks at everything when it moves; a busy one sees its
// cache limit at its next release. Any thread may announce; nothing here blocks.

import { CONTROL_BASE, HEADER_STATE_SEQ_OFFSET } from '../../assembly/layout.js';
import { hasWaitAsync } from '../platform/capabilities.js';
import type { Port } from '../port/port.js';
import type { PoolMemory } from './memory.js';

const SEQUENCE = (CONTROL_BASE + HEADER_STATE_SEQ_OFFSET) >>> 2;

/** Calls every thread that waits: each looks at the pool's state, its own port, and whatever else may have changed. */
export function announce({ i32 }: PoolMemory): void {
  // R1 pairs with A2 in look: whoever sees the sequence move sees what was changed before.
  Atomics.add(i32, SEQUENCE, 1);
  // N3 no ordering needed: the sequence was raised before.
  Atomics.notify(i32, SEQUENCE);
}

/** Calls `onChange` now and whenever something is announced, until it returns false. Does not keep Node's event loop alive. */
export function watchState(port: Port, onChange: () => boolean): void {
  const look = (): void => {
    const { i32, isShared } = port.memory;
    // A2 pairs with R1 in announce: a change after this ends the wait.
    const sequence = Atomics.load(i32, SEQUENCE);
    if (!onChange() || !isShared || !hasWaitAsync()) return;
    const { async, value } = Atomics.waitAsync(i32, SEQUENCE, sequence);
    void (async ? value : Promise.resolve()).then(look);
  };
  look();
}
