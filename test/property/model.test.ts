// Random steps against a plain model: after every step each page and each reference is where the model says.
//
// Several ports of one pool take turns in one thread, over both engines, both binaries and all of them together. Prints
// its seed; SEED=n replays the run.

import fc from 'fast-check';
import { describe, it } from 'vitest';
import type { PoolOptions } from '../../src/pool/options.js';
import { chooseSeed, MATRIX } from '../support/ports.js';
import { World } from '../support/world.js';

const PORTS = 3;

/** One step, with its arguments: printed as a call when a run fails. */
class Step implements fc.Command<World, World> {
  constructor(
    readonly name: string,
    readonly args: readonly number[],
    readonly act: (world: World) => void,
  ) {}

  check(): boolean {
    return true;
  }

  run(world: World): void {
    this.act(world);
    world.check();
  }

  toString(): string {
    return `${this.name}(${this.args.join(', ')})`;
  }
}

const who = fc.nat(PORTS - 1);
const choice = fc.nat(1000);

function step<Args extends number[]>(
  name: string,
  args: { [K in keyof Args]: fc.Arbitrary<Args[K]> },
  act: (world: World, ...args: Args) => void,
): fc.Arbitrary<Step> {
  return fc.tuple<Args>(...args).map((values) => new Step(name, values, (world) => act(world, ...values)));
}

const alloc = step('alloc', [who], (w, p) => w.alloc(p));
const cut = step('allocFragment', [who, fc.integer({ min: 1, max: 1024 })], (w, p, bytes) => w.allocFragment(p, bytes));
const cutSmall = step('allocFragment', [who, fc.integer({ min: 1, max: 400 })], (w, p, bytes) =>
  w.allocFragment(p, bytes),
);
const release = step('release', [who, choice], (w, p, c) => w.release(p, c));
const send = step('send', [who, fc.nat(2), choice, fc.integer({ min: 1, max: 7 })], (w, p, channel, c, n) =>
  w.send(p, channel, c, n),
);
const receive = step('receive', [who, fc.nat(2), fc.integer({ min: 1, max: 6 })], (w, p, channel, n) =>
  w.receive(p, channel, n),
);

const steps = fc.commands<World, World>(
  [
    alloc,
    alloc,
    cut,
    cutSmall,
    cutSmall,
    release,
    release,
    release,
    release,
    send,
    send,
    receive,
    receive,
    step('burst', [who, fc.integer({ min: 1, max: 12 })], (w, p, n) => w.burst(p, n, false)),
    step('bulk', [who, fc.integer({ min: 1, max: 12 })], (w, p, n) => w.burst(p, n, true)),
    step('retain', [who, choice, fc.integer({ min: 1, max: 3 })], (w, p, c, n) => w.retain(p, c, n)),
    step('releaseBulk', [who, choice, fc.integer({ min: 1, max: 9 }), fc.nat(12)], (w, p, c, n, bad) =>
      w.releaseBulk(p, c, n, bad),
    ),
    step('useStale', [who, choice], (w, p, c) => w.useStale(p, c)),
    step('useOthers', [who, choice], (w, p, c) => w.useOthers(p, c)),
    step('lend', [who, choice], (w, p, c) => w.lend(p, c)),
    step('adopt', [who, choice], (w, p, c) => w.adopt(p, c)),
    step('adoptSpent', [who, choice], (w, p, c) => w.adoptSpent(p, c)),
    step('reclaim', [who], (w, p) => w.reclaim(p)),
    step('pin', [who, choice], (w, p, c) => w.pin(p, c)),
    step('unpin', [who, choice], (w, p, c) => w.unpin(p, c)),
    step('park', [who], (w, p) => w.park(p)),
    step('unpark', [who], (w, p) => w.unpark(p)),
    step('poll', [who], (w, p) => w.poll(p)),
    step('trim', [who], (w, p) => w.trim(p)),
    step('detach', [who], (w, p) => w.detach(p)),
  ],
  { maxCommands: 120, size: 'max' },
);

/** Pools in which everything is scarce, magazines hold one page or several, and pages are cleared. */
const pools: fc.Arbitrary<PoolOptions> = fc.record({
  pageBytes: fc.constant(1024),
  pageCount: fc.constantFrom(3, 8, 30, 70),
  maxPorts: fc.constant(PORTS),
  zero: fc.constantFrom('never' as const, 'on-release' as const),
});

const seed = chooseSeed('model');
const numRuns = Number(process.env.RUNS ?? (process.env.LONG === '1' ? 1000 : 100));

describe.each(MATRIX)('a pool with %s', (_, kinds) => {
  it('is what a plain model says after every step, and gives every page back', () => {
    const property = fc.property(pools, steps, (options, commands) => {
      const world = new World(options, kinds, PORTS);
      fc.modelRun(() => ({ model: world, real: world }), commands);
      world.drain();
    });
    fc.assert(property, { seed, numRuns, endOnFailure: false });
  });

  it('lists for each port what the model says, where references are tracked', () => {
    const property = fc.property(pools, steps, (options, commands) => {
      const world = new World(options, kinds, PORTS, true);
      fc.modelRun(() => ({ model: world, real: world }), commands);
      world.drain();
    });
    fc.assert(property, { seed, numRuns: Math.ceil(numRuns / 5), endOnFailure: false });
  });
});
