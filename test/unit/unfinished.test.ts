// Calls that were cut short: a browser ends a worker in the middle of one, and runs its microtasks all the same. Here
// what runs on is called from inside the call; real browsers do it in test/browser/kills.test.ts.

import { PagePool } from 'pagepool';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { PORT_LIFELINE_OFFSET } from '../../assembly/layout.js';
import { planGeometry } from '../../src/control/geometry.js';
import { portOffset } from '../../src/control/places.js';
import { closedEngine, ENGINE_CALLS } from '../../src/engine/closed.js';
import type { CallName, Engine } from '../../src/engine/engine.js';
import { refuseAfterUnfinished } from '../../src/engine/unfinished.js';
import { resolveOptions } from '../../src/pool/options.js';
import { RealmLocks } from '../support/locks.js';
import { codeOf, loadAnotherRealm } from '../support/realm.js';
import { PATIENCE } from '../support/waiting.js';

const LOOKS: readonly CallName[] = ['hasPages', 'offset', 'extent', 'refCount', 'lastError', 'canReceive'];
const CHANGES = ENGINE_CALLS.filter((name) => !LOOKS.includes(name));

/** An engine whose calls return 7; `middle` runs in each that it is given for. */
function scene(middle: Partial<Record<CallName, () => void>> = {}) {
  const made: CallName[] = [];
  const inner = Object.fromEntries(
    ENGINE_CALLS.map((name) => [
      name,
      (...args: number[]) => {
        made.push(name);
        expect(args.slice(0, 5)).toEqual([1, 2, 3, 4, 5]);
        middle[name]?.();
        return 7;
      },
    ]),
  ) as unknown as Engine;
  const cuts: Engine[] = [];
  const engine = refuseAfterUnfinished({ ...inner, kind: 'wasm' }, (refusing) => cuts.push(refusing));
  const call = (name: CallName) => (engine[name] as (...args: number[]) => number)(1, 2, 3, 4, 5);
  return { made, cuts, call };
}

describe('an engine in a worker of the web', () => {
  it.each(ENGINE_CALLS)('%s passes through, and again where it threw', (name) => {
    const before = scene();
    expect([before.call(name), before.call(name)]).toEqual([7, 7]);
    let isFull = true;
    const { made, cuts, call } = scene({
      [name]: () => {
        if (isFull) throw new RangeError('Maximum call stack size exceeded');
      },
    });
    expect(() => call(name)).toThrow(RangeError);
    isFull = false;
    expect(call(name)).toBe(7);
    expect([made, cuts]).toEqual([[name, name], []]);
  });

  it.each(CHANGES)('%s is refused after a call that was cut short, and the engine is given up', (name) => {
    let found: number | undefined;
    let isFirst = true;
    const middle = (): void => {
      if (isFirst) {
        isFirst = false;
        found = call(name);
      }
    };
    const { made, cuts, call } = scene({ poll: middle });
    call('poll');
    expect([made, found]).toEqual([['poll'], (closedEngine[name] as () => number | undefined)()]);
    expect(cuts.map(({ kind }) => kind)).toEqual(['wasm']);
  });

  it.each(LOOKS)('%s only looks', (name) => {
    let found: number | undefined;
    const { cuts, call } = scene({
      poll: () => {
        found = call(name);
      },
    });
    call('poll');
    expect([found, cuts]).toEqual([7, []]);
  });
});

describe('a worker that runs on after it was ended in a call', () => {
  const OPTIONS = { pageCount: 16, maxPorts: 4, channels: { work: {} }, engine: 'typescript' } as const;
  let pool: PagePool;
  afterEach(() => {
    pool.destroy();
    vi.unstubAllGlobals();
    vi.restoreAllMocks();
  });

  it('is refused, frees nothing, and is reaped by whoever watches', async () => {
    vi.stubGlobal('navigator', { locks: new RealmLocks() });
    vi.spyOn(process, 'getBuiltinModule').mockReturnValue(undefined as never);
    vi.spyOn(navigator.locks, 'request').mockRejectedValue(new DOMException('an opaque origin', 'SecurityError'));
    pool = PagePool.createSync(OPTIONS);
    await pool.watch({ postMessage: () => {}, terminate: () => {} });
    const realm = await loadAnotherRealm();
    const other: PagePool = realm.PagePool.attach(pool.share() as never) as never;
    const held = other.alloc();
    const sent = other.alloc();
    const codes: (string | undefined)[] = [];
    const exchange = vi.spyOn(Atomics, 'compareExchange').mockImplementationOnce(() => {
      exchange.mockRestore();
      codes.push(
        codeOf(() => other.alloc()),
        codeOf(() => other.release(held)),
      );
      other.detach();
      throw new Error('ended');
    });
    expect(() => other.channel('work').send(sent, 0, 0)).toThrow('ended');
    expect(codes).toEqual(['POOL_ERR_DESTROYED', 'POOL_ERR_DESTROYED']);
    const isClaimed = () => pool.stats().ports[other.portId]?.isClaimed;
    expect(isClaimed()).toBe(true);
    // The platform takes the thread's strands when it is gone.
    const words = new Int32Array((pool.share().memory as WebAssembly.Memory).buffer);
    const port = portOffset(planGeometry(resolveOptions('create', OPTIONS)), other.portId);
    Atomics.notify(words, (port + PORT_LIFELINE_OFFSET) >>> 2);
    await vi.waitFor(() => expect(isClaimed()).toBe(false), PATIENCE);
    expect(pool.audit()).toMatchObject({ balanced: true, pages: { used: 0 } });
  });
});
