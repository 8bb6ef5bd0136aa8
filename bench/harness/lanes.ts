// Lanes and families: rounds taken in turn.
//
// A lane is one variant of one row, with the threads that run it. All lanes of a family are opened first; then each
// round goes through them one after the other, beginning with another lane each time, so that a drift of the machine
// meets all.

import type { Garbage, Round, RowInfo, RowResult, Settings, VariantResult } from './results.js';

/** One variant of one row, ready to run. Only one lane runs at a time; the others' threads are idle. */
export interface Lane {
  round(timeMs: number): Promise<Round>;
  garbage?(timeMs: number): Promise<Garbage>;
  end(): void;
}

/** A lane that is not open yet. */
export interface LanePlan {
  readonly row: RowInfo;
  readonly variant: string;
  open(settings: Settings): Promise<Lane>;
}

export type Family = readonly LanePlan[];

/** Only the rows whose id, group or name contains the text. */
export function selectRows(families: readonly Family[], text: string): Family[] {
  const wanted = text.toLowerCase();
  return families
    .map((family) =>
      family.filter(({ row }) => [row.id, row.group, row.name].some((part) => part.toLowerCase().includes(wanted))),
    )
    .filter((family) => family.length > 0);
}

/** What hears how far a run is. */
export interface Progress {
  step(label: string): void;
}

/** Steps that a family reports. */
export function stepsOf(family: Family, settings: Settings): number {
  return family.length * (settings.rounds + 1);
}

export async function runFamily(family: Family, settings: Settings, progress: Progress): Promise<RowResult[]> {
  const lanes: Lane[] = [];
  const rounds: Round[][] = family.map(() => []);
  const garbage: (Garbage | undefined)[] = [];
  try {
    for (const plan of family) {
      const lane = await plan.open(settings);
      lanes.push(lane);
      garbage.push(await lane.garbage?.(settings.roundMs));
      progress.step(labelOf(plan));
    }
    for (let round = 0; round < settings.rounds; round++) {
      for (let i = 0; i < lanes.length; i++) {
        const at = (i + round) % lanes.length;
        rounds[at]?.push(await (lanes[at] as Lane).round(settings.roundMs));
        progress.step(labelOf(family[at] as LanePlan));
      }
    }
  } finally {
    for (const lane of lanes) lane.end();
  }
  return gather(family, rounds, garbage);
}

function labelOf({ row, variant }: LanePlan): string {
  return `${row.name}, ${variant}`;
}

/** The variants of a row together, in the order of the plans. */
function gather(family: Family, rounds: readonly Round[][], garbage: readonly (Garbage | undefined)[]): RowResult[] {
  const rows = new Map<string, RowInfo & { variants: VariantResult[] }>();
  family.forEach(({ row, variant }, i) => {
    const result = rows.get(row.id) ?? { ...row, variants: [] };
    rows.set(row.id, result);
    const litter = garbage[i];
    result.variants.push({
      name: variant,
      rounds: rounds[i] ?? [],
      ...(litter === undefined ? {} : { garbage: litter }),
    });
  });
  return [...rows.values()];
}
