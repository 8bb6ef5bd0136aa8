// The explorer: every order in which a few threads can perform their atomics, tried on the compiled code itself.
//
// Depth first over choices: at each point either some thread takes its next step, or (with `kills`) some thread is killed and
// never steps again. A schedule is the string of its choices: a digit steps that thread, a letter kills it (a = thread 0).
// Every schedule is replayed from the saved memory, so a failure's string is all that is needed to see it again:
//
//   PAGEPOOL_SCHEDULE='scenario name: 0101100' npx vitest run --project interleaving
//
// States that were seen before are not explored again: what follows depends on the state alone (memory, stacks, results; with
// a bound, the preemptions used and who ran last). The number of schedules is exact all the same: it is counted over the
// graph of states. A state that comes back on its own path means that threads can run for ever without finishing anything.
//
// What it cannot see: plain accesses half way between two atomics, reorderings that sequential consistency forbids, and what
// the optimiser does to the release binary, which is another build of the same source.

import type { PoolOptions } from '../../src/pool/options.js';
import { checkConservation, type Places } from './conservation.js';
import { ModelPool, type Program, type Results } from './model.js';

/** What a scenario's end looks like. */
export interface End {
  readonly pool: ModelPool;
  /** By thread. */
  readonly results: readonly Results[];
  /** Where each page is, page 1 first; empty when a thread was killed. */
  readonly places: Places;
}

/** A pool, what its threads do at the same time, and every outcome that is right. */
export interface Scenario {
  readonly name: string;
  readonly threads: number;
  readonly options?: PoolOptions;
  /** Preemptions at most; none: exhaustive. */
  readonly bound?: number;
  /** Threads that may be killed. */
  readonly kills?: number;
  /** Calls made before, one after the other; returns what each thread does then. */
  setup(pool: ModelPool): readonly Program[];
  /** The outcome of one end, in a few words. Throws when something is wrong that needs no table. */
  outcome(end: End): string;
  /** Each allowed outcome and how it comes about. */
  readonly outcomes: Readonly<Record<string, string>>;
}

/** What exploring a scenario found. */
export interface Exploration {
  readonly scenario: Scenario;
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
const COMES_BACK = 'a state comes back: threads can run for ever without finishing anything';

interface Choice {
  readonly thread: number;
  readonly isKill: boolean;
}

interface Node {
  readonly key: number;
  readonly choices: readonly Choice[];
  /** Preemptions, kills and the thread that ran last, before the choice. */
  readonly used: Used;
  at: number;
  schedules: number;
  outcomes: Map<string, number>;
}

interface Used {
  readonly preemptions: number;
  readonly kills: number;
  readonly last: number;
}

const START: Used = { preemptions: 0, kills: 0, last: -1 };

/** Explores one scenario on one binary. Stops at the first failure. */
export function explore(scenario: Scenario, module: WebAssembly.Module, options: ExploreOptions = {}): Exploration {
  return new Explorer(scenario, module, options).explore();
}

/** Runs one schedule and tells what every step changed. */
export function trace(scenario: Scenario, module: WebAssembly.Module, schedule: string): string[] {
  return new Explorer(scenario, module, {}).trace(schedule);
}

class Explorer {
  private readonly pool: ModelPool;
  private readonly programs: readonly Program[];
  private readonly path: Node[] = [];
  private readonly onPath = new Set<number>();
  private readonly done = new Map<number, { schedules: number; outcomes: Map<string, number> }>();
  private readonly maxRuns: number;
  private runs = 0;
  private longest = 0;

  constructor(
    private readonly scenario: Scenario,
    module: WebAssembly.Module,
    private readonly options: ExploreOptions,
  ) {
    this.maxRuns = options.maxRuns ?? 2_000_000;
    this.pool = new ModelPool(module, scenario.threads, scenario.options ?? {});
    this.programs = scenario.setup(this.pool);
    checkConservation(this.pool);
    this.pool.save();
  }

  explore(): Exploration {
    const started = performance.now();
    let failure: Failure | undefined;
    let total: Pick<Node, 'schedules' | 'outcomes'> = { schedules: 0, outcomes: new Map() };
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
      schedules: total.schedules,
      states: this.done.size,
      runs: this.runs,
      longest: this.longest,
      seconds: (performance.now() - started) / 1000,
      outcomes: total.outcomes,
      failure,
    };
  }

  trace(schedule: string): string[] {
    const lines: string[] = [];
    const seen = new Set<number>();
    this.pool.reset(this.programs);
    for (const [i, char] of [...schedule].entries()) {
      const choice = choiceOf(char);
      const before = this.pool.copy();
      seen.add(this.pool.hash(0));
      const { program, call } = this.pool.instances[choice.thread]!;
      const step = program[call];
      const name = step === undefined ? '-' : 'call' in step ? step.call[0] : step[0];
      this.take(choice);
      lines.push(
        `${i} thread ${choice.thread}${choice.isKill ? ' dies in' : ''} ${name}: ${this.pool.changes(before).join('; ') || 'reads'}`,
      );
    }
    const { results } = this.end([]);
    lines.push(`results: ${JSON.stringify(results)}`);
    if (this.isOver()) lines.push(`outcome: ${this.outcomeOrError()}`);
    else lines.push(seen.has(this.pool.hash(0)) ? COMES_BACK : 'not over: more steps could follow');
    return lines;
  }

