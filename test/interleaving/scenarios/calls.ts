// Calls: each is answered, fails, or is given up, once; whoever dies, its pages are home and its asker is told.
//
// conservation.ts checks at every end that a call which is out has its entries in one node, and one that is served a
// server that lives. Port 0 asks, others serve.

import {
  ERR_NO_REPLY_SLOT,
  LANE_INBOX_OFFSET,
  LANE_RECEIVED_OFFSET,
  NODE_COUNT_OFFSET,
  REPLY_STATE_MASK,
} from '../../../assembly/layout.js';
import { replyOffset } from '../../../src/control/calls.js';
import { laneOffset, nodeOffset } from '../../../src/control/nodes.js';
import { rowIndex } from '../../../src/control/places.js';
import type { PoolOptions } from '../../../src/pool/options.js';
import type { End, Scenario } from '../explorer.js';
import type { ModelPool } from '../model.js';
import { reaperCode } from '../reaper-code.js';
import type { Call, Run } from '../thread.js';
import { requireNoneMissed, waitForAnswer } from '../waiter-code.js';
import { allocPages, codeName } from './common.js';

const ENTRY_BYTES = 16;

function callsOf(capacity: number): PoolOptions {
  return { pageCount: 4, calls: { work: { capacity } } };
}

/** A call by which port `id` asks with these handles: the request, and room for the reply where there is a second. */
function ask(pool: ModelPool, id: number, handles: readonly number[]): Call {
  for (const [i, handle] of handles.entries()) {
    const entry = pool.scratch(id) + i * ENTRY_BYTES;
    for (const [word, value] of [handle, 0, 64, 0].entries()) pool.write(entry + 4 * word, value);
  }
  return ['ask', 0, pool.scratch(id), handles.length];
}

/** Asks before schedules: the call's number. */
function asked(pool: ModelPool, id: number, pages: number): number {
  const [, ...args] = ask(pool, id, allocPages(pool, id, pages));
  const number = pool.port(id).ask(...(args as [number, number, number]));
  if (number < 0) throw new Error('setup: ask refused');
  return number;
}

/** Where port `id` has entries written that it accepts, and answers that it collects. */
const at = (pool: ModelPool, id: number): number => pool.scratch(id) + 2 * ENTRY_BYTES;

const DEAD = new Set([1]);

/** The thread reaps port 1, which is dead from the start. */
const reapServer: Run = {
  name: 'reap 1',
  run: (pool, id) => reaperCode().reapPortIfDead(pool.memory, pool.geometry, 1, { id, known: DEAD }),
  port: 1,
};

/** Port `id` accepts a call, and all is as if it had died when the slot was marked and the entry still in its inbox. */
function markAndDie(pool: ModelPool, id: number): void {
  const { geometry, memory } = pool;
  if (pool.port(id).accept(0, at(pool, id)) !== 1) throw new Error('setup: nothing to accept');
  const page = pool.pageOf(pool.read(at(pool, id)));
  const channel = geometry.channels[0]!;
  const node = nodeOffset(channel.ring, pool.read(laneOffset(channel, id) + LANE_INBOX_OFFSET));
  memory.u16[rowIndex(geometry, id, page)] = 0;
  pool.write(node + NODE_COUNT_OFFSET, 1);
  pool.write(laneOffset(channel, id) + LANE_RECEIVED_OFFSET, 0);
}

const serve: Run = { name: 'serve', run: (pool, id) => reaperCode().serveCall(pool.memory, at(pool, id)) };
const replyTo = (number: number, handle: number): Run => ({
  name: 'reply',
  run: () => reaperCode().replyTo(number, handle),
});
const refuse: Run = { name: 'refuse', run: (pool, id) => reaperCode().refuseCall(pool.memory, at(pool, id)) };
const leave: Run = {
  name: 'leave',
  run: (pool, id) => reaperCode().leaveWithCalls(pool.memory, pool.geometry, id, at(pool, id)),
};
const cancelOf = (number: number): Run => ({
  name: 'cancel',
  run: (pool, id) => reaperCode().cancelCall(pool.memory, number, at(pool, id)),
});
const askWithPage: Run = {
  name: 'ask',
  run: (pool, id) => reaperCode().askWithPage(pool.memory, pool.scratch(id)),
};
const collectOf = (number: number): Run => ({
  name: 'collect',
  run: (pool, id) => reaperCode().collectAnswer(pool.memory, number, at(pool, id)),
});

