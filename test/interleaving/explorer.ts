// The explorer: every order in which a few threads can perform their atomics, tried on the shipped code itself.
//
// Depth first over choices: at each point either some thread takes its next step, or (with `kills`) some thread is
// killed and never steps again. A schedule is the string of its choices: a digit steps that thread, a letter kills it
// (a = thread 0), a point ends a schedule in which somebody could still be killed. A failure's string is all that is
// needed to see it again:
//
//   PAGEPOOL_ENGINE=wasm PAGEPOOL_SCHEDULE='scenario name: 0101100' npx vitest run --project interleaving schedule
//
// To take another choice, the explorer goes back to where it was made: the words are set to what they were, and each
// thread to where it stood (model.ts, course.ts). Nothing is done again from the start.
//
// States that were seen before are not explored again: what follows depends on the state alone (memory, what decides
// how each thread goes on, results; with a bound, the preemptions used and who ran last). The number of schedules is
// exact all the same: it is counted over the graph of states. A state that comes back on its own path means that
// threads can run for ever without finishing anything. (A TypeScript thread that spins has read more each time: its
// schedule gets too long instead.)
//
// A thread that can still be killed stops before its plain writes as well, in TypeScript, and in a Wasm binary that was
// built for it: there it goes on or dies, and no other thread comes between. A scenario with a reaper gets one more
// thread for each death, which starts at any time after it and may be killed like the others; then the thread after it
// has the same port to reap.
//
// What it cannot see: plain accesses half way between two atomics, reorderings that sequential consistency forbids, and
// what the optimiser does to the release binary, which is another build of the same source.

import type { PoolOptions } from '../../src/pool/options.js';
import { checkConservation, type Places } from './conservation.js';
import type { EngineName, Engines } from './engines.js';
import { ModelPool } from './model.js';
import { type Reap, ReaperThread } from './reaper.js';
import { States } from './states.js';
import { suspension } from './suspend/suspension.js';
import type { Program, Results } from './thread.js';

/** What a scenario's end looks like. */
export interface End {
  readonly pool: ModelPool;
  /** By thread. */
  readonly results: readonly Results[];
  /** Where each page is, page 1 first; empty when a thread was killed and nobody reaped. */
  readonly places: Places;
  /** Ports whose threads were killed, and not reapers among them. */
  readonly dead: readonly number[];
  /** Threads that sleep, and that nobody is going to wake. */
  readonly asleep: readonly number[];
}

/** A pool, what its threads do at the same time, and every outcome that is right. */
export interface Scenario {
  readonly name: string;
  readonly threads: number;
  readonly options?: PoolOptions;
  /** Preemptions at most; none: exhaustive. */
  readonly bound?: number;
  /** Bounds that only some engines need: their threads take more steps, or have more states. */
  readonly bounds?: Readonly<Partial<Record<EngineName, number>>>;
  /** Threads that may be killed, reapers included. */
  readonly kills?: number;
  /** Waits that may be given up, as by a signal or when their time is over. */
  readonly aborts?: number;
  /** Which of the threads with programs may be killed; without, all. */
  readonly victims?: readonly number[];
  /** Reaps each port whose thread was killed, as one more thread. */
  readonly reaper?: Reap;
  /** What a live thread does when all others are done, before the pool is checked. */
  readonly finish?: (pool: ModelPool) => void;
  /** Calls made before, one after the other; returns what each thread does then. */
  setup(pool: ModelPool): readonly Program[];
  /** The outcome of one end, in a few words. Throws when something is wrong that needs no table. */
  outcome(end: End): string;
  /** Each allowed outcome and how it comes about. */
  readonly outcomes: Readonly<Record<string, string>>;
  /** The end is checked once for all threads' results: it follows from the pool's words and from who is dead. */
  readonly isOfWords?: boolean;
}

/** What exploring a scenario found. */
export interface Exploration {
  readonly scenario: Scenario;
  readonly engine: EngineName;
  readonly bound: number | undefined;
  /** Complete schedules. */
  readonly schedules: number;
  /** Different states, over all schedules. */
  readonly states: number;
  /** Schedules actually run, others being the same from some state on. */
  readonly runs: number;
  readonly longest: number;
  readonly seconds: number;
  /** How many schedules end in each outcome. */
  readonly outcomes: ReadonlyMap<string, number>;
  readonly failure: Failure | undefined;
}

