// The explorer: every order in which a few threads can perform their atomics, tried on the shipped code itself.
//
// Depth first over choices: at each point either some thread takes its next step, or (with `kills`) some thread is
// killed and never steps again. A schedule is the string of its choices: a digit steps that thread, a letter kills it
// (a = thread 0), a point ends a schedule in which somebody could still be killed. Every schedule is replayed from the
// saved memory, so a failure's string is all that is needed to see it again:
//
//   PAGEPOOL_ENGINE=wasm PAGEPOOL_SCHEDULE='scenario name: 0101100' npx vitest run --project interleaving schedule
//
// States that were seen before are not explored again: what follows depends on the state alone (memory, what decides
// how each thread goes on, results; with a bound, the preemptions used and who ran last). The number of schedules is
// exact all the same: it is counted over the graph of states. A state that comes back on its own path means that
// threads can run for ever without finishing anything. (A TypeScript thread that spins has read more each time: its
// schedule gets too long instead.)
//
// A thread that can still be killed stops before its plain writes as well, in TypeScript: there it goes on or dies, and
// no other thread comes between. A scenario with a reaper gets one more thread for each death, which starts at any time
// after it and may be killed like the others; then the thread after it has the same port to reap.
//
// What it cannot see: plain accesses half way between two atomics, reorderings that sequential consistency forbids, and
// what the optimiser does to the release binary, which is another build of the same source.

import type { PoolOptions } from '../../src/pool/options.js';
import { checkConservation, type Places } from './conservation.js';
import type { EngineName, Engines } from './engines.js';
import { ModelPool } from './model.js';
import { type Reap, ReaperThread } from './reaper.js';
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
  at: number;
  schedules: number;
  readonly outcomes: Counts;
}