/** Port 0 waits for the answer of a call, which port 1 serves. */
const asleep: Pick<Scenario, 'threads' | 'options' | 'setup'> = {
  threads: 2,
  options: callsOf(2),
  setup: (pool) => [[waitForAnswer(asked(pool, 0, 1))], [serve]],
};

/** What became of the call, by its asker and its server. */
function wokenBy(end: End): string {
  requireNoneMissed(end);
  const [came] = end.results[0]!;
  const asker = came === undefined ? 'asleep' : came === -1 ? 'gave up' : word(CAME, came);
  return `${asker}, ${end.dead.includes(1) ? 'dead' : word(SERVED, end.results[1]![0])}`;
}

const SERVED = ['served nothing', 'answered', 'too late'];
const CAME = ['nothing yet', 'came', 'failed'];
const CANCELLED = ['cancelled', 'came', 'failed'];

function word<Word>(words: readonly Word[], result: number | null | undefined): Word | string {
  return words[result ?? -1] ?? `result ${result}`;
}

/** The state of the first slot of port 0. */
function slotState({ pool }: End): number {
  return pool.read(replyOffset(pool.geometry, 0, 0)) & REPLY_STATE_MASK;
}

export const callScenarios: readonly Scenario[] = [
  {
    name: 'ask and collect against serve, capacity 1',
    threads: 2,
    options: callsOf(1),
    setup(pool) {
      const handles = allocPages(pool, 0, 2);
      // The first call of the first slot of port 0 has number 0.
      return [[ask(pool, 0, handles), collectOf(0)], [serve]];
    },
    outcome: (end) => `${word(SERVED, end.results[1]![0])}, ${word(CAME, end.results[0]![1])}`,
    outcomes: {
      'served nothing, nothing yet': 'looked first',
      'answered, nothing yet': 'collected before the answer was there',
      'answered, came': 'asked, answered, collected',
    },
  },
  {
    name: 'a second call against serve, capacity 1',
    threads: 2,
    options: callsOf(1),
    setup(pool) {
      const first = asked(pool, 0, 1);
      return [[ask(pool, 0, allocPages(pool, 0, 2)), collectOf(first)], [serve]];
    },
    outcome: (end) => {
      const [again, came] = end.results[0]!;
      return `${again! < 0 ? codeName(again!) : 'asked'}; ${word(SERVED, end.results[1]![0])}, ${word(CAME, came)}`;
    },
    outcomes: {
      'full; answered, nothing yet': 'the ring was full; collected before the answer was there',
      'full; answered, came': 'the ring was full, the first call was answered',
      'asked; answered, nothing yet': 'there was room when the first call had been received',
      'asked; answered, came': 'likewise, and the answer was there',
    },
  },
  {
    name: 'answer against cancel',
    threads: 2,
    options: callsOf(2),
    setup(pool) {
      return [[cancelOf(asked(pool, 0, 1))], [serve]];
    },
    outcome: (end) => `${word(SERVED, end.results[1]![0])}, ${word(CANCELLED, end.results[0]![0])}, ${slotState(end)}`,
    outcomes: {
      'served nothing, cancelled, 0': 'cancelled before it was accepted: dropped on the way',
      'too late, cancelled, 0': 'cancelled while it was served',
      'answered, came, 0': 'answered first',
    },
  },
  {
    name: 'a refusal against cancel',
    threads: 2,
    options: callsOf(2),
    setup(pool) {
      return [[cancelOf(asked(pool, 0, 2))], [refuse]];
    },
    outcome: (end) => `${word(SERVED, end.results[1]![0])}, ${word(CANCELLED, end.results[0]![0])}, ${slotState(end)}`,
    outcomes: {
      'served nothing, cancelled, 0': 'cancelled before it was accepted: dropped on the way',
      'too late, cancelled, 0': 'cancelled while it was served',
      'answered, failed, 0': 'refused first',
    },
  },
  {
    ...asleep,
    name: 'an asker sleeps until its answer comes',
    outcome: (end) => wokenBy(end),
    outcomes: { 'came, answered': 'woken, or not asleep yet' },
  },
  {
    ...asleep,
    name: 'an asker sleeps until its answer comes, or gives up',
    aborts: 1,
    outcome: (end) => wokenBy(end),
    outcomes: {
      'came, answered': 'woken, or not asleep yet; also where it was about to give up',
      'gave up, served nothing': 'before the call was accepted',
      'gave up, too late': 'while it was served',
    },
  },
  {
    ...asleep,
    name: 'an asker sleeps, and its server dies',
    kills: 1,
    victims: [1],
    bound: 1,
    reaper: (pool, dead, by) => reaperCode().reapPort(pool.memory, pool.geometry, dead, by),
    outcome: (end) => wokenBy(end),
    outcomes: {
      'came, answered': 'nobody died, or the server when it was done',
      'came, dead': 'it died when the answer was in the slot: it rang, or the reaper did',
      'failed, dead': 'it died with the call',
      'asleep, dead': 'it died with the call whole in its inbox: that is in the channel again, for the next server',
    },
  },
  {
    name: 'two servers against a cancellation',
    threads: 3,
    options: callsOf(2),
    bound: 2,
    setup(pool) {
      return [[cancelOf(asked(pool, 0, 1))], [serve], [serve]];
    },
    outcome: (end) =>
      `${[1, 2].map((id) => word(SERVED, end.results[id]![0])).join(', ')}, ${word(CANCELLED, end.results[0]![0])}`,
    outcomes: {
      'served nothing, served nothing, cancelled': 'cancelled before it was accepted',
      'too late, served nothing, cancelled': 'port 1 served it in vain',
      'served nothing, too late, cancelled': 'port 2 did',
      'answered, served nothing, came': 'port 1 answered',
      'served nothing, answered, came': 'port 2 did',
    },
  },
  {
    name: 'a slot cancelled and used again against the answer of its first call',
    threads: 2,
    options: callsOf(2),
    setup(pool) {
      // Both slots are taken, and port 1 serves both calls.
      const [first] = [asked(pool, 0, 1), asked(pool, 0, 1)];
      const handles = [1, 2].map(() => {
        if (pool.port(1).accept(0, at(pool, 1)) !== 1) throw new Error('setup: nothing to accept');
        return pool.read(at(pool, 1));
      });
      return [
        [cancelOf(first!), ask(pool, 0, allocPages(pool, 0, 1))],
        [replyTo(first!, handles[0]!), serve],
      ];
    },
    outcome: (end) => {
      const [[cancelled, again] = [], [first, second] = []] = end.results;
      const isAsked = again === ERR_NO_REPLY_SLOT ? 'no slot' : again! > 0 ? 'asked again' : `code ${again}`;
      return `${word(CANCELLED, cancelled)}, ${isAsked}; ${word(SERVED, first)}, ${word(SERVED, second)}`;
    },
    outcomes: {
      'cancelled, no slot; too late, served nothing': 'the server had not let go of the slot yet',
      'cancelled, asked again; too late, served nothing': 'it had; asked after it looked for another call',
      'cancelled, asked again; too late, answered': 'it had, and served the next call in the same slot',
      'came, asked again; answered, served nothing': 'answered first; asked after it looked for another call',
      'came, asked again; answered, answered': 'answered first, and the next call as well',
    },
  },
  {
    name: 'an asker leaves against its answer',
    threads: 2,
    options: callsOf(2),
    setup(pool) {
      asked(pool, 0, 2);
      return [[leave], [serve]];
    },
    outcome: (end) => `${word(SERVED, end.results[1]![0])}, ${slotState(end)}`,
    outcomes: {
      'served nothing, 0': 'left before it was accepted',
      'too late, 0': 'left while it was served',
      'answered, 0': 'answered before: released, or by the one that was leaving',
    },
  },
  {
    name: 'a port used again when its asker has left, against a server',
    threads: 2,
    options: callsOf(2),
    setup(pool) {
      asked(pool, 0, 1);
      return [
        [leave, askWithPage],
        [serve, serve],
      ];
    },
    outcome: (end) => {
      const [one, two] = end.results[1]!.map((result) => word(SERVED, result));
      return `${one}, ${two}`;
    },
    outcomes: {
      'served nothing, served nothing': 'looked before the next thread asked; the first call was dropped',
      'served nothing, answered': 'the first call was dropped, that of the next thread answered',
      'too late, served nothing': 'the first was served in vain; looked again before the next was there',
      'too late, answered': 'the first was served in vain, the next answered',
      'answered, served nothing':
        'the first was answered, and released by the asker; or the next, after it was dropped',
      'answered, answered': 'both were',
    },
  },
  {
    name: 'a server dies between marking and taking, another one and a cancellation',
    threads: 3,
    options: callsOf(2),
    bound: 2,
    setup(pool) {
      const number = asked(pool, 0, 1);
      markAndDie(pool, 1);
      return [[cancelOf(number)], [], [reapServer, serve]];
    },
    outcome: (end) => `${word(SERVED, end.results[2]![1])}, ${word(CANCELLED, end.results[0]![0])}, ${slotState(end)}`,
    outcomes: {
      'answered, came, 0': 'it went on to another server',
      'too late, cancelled, 0': 'likewise, and was cancelled while it was served',
      'served nothing, cancelled, 0': 'cancelled before',
    },
  },
  {
    name: 'a server leaves with a call against its cancellation and a closed ring',
    threads: 3,
    options: callsOf(1),
    bound: 2,
    setup(pool) {
      const number = asked(pool, 0, 1);
      if (pool.port(1).accept(0, at(pool, 1)) !== 1) throw new Error('setup: nothing to accept');
      return [[cancelOf(number), collectOf(number)], [leave], [['closeChannel', 0]]];
    },
    outcome: (end) => `${word(CANCELLED, end.results[0]![0])}, ${slotState(end)}`,
    outcomes: {
      'cancelled, 0': 'cancelled while it was served',
      'failed, 0': 'the server left first',
    },
  },
  {
    name: 'the pool is scrubbed against ask and serve',
    threads: 3,
    options: callsOf(1),
    bound: 2,
    setup(pool) {
      const handles = allocPages(pool, 0, 1);
      return [[ask(pool, 0, handles), collectOf(0)], [serve], [['scrub']]];
    },
    // As the closer's timer brings it.
    finish: (pool) => pool.port(2).scrub(),
    outcome: (end) => {
      const [sent, came] = end.results[0]!;
      const isOut = sent === 0 ? 'sent' : codeName(sent!);
      return `${isOut}, ${word(SERVED, end.results[1]![0])}, ${came === 0 ? 'nothing yet' : word(CAME, came)}, ${slotState(end)}`;
    },
    outcomes: {
      'closed, served nothing, nothing yet, 0': 'closed before: the asker keeps its page',
      'sent, served nothing, failed, 0': 'drained: the call failed',
      'sent, served nothing, nothing yet, 4': 'likewise, and the asker looked before; it can still collect that',
      'sent, answered, came, 0': 'served and collected before',
      'sent, answered, nothing yet, 3': 'answered after the asker looked; it can still collect that',
    },
  },
];