/** A schedule that ends wrongly. */
export interface Failure {
  readonly schedule: string;
  readonly message: string;
}

export interface ExploreOptions {
  /** Runs after which the exploration gives up: a scenario that is too large is an error, not a pass. */
  readonly maxRuns?: number;
  /** Explores states again that were seen before: only to check the explorer itself. */
  readonly everySchedule?: boolean;
}

const LONGEST_SCHEDULE = 2000;
const NO_END = `no end after ${LONGEST_SCHEDULE} steps`;
const COMES_BACK = 'a state comes back: threads can run for ever without finishing anything';

interface Choice {
  readonly thread: number;
  readonly act: 'step' | 'kill' | 'abort' | 'end';
  /** No other thread may go on instead: it stands before a plain write. */
  readonly isAlone?: boolean;
}

interface Node {
  readonly key: number;
  readonly choices: readonly Choice[];
  /** What was used up before the choice. */
  readonly used: Used;
  /** Where each thread stands. */
  readonly states: readonly unknown[];
  readonly reapers: readonly ReaperThread[];
  at: number;
  /** Of the choices that were tried. */
  total: Total;
}

/** The schedules from a state on. */
interface Total {
  readonly schedules: number;
  readonly outcomes: Counts;
}

/** How many schedules end in each outcome, by the outcome's number. Most states lead to few: no number, no entry. */
type Counts = readonly number[];

/** What a schedule has used up, and the thread that ran last. */
interface Used {
  readonly preemptions: number;
  readonly kills: number;
  readonly aborts: number;
  readonly last: number;
  /** Nobody is killed any more. */
  readonly isEnded: boolean;
}

const START: Used = { preemptions: 0, kills: 0, aborts: 0, last: -1, isEnded: false };
const NONE: Total = { schedules: 0, outcomes: [] };
/** The states of threads that nobody goes back to. */
const NOWHERE: readonly unknown[] = [];
/** The value of a state that is on the path. */
const ON_PATH = 0;

/** Threads, a bit for each. */
interface Able {
  /** Those that can take a step. */
  readonly running: number;
  /** Those that may be killed. */
  readonly mortal: number;
  /** Those whose wait may be given up. */
  readonly waiting: number;
  /** The one that stands before a plain write: the writes up to its next atomic belong to the same step. Or -1. */
  readonly alone: number;
}

/** The bound of a scenario for an engine. */
export function boundOf({ bound, bounds }: Scenario, engine: EngineName): number | undefined {
  return bounds?.[engine] ?? bound;
}

/** Explores one scenario. Stops at the first failure. */
export function explore(scenario: Scenario, engines: Engines, options: ExploreOptions = {}): Exploration {
  return new Explorer(scenario, engines, options).explore();
}

/** Runs one schedule and tells what every step changed. */
export function trace(scenario: Scenario, engines: Engines, schedule: string): string[] {
  return new Explorer(scenario, engines, {}).trace(schedule);
}

class Explorer {
  private readonly pool: ModelPool;
  private readonly programs: readonly Program[];
  private readonly path: Node[] = [];
  /** States that were seen: the place of their total, or that they are on the path. */
  private readonly seen = new States();
  /** Each total that a state has; the first is of none. */
  private readonly totals: Total[] = [NONE];
  /** Choices, by all that they follow from. */
  private readonly known = new Map<number, readonly Choice[]>();
  /** One schedule that ends in each outcome. */
  private readonly ends: Total[] = [];
  /** Outcomes by number. */
  private readonly named: string[] = [];
  /** The outcome of ends that were checked, by what it follows from. */
  private readonly checked = new Map<number, string>();
  private readonly maxRuns: number;
  private readonly bound: number | undefined;
  private readonly maxKills: number;
  private readonly maxAborts: number;
  private runs = 0;
  private longest = 0;

  constructor(
    private readonly scenario: Scenario,
    private readonly engines: Engines,
    private readonly options: ExploreOptions,
  ) {
    this.maxRuns = options.maxRuns ?? 2_000_000;
    this.bound = boundOf(scenario, engines.name);
    this.maxKills = scenario.kills ?? 0;
    this.maxAborts = scenario.aborts ?? 0;
    this.pool = new ModelPool(engines, scenario.threads, scenario.options ?? {});
    this.programs = scenario.setup(this.pool);
    checkConservation(this.pool);
    this.pool.save();
  }

