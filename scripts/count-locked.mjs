// Counts the locked operations of the release core's functions and fails when one has more than its budget.
//
// Locked: atomic read-modify-write and atomic store. Atomic loads are plain loads on today's processors, and notify is
// a call into the engine: both are shown, not counted. The functions and their limits are in locked-budget.mjs; --all
// shows every function there is, --json prints the rows for other programs.

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { lockedBudget } from './locked-budget.mjs';
import { buildDir, isMain, Refusal, runScript } from './support.mjs';

/**
 * What each function of a .wat does, by internal name, and the internal names of the exports.
 * @param {string} text
 */
export function parseWat(text) {
  const functions = new Map();
  const exports = new Map();
  let current = null;
  for (const line of text.split('\n')) {
    const exported = line.match(/^ \(export "([^"]+)" \(func \$([^)]+)\)\)/);
    if (exported) exports.set(exported[1], exported[2]);
    const opened = line.match(/^ \(func \$(\S+?)\)?(?:\s|$)/);
    if (opened) {
      current = { locked: 0, loads: 0, notifies: 0, calls: [] };
      functions.set(opened[1], current);
    } else if (line === ' )') {
      current = null;
    } else if (current !== null) {
      const op = line.trim();
      if (/^i(?:32|64)\.atomic\.(?:rmw|store)/.test(op)) current.locked++;
      else if (/^i(?:32|64)\.atomic\.load/.test(op)) current.loads++;
      else if (op.startsWith('memory.atomic.notify')) current.notifies++;
      else if (op.startsWith('call $')) current.calls.push(op.slice('call $'.length));
    }
  }
  return { functions, exports };
}

/**
 * One row for each budget: what was counted and what is wrong with it.
 * @param {ReturnType<typeof parseWat>} wat
 * @param {typeof lockedBudget} budgets
 */
export function countLocked({ functions, exports }, budgets) {
  const resolve = (name) => (functions.has(name) ? name : exports.get(name));
  return Object.entries(budgets).map(([name, { max, descend = [], what = '' }]) => {
    const followed = new Set(descend.map(resolve));
    const unknown = [name, ...descend].find((key) => resolve(key) === undefined);
    if (unknown !== undefined) {
      return { name, what, max, problem: `${unknown} is not in the .wat (inlined? name its caller)` };
    }
    const total = { locked: 0, loads: 0, notifies: 0, calls: [] };
    const add = (key, path) => {
      const { locked, loads, notifies, calls } = functions.get(key);
      total.locked += locked;
      total.loads += loads;
      total.notifies += notifies;
      for (const callee of calls) {
        if (followed.has(callee) && !path.includes(callee)) add(callee, [...path, callee]);
        else if (!total.calls.includes(callee)) total.calls.push(callee);
      }
    };
    add(resolve(name), [resolve(name)]);
    const problem =
      total.locked > max ? `${name} holds ${total.locked} locked operations (expected at most ${max})` : null;
    return { name, what, max, ...total, problem };
  });
}

function print(rows) {
  const width = Math.max(8, ...rows.map((row) => row.name.length));
  console.log(`${'function'.padEnd(width)}  locked  max  loads  notify  calls`);
  for (const { name, max, locked = '-', loads = '-', notifies = '-', calls = [] } of rows) {
    const cells = [
      String(locked).padStart(6),
      String(max).padStart(3),
      String(loads).padStart(5),
      String(notifies).padStart(6),
    ];
    console.log(
      `${name.padEnd(width)}  ${cells.join('  ')}  ${calls.map((call) => call.replace(/^.*\//, '')).join(' ')}`,
    );
  }
}

if (isMain(import.meta.url)) {
  await runScript(() => {
    const wat = parseWat(readFileSync(join(buildDir, 'wasm/core.release.wat'), 'utf8'));
    if (process.argv.includes('--all')) {
      print(countLocked(wat, Object.fromEntries([...wat.functions.keys()].map((name) => [name, { max: 99 }]))));
      return;
    }
    const rows = countLocked(wat, lockedBudget);
    if (rows.length === 0) throw new Refusal('locked-budget.mjs names no function');
    if (process.argv.includes('--json')) console.log(JSON.stringify(rows));
    else print(rows);
    const problems = rows.flatMap(({ problem }) => problem ?? []);
    if (problems.length > 0) throw new Refusal(problems.join('\n'));
  });
}
