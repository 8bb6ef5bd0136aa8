// What is counted instead of timed: locked operations, sizes of code, and the control region's bytes a page.

import { execFileSync } from 'node:child_process';
import { planGeometry } from '../../src/control/geometry.js';
import { resolveOptions } from '../../src/pool/options.js';
import type { ControlFact, Facts } from '../harness/results.js';

const CONTROL_PAGE_COUNTS = [64, 1024, 65_536, 1_000_000];

function run<T>(script: string): T {
  return JSON.parse(execFileSync(process.execPath, [script, '--json'], { encoding: 'utf8' })) as T;
}

export function gatherFacts(): Facts {
  const sizes = run<{ minified: number; wasm: number }>('scripts/check-size.mjs');
  const locked = run<{ name: string; what: string; locked?: number; max: number }[]>('scripts/count-locked.mjs');
  return {
    locked: locked.flatMap(({ name, what, locked: count, max }) =>
      count === undefined ? [] : { name, what, locked: count, max },
    ),
    control: CONTROL_PAGE_COUNTS.map(controlFact),
    coreMinifiedBytes: sizes.minified,
    wasmBytes: sizes.wasm,
  };
}

/** A pool with the defaults but for its pages: 16 ports, no channel. */
function controlFact(pageCount: number): ControlFact {
  const options = resolveOptions('bench', { pageCount, pageBytes: 2048 });
  const geometry = planGeometry(options);
  const wordBytes = geometry.ring.offset - geometry.fragmentWordsOffset;
  return {
    pageCount,
    pageBytes: options.pageBytes,
    controlBytes: geometry.controlBytes - wordBytes,
    wordBytes,
    scratchBytes: geometry.scratchBytes * options.maxPorts,
  };
}
