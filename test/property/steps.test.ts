// The TypeScript engine with another port's call between any two of its shared steps.
//
// The step hook stands in for a scheduler: before the k-th step of one port's call another port makes a whole call of
// its own, for every k there is. Afterwards nothing is lost and nothing is there twice, by the audit. This is a part of
// what threads can do (one of them is never stopped half way); test/interleaving explores all of it on the Wasm core.

import { describe, expect, it, vi } from 'vitest';
import type { Engine } from '../../src/engine/engine.js';
import type { Port } from '../../src/port/port.js';
import { openPorts, requireBalance } from '../support/ports.js';

let hook: (() => void) | undefined;
vi.mock('../../src/engine/typescript/step.js', () => ({ onStep: () => hook?.() }));

const HANDLES = 6;
let memory: Port['memory'];

/** What a port does, with the handles of its own that it has left. */
const CALLS: Record<string, (engine: Engine, handles: number[], scratch: number) => void> = {
  alloc: (engine, handles) => {
    const handle = engine.alloc();
    if (handle !== 0) handles.push(handle);
  },
  cut: (engine, handles) => {
    const handle = engine.allocFragment(64);
    if (handle !== 0) handles.push(handle);
  },
  release: (engine, handles) => expect(engine.release(handles.pop() as number)).toBe(0),
  releaseMany: (engine, handles) => {
    for (const handle of handles.splice(0)) expect(engine.release(handle)).toBe(0);
  },
  send: (engine, handles) => {
    if (engine.send(0, handles.at(-1) as number, 0, 8, 0) === 0) handles.pop();
  },
  receive: (engine, handles, scratch) => {
    if (engine.receiveBurst(0, scratch, 1) === 1) handles.push(memory.u32[scratch >>> 2] as number);
  },
  park: (engine) => engine.park(),
  trim: (engine) => void engine.trim(),
};

/** Two ports with some handles each, one port's entry in the channel, and a third port's pages in the ring. */
function prepare(pageCount: number): { ports: Port[]; handles: number[][] } {
  const channels = { c: { capacity: 2, batch: 1, whenFull: 'drop-oldest' as const } };
  const ports = openPorts({ pageBytes: 1024, pageCount, channels }, ['typescript'], 3);
  memory = (ports[0] as Port).memory;
  const handles = ports.map(({ engine }) => Array.from({ length: HANDLES / 3 }, () => engine.alloc()));
  const [first, , third] = ports as [Port, Port, Port];
  first.engine.send(0, handles[0]?.pop() as number, 0, 8, 0);
  for (const handle of handles[2]?.splice(0) ?? []) third.engine.release(handle);
  return { ports, handles };
}

/** Runs `one` on port 0 and `other` on port 1 before its `k`-th step. How many steps there were. */
function cross(pageCount: number, one: string, other: string, k: number): number {
  const { ports, handles } = prepare(pageCount);
  const run = (name: string, who: number): void => {
    const { engine, scratch } = ports[who] as Port;
    CALLS[name]?.(engine, handles[who] as number[], scratch.ownAddress);
  };
  let steps = 0;
  hook = () => {
    if (steps++ !== k) return;
    const own = hook;
    hook = undefined;
    run(other, 1);
    hook = own;
  };
  run(one, 0);
  hook = undefined;
  requireBalance(ports[2] as Port);
  for (const [who, left] of handles.entries()) {
    for (const handle of left) expect(ports[who]?.engine.release(handle)).toBe(0);
  }
  for (const { engine } of ports) engine.park();
  ports[0]?.engine.scrub();
  const { pages } = requireBalance(ports[0] as Port);
  expect(pages.provider).toBe(pageCount);
  return steps;
}

describe.each([6, 7, 40])('two ports of a pool of %i pages', (pageCount) => {
  it.each(Object.keys(CALLS))('%s, with any other call between any two of its steps', (one) => {
    let crossings = 0;
    for (const other of Object.keys(CALLS)) {
      for (let k = 0, steps = 1; k < steps; k++, crossings++) steps = cross(pageCount, one, other, k);
    }
    expect(crossings).toBeGreaterThanOrEqual(Object.keys(CALLS).length);
  });
});
