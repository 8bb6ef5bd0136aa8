// Faults outside the engines: of the recovery, of the code by which a pool ends, of the owner's, and of
// waiting. Each is caught in
// the order of some steps, or by a death that only that part of the code settles.

import type { Patch } from './build-model.js';

/** A fault of code around the engine. */
export interface OuterFault extends Patch {
  readonly name: string;
  readonly scenario: string;
  /** Deaths that the shipped recovery reaps meanwhile, in any of the threads; none: the scenario as it is. */
  readonly kills?: number;
  /** Preemptions, with `kills`. */
  readonly bound?: number;
  /** Other places that the same fault changes. */
  readonly also?: readonly Patch[];
}

const settle = 'src/recovery/settle.ts';
const reap = 'src/recovery/reap.ts';
const ending = 'src/control/ending.ts';
const ownerWords = 'src/supply/owner-words.ts';
const recall = 'src/supply/recall.ts';
const messages = 'src/control/messages.ts';
const calls = 'src/control/calls.ts';
const bell = 'src/port/bell.ts';
/** The order of the steps, as src/port/waits.ts and waiting.ts have it. */
const waiter = 'test/interleaving/real-waiter.ts';

export const outerFaults: readonly OuterFault[] = [
  {
    name: 'a call that a dead thread served does not fail',
    file: messages,
    find: 'yield* letGoOfAll(leaver);',
    replace: '',
    scenario: 'ask and collect against serve, capacity 1',
    kills: 1,
  },
  {
    name: 'a call that is whole in an inbox stays marked',
    file: messages,
    find: 'if (entries !== 0 && !isRest) yield* unmarkCall(leaver, tag);',
    replace: '',
    scenario: 'a server dies between marking and taking, another one and a cancellation',
  },
  {
    name: 'a call goes on without a mark of who sends it',
    file: messages,
    find: '(channel.isCalls && !(yield* takeCall(leaver, tag)))',
    replace: 'false',
    scenario: 'ask and collect against serve, capacity 1',
    kills: 2,
  },
  {
    name: 'a call that finds the ring full on its way back is dropped in silence',
    file: messages,
    find: 'if (channel.isCalls && !isOver) yield* letGoOfCall(leaver, replyOfCall(geometry, tag), askerOf(tag));',
    replace: '',
    scenario: 'a second call against serve, capacity 1',
    kills: 1,
  },
  {
    name: 'what a dead thread asked for stays out',
    file: messages,
    find: 'yield* giveUpAll(leaver, scratch);',
    replace: '',
    scenario: 'ask and collect against serve, capacity 1',
    kills: 1,
  },
  {
    name: 'the slot of a call that somebody serves is free at once',
    file: calls,
    find: 'const next = isServed ? (seen & ~REPLY_STATE_MASK) | REPLY_CANCELLED : vacant(seen);',
    replace: 'const next = vacant(seen);',
    scenario: 'an asker leaves against its answer',
    kills: 1,
  },
  {
    name: 'an asker that leaves gives up by load and store',
    file: calls,
    find: 'return Atomics.compareExchange(memory.i32, address >>> 2, seen, next) === seen;',
    replace: 'Atomics.store(memory.i32, address >>> 2, next);\n  return true;',
    scenario: 'an asker leaves against its answer',
  },
  {
    name: 'an answer under way is taken for one that happened when it was cancelled',
    file: settle,
    find: 'if (now === before || isCancelled) port.setRow(page, row);',
    replace: 'if (now === before) port.setRow(page, row);',
    scenario: 'answer against cancel',
    kills: 1,
  },
  {
    name: 'a node that another port has seen is taken for one that never moved',
    file: settle,
    find: '(yield* isSeenByOthers(port, address, next)) ||',
    replace: '',
    scenario: 'send against receive, capacity 1, empty',
    kills: 2,
  },
  {
    name: "only one of both records of another port's exchanges is looked at",
    file: settle,
    find: 'for (const turn of [0, EXCHANGE_BYTES]) {',
    replace: 'for (const turn of [0]) {',
    scenario: 'a send against a receive, the second record in turn',
    kills: 2,
  },
  {
    name: 'a node that another port owns is taken for one that never moved',
    file: settle,
    find: '(yield* port.load(nodeOffset(ring, next & nodeMask) + NODE_OWNER_OFFSET)) !== port.id + 1',
    replace: 'false',
    scenario: 'a send against a receive, a send and a receive',
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
  {
    name: 'a fed page is taken back by a store',
    file: ownerWords,
    find: 'if (Atomics.compareExchange(i32, index, home, next) === home) relist(owner, page);',
    replace: 'Atomics.store(i32, index, next);\n    relist(owner, page);',
    scenario: 'withdraw against claim',
  },
  {
    name: 'a page is listed before it may be taken',
    file: ownerWords,
    find: 'setHome(owner, page, HOME_FRESH | (isReserve ? HOME_RESERVE : 0));',
    replace: '',
    also: [
      {
        file: ownerWords,
        find: 'Atomics.or(memory.i32, word, 1 << (page & 31));\n    first',
        replace:
          'Atomics.or(memory.i32, word, 1 << (page & 31));\n' +
          '    setHome(owner, page, HOME_FRESH | (isReserve ? HOME_RESERVE : 0));\n    first',
      },
    ],
    scenario: 'pages that were never listed, taken back, against a bit that was left',
  },
  {
    name: 'the hint of fed pages goes down before they have their bits',
    file: ownerWords,
    find: 'let first = geometry.pageCount;',
    replace:
      'let first = Math.min(...pages);\n' +
      '  lowerHint(owner, geometry.supplyHintOffset, first >>> RETIRED_WORD_SHIFT);',
    also: [
      {
        file: ownerWords,
        find: 'lowerHint(owner, geometry.supplyHintOffset, first >>> RETIRED_WORD_SHIFT);\n  engine.wake',
        replace: 'engine.wake',
      },
    ],
    scenario: 'publish against two looks for listed pages',
  },
  {
    name: 'the hint of retired pages moves on over those that came home meanwhile',
    file: ownerWords,
    find: 'Atomics.compareExchange(i32, hint, seen, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | end);',
    replace: 'Atomics.store(i32, hint, ((seen >>> RETIRED_INDEX_BITS) << RETIRED_INDEX_BITS) | end);',
    scenario: 'recall against the leaving of a pinned page',
  },
  {
    name: 'a page is called home by a pin in the place of those that it has',
    file: ownerWords,
    find: 'if (Atomics.compareExchange(memory.i32, pins, 0, 1) === 0) recalled.add(page);',
    replace: 'Atomics.store(memory.i32, pins, 1);\n    recalled.add(page);',
    scenario: 'recall against pin',
  },
  {
    name: 'pages that no port holds are not called home',
    file: ownerWords,
    find: 'if (state === HOME_HELD) {',
    replace:
      'const { ledgerBytes, ledgersOffset, maxPorts } = owner.geometry;\n' +
      '  let held = 0;\n' +
      '  for (let id = 0; id < maxPorts; id++)\n' +
      '    held += memory.u16[(ledgersOffset + id * ledgerBytes + 2 * page) >>> 1] as number;\n' +
      '  if (state === HOME_HELD && held > 0) {',
    scenario: 'recall against trim',
  },
  {
    name: 'a page is taken back without a look at its state',
    file: ownerWords,
    find: 'if ((Atomics.load(i32, homeIndex(owner, page)) & HOME_STATE_MASK) !== HOME_RETIRED) return false;',
    replace: '',
    scenario: 'a reserve retired against a late release of its page',
  },
  {
    name: 'a page that is pinned is taken back at the end',
    file: ownerWords,
    find: '=== HOME_LEFT) return false;',
    replace: '=== HOME_LEFT && page === 0) return false;',
    scenario: 'the last unpin after the end of the pool',
  },
  {
    name: 'the pins of an owner that leaves stay',
    file: recall,
    find: 'engine.unpin(page);',
    replace: '',
    scenario: 'area retired, and the owner leaves, against last release',
  },
  {
    name: 'a thread that has said nothing of areas is taken for one that knows them',
    file: ownerWords,
    find: 'if ((known - since) << 1 < 0) ports.push(id);',
    replace: 'if (known !== 0 && (known - since) << 1 < 0) ports.push(id);',
    scenario: 'a new area against a thread that attaches with an old table',
  },
  {
    name: 'threads that do not ask of areas are taken for answered',
    file: ownerWords,
    find: 'Atomics.compareExchange(memory.i32, index, AREAS_WANTED | 0, AREAS_ANSWERED | 0);',
    replace: 'Atomics.exchange(memory.i32, index, AREAS_ANSWERED | 0);',
    scenario: 'a new area against a thread that attaches with an old table',
  },
  {
    name: 'a page is with its provider before its pins go',
    file: ownerWords,
    find: 'Atomics.store(i32, pinsIndex(owner, page), 0);\n  setHome(owner, page, HOME_RETURNED);',
    replace: 'setHome(owner, page, HOME_RETURNED);\n  Atomics.store(i32, pinsIndex(owner, page), 0);',
    scenario: 'recall against trim',
    kills: 1,
    bound: 1,
  },
  {
    name: 'what a dead owner was about to list is not listed',
    file: reap,
    find: 'yield* listForOwner(port);',
    replace: '',
    scenario: 'publish against two looks for listed pages',
    kills: 1,
  },
  {
    name: 'a waiter reads its bell after it has set its bit',
    file: waiter,
    find: '    const bell = readBell(seat);\n    arm(engine, event, false);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;',
    replace:
      '    arm(engine, event, false);\n    const bell = readBell(seat);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;',
    scenario: 'two entries for two that wait, known to each other or not',
  },
  {
    name: 'a waiter looks before it has set its bit',
    file: waiter,
    find: '    const bell = readBell(seat);\n    arm(engine, event, false);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;',
    replace:
      '    const bell = readBell(seat);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;\n    arm(engine, event, false);',
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a waiter reads its bell after it has looked',
    file: waiter,
    find: '    const bell = readBell(seat);\n    arm(engine, event, false);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;',
    replace:
      '    arm(engine, event, false);\n    got = take(seat, engine, event, wanted);\n    if (got !== 0) break;\n    const bell = readBell(seat);',
    scenario: 'an entry for one of two that wait',
  },
  {
    name: 'a waiter that sets its bit again forgets that it was chosen',
    file: bell,
    find: '  if (engine.arm(event.offset, 0) === 0 && event.isArmed) event.owes = true;',
    replace: '  engine.arm(event.offset, 0);',
    scenario: 'an entry that a chosen thread only looks at, and leaves',
  },
  {
    name: 'who was chosen and gives up passes nothing on',
    file: bell,
    find: '  if (event.isArmed && engine.disarm(event.offset, 0) === 0) event.owes = true;',
    replace: '  if (event.isArmed) engine.disarm(event.offset, 0);',
    scenario: 'an entry for one of two that wait, one of which gives up',
  },
  {
    name: 'who was chosen and only looked passes nothing on',
    file: bell,
    find: '  event.owes = false;\n  if (event.isLeft())',
    replace: '  event.owes = false;\n  if (false && event.isLeft())',
    scenario: 'an entry that a chosen thread only looks at, and leaves',
  },
  {
    name: 'a reaper rings nobody',
    file: reap,
    find: '  yield* ringEveryBell(port);\n  yield* free(port);',
    replace: '  yield* free(port);',
    scenario: 'an entry for one of two that wait, and somebody dies',
  },
  {
    name: 'a reaper rings before it has cleared the bits of the dead',
    file: reap,
    find: '  yield* clearWaiters(port);\n  yield* listForOwner(port);',
    replace: '  yield* ringEveryBell(port);\n  yield* clearWaiters(port);\n  yield* listForOwner(port);',
    scenario: 'an entry for one of two that wait, and somebody dies',
    also: [
      { file: reap, find: '  yield* ringEveryBell(port);\n  yield* free(port);', replace: '  yield* free(port);' },
    ],
  },
  {
    name: 'the taker word of a dead port stays',
    file: reap,
    find: '  if (portOfSeat(seen) === port.id) yield* port.exchange(taker, seen, 0);',
    replace: '',
    scenario: 'two pages for two that need both, one of which dies',
  },
  {
    name: 'two that need several take one by one',
    file: waiter,
    find: '  if (isThere) {\n    got =',
    replace: '  {\n    got =',
    scenario: 'one page for two that need two each',
  },
  {
    name: 'who waits for the taker and gives up passes nothing on',
    file: waiter,
    find: '  engine.unpark();\n  settle(engine, taker);',
    replace: '  engine.unpark();',
    scenario: 'a taker that is done, and two that wait for that, one of which gives up',
  },
  {
    name: 'nobody hears that the taker is done',
    file: bell,
    find: '  engine.pass(TAKER_FREE);',
    replace: '',
    scenario: 'a taker that is done, and two that wait for that, one of which gives up',
  },
  {
    name: 'who finds a taker sleeps without trying again',
    file: waiter,
    find: '    arm(engine, taker, false);\n    if (!beginTaking(seat)) return 0;',
    replace: '    arm(engine, taker, false);\n    return 0;',
    scenario: 'a taker that is done, and one that comes meanwhile',
  },
];
