// How explorations are told: a failure with its schedule and its trace, and what the tables of all of them are made of.

import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Exploration } from './explorer.js';

const REPORTS = fileURLToPath(new URL('../../build/test-reports/interleaving', import.meta.url));

/** What a failed exploration says, with the line that shows it again. `fault`: the seeded fault, if there is one. */
export function describeFailure(exploration: Exploration, trace: readonly string[], fault?: string): string {
  const { scenario, engine, failure } = exploration;
  const name = fault === undefined ? '' : `PAGEPOOL_FAULT='${fault}' `;
  const schedule = `PAGEPOOL_SCHEDULE='${scenario.name}: ${failure?.schedule}'`;
  const again = `${name}PAGEPOOL_ENGINE=${engine} ${schedule} npx vitest run --project interleaving schedule`;
  return [`${scenario.name}, ${engine}: ${failure?.message}`, `again: ${again}`, ...trace].join('\n');
}

/** Allowed outcomes that no schedule reached: the table says more than is so. */
export function neverReached({ scenario, outcomes }: Exploration): string[] {
  return Object.keys(scenario.outcomes).filter((outcome) => !outcomes.has(outcome));
}

/** A seeded fault that was found: where, by which schedule, and what was wrong then. */
export function describeCaught(name: string, { scenario, engine, runs, failure }: Exploration): string {
  return `${engine}: ${name}\n    ${scenario.name}, run ${runs}, ${failure?.schedule}: ${failure?.message}`;
}

/** What scripts/docs-verification.mjs reads of one exploration. */
function rowOf({ scenario, engine, bound, schedules, states, longest, outcomes, seconds }: Exploration) {
  const { name, threads, kills = 0 } = scenario;
  return { name, engine, threads, bound, kills, schedules, states, longest, outcomes: outcomes.size, seconds };
}

/** What a file of tests found, for the tables of all of them: what was explored, and which faults were found. */
export class Report {
  private readonly explorations: ReturnType<typeof rowOf>[] = [];
  private readonly faults: { name: string; file: string; scenario: string; engine: string; message: string }[] = [];

  /** `file`: the file's name without its extensions; `group`: the table that its explorations belong to. */
  constructor(
    private readonly file: string,
    private readonly group: string,
  ) {}

  addExploration(exploration: Exploration): void {
    this.explorations.push(rowOf(exploration));
  }

  addFault(name: string, file: string, { scenario, engine, failure }: Exploration): void {
    this.faults.push({ name, file, scenario: scenario.name, engine, message: failure?.message ?? '' });
  }

  /** Leaves it for scripts/docs-verification.mjs. */
  write(): void {
    mkdirSync(REPORTS, { recursive: true });
    const { group, explorations, faults } = this;
    writeFileSync(join(REPORTS, `${this.file}.json`), `${JSON.stringify({ group, explorations, faults })}\n`);
  }
}