  explore(): Exploration {
    const started = performance.now();
    let failure: Failure | undefined;
    let total = NONE;
    try {
      for (;;) {
        this.runs += 1;
        if (this.runs > this.maxRuns)
          throw new Error(`more than ${this.maxRuns} runs: take smaller programs or a bound`);
        this.run();
        const root = this.backtrack();
        if (root === undefined) continue;
        total = root;
        break;
      }
    } catch (error) {
      failure = { schedule: this.schedule(), message: error instanceof Error ? error.message : String(error) };
    }
    return {
      scenario: this.scenario,
      engine: this.engines.name,
      bound: this.bound,
      schedules: total.schedules,
      // A state that is on the path when an error ends everything is not done.
      states: this.seen.size - this.path.length,
      runs: this.runs,
      longest: this.longest,
      seconds: (performance.now() - started) / 1000,
      outcomes: new Map(this.named.flatMap((name, i) => (total.outcomes[i] ? [[name, total.outcomes[i]]] : []))),
      failure,
    };
  }

  trace(schedule: string): string[] {
    const lines: string[] = [];
    const seen = new Set<number>();
    let used = START;
    this.reset();
    for (const [i, char] of [...schedule].entries()) {
      const choices = this.choices(used, this.look());
      const choice = choiceOf(char, choices);
      const before = this.pool.copy();
      seen.add(this.key(used));
      const doing = this.pool.threads[choice.thread]?.doing ?? '-';
      try {
        this.take(choice, used);
      } catch (error) {
        return [...lines, `${i} thread ${choice.thread} ${doing}: ${error}`];
      }
      used = this.after(used, choices, choice);
      const changes = this.pool.changes(before).join('; ') || 'reads';
      lines.push(
        `${i} ${choice.act === 'end' ? 'the end' : `thread ${choice.thread}${choice.act === 'kill' ? ' dies in' : ''} ${doing}: ${changes}`}`,
      );
    }
    const { results } = this.end([]);
    lines.push(`results: ${JSON.stringify(results)}`);
    if (this.look().running === 0) lines.push(`outcome: ${this.outcomeOrError()}`);
    else if (seen.has(this.key(used))) lines.push(COMES_BACK);
    else lines.push(schedule.length >= LONGEST_SCHEDULE ? NO_END : 'not over: more steps could follow');
    return lines;
  }

  /** Goes back to the path's end, then on with first choices to an end or to a state that was seen. */
  private run(): void {
    const { path, seen } = this;
    let used = path.length === 0 ? this.start() : this.goOnFrom(path.at(-1)!);
    for (;;) {
      const able = this.look();
      const key = this.key(used);
      const value = seen.get(key);
      if (value > ON_PATH && this.options.everySchedule !== true) {
        this.add(this.totals[value]!);
        return;
      }
      const isOver = able.running === 0 && (used.isEnded || !this.mayStillChange(used, able));
      if (isOver) {
        const end = this.ended();
        this.longest = Math.max(this.longest, path.length);
        seen.set(key, this.placeOf(end));
        this.add(end);
        return;
      }
      if (value === ON_PATH) throw new Error(COMES_BACK);
      if (path.length >= LONGEST_SCHEDULE) throw new Error(NO_END);
      const node = this.nodeHere(key, used, this.choices(used, able));
      path.push(node);
      seen.set(key, ON_PATH);
      const choice = node.choices[0]!;
      this.take(choice, used);
      used = this.after(used, node.choices, choice);
    }
  }

  private start(): Used {
    this.reset();
    return START;
  }

  /** From a node's state, which everything goes back to, by the choice that is its next one. */
  private goOnFrom({ choices, at, used, states, reapers }: Node): Used {
    const { pool } = this;
    pool.reapers = reapers;
    pool.words.load(this.path.length - 1);
    for (let i = 0; i < states.length; i++) pool.threads[i]!.restore(states[i]);
    const choice = choices[at]!;
    this.take(choice, used);
    return this.after(used, choices, choice);
  }

  /** The next node of the path. Where everything stands is remembered if there is a choice to go back for. */
  private nodeHere(key: number, used: Used, choices: readonly Choice[]): Node {
    const { path, pool } = this;
    const { reapers } = pool;
    if (choices.length === 1) {
      pool.words.begin(path.length);
      return { key, choices, used, states: NOWHERE, reapers, at: 0, total: NONE };
    }
    pool.words.save(path.length);
    return { key, choices, used, states: pool.threads.map((thread) => thread.save()), reapers, at: 0, total: NONE };
  }

