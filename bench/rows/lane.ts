// The lanes of the rows of one thread: one thread a lane, and idle ones that attach where a row asks for them.

import type { PoolShare } from 'pagepool';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import type { RowInfo } from '../harness/results.js';
import { startThread, type Thread } from '../threads/endpoint.js';
import { ENGINES, type Row } from './row.js';

/** Where a bench runs decides which variants there are. */
export interface Where {
  readonly isNode: boolean;
  /** Long rows are left out. */
  readonly isQuick: boolean;
  /** Opens a lane of the native program; undefined where there is none. */
  readonly native: ((nativeCase: string) => Lane) | undefined;
}

/** Every variant of every row of the family. */
export function planRows(rows: readonly Row[], where: Where): Family {
  const idle = new IdleThreads();
  return rows.filter((row) => isRun(row, where)).flatMap((row) => planRow(row, where, idle));
}

/** An operation that uses its pool up cannot be repeated until a page's coarse clock would tell. */
function isRun(row: Row, { isNode, isQuick }: Where): boolean {
  return !(isQuick && row.isLong) && (isNode || row.calls === undefined);
}

function planRow(row: Row, where: Where, idle: IdleThreads): LanePlan[] {
  const info = infoOf(row);
  const { native } = where;
  const engines = row.engine === undefined ? [] : ENGINES;
  const others = Object.entries(row.others ?? {}).filter(([, other]) => where.isNode || other.where !== 'node');
  const natives = native === undefined ? [] : Object.entries(row.natives ?? {});
  return [
    ...[...engines, ...others.map(([name]) => name)].map((variant) =>
      threadPlan(row, info, variant, idle, where.isNode && row.isAsync !== true),
    ),
    ...natives.map(([variant, nativeCase]) => ({
      row: info,
      variant,
      open: async () => (native as NonNullable<typeof native>)(nativeCase),
    })),
  ];
}

function threadPlan(row: Row, info: RowInfo, variant: string, idle: IdleThreads, seesGarbage: boolean): LanePlan {
  return {
    row: info,
    variant,
    async open({ warmUpMs, sampleUs }) {
      const thread = startThread();
      idle.begin();
      const share = await thread.ask<PoolShare | null>({ type: 'row.open', id: row.id, variant, warmUpMs, sampleUs });
      if (share !== null) await idle.attach(share, row.attached ?? 0);
      return {
        round: (timeMs) => thread.ask({ type: 'row.run', timeMs }),
        ...(seesGarbage ? { garbage: (timeMs) => thread.ask({ type: 'row.garbage', timeMs }) } : {}),
        end: () => {
          thread.end();
          idle.end();
        },
      };
    },
  };
}

/** The part of a row that goes into the results. */
function infoOf({ id, group, name, per, place, touches, note, pool }: Row): RowInfo {
  const optional = { place, touches, note, pool };
  return { id, group, name, per, ...dropUndefined(optional) };
}

function dropUndefined<T extends object>(record: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(record).filter(([, value]) => value !== undefined)) as never;
}

/** Threads that do nothing but be attached, shared by the lanes of a family: a thread may attach to many pools. */
class IdleThreads {
  #threads: Thread[] = [];
  #lanes = 0;

  begin(): void {
    this.#lanes++;
  }

  async attach(share: PoolShare, count: number): Promise<void> {
    while (this.#threads.length < count) this.#threads.push(startThread());
    for (const thread of this.#threads.slice(0, count)) await thread.ask({ type: 'attach', share });
  }

  /** The last lane that ends takes them along. */
  end(): void {
    if (--this.#lanes > 0) return;
    for (const thread of this.#threads.splice(0)) thread.end();
  }
}
