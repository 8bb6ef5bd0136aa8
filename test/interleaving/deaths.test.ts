// Every scenario again with a death at every atomic: the reaper comes after all others are done, and everything is accounted for.

import { describe, expect, it } from 'vitest';
import {
  CLAIM_ACTIVE,
  CLAIM_STATE_MASK,
  CONTROL_BASE,
  HEADER_REAPS_OFFSET,
  PORT_CLAIM_OFFSET,
} from '../../assembly/layout.js';
import { createTypeScriptEngine } from '../../src/engine/typescript.js';
import { auditPool } from '../../src/pool/audit.js';
import type { Port } from '../../src/pool/port.js';
import { DeadPort } from '../../src/recovery/dead-port.js';
import { claimDead, emptyFindings, reapClaimed } from '../../src/recovery/reap.js';
import { runSteps } from '../../src/recovery/steps.js';
import { buildModel } from './build-model.js';
import { checkConservation } from './conservation.js';
import { explore, trace } from './explorer.js';
import type { ModelPool } from './model.js';
import { scenarios } from './scenarios/all.js';

const module = await buildModel();

function reapAll(pool: ModelPool): void {
  for (const { id, isDead } of pool.instances) {
    if (!isDead) continue;
    // As the shipped reaper counts, so that audits know that counters may be short.
    pool.write(CONTROL_BASE + HEADER_REAPS_OFFSET, 1);
    const port = new DeadPort(pool.memory, pool.geometry, id);
    const findings = emptyFindings(id);
    const claim = pool.read(port.offset + PORT_CLAIM_OFFSET);
    expect(claim & CLAIM_STATE_MASK).toBe(CLAIM_ACTIVE);
    const open = () => createTypeScriptEngine({ memory: pool.memory, portId: id });
    let engine: ReturnType<typeof open> | undefined;
    const act = () => (engine ??= open());
    expect(runSteps(claimDead(port, claim, 9), act)).toBe(true);
    runSteps(reapClaimed(port, 9, pool.scratch(id), findings), act);
  }
}

/** The audit of a live port, which settles what no reaper can know. */
function settleSuspects(pool: ModelPool): void {
  const id = pool.instances.find(({ isDead }) => !isDead)?.id ?? 0;
  const { memory, geometry } = pool;
  const engine = createTypeScriptEngine({ memory, portId: id });
  const port = { id, name: 'model', label: '', identity: '', memory, geometry, engine, isGone: false, waits: 0 };
  const report = auditPool(port as unknown as Port);
  if (report.errors.length > 0) throw new Error(report.errors.join('; '));
  expect(report.exact).toBe(true);
}

describe('a death at every atomic', () => {
  it.each(scenarios.map((scenario) => [scenario.name, scenario] as const))('%s', (_, scenario) => {
    const deadly = {
      ...scenario,
      kills: 1,
      bound: scenario.bound ?? 2,
      outcome: ({ pool }: { pool: ModelPool }) => {
        reapAll(pool);
        settleSuspects(pool);
        checkConservation(pool, true);
        return 'balanced';
      },
      outcomes: { balanced: 'everything is accounted for' },
    };
    const exploration = explore(deadly, module);
    if (exploration.failure !== undefined) {
      const { message, schedule } = exploration.failure;
      throw new Error(`${message}\n${schedule}\n${trace(deadly, module, schedule).join('\n')}`);
    }
    expect(exploration.schedules).toBeGreaterThan(0);
  });
});
