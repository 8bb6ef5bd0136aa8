// Faults outside the engines: of the recovery, and of the code by which a pool ends. Each is caught in the order of some steps, or by
// a death that only that part of the code settles.

import type { Patch } from './build-model.js';

/** A fault of code around the engine. */
export interface OuterFault extends Patch {
  readonly name: string;
  readonly scenario: string;
  /** Deaths that the shipped recovery reaps meanwhile, in any of the threads; none: the scenario as it is. */
  readonly kills?: number;
  /** Preemptions, with `kills`. */
  readonly bound?: number;
}

const settle = 'src/recovery/settle.ts';
const reap = 'src/recovery/reap.ts';
const ending = 'src/control/ending.ts';

export const outerFaults: readonly OuterFault[] = [
  {
    name: 'a node that another port has seen is taken for one that never moved',
    file: settle,
    find: '(yield* isSeenByOthers(port, address, next)) ||',
    replace: '',
    scenario: 'send against receive, capacity 1, empty',
    kills: 2,
  },
  {
    name: 'a node that another port owns is taken for one that never moved',
    file: settle,
    find: '(yield* port.load(nodeOffset(ring, next & nodeMask) + NODE_OWNER_OFFSET)) !== port.id + 1',
    replace: 'false',
    scenario: 'send against receive, capacity 1, empty',
    kills: 1,
    bound: 1,
  },
  {
    name: 'a record is closed before it is settled',
    file: settle,
    find: 'yield* (SETTLERS[kind]',
    replace: 'yield* port.closeRecord();\n  yield* (SETTLERS[kind]',
    scenario: 'spill against refill',
    kills: 2,
  },
  {
    name: "a page in a dead port's magazine keeps its row",
    file: reap,
    find: 'for (const page of pages) port.setRow(page, 0);',
    replace: '',
    scenario: 'last release against last release',
    kills: 1,
  },
  {
    name: 'a page whose count was about to move is not marked',
    file: reap,
    find: 'findings.suspects = yield* markSuspect(port);',
    replace: '',
    scenario: 'last release against last release',
    kills: 1,
  },
  {
    name: 'a dead port is claimed by load and store',
    file: reap,
    find: '(yield* port.exchange(port.offset + PORT_CLAIM_OFFSET, seen, reapingClaim(seen, reaper))) === seen',
    replace:
      '(yield* port.load(port.offset + PORT_CLAIM_OFFSET)) === seen &&\n' +
      '    ((yield* port.store(port.offset + PORT_CLAIM_OFFSET, reapingClaim(seen, reaper))) ?? true)',
    scenario: 'two reapers',
  },
  {
    name: 'ports that a dead reaper was reaping are forgotten',
    file: reap,
    find: 'if (yield* claimDead(other, claim, reaper)) inherited.push(id);',
    replace: '',
    scenario: 'a reaper that dies and is reaped, against late release',
  },
  {
    name: 'a record is left as it is',
    file: reap,
    find: 'findings.isRepaired = yield* settleRecord(port);',
    replace: 'findings.isRepaired = false;',
    scenario: 'a reaper that dies and is reaped, against late release',
  },
  {
    name: 'a pool is destroyed while a port has not parked',
    file: ending,
    find: 'runningPorts(closer).length !== 0 || ',
    replace: '',
    scenario: 'attach, alloc, parking and release against destroy',
  },
  {
    name: 'what is in flight is looked at before the ports',
    file: ending,
    find: 'if (runningPorts(closer).length !== 0 || inflight(closer.memory, closer.geometry) !== 0) return false;',
    replace:
      'const left = inflight(closer.memory, closer.geometry);\n' +
      '  if (left !== 0 || runningPorts(closer).length !== 0) return false;',
    scenario: 'attach, alloc, parking and release against destroy',
  },
  {
    name: 'a pool is destroyed while pages are in flight',
    file: ending,
    find: ' || inflight(closer.memory, closer.geometry) !== 0',
    replace: '',
    scenario: 'attach, alloc, parking and release against destroy',
  },
  {
    name: 'who goes on closing is written down without a look at who did meanwhile',
    file: ending,
    find: 'if (Atomics.compareExchange(memory.i32, CLOSER, seen, seatWord(closer)) !== seen) return false;',
    replace: 'Atomics.store(memory.i32, CLOSER, seatWord(closer));',
    scenario: 'two ports go on where the closer is gone',
  },
];
