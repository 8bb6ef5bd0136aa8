// The lanes of waiting: a process for each variant, since what counts is the processor time of all of its threads.

import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Family, Lane, LanePlan } from '../harness/lanes.js';
import { openProcess } from '../harness/processes.js';
import type { Settings } from '../harness/results.js';
import { blocked, type FlowCase, flowCases, OTHER } from './plan.js';

const PROGRAM = './flow/flow.worker.js';

/** A family for each case. @param other the folder of another build of pagepool, to be compared with */
export function planFlow(other: string | null): Family[] {
  const entry = other === null ? null : pathToFileURL(resolve(other, 'build/index.js')).href;
  const both = { ...blocked, variants: entry === null ? blocked.variants : [...blocked.variants, OTHER] };
  return [both, ...flowCases].map((each) => planCase(each, entry));
}

function planCase(flowCase: FlowCase, entry: string | null): Family {
  const { row, variants, sizes, isFresh = false } = flowCase;
  return variants.map((variant): LanePlan => {
    const args = [row.id, variant, variant === OTHER && entry !== null ? entry : 'pagepool'];
    const open = (settings: Settings): Promise<Lane> => openProcess(PROGRAM, args, sizes, settings, isFresh ? 0 : 1);
    return { row, variant, open: isFresh ? async (settings) => freshly(() => open(settings)) : open };
  });
}

/** A lane that is opened anew for each round. */
function freshly(open: () => Promise<Lane>): Lane {
  return {
    round: async (timeMs) => {
      const lane = await open();
      try {
        return await lane.round(timeMs);
      } finally {
        lane.end();
      }
    },
    end: () => {},
  };
}
