// The explorer can find bugs of the recovery: each seeded one is caught by a death that only that part of it settles.
//
// In TypeScript: deaths before plain writes are what tells most of them.

import { afterAll, expect, test } from 'vitest';
import { buildEngines } from './engines.js';
import { explore, trace } from './explorer.js';
import { faultyReaper, reaped } from './reaping.js';
import { scenarioNamed } from './scenarios/all.js';

const faults = [
  {
    name: 'a node that another port has seen is taken for one that never moved',
    file: 'src/recovery/settle.ts',
    find: '(yield* isSeenByOthers(port, address, next)) ||',
    replace: '',
    scenario: 'send against receive, capacity 1, empty',
    kills: 2,
  },
  {
    name: 'a node that another port owns is taken for one that never moved',
    file: 'src/recovery/settle.ts',
    find: '(yield* port.load(nodeOffset(ring, next & nodeMask) + NODE_OWNER_OFFSET)) !== port.id + 1',
    replace: 'false',
    scenario: 'send against receive, capacity 1, empty',
    kills: 1,
    bound: 1,
  },
  {
    name: 'a record is closed before it is settled',
    file: 'src/recovery/settle.ts',
    find: 'yield* (SETTLERS[kind]',
    replace: 'yield* port.closeRecord();\n  yield* (SETTLERS[kind]',
    scenario: 'spill against refill',
    kills: 2,
  },
  {
    name: "a page in a dead port's magazine keeps its row",
    file: 'src/recovery/reap.ts',
    find: 'for (const page of pages) port.setRow(page, 0);',
    replace: '',
    scenario: 'last release against last release',
    kills: 1,
  },
  {
    name: 'a page whose count was about to move is not marked',
    file: 'src/recovery/reap.ts',
    find: 'findings.suspects = yield* markSuspect(port);',
    replace: '',
    scenario: 'last release against last release',
    kills: 1,
  },
] as const;

const caught: string[] = [];

test.each(faults)('caught in $file: $name', async (fault) => {
  const { scenario, kills } = fault;
  const bound = 'bound' in fault ? fault.bound : 0;
  const engines = await buildEngines('typescript', { deaths: true });
  expect(explore(reaped(scenarioNamed(scenario), kills, bound), engines).failure).toBeUndefined();
  const faulty = reaped(scenarioNamed(scenario), kills, bound, await faultyReaper([fault]));
  const { failure, runs } = explore(faulty, engines);
  expect(failure, `${faulty.name} passes with the fault`).toBeDefined();
  if (failure === undefined) return;
  expect(trace(faulty, engines, failure.schedule).at(-1)).toContain(failure.message);
  caught.push(`${fault.name}\n    ${faulty.name}, run ${runs}, ${failure.schedule}: ${failure.message}`);
});

afterAll(() =>
  console.log(`seeded faults of the recovery caught: ${caught.length} of ${faults.length}\n${caught.join('\n')}`),
);