  /** Goes on to the next choice that is left. Returns the root's sums when there is none. */
  private backtrack(): Total | undefined {
    const { path } = this;
    for (;;) {
      const node = path.at(-1);
      if (node === undefined) return this.ended();
      node.at += 1;
      if (node.at < node.choices.length) return undefined;
      path.pop();
      this.seen.set(node.key, this.placeOf(node.total));
      if (path.length === 0) return node.total;
      this.add(node.total);
    }
  }

  /** Most states have one state that follows, and its total. */
  private placeOf(total: Total): number {
    if (this.totals.at(-1) === total) return this.totals.length - 1;
    return this.totals.push(total) - 1;
  }

  private add(total: Total): void {
    const node = this.path.at(-1);
    if (node === undefined) return;
    if (node.total === NONE) {
      node.total = total;
      return;
    }
    const { schedules, outcomes } = node.total;
    const sums = outcomes.slice();
    for (let i = 0; i < total.outcomes.length; i++) sums[i] = (sums[i] ?? 0) + total.outcomes[i]!;
    node.total = { schedules: schedules + total.schedules, outcomes: sums };
  }

  /** One schedule that has come to its end. */
  private ended(): Total {
    const outcome = this.outcome();
    const known = this.named.indexOf(outcome);
    const index = known < 0 ? this.named.push(outcome) - 1 : known;
    this.ends[index] ??= { schedules: 1, outcomes: [...Array(index).fill(0), 1] };
    return this.ends[index];
  }

  private reset(): void {
    suspension.deaths = this.maxKills > 0;
    this.pool.reset(this.programs, this.maxKills > 0);
  }

  private take({ thread, act }: Choice, { kills }: Used): void {
    // A thread that cannot be killed any more need not stop before plain writes.
    suspension.deaths = kills < this.maxKills;
    if (act === 'step') this.pool.threads[thread]!.step();
    else if (act === 'abort') this.pool.threads[thread]!.giveUp();
    else if (act === 'kill') this.kill(thread);
  }

  private kill(thread: number): void {
    const instance = this.pool.threads[thread]!;
    instance.kill();
    const { reaper } = this.scenario;
    if (reaper === undefined) return;
    const ports = instance instanceof ReaperThread ? [...instance.unfinished, ...this.pool.reapedBy(thread)] : [thread];
    this.pool.addReaper(reaper, [...new Set(ports)]);
  }

  /** Who can do what. */
  private look(): Able {
    const { threads } = this.pool;
    let running = 0;
    let mortal = 0;
    let waiting = 0;
    let alone = -1;
    for (let i = 0; i < threads.length; i++) {
      const thread = threads[i]!;
      if (thread.isDead) continue;
      const { isFinished } = thread;
      if (!isFinished && !thread.isAsleep) running |= 1 << i;
      if (!isFinished && alone < 0 && thread.isAtPlain) alone = i;
      if (thread.isAtSleep) waiting |= 1 << i;
      if (this.isMortal(i, isFinished)) mortal |= 1 << i;
    }
    return { running, mortal, waiting, alone };
  }

  /** A program's thread even when it is over, if there is somebody to reap its port. */
  private isMortal(id: number, isFinished: boolean): boolean {
    const { victims, reaper, threads } = this.scenario;
    const isProgram = id < threads;
    if (isProgram && victims !== undefined && !victims.includes(id)) return false;
    return !isFinished || (isProgram && reaper !== undefined);
  }

  /** What may come next: first the thread that ran last, so that the first failures found have few switches. */
  private choices({ preemptions, kills, aborts, last }: Used, able: Able): readonly Choice[] {
    const { alone, running } = able;
    const isBound = this.bound !== undefined && preemptions >= this.bound;
    const mortal = kills < this.maxKills ? (alone < 0 ? able.mortal : able.mortal & (1 << alone)) : 0;
    const waiting = alone < 0 && aborts < this.maxAborts ? able.waiting : 0;
    const threads = (running * 0x400 + mortal) * 0x400 + waiting;
    const key = (threads * 16 + alone + 1) * 32 + (last + 1) * 2 + (isBound ? 1 : 0);
    let choices = this.known.get(key);
    if (choices === undefined) {
      if (this.pool.threads.length > 10) throw new Error(`threads=${this.pool.threads.length} (expected at most 10)`);
      choices = choicesOf(running, mortal, waiting, alone, last, isBound);
      this.known.set(key, choices);
    }
    return choices;
  }

