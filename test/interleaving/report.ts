// How explorations are told: a failure with its schedule and its trace, and the table of all of them.

import type { Exploration, Scenario } from './explorer.js';

/** What a failed exploration says, with the line that shows it again. `fault`: the seeded fault, if there is one. */
export function describeFailure({ scenario, failure }: Exploration, trace: readonly string[], fault?: string): string {
  const variables = `${fault === undefined ? '' : `PAGEPOOL_FAULT='${fault}' `}PAGEPOOL_SCHEDULE='${scenario.name}: ${failure?.schedule}'`;
  const again = `${variables} npx vitest run --project interleaving scenarios`;
  return [`${scenario.name}: ${failure?.message}`, `again: ${again}`, ...trace].join('\n');
}

/** Allowed outcomes that no schedule reached: the table says more than is so. */
export function neverReached({ scenario, outcomes }: Exploration): string[] {
  return Object.keys(scenario.outcomes).filter((outcome) => !outcomes.has(outcome));
}

/** One line for each exploration. */
export function summary(explorations: readonly Exploration[]): string {
  const rows = explorations.map(({ scenario, schedules, states, longest, seconds, outcomes }) => [
    scenario.name,
    String(scenario.threads),
    boundOf(scenario),
    numberOf(schedules),
    String(states),
    String(longest),
    String(outcomes.size),
    seconds.toFixed(2),
  ]);
  const head = ['scenario', 'threads', 'preemptions', 'schedules', 'states', 'steps', 'outcomes', 'seconds'];
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  return [head, ...rows]
    .map((row) => row.map((cell, i) => (i === 0 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

function boundOf({ bound }: Scenario): string {
  return bound === undefined ? 'all' : `<= ${bound}`;
}

/** Exact below a billion. */
function numberOf(schedules: number): string {
  return schedules < 1e9 ? String(schedules) : schedules.toExponential(1);
}
