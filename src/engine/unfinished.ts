// Unfinished calls: the platform ended their thread in the middle, and some of its program ran on.
//
// A browser ends a worker that computes wherever it stands, and Chromium then runs the microtasks that the worker has
// left (156 does; nothing else of it runs). What they call must not go on with words that are half done: the port is as
// a dead thread's from there on, whoever watches reaps it, and the calls of the thread are refused. `finally` tells: it
// runs where a call throws, and not where its thread is ended.

import { closedEngine, ENGINE_CALLS } from './closed.js';
import type { CallName, Engine } from './engine.js';

type Call = (a: number, b: number, c: number, d: number, e: number) => number;

/** Calls that change nothing. */
const LOOKS: ReadonlySet<CallName> = new Set(['hasPages', 'offset', 'extent', 'refCount', 'lastError', 'canReceive']);

/**
 * The same engine, until a call finds another one unfinished: `onUnfinished` is given one that refuses, and that call
 * is refused as well.
 */
export function refuseAfterUnfinished(engine: Engine, onUnfinished: (refusing: Engine) => void): Engine {
  let isUnderWay = false;
  const calls: Partial<Record<CallName, unknown>> = {};
  for (const name of ENGINE_CALLS) {
    const call = engine[name].bind(engine) as Call;
    const refuse = closedEngine[name] as () => number;
    const guarded: Call = (a, b, c, d, e) => {
      if (isUnderWay) {
        onUnfinished({ ...closedEngine, kind: engine.kind });
        return refuse();
      }
      isUnderWay = true;
      try {
        return call(a, b, c, d, e);
      } finally {
        isUnderWay = false;
      }
    };
    calls[name] = LOOKS.has(name) ? call : guarded;
  }
  return { ...(calls as Pick<Engine, CallName>), kind: engine.kind };
}