/** How many schedules end in each outcome, by the outcome's number. Most states lead to few: no number, no entry. */
type Counts = number[];

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
  private readonly onPath = new Set<number>();
  private readonly done = new Map<number, Pick<Node, 'schedules' | 'outcomes'>>();
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
    let total: Pick<Node, 'schedules' | 'outcomes'> = { schedules: 0, outcomes: [] };
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
      states: this.done.size,
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
      const choices = this.choices(used);
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
    if (this.isOver()) lines.push(`outcome: ${this.outcomeOrError()}`);
    else if (seen.has(this.key(used))) lines.push(COMES_BACK);
    else lines.push(schedule.length >= LONGEST_SCHEDULE ? NO_END : 'not over: more steps could follow');
    return lines;
  }

  /** Replays the path, then goes on with first choices to an end or to a state that was seen. */
  private run(): void {
    const { path } = this;
    this.reset();
    for (const { choices, at, used } of path) this.take(choices[at]!, used);
    const last = path.at(-1);
    let used = last === undefined ? START : this.after(last.used, last.choices, last.choices[last.at]!);
    for (;;) {
      const isOver = this.isOver() && (used.isEnded || !(this.mayStillDie(used) || this.mayStillAbort(used)));
      const key = this.key(used);
      const seen = this.options.everySchedule ? undefined : this.done.get(key);
      if (seen !== undefined) {
        this.add(seen.schedules, seen.outcomes);
        return;
      }
      if (isOver) {
        const end = this.ended();
        this.longest = Math.max(this.longest, path.length);
        this.done.set(key, end);
        this.add(1, end.outcomes);
        return;
      }
      if (this.onPath.has(key)) throw new Error(COMES_BACK);
      if (path.length >= LONGEST_SCHEDULE) throw new Error(NO_END);
      const node: Node = { key, choices: this.choices(used), used, at: 0, schedules: 0, outcomes: [] };
      path.push(node);
      this.onPath.add(key);
      const choice = node.choices[0]!;
      this.take(choice, used);
      used = this.after(used, node.choices, choice);
    }
  }

  /** Goes on to the next choice that is left. Returns the root's sums when there is none. */
  private backtrack(): Pick<Node, 'schedules' | 'outcomes'> | undefined {
    const { path } = this;
    for (;;) {
      const node = path.at(-1);
      if (node === undefined) return this.ended();
      node.at += 1;
      if (node.at < node.choices.length) return undefined;
      path.pop();
      this.onPath.delete(node.key);
      this.done.set(node.key, { schedules: node.schedules, outcomes: node.outcomes });
      if (path.length === 0) return node;
      this.add(node.schedules, node.outcomes);
    }
  }

  private add(schedules: number, outcomes: Counts): void {
    const node = this.path.at(-1);
    if (node === undefined) return;
    node.schedules += schedules;
    for (let i = 0; i < outcomes.length; i++) node.outcomes[i] = (node.outcomes[i] ?? 0) + outcomes[i]!;
  }

  /** One schedule that has come to its end. */
  private ended(): Pick<Node, 'schedules' | 'outcomes'> {
    const outcome = this.outcome();
    const known = this.named.indexOf(outcome);
    const index = known < 0 ? this.named.push(outcome) - 1 : known;
    const outcomes: Counts = Array(index + 1).fill(0);
    outcomes[index] = 1;
    return { schedules: 1, outcomes };
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

  /** What may come next: first the thread that ran last, so that the first failures found have few switches. */
  private choices({ preemptions, kills, aborts, last }: Used): Choice[] {
    const { threads } = this.pool;
    // A thread that stands before a plain write is alone: the writes up to its next atomic belong to the same step.
    const alone = threads.find(({ isAtPlain, isFinished, isDead }) => isAtPlain && !isFinished && !isDead);
    const running = threads
      .filter(({ isFinished, isDead, isAsleep }) => !isFinished && !isDead && !isAsleep)
      .map(({ id }) => id);
    const canGoOn = running.includes(last);
    const order = canGoOn ? [last, ...running.filter((id) => id !== last)] : running;
    const isBound = this.bound !== undefined && preemptions >= this.bound;
    const steps = alone !== undefined ? [alone.id] : canGoOn && isBound ? [last] : order;
    const mortals = kills < this.maxKills ? this.mortals().filter((id) => alone === undefined || id === alone.id) : [];
    return [
      ...steps.map((thread): Choice => ({ thread, act: 'step', isAlone: alone !== undefined })),
      ...(steps.length === 0 ? [{ thread: -1, act: 'end' } as const] : []),
      ...mortals.map((thread): Choice => ({ thread, act: 'kill' })),
      ...(alone === undefined && aborts < this.maxAborts ? this.waiters() : []).map(
        (thread): Choice => ({ thread, act: 'abort' }),
      ),
    ];
  }

  /** Threads that may be killed: a program's even when it is over, if there is somebody to reap its port. */
  private mortals(): number[] {
    const { victims, reaper } = this.scenario;
    return this.pool.threads
      .filter(({ id, isFinished, isDead }) => {
        if (isDead) return false;
        const isProgram = id < this.scenario.threads;
        if (isProgram && victims !== undefined && !victims.includes(id)) return false;
        return !isFinished || (isProgram && reaper !== undefined);
      })
      .map(({ id }) => id);
  }

  /** Threads whose wait may be given up, woken or not. */
  private waiters(): number[] {
    return this.pool.threads.filter(({ isDead, isAtSleep }) => !isDead && isAtSleep).map(({ id }) => id);
  }

  private mayStillAbort({ aborts }: Used): boolean {
    return aborts < this.maxAborts && this.waiters().length > 0;
  }

  private mayStillDie({ kills }: Used): boolean {
    return kills < this.maxKills && this.mortals().length > 0;
  }

  private after(used: Used, choices: readonly Choice[], { thread, act, isAlone }: Choice): Used {
    if (act === 'end') return { ...used, isEnded: true };
    if (act === 'kill') return { ...used, kills: used.kills + 1, last: used.last === thread ? -1 : used.last };
    if (act === 'abort') return { ...used, aborts: used.aborts + 1 };
    if (isAlone) return used;
    const isPreemption =
      thread !== used.last && choices.some((choice) => choice.act === 'step' && choice.thread === used.last);
    return { ...used, preemptions: used.preemptions + (isPreemption ? 1 : 0), last: thread };
  }

  private key({ preemptions, kills, aborts, last, isEnded }: Used): number {
    const salt = this.bound === undefined ? 0 : (preemptions * 16 + last + 1) * 64;
    return this.pool.hash(salt + (aborts * 4 + kills) * 2 + (isEnded ? 1 : 0));
  }

  private isOver(): boolean {
    return this.pool.threads.every(({ isFinished, isDead, isAsleep }) => isFinished || isDead || isAsleep);
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
