// The lanes of the contention cases: one crew of threads each, started together.

import type { PoolShare } from 'pagepool';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import type { Round, RowInfo, Settings } from '../harness/results.js';
import { ENGINES } from '../rows/row.js';
import { startThread } from '../threads/endpoint.js';
import type { OpenCrew } from '../threads/jobs.js';
import { BASELINE, BASELINE_CASE, type ContentionCase, contentionCases } from './cases.js';
import { CONTROL_BYTES, type Part } from './crew-thread.js';

/** A family a case: numbers of threads and engines take their rounds in turn. */
export function planContention(cores: number, isQuick: boolean): Family[] {
  return contentionCases.map((item) =>
    item.threadCounts.slice(0, isQuick ? 1 : undefined).flatMap((threads) => planCrews(item, threads, cores)),
  );
}

function planCrews(item: ContentionCase, threads: number, cores: number): LanePlan[] {
  const oversubscribed = threads > cores ? `, oversubscribed: ${threads} on ${cores} cores` : '';
  const row: RowInfo = {
    id: `contention.${item.id}.${threads}`,
    group: 'contention',
    name: `${item.name}: ${item.threadsName(threads)}${oversubscribed}`,
    per: item.per,
    place: { series: item.name, value: threads },
    pool: item.pool,
    ...(item.note === undefined ? {} : { note: item.note }),
  };
  const variants = item.id === BASELINE_CASE ? [...ENGINES, BASELINE] : ENGINES;
  return variants.map((variant) => ({
    row,
    variant,
    open: (settings) => openCrew(item.id, variant, threads, settings),
  }));
}

/** A crew that can be looked into. */
export interface CrewLane extends Lane {
  /** Null for the baseline, which has no pool. */
  readonly share: PoolShare | null;
}

export async function openCrew(id: string, variant: string, count: number, settings: Settings): Promise<CrewLane> {
  const control = new SharedArrayBuffer(CONTROL_BYTES);
  const threads = Array.from({ length: count }, startThread);
  let share: PoolShare | null = null;
  for (const [index, thread] of threads.entries()) {
    const job: OpenCrew = { type: 'crew.open', id, variant, index, threads: count, control, share };
    share = (await thread.ask<PoolShare | null>(job)) ?? share;
  }
  const round = async (timeMs: number): Promise<Round> => {
    const parts = await Promise.all(threads.map((thread) => thread.ask<Part>({ type: 'crew.run', timeMs })));
    const operations = parts.reduce((sum, part) => sum + part.operations, 0);
    return { median: ((parts[0] as Part).elapsedMs * 1e6) / operations, p99: null, samples: 1 };
  };
  await round(settings.warmUpMs);
  return {
    round,
    share,
    end: () => {
      for (const thread of threads) thread.end();
    },
  };
}
