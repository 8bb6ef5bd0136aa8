// How explorations are told: a failure with its schedule and its trace, and the table of all of them.

import type { EngineName } from './engines.js';
import type { Exploration } from './explorer.js';

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

/** One line for each exploration. */
export function summary(explorations: readonly Exploration[]): string {
  const rows = explorations.map(({ scenario, engine, bound, schedules, states, longest, seconds, outcomes }) => [
    scenario.name,
    engine,
    String(scenario.threads),
    bound === undefined ? 'all' : `<= ${bound}`,
    String(scenario.kills ?? 0),
    numberOf(schedules),
    String(states),
    String(longest),
    String(outcomes.size),
    seconds.toFixed(2),
  ]);
  const head = 'scenario engine threads preemptions kills schedules states steps outcomes seconds'.split(' ');
  return table(head, [...rows, ...totals(explorations)]);
}

/** What an engine's explorations add up to. */
function totals(explorations: readonly Exploration[]): string[][] {
  const engines = [...new Set(explorations.map(({ engine }) => engine))];
  return engines.map((engine: EngineName) => {
    const own = explorations.filter((exploration) => exploration.engine === engine);
    const states = own.reduce((sum, exploration) => sum + exploration.states, 0);
    const seconds = own.reduce((sum, exploration) => sum + exploration.seconds, 0);
    return [`all ${own.length}`, engine, '', '', '', '', String(states), '', '', seconds.toFixed(2)];
  });
}

function table(head: readonly string[], rows: readonly string[][]): string {
  const widths = head.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  return [head, ...rows]
    .map((row) => row.map((cell, i) => (i <= 1 ? cell.padEnd(widths[i]!) : cell.padStart(widths[i]!))).join('  '))
    .join('\n');
}

/** Exact below a billion. */
function numberOf(schedules: number): string {
  return schedules < 1e9 ? String(schedules) : schedules.toExponential(1);
}
