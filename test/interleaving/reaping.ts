// Any scenario with deaths, reaped by the shipped recovery: whatever happens, everything is accounted for at the end.

import { CONTROL_BASE, HEADER_REAPS_OFFSET } from '../../assembly/layout.js';
import type { EngineCall } from '../../src/control/steps.js';
import type { Engine } from '../../src/engine/engine.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import type { Port } from '../../src/port/port.js';
import { auditPool } from '../../src/reports/audit.js';
import { checkConservation } from './conservation.js';
import type { Scenario } from './explorer.js';
import type { ModelPool } from './model.js';
import * as straight from './real-reaper.js';
import { reaperCode } from './reaper-code.js';

/** The audit of a live port, which settles what no reaper can know. */
function settleSuspects(pool: ModelPool): void {
  const id = pool.instances.find(({ isDead }) => !isDead)?.id ?? 0;
  const { memory, geometry } = pool;
  // As the shipped reaper counts, so that audits know that counters may be short.
  pool.write(CONTROL_BASE + HEADER_REAPS_OFFSET, pool.instances.filter(({ isDead }) => isDead).length);
  const engine = createTypeScriptEngine({ memory, portId: id });
  const port = { id, name: 'model', label: '', identity: '', memory, geometry, engine, isGone: false, waits: 0 };
  const { errors, exact } = auditPool(port as unknown as Port);
  if (errors.length > 0 || !exact) throw new Error(`audit: exact=${exact}, ${errors.join('; ')}`);
}

/**
 * The scenario with one death, whose port is reaped when all others are done: fewer steps, so more preemptions before
 * it.
 */
export function reapedAfterwards({ finish, ...scenario }: Scenario, bound: number): Scenario {
  return {
    ...scenario,
    name: `${scenario.name}, with a death, reaped afterwards`,
    kills: 1,
    bound,
    bounds: {},
    isOfWords: finish === undefined,
    outcome: ({ pool, dead }) => {
      if (dead.length === 0) return 'nobody died';
      for (const id of dead) reapStraight(pool, id, new Set(dead));
      settleSuspects(pool);
      finish?.(pool);
      checkConservation(pool, true);
      return 'balanced';
    },
    outcomes: { 'nobody died': 'the scenario itself', balanced: 'somebody died, and everything is accounted for' },
  };
}

/** Reaps a port straight through, as a reaper without a port. */
export function reapStraight(pool: ModelPool, id: number, known: ReadonlySet<number>): void {
  const { memory, geometry } = pool;
  const steps = straight.reapPort(memory, geometry, id, { id: pool.threads.length, known });
  let port = id;
  for (let answer = 0; ; ) {
    const { done, value } = steps.next(answer);
    if (done === true) return;
    if (value === undefined) continue;
    if ('actFor' in value) port = value.actFor;
    else answer = callEngine(createTypeScriptEngine({ memory, portId: port }), value.call);
  }
}

function callEngine(engine: Engine, [name, ...args]: EngineCall['call']): number {
  return (engine[name] as (...args: number[]) => number | undefined)(...args) ?? 0;
}

/**
 * The scenario with this many deaths, reapers' among them, and preemptions at most. Only that all is accounted for is
 * asked.
 */
export function reaped(scenario: Scenario, kills: number, bound: number): Scenario {
  return {
    ...scenario,
    name: `${scenario.name}, with ${kills === 1 ? 'a death' : `${kills} deaths`}`,
    kills,
    bound,
    bounds: {},
    isOfWords: scenario.finish === undefined,
    reaper: (pool, dead, reaper) => reaperCode().reapPort(pool.memory, pool.geometry, dead, reaper),
    finish: (pool) => {
      settleSuspects(pool);
      scenario.finish?.(pool);
    },
    outcome: ({ dead }) => (dead.length === 0 ? 'nobody died' : 'balanced'),
    outcomes: { 'nobody died': 'the scenario itself', balanced: 'somebody died, and everything is accounted for' },
  };
}

/**
 * The scenario of a name that `reaped` or `reapedAfterwards` gave, with any number of preemptions; undefined: of no
 * such name.
 */
export function reapedNamed(name: string, scenarioNamed: (name: string) => Scenario): Scenario | undefined {
  const [, base = '', deaths, afterwards] = name.match(/^(.*), with (a death|\d+ deaths)(, reaped afterwards)?$/) ?? [];
  if (deaths === undefined) return undefined;
  const bound = Number.POSITIVE_INFINITY;
  if (afterwards !== undefined) return reapedAfterwards(scenarioNamed(base), bound);
  return reaped(scenarioNamed(base), deaths === 'a death' ? 1 : Number.parseInt(deaths, 10), bound);
}
