// Known: the verdict of each API in this realm, found out once.
//
// A verdict that takes time is found in the background; until it is there callers copy, which is right everywhere.
// Nothing is tried when the package is loaded, only when somebody asks.

import { probes } from './probes.js';
import { type BorderApi, needsCopy, type Verdict, verdictFrom } from './verdict.js';

const verdicts = new Map<BorderApi, Verdict>();
const pending = new Map<BorderApi, Promise<Verdict>>();

/** Every API that is tried. */
export const apis = Object.keys(probes) as BorderApi[];

/** Whether the name is one of an API. */
export function isApi(name: unknown): name is BorderApi {
  return typeof name === 'string' && Object.hasOwn(probes, name);
}

/** What is known of the API now; undefined while its probe is under way. */
export function known(api: BorderApi): Verdict | undefined {
  const verdict = verdicts.get(api);
  if (verdict !== undefined || pending.has(api)) return verdict;
  let found: Verdict | Promise<Verdict>;
  try {
    found = probes[api]();
  } catch {
    found = 'untried';
  }
  if (typeof found === 'string') return keep(api, found);
  const settled = found.catch((): Verdict => 'untried').then((late) => keep(api, late));
  pending.set(api, settled);
  return undefined;
}

function keep(api: BorderApi, found: Verdict): Verdict {
  const verdict = verdictFrom(api, found);
  verdicts.set(api, verdict);
  pending.delete(api);
  return verdict;
}

/** The verdict, when it is there. */
export async function verdictOf(api: BorderApi): Promise<Verdict> {
  return known(api) ?? (pending.get(api) as Promise<Verdict>);
}

/** Whether a copy stands between pages and the API, as far as is known now. */
export function copiesFor(api: BorderApi): boolean {
  return needsCopy(api, known(api));
}

/** The same when the probe is done. */
export async function copiesForSure(api: BorderApi): Promise<boolean> {
  return needsCopy(api, await verdictOf(api));
}