  /** Replays the path, then goes on with first choices to an end or to a state that was seen. */
  private run(): void {
    const { path, pool } = this;
    pool.reset(this.programs);
    let used = START;
    for (const node of path) {
      const choice = node.choices[node.at]!;
      this.take(choice);
      used = this.after(node, choice);
    }
    for (;;) {
      const isOver = this.isOver();
      const key = this.key(used);
      const seen = this.options.everySchedule ? undefined : this.done.get(key);
      if (seen !== undefined) {
        this.add(seen.schedules, seen.outcomes);
        return;
      }
      if (isOver) {
        const outcome = this.outcome();
        const end = { schedules: 1, outcomes: new Map([[outcome, 1]]) };
        this.longest = Math.max(this.longest, path.length);
        this.done.set(key, end);
        this.add(1, end.outcomes);
        return;
      }
      if (this.onPath.has(key)) throw new Error(COMES_BACK);
      if (path.length >= LONGEST_SCHEDULE) throw new Error(`no end after ${path.length} steps`);
      const node: Node = { key, choices: this.choices(used), used, at: 0, schedules: 0, outcomes: new Map() };
      path.push(node);
      this.onPath.add(key);
      const choice = node.choices[0]!;
      this.take(choice);
      used = this.after(node, choice);
    }
  }

  /** Goes on to the next choice that is left. Returns the root's sums when there is none. */
  private backtrack(): Pick<Node, 'schedules' | 'outcomes'> | undefined {
    const { path } = this;
    for (;;) {
      const node = path.at(-1);
      if (node === undefined) return { schedules: 1, outcomes: new Map([[this.outcome(), 1]]) };
      node.at += 1;
      if (node.at < node.choices.length) return undefined;
      path.pop();
      this.onPath.delete(node.key);
      this.done.set(node.key, { schedules: node.schedules, outcomes: node.outcomes });
      if (path.length === 0) return node;
      this.add(node.schedules, node.outcomes);
    }
  }

  private add(schedules: number, outcomes: Map<string, number>): void {
    const node = this.path.at(-1);
    if (node === undefined) return;
    node.schedules += schedules;
    for (const [outcome, count] of outcomes) node.outcomes.set(outcome, (node.outcomes.get(outcome) ?? 0) + count);
  }

  private take({ thread, isKill }: Choice): void {
    const instance = this.pool.instances[thread]!;
    if (isKill) instance.isDead = true;
    else instance.step();
  }

  /** What may come next: first the thread that ran last, so that the first failures found have few switches. */
  private choices({ preemptions, kills, last }: Used): Choice[] {
    const { bound = Number.POSITIVE_INFINITY, kills: maxKills = 0 } = this.scenario;
    const threads = this.pool.instances.filter(({ isFinished, isDead }) => !isFinished && !isDead).map(({ id }) => id);
    const canGoOn = threads.includes(last);
    const order = canGoOn ? [last, ...threads.filter((id) => id !== last)] : threads;
    const steps = canGoOn && preemptions >= bound ? [last] : order;
    return [
      ...steps.map((thread) => ({ thread, isKill: false })),
      ...(kills < maxKills ? threads.map((thread) => ({ thread, isKill: true })) : []),
    ];
  }

  private after({ used, choices }: Node, { thread, isKill }: Choice): Used {
    if (isKill) return { ...used, kills: used.kills + 1, last: used.last === thread ? -1 : used.last };
    const isPreemption =
      thread !== used.last && choices.some((choice) => !choice.isKill && choice.thread === used.last);
    return { ...used, preemptions: used.preemptions + (isPreemption ? 1 : 0), last: thread };
  }

  private key({ preemptions, kills, last }: Used): number {
    const salt = this.scenario.bound === undefined ? 0 : (preemptions * 8 + last + 1) * 8;
    return this.pool.hash(salt + kills);
  }

  private isOver(): boolean {
    return this.pool.instances.every(({ isFinished, isDead }) => isFinished || isDead);
  }

  private end(places: Places): End {
    return { pool: this.pool, results: this.pool.instances.map(({ results }) => results), places };
  }

  private outcome(): string {
    const places = this.pool.instances.some(({ isDead }) => isDead) ? [] : checkConservation(this.pool);
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

function charOf({ thread, isKill }: Choice): string {
  return isKill ? String.fromCharCode(97 + thread) : String(thread);
}

function choiceOf(char: string): Choice {
  const isKill = char >= 'a';
  return { thread: isKill ? char.charCodeAt(0) - 97 : Number(char), isKill };
}