  /** Somebody may be killed, or give up, where nobody goes on. */
  private mayStillChange({ aborts, kills }: Used, { mortal, waiting }: Able): boolean {
    return (kills < this.maxKills && mortal !== 0) || (aborts < this.maxAborts && waiting !== 0);
  }

  private after(used: Used, choices: readonly Choice[], { thread, act, isAlone = false }: Choice): Used {
    if (act === 'end') return { ...used, isEnded: true };
    if (act === 'kill') return { ...used, kills: used.kills + 1, last: used.last === thread ? -1 : used.last };
    if (act === 'abort') return { ...used, aborts: used.aborts + 1 };
    if (isAlone || thread === used.last) return used;
    const isPreemption = choices.some((choice) => choice.act === 'step' && choice.thread === used.last);
    return { ...used, preemptions: used.preemptions + (isPreemption ? 1 : 0), last: thread };
  }

  private key({ preemptions, kills, aborts, last, isEnded }: Used): number {
    const salt = this.bound === undefined ? 0 : (preemptions * 16 + last + 1) * 64;
    return this.pool.hash(salt + (aborts * 4 + kills) * 2 + (isEnded ? 1 : 0));
  }

  private end(places: Places): End {
    const { instances } = this.pool;
    const dead = instances.filter(({ isDead }) => isDead).map(({ id }) => id);
    const asleep = instances.filter(({ isDead, isAsleep }) => !isDead && isAsleep).map(({ id }) => id);
    return { pool: this.pool, results: instances.map(({ results }) => results), places, dead, asleep };
  }

  private outcome(): string {
    if (this.scenario.isOfWords !== true) return this.check();
    const key = this.pool.hashWords(
      this.pool.threads.reduce((dead, { id, isDead }) => dead | (isDead ? 1 << id : 0), 0),
    );
    const outcome = this.checked.get(key) ?? this.check();
    this.checked.set(key, outcome);
    return outcome;
  }

  private check(): string {
    const { reaper, finish } = this.scenario;
    const hasDeath = this.pool.instances.some(({ isDead }) => isDead);
    // What follows is no step, and changes what it likes.
    this.pool.words.touch();
    for (const thread of this.pool.threads) thread.forget();
    finish?.(this.pool);
    const places = hasDeath && reaper === undefined ? [] : checkConservation(this.pool, hasDeath);
    const outcome = this.scenario.outcome(this.end(places));
    if (!Object.hasOwn(this.scenario.outcomes, outcome)) throw new Error(`outcome not in the table: ${outcome}`);
    return outcome;
  }

  private outcomeOrError(): string {
    try {
      return this.outcome();
    } catch (error) {
      return String(error);
    }
  }

  private schedule(): string {
    return this.path.map((node) => charOf(node.choices[node.at]!)).join('');
  }
}

function choicesOf(
  running: number,
  mortal: number,
  waiting: number,
  alone: number,
  last: number,
  isBound: boolean,
): readonly Choice[] {
  const canGoOn = last >= 0 && ((running >>> last) & 1) === 1;
  const order = canGoOn ? [last, ...threadsOf(running & ~(1 << last))] : threadsOf(running);
  const steps = alone >= 0 ? [alone] : canGoOn && isBound ? [last] : order;
  return [
    ...steps.map((thread): Choice => ({ thread, act: 'step', isAlone: alone >= 0 })),
    ...(steps.length === 0 ? [{ thread: -1, act: 'end' } as const] : []),
    ...threadsOf(mortal).map((thread): Choice => ({ thread, act: 'kill' })),
    ...threadsOf(waiting).map((thread): Choice => ({ thread, act: 'abort' })),
  ];
}

function threadsOf(bits: number): number[] {
  const threads: number[] = [];
  for (let id = 0; bits >>> id !== 0; id++) if (((bits >>> id) & 1) === 1) threads.push(id);
  return threads;
}

function charOf({ thread, act }: Choice): string {
  if (act === 'end') return '.';
  if (act === 'step') return String(thread);
  return String.fromCharCode((act === 'kill' ? 97 : 65) + thread);
}

function choiceOf(char: string, choices: readonly Choice[]): Choice {
  const found = choices.find((choice) => charOf(choice) === char);
  if (found === undefined) throw new Error(`choice=${char} (expected one of ${choices.map(charOf).join(' ')})`);
  return found;
}
